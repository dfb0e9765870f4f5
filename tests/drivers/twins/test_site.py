"""A site of twins: charger, meter and car on one outlet; in this process, and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.profile_load import load
from drivers.twins.car import UJ_PER_WH, Car
from drivers.twins.commands import run
from drivers.twins.config import PROFILES, SiteConfig, check_site, read_site
from drivers.twins.serve import serve_one
from drivers.twins.site import TwinSite
from drivers.twins.twin import monotonic_us
from protocols import door
from protocols.fieldbus.modbus import Answer, ReadRegisters, Refused, Space

from .gateway import Gateway

SITE = """
[[line]]
id = "rs485"
baud = 115200
link = "{link}"

[[line]]
id = "lan"
kind = "tcp"

[[outlet]]
id = "c1"
[[outlet]]
id = "c2"
car = {{ power_w_max = 7_400, phases = 1 }}

[[device]]
id = "charger1"
line = "rs485"
profile = "heidelberg-energy-control"
unit = 1
outlet = "c1"

[[device]]
id = "meter1"
line = "rs485"
profile = "schneider-iem3155"
unit = 11
outlet = "c1"
register_start_wh = 1_000_000

[[device]]
id = "charger2"
line = "lan"
profile = "keba-p30"
outlet = "c2"
faults = [{{ kind = "exception", count = 1, amount = 6 }}]
"""
METER = ReadRegisters(Space.HOLDING, 0x0C83, 4)


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(link=tmp_path / "ttyTwin"), encoding="utf-8")
    return path


async def test_the_meter_counts_what_the_charger_delivers(site_file: Path) -> None:
    """Charger and meter share an outlet and a line; the meter's register is start plus what flowed."""
    clock = [1_000_000]
    async with TwinSite(read_site(site_file), clock=lambda: clock[0]) as site, Gateway(site.port("rs485")) as gateway:
        profile = load(PROFILES / "heidelberg-energy-control.toml")
        site.outlet("c1").plug(Car(power_w_max=22_000))
        await gateway.command(1, profile, "start", 16, site.device("charger1").panel.fixed)
        clock[0] += 10_000_000
        answer = await gateway.ask(11, METER)
        assert site.outlet("c1").delivered_uj == 11_040 * 10_000_000
        assert answer == Answer((0, 0, *divmod(1_000_000 + 11_040 * 10 // 3600, 65536)))
        assert site.outlet("c2").iec.value == "B"


async def test_the_link_points_to_the_port_and_goes_away(site_file: Path, tmp_path: Path) -> None:
    """The symlink is there while the site serves; one left behind is replaced, a file of that name is not."""
    link = tmp_path / "ttyTwin"
    link.symlink_to("/nowhere")
    async with TwinSite(read_site(site_file)) as site:
        assert os.readlink(link) == site.port("rs485")
        async with Gateway(str(link)) as gateway:
            assert await gateway.ask(11, METER) is not None
    assert not link.is_symlink()
    link.write_text("precious")
    with pytest.raises(FileExistsError):
        async with TwinSite(read_site(site_file)):
            pass
    assert link.read_text() == "precious"


async def test_commands_answer_and_never_raise(site_file: Path) -> None:
    """Each command's answer, and what is said to one that makes no sense."""
    async with TwinSite(read_site(site_file)) as site:

        async def do(**command: Any) -> dict[str, Any]:
            return (await run(site, json.dumps(command)))[0]

        assert (await do(do="plug", outlet="c1", car={"phases": 1}))["iec"] == "B"
        assert "already" in (await do(do="plug", outlet="c1"))["error"]
        assert (await do(do="unplug", outlet="c1"))["plugged"] is False
        assert (await do(do="fault", device="meter1", fault={"kind": "dead", "count": 3}))["faults"] == ["dead"]
        assert "is a meter" in (await do(do="fault", device="meter1", fault={"kind": "ill"}))["error"]
        assert await do(do="clear") == {"ok": True}
        state = await do(do="state")
        assert state["devices"]["meter1"]["faults"] == []
        assert state["devices"]["meter1"]["register_wh"] == 1_000_000
        assert (await do(do="stats"))["lines"]["rs485"]["requests"] == 0
        assert await do(do="plug", outlet="c9") == {"ok": False, "error": "there is no 'c9'"}
        assert "explode" in (await do(do="explode"))["error"]
        assert (await run(site, "{"))[0]["ok"] is False
        assert await run(site, '{"do": "quit"}') == ({"ok": True}, False)


def test_all_faults_of_a_site_file_are_told_at_once() -> None:
    """A wrong line, outlet, profile, unit and a second charger on an outlet: every fault with its path."""
    path = SITE.format(link="x").replace('line = "lan"', 'line = "wan"').replace('outlet = "c2"', 'outlet = "c1"')
    path = path.replace('profile = "schneider-iem3155"\nunit = 11', 'profile = "schneider-iem9"\nunit = 1')
    with pytest.raises(door.Refused) as refused:
        check_site(read_text(path))
    assert [fault.path for fault in refused.value.faults] == ["device[1].profile", "device[2].line", "device[2]"]


def read_text(text: str) -> SiteConfig:
    import tomllib

    return door.admit(tomllib.loads(text), SiteConfig, source="test")


async def test_a_line_can_be_pulled_out_and_put_back(site_file: Path, tmp_path: Path) -> None:
    """The port is gone, and back under the same name; the twins behind it have lived on."""
    async with TwinSite(read_site(site_file)) as site:
        lan = site.port("lan")
        for line in ("rs485", "lan"):
            await site.cut(line)
            await site.cut(line)
        assert not (tmp_path / "ttyTwin").exists()
        with pytest.raises(ConnectionRefusedError):
            async with Gateway(lan):
                pass
        for line in ("rs485", "lan"):
            await site.restore(line)
        assert site.port("lan") == lan
        async with Gateway(str(tmp_path / "ttyTwin")) as gateway:
            assert isinstance(await gateway.ask(11, METER), Answer)
        async with Gateway(lan) as gateway:
            assert await gateway.ask(255, ReadRegisters(Space.HOLDING, 1000, 2)) == Refused(6)


class Process:
    """`python -m drivers.twins`, spoken to as a test or a demo does."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    async def do(self, **command: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self.heard()

    async def heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 20))
        return answer


@asynccontextmanager
async def process_of(site_file: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drivers.twins", str(site_file),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        twins = Process(process, {})
        twins.ready = await twins.heard()
        yield twins
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_a_process_serves_a_whole_site(site_file: Path, tmp_path: Path) -> None:
    """It says where everything is, obeys commands, lives on while gateways come and go, and ends with its stdin."""
    profile = load(PROFILES / "keba-p30.toml")
    async with process_of(site_file) as twins:
        assert twins.ready["ready"] is True
        assert twins.ready["devices"]["charger2"] == {"profile": "keba-p30", "unit": 255}
        assert (await twins.do(do="plug", outlet="c1"))["iec"] == "B"
        async with Gateway(twins.ready["lines"]["lan"]) as gateway:
            await gateway.ask(255, ReadRegisters(Space.HOLDING, 1000, 2))  # uses up the exception
            await gateway.command(255, profile, "start", 16, await gateway.read_all(255, profile))
        async with Gateway(twins.ready["lines"]["rs485"]) as gateway:
            assert isinstance(await gateway.ask(11, METER), Answer)
        async with Gateway(twins.ready["lines"]["lan"]) as gateway:
            assert isinstance(await gateway.ask(255, ReadRegisters(Space.HOLDING, 1000, 2)), Answer)
        state = await twins.do(do="state")
        assert state["outlets"]["c2"]["power_w"] == 3_680
        assert twins.process.stdin is not None
        twins.process.stdin.close()
        assert await asyncio.wait_for(twins.process.wait(), 20) == 0
    assert not (tmp_path / "ttyTwin").is_symlink()


async def test_a_process_ends_on_sigterm_and_leaves_nothing(site_file: Path, tmp_path: Path) -> None:
    """SIGTERM is a clean end."""
    async with process_of(site_file) as twins:
        twins.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(twins.process.wait(), 20) == 0
    assert not (tmp_path / "ttyTwin").is_symlink()


async def test_a_process_refuses_a_bad_file(tmp_path: Path) -> None:
    """Exit code 2, and the faults on stderr."""
    path = tmp_path / "bad.toml"
    path.write_text("[[line]]\nidd = 'x'\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drivers.twins", str(path), stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"line[0].idd" in stderr


async def test_one_twin_for_a_terminal() -> None:
    """It says where it serves, and each second how it is."""
    said: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_one("eastron-sdm630", tcp_port=0, unit=3, register_start_wh=5_000, say=said.put_nowait, stop=stop)
    )
    where = await asyncio.wait_for(said.get(), 10)
    assert where.startswith("eastron-sdm630 as unit 3 on 127.0.0.1:")
    async with Gateway(where.rpartition(" ")[2]) as gateway:
        assert isinstance(await gateway.ask(3, ReadRegisters(Space.INPUT, 0x48, 2)), Answer)
    line = await asyncio.wait_for(said.get(), 10)
    assert line.startswith("C 11000 W 15.9 A; register 5.00")
    assert line.endswith("1 asked, 1 answered")
    stop.set()
    await serving


async def test_one_twin_on_a_pty_with_its_own_speed(tmp_path: Path) -> None:
    """Without a TCP port it serves at the profile's own speed on a pty; an unknown fault is refused with the list."""
    said: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    link = tmp_path / "tty"
    serving = asyncio.create_task(
        serve_one("heidelberg-energy-control", pty_link=str(link), faults=["crc:2"], say=said.put_nowait, stop=stop)
    )
    assert (await asyncio.wait_for(said.get(), 10)).endswith(", 19200 baud")
    async with Gateway(str(link)) as gateway:
        state = ReadRegisters(Space.INPUT, 5, 1)
        broken = [await gateway.ask(1, state, timeout_s=0.1, bytes_least=7) for _ in range(2)]
        assert [*broken, await gateway.ask(1, state)] == [None, None, Answer((4,))]
    stop.set()
    await serving
    with pytest.raises(ValueError, match="two-at-one-address"):
        await serve_one("heidelberg-energy-control", faults=["quake"])


async def test_a_car_gets_full_in_real_time_and_no_faster(site_file: Path) -> None:
    """Physics follow the monotonic clock: what flowed lies between what the shortest and the longest time allow."""
    async with TwinSite(read_site(site_file)) as site:
        loop = asyncio.get_running_loop()
        first_s = loop.time()
        site.outlet("c2").outlet.allow(32_000, monotonic_us())
        second_s = loop.time()
        await asyncio.sleep(0.05)
        third_s = loop.time()
        delivered_j = site.outlet("c2").delivered_uj / 1e6
        fourth_s = loop.time()
        assert 7_360 * (third_s - second_s) - 1 <= delivered_j <= 7_360 * (fourth_s - first_s) + 1
        assert UJ_PER_WH == 3600 * 10**6
