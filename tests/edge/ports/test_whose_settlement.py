"""Is a settlement with a session's number truly of that session? In doubt it is held for a person, and never billed."""

from __future__ import annotations

from dataclasses import replace as with_number
from pathlib import Path

import pytest
from msgspec.structs import replace

from drivers.port_board import PortEnd, Settlement, mark_of, order_number, session_of
from edge.ports.board_loop import STRANGE_EVERY_S, STRANGE_MAX
from edge.till.port.doubt import CLOCK_OFF_MS, doubt
from edge.till.state import OpenPort
from protocols.trade.records import Preset, SessionHeld
from protocols.trade.records_port import PortClosed, PortUnattributed
from tests.edge.desk_rig import MIDNIGHT_MS, reopen
from tests.edge.ports.port_rig import Rack, Running, a_rack

HOUR = Preset("time", 3_600)


def of(rack: Rack, session: OpenPort, port: int = 1, **more: int | None) -> Settlement:
    """Half a kWh in half an hour, as this session's board would tell it."""
    plain: dict[str, int | None] = {"began_ms": None, "ended_ms": None, **more}
    number = rack.ports.order_of(session).number
    return Settlement(
        port, number, PortEnd.FULL, "1", 500, 1_800, began_ms=plain["began_ms"], ended_ms=plain["ended_ms"]
    )


def test_a_number_names_its_record_and_when_it_was_written() -> None:
    """The same seq, written anew after the disk was restored, is another order."""
    before, after = order_number(3, 17, mark_of(b"boot-001", 5_000)), order_number(3, 17, mark_of(b"boot-002", 5_000))
    assert before != after
    assert session_of(before) == session_of(after) == (3, 17)


async def test_a_settlement_of_before_the_disk_was_restored(tmp_path: Path) -> None:
    """The board still has the last word of an order that this log never wrote, under a number that it wrote again: it
    is nobody's, and the new session is billed by its own.
    """
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=HOUR)
        other = session.stamp.mono_ms + 1
        while mark_of(session.stamp.boot, other) == mark_of(session.stamp.boot, session.stamp.mono_ms):
            other += 1
        old = order_number(1, session.seq, mark_of(session.stamp.boot, other))
        await rack.wait(60)
        rack.steel.kept.append(Settlement(1, old, PortEnd.FULL, "1", 9_000, 20_000))
        await rack.wait(3_700, 20)
        assert rack.loose == ["unordered"]
        assert rack.bills == [("limit", 100)]


async def test_an_order_of_before_the_disk_was_restored_is_stopped(tmp_path: Path) -> None:
    """It runs under a number that this log has given to another session since: nobody would pay for it."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(1, HOUR)
        await rack.wait(10)
        order = rack.ports.order_of(session)
        stamp = session.stamp
        mark = (mark_of(stamp.boot, stamp.mono_ms) + 1) % 1000
        rack.steel.outlets[2].running = Running(with_number(order, number=order_number(1, session.seq, mark)))
        rack.steel.tell()
        await rack.wait(20)
        assert rack.steel.outlets[2].running is None
        assert rack.steel.outlets[1].running is not None


async def test_the_right_order_at_the_wrong_gun(tmp_path: Path) -> None:
    """A pile's bill names gun 2, the order was gun 1's: held for a person with the reason, kept by the pile, and not
    billed; after the wait the session is closed by what was seen, and the bill is written down.
    """
    async with a_rack(tmp_path, price="cars") as rack:
        session = await rack.begin_port(1)
        await rack.wait(120)
        seen_wh = rack.steel.outlets[1].running.energy_mwh // 1_000  # type: ignore[union-attr]  # it runs
        rack.steel.outlets[1].running = None
        rack.steel.kept = [of(rack, session, port=2)]
        rack.steel.tell()
        await rack.wait(20)
        (held,) = rack.bodies(SessionHeld)
        assert held.finding == "settlement-doubtful"
        assert "port 2" in held.detail
        assert len(rack.steel.kept) == 1
        await rack.begin_port(2, Preset("time", 60))  # it stands in nobody's way there
        await rack.wait(80, 10)
        await reopen(rack, tmp_path, boot=b"boot-002")
        await rack.wait(60)
        assert len(rack.bodies(SessionHeld)) == 1
        await rack.wait(3_700, 20)
        closed = rack.bodies(PortClosed)[-1]
        assert (closed.settled, closed.energy_wh) == (False, seen_wh)
        assert [(body.why, body.energy_wh) for body in rack.bodies(PortUnattributed)] == [("late", 500)]
        assert rack.steel.kept == []


async def test_a_doubtful_one_ends_nothing_that_still_runs(tmp_path: Path) -> None:
    """The port charges on and settles in the end: that is billed, and the other is written down."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(1, HOUR)
        await rack.wait(60)
        rack.steel.kept = [of(rack, session, port=2)]
        await rack.wait(3_700, 20)
        assert rack.bodies(SessionHeld) == []
        assert rack.bills == [("limit", 100)]
        assert rack.loose == ["second"]


