"""A pump between sales and through odd ones: prices at their time, flow without an order, a full disk, the epoch."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from drivers.errors import Silent
from drivers.pump import PumpState
from drivers.twins.pumps.parts import Phase
from edge.epochs import Closing
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.journal.journal import Journal
from edge.till.ask import Refusal, Refused
from edge.till.fill.progress import FillEnd, FillPhase
from protocols.trade.records import DayClosed, EpochClosed, Notice, Preset, SessionHeld, SessionVoided
from protocols.trade.records_fuel import FillingClosed, FuelDayClosed, FuelUnattributed, PumpPricesSet, PumpTotalsRead
from tests.edge.desk_rig import Time, reopen, slow_disk, turns
from tests.edge.forecourt.court_rig import PRICES, Court, a_court
from tests.edge.journal.failing_disk import Disk
from tests.edge.test_desk_survival import journal_on

LATER_S = 120
"""When a planned price comes into force, after the court has opened."""


def notices(court: Court, what: str) -> list[Notice]:
    return [body for body in court.bodies(Notice) if body.what == what]


def prices_of(court: Court) -> list[list[int]]:
    """What p1 was set to, each time."""
    return [[one.price_e3 for one in body.prices] for body in court.bodies(PumpPricesSet) if body.pump == "p1"]


async def plan_a_price(court: Court) -> None:
    """From LATER_S on, a yuan more."""
    at_s = court.time.wall_ms // 1000 + LATER_S
    await court.price(PRICES, version=2, then=at_s)
    await court.wait(1)


# --- prices -----------------------------------------------------------------------------------------------------------


async def test_a_price_changes_on_time_at_an_idle_pump(tmp_path: Path) -> None:
    """Set, read back, and recorded; the next filling pays it."""
    async with a_court(tmp_path) as court:
        await plan_a_price(court)
        await court.wait(LATER_S - 10)
        assert prices_of(court) == [[785_000, 750_000]]
        await court.wait(12)
        assert prices_of(court) == [[785_000, 750_000], [885_000, 850_000]]
        await court.begin_filling(Preset("volume", 10_000))
        await court.wait(1)
        await court.pour(12_000)
        assert court.bills == [(10_000, 8_850)]


async def test_a_filling_keeps_the_price_it_began_with(tmp_path: Path) -> None:
    """The change waits until the nozzle is hung up and the bill is durable."""
    async with a_court(tmp_path) as court:
        await plan_a_price(court)
        await court.wait(LATER_S - 10)
        await court.begin_filling(Preset("volume", 20_000))
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(500, 12_000)
        await court.wait(30)
        assert len(prices_of(court)) == 1
        court.model.hang_up()
        await court.wait(3)
        assert court.bills == [(12_000, 9_420)]
        assert prices_of(court)[1:] == [[885_000, 850_000]]


async def test_a_nozzle_that_is_out_keeps_its_price(tmp_path: Path) -> None:
    """Nobody's price changes in the hand."""
    async with a_court(tmp_path) as court:
        await plan_a_price(court)
        court.model.lift(1)
        await court.wait(LATER_S + 5)
        assert len(prices_of(court)) == 1
        court.model.hang_up()
        await court.wait(3)
        assert len(prices_of(court)) == 2


