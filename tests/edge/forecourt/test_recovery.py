"""The daemon dies at each moment of a filling and the pump goes on: what was sold is billed once, to the mL and fen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.twins.pumps.parts import Head, Phase
from protocols.trade.records import Preset, SessionHeld, SessionVoided
from protocols.trade.records_fuel import FillingClosed, FuelUnattributed
from tests.edge.desk_rig import reopen
from tests.edge.forecourt.court_rig import Court, a_court

Moment = Callable[[Court], Awaitable[None]]
Meanwhile = Callable[[Court], None]


def flow(court: Court, ml: int, ml_s: int = 700) -> None:
    """Squeezed until so much more has flowed."""
    court.model.squeeze(ml_s, ml)
    court.elapse(ml * 1000 // ml_s + 1000)


# --- where the filling is when the daemon dies ------------------------------------------------------------------------


async def opened(court: Court) -> None:
    """Its opening record is durable, and nobody has told the pump."""
    await court.begin_filling()


async def ordered_unheard(court: Court) -> None:
    """The pump has the order, and the daemon dies before it hears so."""
    court.pump.loses = True
    await court.begin_filling()
    await court.islands.loops["p1"].step()
    court.pump.loses = False
    assert court.model.phase is Phase.AUTHORISED


async def order_lost(court: Court) -> None:
    """The order never reached the pump."""
    court.pump.deaf = True
    await court.begin_filling()
    await court.islands.loops["p1"].step()
    court.pump.deaf = False
    assert court.model.phase is Phase.IDLE


async def authorised(court: Court) -> None:
    await court.begin_filling()
    await court.wait(1)


async def delivering(court: Court) -> None:
    await authorised(court)
    court.model.lift(1)
    court.model.squeeze(700, 2_800)
    await court.wait(5)


async def ended(court: Court) -> None:
    """Hung up; nobody has looked since."""
    await delivering(court)
    court.model.hang_up()


# --- what happens until the next one starts ---------------------------------------------------------------------------


def nothing(court: Court) -> None:
    court.elapse(3_000)


def fills_up(court: Court) -> None:
    """Lifts if need be, takes 7 litres more, hangs up."""
    court.elapse(500)
    court.model.lift(1)
    flow(court, 7_000)
    court.model.hang_up()
    court.elapse(2_000)


def fills_and_it_is_closed(court: Court) -> None:
    """And somebody at the pump takes the sale off its display."""
    fills_up(court)
    court.model.close()


def goes_on(court: Court) -> None:
    """Still filling when the daemon is back."""
    flow(court, 3_500)


DEATHS: list[tuple[Moment, Meanwhile, int]] = [
    (opened, nothing, 7_000),
    (ordered_unheard, nothing, 7_000),
    (ordered_unheard, fills_up, 7_000),
    (ordered_unheard, fills_and_it_is_closed, 7_000),
    (order_lost, nothing, 7_000),
    (authorised, nothing, 7_000),
    (authorised, fills_up, 7_000),
    (authorised, fills_and_it_is_closed, 7_000),
    (delivering, nothing, 2_800),
    (delivering, goes_on, 6_300),
    (delivering, fills_up, 9_800),
    (delivering, fills_and_it_is_closed, 9_800),
    (ended, nothing, 2_800),
]


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["killed", "power-cut"])
@pytest.mark.parametrize(("moment", "meanwhile", "sold_ml"), DEATHS)
async def test_what_was_sold_is_billed_once(
    tmp_path: Path, moment: Moment, meanwhile: Meanwhile, sold_ml: int, boot: bytes | None
) -> None:
    """Whatever happened while nobody looked, one bill of what flowed, and the next customer can fill."""
    async with a_court(tmp_path) as court:
        before = sum(court.model.delivered_ul.values())
        await moment(court)
        await reopen(court, tmp_path, boot=boot, meanwhile=lambda: meanwhile(court))
        await court.wait(3)
        if court.model.phase is Phase.AUTHORISED:
            await court.pour(7_000)
        court.model.hang_up()
        await court.wait(3)
        assert [ml for ml, _ in court.bills] == [sold_ml]
        assert court.bills[0][1] == (sold_ml * 785 + 500) // 1000
        assert sum(court.model.delivered_ul.values()) - before == sold_ml * 1000
        assert court.pump.asked.count("authorise") <= 2
        assert (court.lease().held, court.model.phase) == (0, Phase.IDLE)
        assert court.bodies(FuelUnattributed) == court.bodies(SessionVoided) == []
        court.audit()
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        await court.pour(9_000)
        assert [ml for ml, _ in court.bills] == [sold_ml, 5_000]
        court.audit()


async def test_a_closed_filling_is_released_by_the_next_daemon(tmp_path: Path) -> None:
    """The closing record is durable, the pump has not heard of it: it is told, and nothing is billed again."""
    async with a_court(tmp_path) as court:
        await authorised(court)
        pump = court.pump

        async def dies() -> None:
            raise KeyboardInterrupt

        pump.release = dies  # type: ignore[method-assign]  # the daemon dies here
        with pytest.raises(KeyboardInterrupt):
            await court.pour(7_000)
        del pump.release
        assert court.model.phase.value == "ended"
        await reopen(court, tmp_path)
        await court.wait(3)
        assert court.model.phase.value == "idle"
        assert court.bills == [(7_000, 5_495)]
        assert court.bodies(FuelUnattributed) == []


async def test_the_line_is_lost_in_mid_sale(tmp_path: Path) -> None:
    """Nobody hears the pump for two minutes: the filling is held, and billed in full when it is heard again."""
    async with a_court(tmp_path) as court:
        await delivering(court)
        court.pump.answers = False
        court.model.squeeze(700, 4_200)
        await court.wait(10)
        court.model.hang_up()
        await court.wait(120)
        assert [body.finding for body in court.bodies(SessionHeld)] == ["pump-silent"]
        assert court.lease().held > 0
        court.pump.answers = True
        await court.wait(3)
        assert court.bills == [(7_000, 5_495)]
        court.audit()


async def test_the_line_never_comes_back(tmp_path: Path) -> None:
    """The filling is let go after a while without a bill; what the totalizer then shows is nobody's."""
    async with a_court(tmp_path) as court:
        await delivering(court)
        court.pump.answers = False
        await court.wait(720)
        assert [body.reason for body in court.bodies(SessionVoided)] == ["pump-silent"]
        assert court.lease().held == 0
        court.model.hang_up()
        court.pump.answers = True
        await court.wait(3)
        assert [(body.volume_ml, body.why) for body in court.bodies(FuelUnattributed)] == [(2_800, "no-sale")]
        assert court.bills == []


POWER: list[tuple[str, Head, list[tuple[int, int]]]] = [
    ("keeps everything", Head(), [(2_800, 2_198)]),
    ("loses its last 50 mL", Head(loses_ml=50), [(2_750, 2_159)]),
    ("loses its memory", Head(keeps_sale=False), [(2_800, 2_198)]),
    ("loses its prices", Head(keeps_prices=False), [(2_800, 2_198)]),
]


@pytest.mark.parametrize(("head", "bills"), [row[1:] for row in POWER], ids=[row[0] for row in POWER])
async def test_the_pump_loses_its_power_in_mid_sale(tmp_path: Path, head: Head, bills: list[tuple[int, int]]) -> None:
    """What it still knows when it is back is billed; prices are set before it sells again."""
    async with a_court(tmp_path) as court:
        court.model.head = head
        await delivering(court)
        court.model.cut_power()
        await court.wait(20)
        court.model.return_power()
        await court.wait(15)
        court.model.hang_up()
        await court.wait(5)
        assert court.bills == bills
        assert court.bodies(FillingClosed)[0].reason in ("power-loss", "hung-up", "other")
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        await court.pour(9_000)
        assert court.bills == [*bills, (5_000, 3_925)]
        court.audit()
