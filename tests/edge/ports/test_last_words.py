"""Settlements that lie, lack half of what they should say, or come when nobody remembers: no death, no second bill."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.port_board import PortEnd, PortState, PortStatus, Settlement, order_number
from edge.journal.errors import JournalPruned
from edge.till.ask import Refused
from protocols.trade.port_prices import PortPrice, PowerStep
from protocols.trade.records import Notice, Preset, SessionVoided
from protocols.trade.records_port import PortClosed, PortUnattributed
from tests.edge.ports.port_rig import FULL, Rack, Running, a_rack

YEARS_25_S = 25 * 366 * 86_400


async def settles(rack: Rack, energy_wh: int | None, elapsed_s: int | None, wait_s: int = 60) -> None:
    """What runs at port 1 ends with this last word, and nobody but the till knows more."""
    session = await rack.begin_port()
    await rack.wait(wait_s)
    rack.steel.outlets[1].running = None
    number = rack.ports.order_of(session).number
    rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", energy_wh, elapsed_s)]
    rack.steel.tell()
    await rack.wait(60)


@pytest.mark.parametrize("price", ["bikes", "cars", "piles"])
@pytest.mark.parametrize(("energy_wh", "elapsed_s"), [(500, None), (None, 600), (None, None)])
async def test_half_a_settlement_is_not_taken_for_a_second_one(
    tmp_path: Path, price: str, energy_wh: int | None, elapsed_s: int | None
) -> None:
    """A pile whose clock was lost tells no times: its bill closes the session, and is acknowledged as that."""
    async with a_rack(tmp_path, price=price) as rack:
        await settles(rack, energy_wh, elapsed_s, 600)
        assert rack.loose == []
        assert rack.steel.kept == []
        assert len(rack.bodies(PortClosed)) == 1


async def test_a_bill_that_contradicts_itself_is_told_of(tmp_path: Path) -> None:
    """By its own digits, which the driver has compared: ours is charged, and a person hears of it."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port()
        await rack.wait(60)
        rack.steel.outlets[1].running = None
        number, said = rack.ports.order_of(session).number, ("the parts are not the amount",)
        rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", 50, 60, doubts=said)]
        rack.steel.tell()
        await rack.wait(30)
        (told,) = [one.detail for one in rack.bodies(Notice) if one.what == "pile-bill-faulty"]
        assert said[0] in told
        assert len(rack.bills) == 1


@pytest.mark.parametrize("price", ["bikes", "cars", "piles"])
async def test_a_charge_of_25_years_stops_no_till(tmp_path: Path, price: str) -> None:
    """A pile began before its clock was set: the customer pays no more than is held, and the daemon goes on."""
    async with a_rack(tmp_path, price=price) as rack:
        await settles(rack, 500, YEARS_25_S)
        (body,) = rack.bodies(PortClosed)
        assert body.settled
        assert body.amount_fen - body.overrun_fen <= 500


async def test_energy_in_no_time_passes_the_audit(tmp_path: Path) -> None:
    """Time alone is billed, and there was none: not even the least that is billed otherwise."""
    async with a_rack(tmp_path, price="least") as rack:
        await rack.publish_prices(
            PortPrice("least", "time", [PowerStep(1_000, 100_000)], 0, 0, 600, 0, 0, 0, 0), version=2
        )
        await settles(rack, 500, 0)
        assert [body.amount_fen for body in rack.bodies(PortClosed)] == [0]


async def test_what_a_void_session_delivered_is_written_down(tmp_path: Path) -> None:
    """The board had said no, and charged nevertheless, at no time that it could tell: the energy is not hushed up."""
    async with a_rack(tmp_path) as rack:
        rack.steel.refuses = True
        session = await rack.begin_port()
        await rack.wait(30)
        assert len(rack.bodies(SessionVoided)) == 1
        number = rack.ports.order_of(session).number
        rack.steel.kept = [Settlement(1, number, PortEnd.FULL, "1", 5_000, None)]
        await rack.wait(30)
        assert [(body.why, body.energy_wh) for body in rack.bodies(PortUnattributed)] == [("late", 5_000)]


async def test_a_settlement_of_a_record_that_has_been_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board comes back after months in a drawer: written down as late, and acknowledged."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=FULL)
        await rack.wait(30)
        gone = order_number(1, session.seq - 1)

        def pruned(first_seq: int, limit: int, bytes_max: int) -> list[bytes]:
            raise JournalPruned("record 1 has been pruned", session.seq)

        with monkeypatch.context() as patched:
            patched.setattr(rack.journal, "read", pruned)
            rack.steel.kept = [Settlement(2, gone, PortEnd.FULL, "1", 480, 3_600)]
            await rack.wait(30)
        assert rack.loose == ["late"]
        assert rack.steel.kept == []


@pytest.mark.parametrize("price", ["bikes", "cars", "piles"])
@pytest.mark.parametrize("preset", [Preset("time", 0), Preset("energy", 0), Preset("energy", 9), Preset("money", 0)])
async def test_a_preset_of_nothing_starts_nothing(tmp_path: Path, price: str, preset: Preset) -> None:
    """No time, no money, less energy than the board can count: no order without a limit is made of it."""
    async with a_rack(tmp_path, price=price) as rack:
        outcome = await rack.hall.start(rack.asks(1, preset))
        assert isinstance(outcome, Refused)
        assert rack.lease().held == 0


async def test_a_port_that_goes_on_for_a_session_that_has_ended(tmp_path: Path) -> None:
    """Its first settlement has closed the session, and it charges again for the same order: it is stopped."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=Preset("time", 600))
        await rack.wait(620, 10)
        assert len(rack.bills) == 1
        order = rack.ports.order_of(session)
        rack.steel.outlets[1].running = Running(order)
        rack.steel.tell()
        await rack.wait(20)
        assert rack.steel.outlets[1].running is None
        assert len(rack.bills) == 1


async def test_an_order_that_nobody_took_is_not_given_hours_later(tmp_path: Path) -> None:
    """The board was away when it was told, and comes back with a full pack of somebody else's: it is let go."""
    async with a_rack(tmp_path) as rack:
        rack.steel.deaf = True
        await rack.begin_port(preset=Preset("time", 3_600))
        await rack.wait(5)
        rack.steel.deaf, rack.steel.answers = False, False
        await rack.wait(900, 20)
        started = rack.steel.asked.count(("start", 1))
        rack.steel.answers = True
        full = PortStatus(PortState.FULL, "3", plugged=True)
        rack.steel.insists = full
        await rack.wait(30)
        assert rack.steel.asked[-1] != ("start", 1)
        assert rack.bodies(SessionVoided) == []  # it may have run unheard: its settlement would come soon
        await rack.wait(120)
        assert rack.steel.asked.count(("start", 1)) == started
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-started"]
