"""A real mosquitto with the configuration that is shipped, but for paths and ports; a user's password is its name."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
from sync_broker import program
from sync_hq import Authority

from cloud import mqtt as hq_mqtt
from cloud.home import Mqtt as HqMqtt

SHIPPED = Path(__file__).parents[2] / "systemd"


class Broker:
    """For headquarters and these sites."""

    def __init__(self, directory: Path, sites: Iterable[str], passwords: Mapping[str, str] | None = None) -> None:
        self.words = {user: user for user in ("hq", *sites)} | dict(passwords or {})
        self.authority = Authority(directory / "tls")
        certificate, key = self.authority.certify("broker")
        passwd, acl = directory / "passwd", directory / "acl"
        passwd.write_text("".join(f"{user}:{word}\n" for user, word in self.words.items()))
        subprocess.run([program("mosquitto_passwd"), "-U", passwd], check=True, capture_output=True)
        acl.write_text((SHIPPED / "mosquitto.acl.example").read_text())
        self.site_port, self.hq_port = _free_port(), _free_port()
        places = {
            "listener 8883": f"listener {self.site_port} 127.0.0.1",
            "listener 8884": f"listener {self.hq_port}",
            "/etc/mosquitto/fieldtill.passwd": str(passwd),
            "/etc/mosquitto/fieldtill.acl": str(acl),
            "/etc/mosquitto/certs/ca.pem": str(self.authority.ca_file),
            "/etc/mosquitto/certs/broker.pem": str(certificate),
            "/etc/mosquitto/certs/broker.key": str(key),
        }
        text = (SHIPPED / "mosquitto.conf.example").read_text()
        for shipped, here in places.items():
            assert re.search(rf"^[^#]*{shipped}", text, re.M), shipped
            text = text.replace(shipped, here)
        for private in (passwd, acl):
            private.chmod(0o600)
        config = directory / "mosquitto.conf"
        config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self._log = directory / "mosquitto.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([program("mosquitto"), "-c", config], stdout=log, stderr=log)

    async def ready(self) -> None:
        async with asyncio.timeout(10):
            while True:
                assert self.process.poll() is None, self._log.read_text()
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.hq_port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    @property
    def for_hq(self) -> HqMqtt:
        password = self._log.with_name("hq-password")
        password.write_text(self.words["hq"] + "\n")
        ca_file = str(self.authority.ca_file)
        return HqMqtt("127.0.0.1", self.hq_port, ca_file=ca_file, username="hq", password_file=str(password))

    @asynccontextmanager
    async def client(self, user: str, identifier: str = "") -> AsyncIterator[hq_mqtt.Client]:
        """Somebody with this user's password; a refused publish is an error."""
        client = hq_mqtt.Client(
            "127.0.0.1",
            self.hq_port if user == "hq" else self.site_port,
            identifier=identifier or user,
            username=user,
            password=self.words[user],
            tls_params=aiomqtt.TLSParameters(ca_certs=str(self.authority.ca_file)),
        )
        async with client:
            yield client


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