@pytest.mark.parametrize(
    ("began_ms", "ended_ms", "doubtful"),
    [
        (None, None, False),
        (None, MIDNIGHT_MS + 600_000, False),
        (MIDNIGHT_MS - 86_400_000, MIDNIGHT_MS + 600_000, False),  # its clock was set in mid-charge
        (None, MIDNIGHT_MS - 86_400_000, True),
        (MIDNIGHT_MS - 90_000_000, MIDNIGHT_MS - 86_400_000, True),
        (None, MIDNIGHT_MS - CLOCK_OFF_MS // 2, False),
        (None, 1_000, False),  # it has no clock
    ],
)
async def test_what_was_over_before_it_was_ordered(
    tmp_path: Path, began_ms: int | None, ended_ms: int | None, doubtful: bool
) -> None:
    """By the board's clock, where it has one that can be believed."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(1, HOUR)
        opened = replace(session.opened, clock_lb_ms=MIDNIGHT_MS)
        found = doubt(
            replace(session, opened=opened), of(rack, session, began_ms=began_ms, ended_ms=ended_ms), by_energy=True
        )
        assert (found is not None) == doubtful
        await rack.wait(3_700, 20)


async def test_a_board_that_makes_settlements_up_fills_no_disk(tmp_path: Path) -> None:
    """Whoever passes for a board says as many as he likes: some hundreds are written down, then one now and then; a
    session beside them is settled all the same.
    """
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(1, Preset("time", 600))
        for seq in range(2_000):
            rack.steel.kept.append(Settlement(2, order_number(9, seq), PortEnd.FULL, "1", 10, 60))
        await rack.wait(60)
        await rack.begin_port(2, Preset("time", 600))  # the port is for sale all the same
        await rack.wait(640)
        assert STRANGE_MAX <= len(rack.loose) <= STRANGE_MAX + 700 / STRANGE_EVERY_S + 1
        assert len(rack.bills) == 2
        rack.steel.kept.clear()


async def test_energy_that_no_port_can_give(tmp_path: Path) -> None:
    """A board whose memory is spoilt, or who passes for it, says 600 kWh in an hour: the money stays where it is."""
    async with a_rack(tmp_path, price="cars") as rack:
        session = await rack.begin_port(1)
        await rack.wait(600)
        seen_wh = rack.steel.outlets[1].running.energy_mwh // 1_000  # type: ignore[union-attr]  # it runs
        rack.steel.outlets[1].running = None
        rack.steel.kept = [with_number(of(rack, session), energy_wh=600_000, elapsed_s=3_600)]
        rack.steel.tell()
        await rack.wait(30)
        (held,) = rack.bodies(SessionHeld)
        assert (held.finding, "600000 Wh" in held.detail) == ("settlement-doubtful", True)
        assert rack.bodies(PortClosed) == []
        await rack.wait(3_700, 20)
        assert [(body.settled, body.energy_wh) for body in rack.bodies(PortClosed)] == [(False, seen_wh)]
