"""A port takes an order and never begins: told to stop, let go, and no money waits for a settlement of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from drivers.port_board import PortEnd, PortState, PortStatus, Settlement
from edge.till.port.begin import LAST_WORD_S
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort
from protocols.trade.records import Preset, SessionHeld, SessionVoided
from protocols.trade.records_port import PortClosed, PortUnattributed
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import POLICY, Rack, a_rack

HOUR = Preset("time", 3_600)
GONE_S = POLICY.begin_wait_s + LAST_WORD_S + 20


async def takes_and_rests(rack: Rack) -> OpenPort:
    """Port 1 has the order, and is idle. A settlement that is missing is looked into after an hour."""
    rack.rules = rack.ports.policy = replace(POLICY, settle_wait_s=3_600)
    rack.steel.lazy = True
    session = await rack.begin_port(preset=HOUR)
    await rack.wait(5)
    (found,) = rack.ports.sessions()
    assert found[1].taken
    return session


def stops(rack: Rack) -> int:
    return rack.steel.asked.count(("stop", 1))


def voids(rack: Rack) -> list[str]:
    return [body.reason for body in rack.bodies(SessionVoided)]


async def test_it_is_stopped_and_let_go(tmp_path: Path) -> None:
    """It tells that it is idle, and tells so after it has been told to stop: void, and the hold goes back."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        await rack.wait(POLICY.begin_wait_s - 10)
        assert (stops(rack), voids(rack)) == (0, [])
        await rack.wait(20)
        assert (stops(rack), voids(rack)) == (1, [])
        await rack.wait(LAST_WORD_S)
        assert (stops(rack), voids(rack)) == (1, ["not-started"])
        assert rack.lease().held == 0
        rack.steel.lazy = False
        await rack.begin_port(preset=HOUR)
        await rack.wait(3_620, 20)
        assert rack.bills == [("limit", 100)]


@pytest.mark.parametrize("at_s", [1, 30, 70, 100])
async def test_silence_lets_nothing_go(tmp_path: Path, at_s: int) -> None:
    """From some moment on nobody hears it for ten minutes: it may have charged. It is waited for, and a person told."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        await rack.wait(at_s, 1)
        rack.steel.answers = False
        await rack.wait(600)
        assert voids(rack) == []
        rack.steel.answers = True
        await rack.wait(600)
        assert voids(rack) == []
        await rack.wait(3_000, 20)
        assert [body.finding for body in rack.bodies(SessionHeld)] == ["settlement-missing"]
        await rack.wait(3_700, 20)
        assert rack.lease().held == 0
        assert rack.bills == []


async def test_what_it_charged_unheard_is_paid(tmp_path: Path) -> None:
    """It begins once the line is dark, ends there, and settles half an hour after the line is back."""
    async with a_rack(tmp_path) as rack:
        session = await takes_and_rests(rack)
        rack.steel.answers = False
        await rack.wait(3_000, 20)
        rack.steel.answers = True
        await rack.wait(1_800, 20)
        number = rack.ports.order_of(session).number
        rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", 100, 2_400, 150)]
        await rack.wait(20)
        assert rack.bills == [("full", 67)]
        assert rack.loose == []


async def test_a_settlement_after_it_was_let_go(tmp_path: Path) -> None:
    """It says that nothing came of it: no news. It tells of energy: written down, and charged to nobody."""
    async with a_rack(tmp_path) as rack:
        number = rack.ports.order_of(await takes_and_rests(rack)).number
        await rack.wait(GONE_S)
        rack.steel.kept = [Settlement(1, number, PortEnd.NO_LOAD, "1", 0, 0)]
        await rack.wait(20)
        assert (rack.loose, rack.steel.kept) == ([], [])
        rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", 480, 3_600)]
        await rack.wait(20)
        assert [(body.why, body.energy_wh) for body in rack.bodies(PortUnattributed)] == [("late", 480)]
        assert (rack.bills, rack.lease().used) == ([], 0)


async def test_it_begins_as_it_is_told_to_stop(tmp_path: Path) -> None:
    """It is told again, and settles what flowed: that is paid, and no more."""
    async with a_rack(tmp_path) as rack:
        rack.steel.startled = rack.ports.order_of(await takes_and_rests(rack))
        while stops(rack) == 0:
            await rack.wait(5)
        rack.elapse(30)
        await rack.wait(60)
        assert stops(rack) >= 2
        assert voids(rack) == []
        (body,) = rack.bodies(PortClosed)
        assert (body.reason, body.settled) == ("not-started", True)
        assert body.elapsed_s in range(30, 60)


async def test_it_begins_after_it_was_let_go(tmp_path: Path) -> None:
    """Nobody pays for that: it is stopped as soon as it shows."""
    async with a_rack(tmp_path) as rack:
        rack.steel.lazy = True
        order = rack.ports.order_of(await takes_and_rests(rack))
        await rack.wait(GONE_S)
        assert voids(rack) == ["not-started"]
        rack.steel.lazy = False
        await rack.steel.start(1, order)
        await rack.wait(20)
        assert rack.steel.outlets[1].running is None
        assert (rack.bills, rack.lease().used) == ([], 0)


async def test_a_stop_that_it_does_not_take(tmp_path: Path) -> None:
    """What may begin yet is not let go: the stop is told until it is taken."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        rack.steel.stops = False
        await rack.wait(2 * GONE_S)
        assert voids(rack) == []
        rack.steel.stops = True
        await rack.wait(LAST_WORD_S + 20)
        assert voids(rack) == ["not-started"]


