"""Sessions at charging ports, from start to bill, on a real journal."""

from __future__ import annotations

from dataclasses import replace as replace_traits
from pathlib import Path

import pytest
from msgspec.structs import replace

from drivers.port_board import PortEnd, PortOrder, Settlement
from edge.ports.board_words import order_for
from edge.ports.taps import tap, tap_at
from edge.till.ask import Refusal, Refused
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort
from protocols.trade.records import Notice, Preset, SessionHeld, SessionVoided
from protocols.trade.records_port import PortClosed, PortDayClosed
from tests.edge.desk_rig import CARD
from tests.edge.ports.port_rig import TRAITS, a_rack


async def test_an_hour_at_a_port(tmp_path: Path) -> None:
    """A paid port session from start to a settled bill: an hour at 150 W costs a yuan, the rest of the hold goes."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=Preset("time", 3_600))
        assert rack.lease().held == 300  # whatever it draws
        await rack.wait(3_610, 10)
        assert rack.bills == [("limit", 100)]
        assert (rack.lease().used, rack.lease().held) == (100, 0)
        assert rack.steel.kept == []
        assert session.seq not in rack.ports


async def test_power_that_changes_in_mid_session(tmp_path: Path) -> None:
    """Half an hour at 300 W and half at 150 W: each second costs its own step."""
    async with a_rack(tmp_path) as rack:
        rack.steel.outlets[1].load_w = 300
        await rack.begin_port(preset=Preset("time", 3_600))
        await rack.wait(1_800, 5)
        rack.steel.outlets[1].load_w = 150
        await rack.wait(1_810, 5)
        (body,) = rack.bodies(PortClosed)
        assert body.step_s[0] + body.step_s[1] == 3_600
        assert body.step_s[1] in range(1_790, 1_801)
        assert body.amount_fen in (124, 125)


async def test_what_is_not_used_goes_back(tmp_path: Path) -> None:
    """Five yuan are held; the pack is full after twenty minutes, and a third of a yuan is what it costs."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=Preset("money", 500))
        await rack.wait(1_200, 10)
        rack.steel.outlets[1].load_w = 0
        await rack.wait(20, 5)
        assert rack.bills[0][0] == "full"
        assert rack.bills[0][1] in (33, 34)
        assert rack.lease().held == 0


async def test_unplugged(tmp_path: Path) -> None:
    """The board ends by itself; ten minutes are paid."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port()
        await rack.wait(600, 10)
        rack.steel.outlets[1].plugged = False
        await rack.wait(20, 5)
        assert rack.bills[0][0] == "unplugged"
        assert rack.bills[0][1] in (16, 17)


async def test_a_board_that_does_not_end_by_itself(tmp_path: Path) -> None:
    """Nothing is plugged in and the port goes on: it is stopped, and says so."""
    async with a_rack(tmp_path) as rack:
        rack.steel.ends_by_itself = False
        await rack.begin_port()
        await rack.wait(600, 10)
        rack.steel.outlets[1].plugged = False
        await rack.wait(60, 5)
        assert rack.bills[0][0] == "unplugged"
        assert "session-ended" in [notice.what for notice in rack.bodies(Notice)]


async def test_overload(tmp_path: Path) -> None:
    """A port that lets through more than it may is stopped; what was seen is what is billed."""
    async with a_rack(tmp_path) as rack:
        rack.steel.ends_by_itself = False
        await rack.begin_port()
        await rack.wait(300, 10)
        rack.steel.outlets[1].load_w = 1_500
        await rack.wait(30, 5)
        assert rack.bills[0][0] == "overload"


async def test_a_port_that_goes_on_beyond_its_order(tmp_path: Path) -> None:
    """It is stopped, the customer pays no more than was held, and what is beyond is the operator's."""
    async with a_rack(tmp_path) as rack:
        rack.steel.ends_by_itself = False
        rack.steel.outlets[1].load_w = 900
        await rack.begin_port(preset=Preset("time", 1_800))
        await rack.wait(1_950, 10)
        (body,) = rack.bodies(PortClosed)
        assert body.overrun_fen > 0
        assert rack.lease().used == 150
        assert rack.desk.state.overrun_fen == body.overrun_fen


async def test_nothing_plugged_in_costs_nothing(tmp_path: Path) -> None:
    """Refused where the board feels it; void where it does not."""
    async with a_rack(tmp_path) as rack:
        rack.steel.outlets[1].plugged = False
        rack.steel.tell()
        refused = await rack.hall.start(rack.asks())
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.NOT_PLUGGED
        rack.steel.outlets[2].load_w = 0
        await rack.begin_port(2)
        await rack.wait(15)
        assert rack.bills == []
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["no-load"]
        assert rack.loose == []  # what the board says of it is why
        assert rack.steel.kept == []