async def test_a_pump_that_takes_its_prices_and_goes_on_saying_that_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told again now and then; the log, which has them, is not filled with them."""
    async with a_court(tmp_path) as court:
        honest = court.pump._now
        monkeypatch.setattr(court.pump, "_now", lambda: dataclasses.replace(honest(), state=PumpState.UNPRICED))
        before = court.pump.acts.count("set-prices")
        await court.wait(20)
        assert 2 <= court.pump.acts.count("set-prices") - before <= 5
        assert len(prices_of(court)) == 1


async def test_a_pump_that_refuses_its_prices_sells_nothing(tmp_path: Path) -> None:
    """It is told again and again, and reported once; when it agrees at last, it sells."""
    async with a_court(tmp_path) as court:
        court.pump.refuses_prices = True
        await plan_a_price(court)
        await court.wait(LATER_S + 100)
        assert len(notices(court, "price-refused")) == 1
        assert court.pump.asked.count("set-prices") > 2
        refused = await court.islands.start(court.fill())
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.PRICE_DIFFERS
        assert not isinstance(await court.islands.start(court.fill(pump="p2")), Refused)
        court.pump.refuses_prices = False
        await court.wait(40)
        assert len(prices_of(court)) == 2
        await court.begin_filling()


async def test_a_moment_without_an_answer_is_no_refusal(tmp_path: Path) -> None:
    """The line fails while the price is being set: it is set a second later, and nobody is told."""
    async with a_court(tmp_path) as court:
        await plan_a_price(court)
        await court.wait(LATER_S - 5)
        real, failed = court.pump.set_prices, []

        async def fails_twice(price_e3: Mapping[int, int]) -> None:
            if len(failed) < 2:
                failed.append("silent")
                raise Silent("no answer", where="p1")
            await real(price_e3)

        court.pump.set_prices = fails_twice  # type: ignore[method-assign]  # a line with noise on it
        await court.wait(12)
        assert (len(failed), notices(court, "price-refused")) == (2, [])
        assert len(prices_of(court)) == 2


async def test_a_price_that_somebody_changed_at_the_pump_is_set_back(tmp_path: Path) -> None:
    """Seen with the next reading of totals, and in the log."""
    async with a_court(tmp_path) as court:
        court.model.prices_e3[1] = 100_000
        await court.wait(40)
        assert court.model.prices_e3[1] == 785_000
        assert len(prices_of(court)) == 2


# --- what nobody ordered ----------------------------------------------------------------------------------------------


async def test_a_pump_that_delivers_without_a_filling_is_stopped(tmp_path: Path) -> None:
    """Somebody has authorised it by another way: stopped, reported once, and what flowed is nobody's."""
    async with a_court(tmp_path) as court:
        court.model.authorise()
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(2)
        assert court.model.flow_ml_s == 0
        court.model.hang_up()
        await court.wait(3)
        assert len(notices(court, "pump-unordered")) == 1
        (gone,) = court.bodies(FuelUnattributed)
        assert gone.volume_ml == sum(court.model.delivered_ul.values()) // 1000 // 10 * 10
        assert (court.bills, court.lease().used, court.model.phase) == ([], 0, Phase.IDLE)


async def test_a_totalizer_that_creeps_is_booked_once(tmp_path: Path) -> None:
    """Between sales, as unattributed; never on the next customer's bill."""
    async with a_court(tmp_path) as court:
        court.model.move_total(1, 3_330)
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        await court.pour(9_000)
        await court.wait(60)
        assert [(body.nozzle, body.volume_ml, body.why) for body in court.bodies(FuelUnattributed)] == [
            (1, 3_330, "no-sale")
        ]
        assert court.bills == [(5_000, 3_925)]


# --- odd sales --------------------------------------------------------------------------------------------------------


async def test_a_nozzle_returned_before_any_flow(tmp_path: Path) -> None:
    """A sale of zero: voided, nothing billed, all rights back."""
    async with a_court(tmp_path) as court:
        await court.begin_filling()
        await court.wait(1)
        court.model.lift(1)
        await court.wait(1)
        court.model.hang_up()
        await court.wait(2)
        assert (court.bills, court.lease().held, court.model.phase) == ([], 0, Phase.IDLE)
        assert len(court.bodies(SessionVoided)) == 1


async def test_nobody_comes(tmp_path: Path) -> None:
    """The authorisation is taken back after a while."""
    async with a_court(tmp_path) as court:
        await court.begin_filling()
        await court.wait(70)
        assert (court.model.phase, court.lease().held) == (Phase.IDLE, 0)
        assert [body.reason for body in court.bodies(SessionVoided)] == ["timeout"]


