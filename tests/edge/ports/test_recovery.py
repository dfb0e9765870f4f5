"""The daemon dies before and after each act at a port. Whatever it was, the order is given once and billed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.till.port.progress import PortEnds
from protocols.trade.records import Preset, SessionVoided
from tests.edge.desk_rig import reopen, slow_disk, turns, until
from tests.edge.ports.port_rig import Rack, a_rack

HALF_AN_HOUR = Preset("time", 1_800)
BOOTS = pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["daemon", "power"])


def starts(rack: Rack) -> int:
    return sum(1 for what, _ in rack.steel.asked if what == "start")


async def to_the_end(rack: Rack) -> None:
    await rack.wait(2_000, 20)


async def test_death_before_the_start(tmp_path: Path) -> None:
    """The opening record is durable and the board has heard nothing: it is asked, and started by the same number."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=HALF_AN_HOUR)
        assert starts(rack) == 0
        await reopen(rack, tmp_path)
        await to_the_end(rack)
        assert starts(rack) == 1
        assert rack.bills == [("limit", 50)]


async def test_power_cut_before_the_start(tmp_path: Path) -> None:
    """Nobody stands there any more: an order that the board has not got is not given, and nothing is charged."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=HALF_AN_HOUR)
        await reopen(rack, tmp_path, boot=b"boot-002")
        await to_the_end(rack)
        assert starts(rack) == 0
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-started"]


@BOOTS
async def test_death_right_after_the_start(tmp_path: Path, boot: bytes | None) -> None:
    """The board has the order and the daemon does not know: it sees so, and starts nothing again."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.ports.telling(session)
        await rack.steel.start(1, rack.ports.order_of(session))
        await reopen(rack, tmp_path, boot=boot)
        await to_the_end(rack)
        assert starts(rack) == 1
        assert rack.bills == [("limit", 50)]


async def test_a_start_that_nobody_heard_of(tmp_path: Path) -> None:
    """Lost on its way back: the board shows the order, so it is not started twice."""
    async with a_rack(tmp_path) as rack:
        rack.steel.loses = True
        await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(10)
        rack.steel.loses = False
        await to_the_end(rack)
        assert starts(rack) == 1
        assert rack.bills == [("limit", 50)]


async def test_a_start_that_the_board_did_not_hear(tmp_path: Path) -> None:
    """Its status shows no order, so the same number is started again."""
    async with a_rack(tmp_path) as rack:
        rack.steel.deaf = True
        await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(10)
        rack.steel.deaf = False
        await to_the_end(rack)
        assert starts(rack) >= 2
        assert rack.bills == [("limit", 50)]


@BOOTS
async def test_death_in_mid_session(tmp_path: Path, boot: bytes | None) -> None:
    """The board goes on by itself; what it tells afterwards is counted on from the last row."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(900, 10)
        await reopen(rack, tmp_path, boot=boot, meanwhile=lambda: rack.elapse(300))
        await to_the_end(rack)
        assert rack.bills == [("limit", 50)]


@BOOTS
async def test_death_over_the_end(tmp_path: Path, boot: bytes | None) -> None:
    """It ended while the box was dead: the settlement waits, settles, and is acknowledged."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(1_200, 10)
        await reopen(rack, tmp_path, boot=boot, meanwhile=lambda: rack.elapse(3_600))
        await rack.wait(20)
        assert rack.bills == [("limit", 50)]
        assert rack.steel.kept == []


@BOOTS
async def test_death_between_bill_and_acknowledgement(tmp_path: Path, boot: bytes | None) -> None:
    """The closing record is durable, the board has not heard so: it tells it again, and hears it then."""
    async with a_rack(tmp_path) as rack:
        rack.steel.hears_no_ack = True
        await rack.begin_port(preset=HALF_AN_HOUR)
        await to_the_end(rack)
        assert len(rack.bills) == 1
        await reopen(rack, tmp_path, boot=boot)
        rack.steel.hears_no_ack = False
        await rack.wait(20)
        assert rack.steel.kept == []
        assert len(rack.bills) == 1
        assert rack.loose == []


async def test_nothing_is_acknowledged_before_it_is_durable(tmp_path: Path) -> None:
    """As long as the session is open its settlement stays with the board."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=Preset("time", 600))
        rack.steel.settles = False
        await rack.wait(620, 10)
        assert [what for what, _ in rack.steel.asked if what == "acknowledge"] == []
        rack.steel.settles = True
        size = rack.journal.size
        await rack.loop.step()
        assert rack.journal.size > size
        assert [what for what, _ in rack.steel.asked if what == "acknowledge"] == ["acknowledge"]


async def test_a_stop_that_was_asked_for_survives(tmp_path: Path) -> None:
    """The board is silent while the customer stops; after a restart it is told so as soon as it answers."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(300, 10)
        rack.steel.answers = False
        await rack.hall.stop(session.seq, PortEnds.LOCAL)
        await reopen(rack, tmp_path)
        rack.steel.answers = True
        await rack.wait(30)
        assert rack.bills[0][0] == "local"
        assert rack.bills[0][1] in (8, 9)


async def test_power_cut_at_the_board(tmp_path: Path) -> None:
    """It settles what it had when it comes back, and is paid that."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=HALF_AN_HOUR)
        await rack.wait(900, 10)
        rack.steel.cut_power()
        await rack.wait(20)
        assert rack.bills == [("power-loss", 25)]


async def test_a_start_for_somebody_who_was_told_no(tmp_path: Path) -> None:
    """The board's ten seconds run out while the record is on its way: nothing is started, and all is given back."""
    async with a_rack(tmp_path) as rack:
        with slow_disk(rack.journal) as disk_goes_on:
            asked = asyncio.create_task(rack.hall.start(rack.asks(1, HALF_AN_HOUR)))
            await turns()
            asked.cancel()
            await asyncio.wait([asked])
            disk_goes_on()
            await until(lambda: bool(rack.ports.sessions()))
        await to_the_end(rack)
        assert starts(rack) == 0
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-started"]
        assert rack.lease().held == 0
        await rack.begin_port(preset=HALF_AN_HOUR)
        await to_the_end(rack)
        assert rack.bills == [("limit", 50)]


async def test_a_start_cut_off_before_its_tick(tmp_path: Path) -> None:
    """Headquarters is away, the counter is slow, and the board's ten seconds run out between record and tick."""
    async with a_rack(tmp_path) as rack:
        rack.site.is_online = lambda: False
        ticks: list[object] = []
        ticking = asyncio.Event()

        async def never(drafts: object) -> None:
            ticks.append(drafts)
            ticking.set()
            await asyncio.Event().wait()

        real, rack.desk.guard.tick = rack.desk.guard.tick, never  # type: ignore[method-assign]  # a test's stand-in
        asked = asyncio.create_task(rack.hall.start(rack.asks(1, HALF_AN_HOUR)))
        await ticking.wait()
        asked.cancel()
        await asyncio.wait([asked])
        rack.desk.guard.tick = real  # type: ignore[method-assign]  # a test's stand-in
        await to_the_end(rack)
        assert starts(rack) == 0
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-started"]
        assert rack.lease().held == 0