async def test_by_the_kwh(tmp_path: Path) -> None:
    """A price by energy: 0.30 kWh at 1.20 yuan; the order leaves one step of the counter for its overshoot."""
    async with a_rack(tmp_path, price="cars") as rack:
        rack.steel.outlets[1].load_w = 900
        session = await rack.begin_port(preset=Preset("energy", 300))
        assert session.opened.order_limit == 300
        await rack.wait(1_220, 10)
        assert rack.bills == [("limit", 36)]


async def test_by_the_time_of_day(tmp_path: Path) -> None:
    """The site's own tariff, as at a charger: a fen for every 10 Wh, and a meter's energy to the end."""
    async with a_rack(tmp_path, price="piles") as rack:
        rack.steel.outlets[1].load_w = 900
        await rack.begin_port(preset=Preset("energy", 300))
        await rack.wait(1_220, 10)
        assert rack.bills == [("limit", 30)]
        (body,) = rack.bodies(PortClosed)
        assert sum(piece.energy_wh for piece in body.slices) == 300


async def test_a_card_begins_and_ends_it(tmp_path: Path) -> None:
    """The only port with something plugged in and nothing ordered begins; the same card stops it."""
    async with a_rack(tmp_path) as rack:
        unclear = await tap(rack.hall, "rack", CARD)
        assert unclear.refused is not None  # three are plugged in
        for port in (2, 3):
            rack.steel.outlets[port].plugged = False
        rack.steel.tell()
        begun = await tap(rack.hall, "rack", CARD)
        assert isinstance(begun.found, OpenPort)
        await rack.wait(600, 10)
        ended = await tap(rack.hall, "rack", CARD)
        assert ended.ended
        await rack.wait(10)
        assert rack.bills[0][0] == "local"
        assert rack.bills[0][1] in (16, 17)


async def test_a_pile_begins_by_itself_and_is_stopped_at_once(tmp_path: Path) -> None:
    """It has the order as the answer to its card: a stop before the loop has told it anything is no void, as it may
    have begun.
    """
    async with a_rack(tmp_path) as rack:
        order = await order_for(rack.hall, "rack", 1, CARD)
        assert isinstance(order, PortOrder)
        await rack.steel.start(1, order)
        (found,) = rack.ports.sessions()
        await rack.hall.stop(found[0].seq, PortEnds.LOCAL)
        rack.elapse(600)
        await rack.wait(10)
        assert rack.bodies(SessionVoided) == []
        assert [reason for reason, _ in rack.bills] == ["local"]
        assert rack.bodies(PortClosed)[0].elapsed_s == 605


async def test_a_settlement_again_and_again(tmp_path: Path) -> None:
    """A board that does not hear the acknowledgement tells it for ever: one bill, one record, nothing else."""
    async with a_rack(tmp_path) as rack:
        rack.steel.hears_no_ack = True
        await rack.begin_port(preset=Preset("time", 600))
        await rack.wait(900, 10)
        size = rack.desk.state.size
        await rack.wait(300, 10)
        assert rack.desk.state.size == size
        assert len(rack.bills) == 1
        assert rack.loose == []


async def test_a_second_settlement_that_says_something_else(tmp_path: Path) -> None:
    """The first one counts; the other is written down once, and charged to nobody."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=Preset("time", 600))
        await rack.wait(620, 10)
        number = rack.ports.order_of(session).number
        rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", 990, 3_600)]
        await rack.wait(60, 10)
        assert rack.loose == ["second"]
        assert rack.steel.kept == []
        assert len(rack.bills) == 1


async def test_a_settlement_that_nobody_ordered(tmp_path: Path) -> None:
    """A number that the board has made up itself: written down, acknowledged, charged to nobody."""
    async with a_rack(tmp_path) as rack:
        rack.steel.kept = [Settlement(2, b"CARD-0001", PortEnd.FULL, "1", 480, 3_600)]
        await rack.wait(20)
        assert rack.loose == ["unordered"]
        assert rack.steel.kept == []
        refused = await rack.hall.start(rack.asks(2))
        assert not isinstance(refused, Refused)


async def test_a_settlement_that_never_comes(tmp_path: Path) -> None:
    """The board dies: held for review, then closed by what was known last; what comes later is charged to nobody."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=Preset("time", 3_600))
        await rack.wait(1_800, 10)
        rack.steel.answers = False
        await rack.wait(2_000, 20)
        assert rack.bills == []
        await rack.wait(200, 20)
        assert [body.finding for body in rack.bodies(SessionHeld)] == ["board-silent"]
        assert rack.lease().held == 300
        await rack.wait(3_700, 60)
        (body,) = rack.bodies(PortClosed)
        assert (body.settled, body.reason) == (False, "no-settlement")
        assert body.amount_fen in (49, 50)
        rack.steel.answers = True
        await rack.wait(30)
        assert rack.loose == ["late"]
        assert len(rack.bills) == 1
        assert rack.steel.kept == []


