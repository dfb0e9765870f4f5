"""A real mosquitto with TLS, passwords and an ACL; and an MQTT client in the role of headquarters."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from sync_hq import Authority

PASSWORDS = {"hq": "hq-secret", "box": "box-secret", "mute": "mute-secret"}
ACL = """\
user hq
topic readwrite fieldtill/#

user box
topic readwrite fieldtill/#

user mute
topic read fieldtill/#
topic write fieldtill/+/presence
"""


def program(name: str) -> str:
    """Where it is; skips the test where it is not installed, unless CI says that it must be."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"{name} is not installed: apt-get install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Broker:
    """One mosquitto on a free port of 127.0.0.1, stopped and started at will."""

    def __init__(self, directory: Path) -> None:
        self._program = program("mosquitto")
        directory.mkdir(parents=True)
        self.authority = Authority(directory / "tls")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        passwords = directory / "passwords"
        passwords.write_text("".join(f"{user}:{word}\n" for user, word in PASSWORDS.items()))
        subprocess.run([program("mosquitto_passwd"), "-U", passwords], check=True, capture_output=True)
        passwords.chmod(0o600)
        acl = directory / "acl"
        acl.write_text(ACL)
        acl.chmod(0o600)
        certificate, key = self.authority.certify("broker")
        self._config = directory / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
            f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}\npersistence false\n"
            + ("user root\n" if os.geteuid() == 0 else "")
        )
        self._log = directory / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (it only forks)
                [self._program, "-c", self._config], stdout=log, stderr=log
            )
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self._process.poll() is None, self._log.read_text()
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Ear:
    """What headquarters hears and says."""

    def __init__(self, client: aiomqtt.Client, site: str) -> None:
        self._client = client
        self._site = site
        self.heard: dict[str, list[Any]] = {"presence": [], "state": []}

    def last(self, leaf: str) -> Any:
        """The newest message of a topic, as a dict; empty while there is none."""
        return self.heard[leaf][-1] if self.heard[leaf] else {}

    async def say(self, leaf: str, payload: bytes) -> None:
        await self._client.publish(f"fieldtill/{self._site}/{leaf}", payload, qos=1)

    async def listen(self) -> None:
        async for message in self._client.messages:
            leaf = str(message.topic).rpartition("/")[2]
            assert isinstance(message.payload, bytes)
            self.heard[leaf].append(json.loads(message.payload))


@asynccontextmanager
async def headquarters_at(broker: Broker, site: str) -> AsyncIterator[Ear]:
    tls = aiomqtt.TLSParameters(ca_certs=str(broker.authority.ca_file))
    v5 = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, username="hq", password=PASSWORDS["hq"], protocol=v5, tls_params=tls
    ) as client:
        for leaf in ("presence", "state"):
            await client.subscribe(f"fieldtill/{site}/{leaf}", qos=1)
        ear = Ear(client, site)
        task = asyncio.create_task(ear.listen())
        try:
            yield ear
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