async def test_a_pump_that_refuses_the_order(tmp_path: Path) -> None:
    """It is asked once; the filling is void at once, with the reason, and the rights are back."""
    async with a_court(tmp_path) as court:
        court.pump.refuses_orders = True
        court.pump.asked.clear()
        await court.begin_filling()
        await court.wait(5)
        assert court.pump.asked.count("authorise") == 1
        assert [body.reason for body in court.bodies(SessionVoided)] == ["other"]
        assert "it takes no such order" in notices(court, "session-ended")[0].detail
        assert court.lease().held == 0


async def test_a_pump_that_does_not_hear_the_order(tmp_path: Path) -> None:
    """It is asked again as soon as its totals have shown that it has sold nothing."""
    async with a_court(tmp_path) as court:
        court.pump.deaf = True
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(3)
        court.pump.deaf = False
        await court.wait(3)
        await court.pour(9_000)
        assert court.bills == [(5_000, 3_925)]
        told = [one for one in court.pump.asked if one in ("authorise", "totals")]
        assert all(told[at - 1] == "totals" for at, one in enumerate(told) if one == "authorise")


async def test_an_emergency_stop_in_mid_sale(tmp_path: Path) -> None:
    """What has flowed is billed."""
    async with a_court(tmp_path) as court:
        await court.begin_filling()
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(4)
        court.model.raise_alarm()
        await court.wait(3)
        court.model.hang_up()
        court.model.clear_alarm()
        await court.wait(3)
        (bill,) = court.bodies(FillingClosed)
        assert bill.volume_ml == sum(court.model.delivered_ul.values()) // 1000 // 10 * 10


async def test_paused_and_resumed(tmp_path: Path) -> None:
    """By the technician; the acts are in the log."""
    async with a_court(tmp_path) as court:
        await court.begin_filling(Preset("volume", 7_000))
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(3)
        await court.islands.tell("p1", "suspend", "li")
        shown = court.model.shown_ml
        await court.wait(5)
        assert court.model.shown_ml == shown
        await court.islands.tell("p1", "resume", "li")
        await court.wait(9)
        court.model.hang_up()
        await court.wait(2)
        assert court.bills == [(7_000, 5_495)]


# --- disk, tick, cancellation -----------------------------------------------------------------------------------------


async def test_nothing_is_authorised_before_the_opening_record_is_durable(tmp_path: Path) -> None:
    """R1: the disk is slow, a nozzle is out, loops turn; the pump hears nothing. Nor after the asker has gone."""
    async with a_court(tmp_path) as court:
        await court.wait(3)
        court.pump.asked.clear()
        with slow_disk(court.journal) as go_on:
            start = asyncio.create_task(court.islands.start(court.fill()))
            await turns(100)
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            court.elapse(1_000)
            await asyncio.gather(*(loop.step() for loop in court.islands.loops.values()))
            assert "authorise" not in court.pump.asked
            go_on()
        await court.site.note("li", "looked", "")
        await court.wait(2)
        assert court.pump.asked.count("authorise") == 1


async def test_a_disk_without_room(tmp_path: Path) -> None:
    """No filling begins; one that runs is stopped when it must be, and billed as soon as there is room."""
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk")
    try:
        court = Court(journal_on(disk), Time(), bays={})
        await court.begin(50_000, may_stay=50_000)
        await court.price(PRICES)
        await court.wait(4)
        filling = await court.begin_filling()
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700)
        await court.wait(3)
        disk.capacity = disk.used()
        refused = await court.islands.start(court.fill(pump="p2"))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.DISK_FULL
        await court.islands.stop(filling.seq, FillEnd.LOCAL)
        await court.wait(5)
        assert court.model.phase is Phase.ENDED
        assert court.bills == []
        found = court.fills.filling(filling.seq)
        assert found is not None
        assert found[1].phase is FillPhase.ENDED
        disk.capacity = None
        court.model.hang_up()
        await court.wait(3)
        (bill,) = court.bodies(FillingClosed)
        assert bill.volume_ml == sum(court.model.delivered_ul.values()) // 1000 // 10 * 10
        assert (court.lease().held, court.model.phase) == (0, Phase.IDLE)
        court.audit()
        await court.journal.close()
    finally:
        disk.unregister()