async def test_silence_for_hours_costs_no_order(tmp_path: Path) -> None:
    """The link is down from the start to the end of a session: its settlement comes when the link does, and settles."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(preset=Preset("time", 1_800))
        await rack.wait(10)
        rack.steel.answers = False
        await rack.wait(1_790, 30)
        rack.steel.answers = True
        await rack.wait(40)
        assert rack.bills == [("limit", 50)]
        assert rack.loose == []


async def test_a_board_that_says_no(tmp_path: Path) -> None:
    """Void at once, and everything goes back."""
    async with a_rack(tmp_path) as rack:
        rack.steel.refuses = True
        await rack.begin_port()
        await rack.wait(10)
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-started"]
        assert rack.lease().held == 0


async def test_staff_settle_what_is_held(tmp_path: Path) -> None:
    """Once it is held for review, and not before."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=Preset("time", 600))
        await rack.wait(300, 10)
        assert await rack.hall.settle_held(session.seq, "wu", "the board burnt") is not None
        rack.steel.answers = False
        await rack.wait(700, 20)
        assert await rack.hall.settle_held(session.seq, "wu", "the board burnt") is None
        assert len(rack.bills) == 1


async def test_the_day_says_what_the_ports_did(tmp_path: Path) -> None:
    """Two sessions and a loose settlement, in the record before the day's own; the next day begins empty."""
    async with a_rack(tmp_path) as rack:
        rack.site.ports = rack.hall
        for port in (1, 2):
            await rack.begin_port(port, Preset("time", 600))
        await rack.wait(620, 10)
        rack.steel.kept = [Settlement(3, b"CARD-0001", PortEnd.FULL, "1", 480, 3_600)]
        await rack.wait(10)
        closed = await rack.site.close_day("li")
        (body,) = rack.bodies(PortDayClosed)
        assert (body.sessions, body.amount_fen, body.unattributed, body.unattributed_wh) == (2, 34, 1, 480)
        assert (closed.sessions, closed.amount_fen) == (2, 34)
        assert rack.desk.state.ports.sums.sessions == 0


@pytest.mark.parametrize("preset", [Preset("full", 0), Preset("money", 200), Preset("time", 7_200)])
async def test_no_order_can_cost_more_than_is_held(tmp_path: Path, preset: Preset) -> None:
    """Whatever is drawn up to the port's greatest power, the order ends within the hold."""
    async with a_rack(tmp_path) as rack:
        rack.steel.outlets[1].load_w = TRAITS.power_w_max
        session = await rack.begin_port(preset=preset)
        held = rack.lease().held
        await rack.wait(5)
        await rack.wait(session.opened.time_max_s + 30, 60)
        (body,) = rack.bodies(PortClosed)
        assert body.overrun_fen == 0
        assert held - 1 <= body.amount_fen <= held
        assert PortEnds(body.reason) is PortEnds.LIMIT


async def test_closed_hours(tmp_path: Path) -> None:
    """It is eight in the morning: nothing begins, and what began before goes on to its end."""
    async with a_rack(tmp_path) as rack:
        await rack.begin_port(1, Preset("time", 1_800))
        await rack.wait(20)
        rack.ports.policy = replace(rack.rules, hours=("06:00-08:00", "20:00-23:00"))
        refused = await rack.hall.start(rack.asks(2))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.PORTS_CLOSED
        await rack.wait(1_800, 20)
        assert rack.bills == [("limit", 50)]


async def test_a_card_that_is_read_twice(tmp_path: Path) -> None:
    """Its owner did not hear that it began, and taps again: it goes on. A tap later on ends it."""
    async with a_rack(tmp_path, traits=replace_traits(TRAITS, ports=(1,))) as rack:
        for _ in range(2):
            tapped = await tap(rack.hall, "rack", CARD)
            assert (tapped.place, tapped.ended, tapped.refused) == ("rack.1", False, None)
            assert not (await tap_at(rack.hall, "rack.1", CARD)).ended
        await rack.wait(60)
        assert (await tap_at(rack.hall, "rack.1", CARD)).ended
        await rack.wait(20)
        assert [reason for reason, _ in rack.bills] == ["local"]
