"""What goes over the broker: presence, the live picture, and commands that run once; and what happens without one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import sqlalchemy as sa
from plant import SITE, WAIT_S, Plant, plant, running, session_of

from cloud import schema, store

pytestmark = pytest.mark.system

CARD = "CARD-0001"


class Broker:
    """A mosquitto on a free port of this machine. Who may say what is tested in tests/edge/sync."""

    def __init__(self, directory: Path) -> None:
        self._program = program()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._config = directory / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._log = directory / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", self._config], stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def program() -> str:
    """mosquitto; skips where it is not installed, unless CI says that it must be."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "mosquitto is not installed: apt-get install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


class QuickPlant(Plant):
    """A plant whose headquarters and daemon share a broker."""

    def __init__(self, root: Path, broker: Broker) -> None:
        super().__init__(root)
        self._mqtt = f'\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\n'

    async def open_headquarters(self) -> None:
        (self.hq_home / "hq.toml").write_text(self._mqtt)
        await super().open_headquarters()

    async def start_twins(self) -> None:
        await super().start_twins()
        with self.config.open("a") as config:
            config.write(self._mqtt)

    def is_online(self, wanted: bool) -> bool:
        """Whether headquarters' own monitoring shows it so."""
        assert self.link is not None
        context = ssl.create_default_context(cafile=self.hq_home / "tls" / "ca.pem")
        with urllib.request.urlopen(f"https://127.0.0.1:{self.link._target}/metrics", context=context) as answer:
            return f'fieldtill_site_online{{site="{SITE}"}} {wanted:.1f}' in answer.read().decode().splitlines()

    def signed(self, number: int) -> bytes:
        """A command as headquarters has signed it: what somebody at the broker could have kept."""
        table = schema.commands
        with store.reading(self.head.engine) as connection:
            query = sa.select(table.c.command).where(table.c.site == SITE, table.c.number == number)
            return bytes(connection.execute(query).scalar_one())

    def has_refused(self, commands: int) -> bool:
        """Whether the daemon's log says so."""
        lines = (self._log / "daemon.log").read_text().splitlines()
        return len([line for line in lines if "command refused" in line and "old-number" in line]) == commands


async def until(true: Callable[[], bool]) -> None:
    """Ask until it is so; in vain is a failure."""
    async with asyncio.timeout(WAIT_S):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110  # another process tells nobody
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_commands_go_by_broker_and_by_polling_and_run_once(tmp_path: Path, broker: Broker) -> None:
    """Headquarters sees the site, starts and stops sessions there; a replay is refused; without a broker it polls."""
    async with plant(tmp_path, {CARD: 50_000}, make=partial(QuickPlant, broker=broker)) as site:
        assert site.link is not None
        (account,) = site.cards
        acknowledged: dict[int, str] = {}

        async def begun(connector: str) -> int:
            status = await site.until("a session", lambda status: connector in running(status))
            found = session_of(status, connector)
            assert found is not None
            acknowledged[found["seq"]] = account
            return int(found["seq"])

        await until(lambda: site.is_online(True))
        async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as somebody:
            site.link.cut()  # so that nothing but the broker can bring a command
            start = await site.hq("command", "start", SITE, "c1", account, "--yuan", "15")
            seq = await begun("c1")
            await site.until("energy", lambda status: (session_of(status, "c1") or {}).get("energy_wh", 0) > 0)
            await somebody.subscribe(f"fieldtill/{SITE}/state")
            picture: dict[str, Any] = {}
            async with asyncio.timeout(WAIT_S):
                async for message in somebody.messages:
                    assert isinstance(message.payload, bytes)
                    picture = json.loads(message.payload)
                    if picture["sessions"] and picture["sessions"][0]["energy_wh"] > 0:
                        break
            assert [session["connector"] for session in picture["sessions"]] == ["c1"]
            assert account not in json.dumps(picture)
            await site.hq("command", "stop", SITE, "c1", str(seq))
            await site.until("the session to end", lambda status: not running(status))

            for _ in range(2):
                await somebody.publish(f"fieldtill/{SITE}/command", site.signed(start["number"]), qos=1)
            await until(lambda: site.has_refused(2))
            assert not running(await site.status())
        site.link.mend()

        await site.kill_daemon()
        await until(lambda: site.is_online(False))  # by the last will
        await site.start_daemon()
        await until(lambda: site.is_online(True))

        broker.kill()
        await site.hq("command", "start", SITE, "c2", account)
        seq = await begun("c2")
        await site.hq("command", "stop", SITE, "c2", str(seq))
        await site.sold_out()
        found = await site.audit(acknowledged)
        assert {found.opened[seq].origin.via for seq in acknowledged} == {"command"}
        assert len(found.opened) == 2
