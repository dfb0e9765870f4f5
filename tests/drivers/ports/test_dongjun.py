"""A Dongjun board on a real pty: the vendor's bytes, states as they are, and nothing that acts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dny_rig import running, until
from word_rig import WordBus

from drivers.api import LinkState, Quality
from drivers.errors import Garbled, Misconfigured, Unsupported
from drivers.line import Line, LineConfig
from drivers.port_board import PortBoard, PortOrder, PortState
from drivers.ports.config import PortBoardConfig
from drivers.ports.dongjun import DongjunBoard
from drivers.ports.registry import build_port_board
from protocols.fieldbus import dongjun


def speaks(states: bytes) -> Callable[[bytes], bytes]:
    """The far end: whole questions in, answers out."""

    def answer(data: bytes) -> bytes:
        ear = dongjun.board_ear()
        ear.receive_data(data)
        asked = ear.next_event()
        return dongjun.encode_frame(dongjun.tell_ports(asked, states)) if isinstance(asked, dongjun.Frame) else b""

    return answer


@asynccontextmanager
async def board(tmp_path: Path, states: bytes, ports: int = 4) -> AsyncIterator[tuple[PortBoard, WordBus]]:
    bus = WordBus(tmp_path / "tty", speaks(states))
    config = PortBoardConfig(
        id="old", number=1, protocol="dongjun", line="yard", ports=ports,
        options={"poll_s": 0.05, "timeout_s": 0.1},
    )  # fmt: skip
    async with bus, Line(LineConfig(id="yard", path=str(bus.link), baud=9600, drain_ms=0)) as line:
        yield build_port_board(config, line, lambda: None), bus


async def test_the_vendors_bytes(tmp_path: Path) -> None:
    """Three ports: idle, busy, disabled; asked with a session of six digits."""
    async with board(tmp_path, bytes((1, 2, 3, 4))) as (driver, bus):
        assert isinstance(driver, PortBoard)
        assert isinstance(driver, DongjunBoard)
        assert driver.status()[1].quality is Quality.NONE
        await driver.read_status(1)
        assert bus.heard[0] == bytes.fromhex("EE 09 01 30 30 30 30 30 31 00 09")
        found = [(one.value.state, one.value.reason) for one in driver.status().values() if one.value]
        assert found == [
            (PortState.IDLE, "01 idle"), (PortState.CHARGING, "02 busy"), (PortState.OUT, "03 disabled"),
            (PortState.FAULT, "04 fault"),
        ]  # fmt: skip


async def test_it_is_watched_and_grows_old(tmp_path: Path) -> None:
    """Polled by itself; when it falls silent its states are stale, and its link says so."""
    async with board(tmp_path, bytes((1, 9))) as (driver, bus), running(driver.run()):
        await until(lambda: driver.status()[1].quality is Quality.GOOD)
        status = driver.status()[2].value
        assert status is not None
        assert (status.state, status.reason) == (PortState.FAULT, "09")
        assert driver.status()[4].quality is Quality.NONE
        assert [point.value for point in driver.points()] == ["idle (01 idle)", "fault (09)", "-", "-"]
        assert driver.link().state is LinkState.ONLINE
        bus.answers = lambda _: b""
        await until(lambda: driver.status()[1].quality is Quality.STALE)


async def test_nothing_that_acts_is_known(tmp_path: Path) -> None:
    """No byte is sent; a person is told why."""
    async with board(tmp_path, bytes((1, 1))) as (driver, bus):
        for act in (
            driver.start(1, PortOrder(bytes(16), "full", 0)), driver.stop(1, bytes(16)), driver.open_door(1),
        ):  # fmt: skip
            with pytest.raises(Unsupported, match="not known") as refused:
                await act
            assert "only watched" in refused.value.remedy
        with pytest.raises(Misconfigured):
            await driver.read_status(9)
        assert driver.settlements() == ()
        assert bus.heard == []


async def test_a_silent_board(tmp_path: Path) -> None:
    """Noise is no answer."""
    async with board(tmp_path, b"") as (driver, bus):
        bus.answers = lambda _: bytes.fromhex("66 0A 01 31 32 33 34 35 36 01 01 FF")
        with pytest.raises(Garbled, match="no valid answer"):
            await driver.read_status(1)