@pytest.mark.parametrize("at_s", [5, POLICY.begin_wait_s - 5, POLICY.begin_wait_s + 5, POLICY.begin_wait_s + 40])
async def test_the_daemon_was_restarted(tmp_path: Path, at_s: int) -> None:
    """What it heard is saved now and then; a port that was heard again soon enough is let go as ever."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        await rack.wait(at_s)
        await reopen(rack, tmp_path, meanwhile=lambda: rack.elapse(20))
        rack.ports.policy = rack.rules
        await rack.wait(GONE_S + 120)
        assert voids(rack) == ["not-started"]
        assert rack.lease().held == 0


async def test_the_power_was_cut_meanwhile(tmp_path: Path) -> None:
    """Nobody knows what the port did in the dark: it is waited for as where a settlement is missing."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        await reopen(rack, tmp_path, boot=b"boot-002", meanwhile=lambda: rack.elapse(20))
        await rack.wait(2 * GONE_S)
        assert voids(rack) == []
        await rack.wait(3_700, 20)
        assert [body.finding for body in rack.bodies(SessionHeld)] == ["settlement-missing"]


async def test_its_customer_ends_it_before_it_begins(tmp_path: Path) -> None:
    """The same: it has taken the stop, and tells on that it is idle."""
    async with a_rack(tmp_path) as rack:
        session = await takes_and_rests(rack)
        await rack.hall.stop(session.seq, PortEnds.LOCAL)
        await rack.wait(GONE_S)
        assert (voids(rack), rack.lease().held) == (["local"], 0)


async def test_a_faulty_port(tmp_path: Path) -> None:
    """It took the order and tells of a fault instead of charging."""
    async with a_rack(tmp_path) as rack:
        await takes_and_rests(rack)
        rack.steel.outlets[1].fault = True
        await rack.wait(GONE_S + 20)
        assert (voids(rack), rack.lease().held) == (["fault"], 0)


async def test_one_that_has_charged_is_never_let_go(tmp_path: Path) -> None:
    """It was seen at work for a moment, and its settlement is missing: a person looks into it."""
    async with a_rack(tmp_path) as rack:
        rack.rules = rack.ports.policy = replace(POLICY, settle_wait_s=3_600)
        await rack.begin_port(preset=HOUR)
        await rack.wait(10)
        rack.steel.outlets[1].running = None
        rack.steel.tell()
        await reopen(rack, tmp_path)
        rack.ports.policy = rack.rules
        await rack.wait(3 * GONE_S)
        assert voids(rack) == []
        await rack.wait(3_600, 20)
        assert [body.finding for body in rack.bodies(SessionHeld)] == ["settlement-missing"]


async def test_a_board_that_has_stopped_counting(tmp_path: Path) -> None:
    """It shows the order for ever, and no more of it: by our own clock it has had its time, and is told to stop."""
    async with a_rack(tmp_path) as rack:
        order = rack.ports.order_of(await rack.begin_port(preset=HOUR))
        shown = PortStatus(PortState.CHARGING, "1", order.number, 10, 120, 0, 150, True)
        rack.steel.insists = shown
        await rack.wait(3_600, 20)
        assert stops(rack) == 0
        await rack.wait(200, 20)
        assert stops(rack) >= 1
        await rack.wait(60 + 3_700, 20)
        assert len(rack.bills) == 1
        assert rack.lease().held == 0