# --- day, epoch, config -----------------------------------------------------------------------------------------------


async def test_the_day_closes_with_all_totals(tmp_path: Path) -> None:
    """Totals of the pumps that answer, sums by grade, then the day's own record; a filling goes on over it."""
    async with a_court(tmp_path) as court:
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        await court.pour(9_000)
        court.pumps["p2"].answers = False
        await court.begin_filling(Preset("volume", 5_000))
        await court.site.close_day("li")
        closing = ["totalizers-read", "pump-totals-read", "wet-stock-closed", "fuel-day-closed", "day-closed"]
        assert court.kinds[-5:] == closing
        assert [one.pump for one in court.bodies(PumpTotalsRead)[-1].pumps] == ["p1"]
        (day,) = court.bodies(FuelDayClosed)
        assert [(one.grade, one.fillings, one.volume_ml, one.amount_fen) for one in day.grades] == [
            ("92", 1, 5_000, 3_925)
        ]
        assert court.bodies(DayClosed)[0].amount_fen == 3_925
        await court.wait(1)
        await court.pour(9_000)
        assert len(court.bills) == 2


async def test_the_epoch_closes_after_the_last_filling(tmp_path: Path) -> None:
    """No new one begins, the running one ends, then CLOSE; pumps are looked at on."""
    async with a_court(tmp_path) as court:
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        await court.desk.ask_to_close(Closing("li", "a new box"))
        await court.site._look()
        assert court.bodies(EpochClosed) == []
        refused = await court.islands.start(court.fill(pump="p2"))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.EPOCH_CLOSING
        await court.pour(9_000)
        await court.site._look()
        assert len(court.bodies(EpochClosed)) == 1
        assert court.kinds[-1] == "epoch-closed"
        court.model.authorise()
        await court.wait(2)
        assert court.model.phase is not Phase.AUTHORISED
        await court.wait(60)
        assert court.kinds[-1] == "epoch-closed"


async def test_a_filling_whose_pump_has_gone_from_the_config(tmp_path: Path) -> None:
    """Nobody can see how it ends: held, then let go without a bill."""
    async with a_court(tmp_path) as court:
        await court.begin_filling()
        fills = FillDesk(court.desk, court.clock, changed(court.fuel, settle_after_s=60), {})
        islands = Islands(court.site, fills, {}, {}, court.clock)
        for _ in range(160):
            court.elapse(1_000)
            await islands.look_at_orphans()
        assert [body.finding for body in court.bodies(SessionHeld)] == ["pump-silent"]
        assert [body.reason for body in court.bodies(SessionVoided)] == ["pump-silent"]
        assert court.lease().held == 0


async def test_a_restart_with_a_filling_that_is_held(tmp_path: Path) -> None:
    """A technician closes it: nothing of it is billed, since nobody knows what flowed."""
    async with a_court(tmp_path) as court:
        filling = await court.begin_filling()
        await court.wait(1)
        court.pump.answers = False
        await court.wait(90)
        await reopen(court, tmp_path)
        assert await court.islands.settle_held(filling.seq, "li", "pump burnt out") is None
        assert court.lease().held == 0
        assert await court.islands.settle_held(filling.seq, "li", "again") == "it is not open"


@pytest.mark.parametrize("size", [2, 3])
async def test_many_pumps_one_journal(tmp_path: Path, size: int) -> None:
    """Fillings at both pumps at once, each with its own bill."""
    async with a_court(tmp_path) as court:
        assert isinstance(court.journal, Journal)
        for _ in range(size):
            await court.begin_filling(Preset("volume", 5_000), pump="p1")
            await court.begin_filling(Preset("volume", 5_000), pump="p2")
            await court.wait(1)
            for pump in court.pumps.values():
                pump.model.lift(1)
                pump.model.squeeze(700)
            await court.wait(9)
            for pump in court.pumps.values():
                pump.model.hang_up()
            await court.wait(2)
        assert court.bills == [(5_000, 3_925)] * 2 * size
        court.audit()
