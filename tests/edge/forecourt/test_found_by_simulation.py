"""What seeded worlds with pumps have shown, told as stories."""

from __future__ import annotations

from pathlib import Path

from edge.till.fill.settle import fuel_worth_fen
from protocols.trade.records import Preset
from protocols.trade.records_fuel import FillingOpened, FuelUnattributed, PumpPricesSet, PumpTotalsRead
from protocols.trade.tender import MONEY_ALONE
from tests.edge.forecourt.court_rig import PRICES, a_court


async def test_a_filling_begins_at_prices_that_the_log_knows(tmp_path: Path) -> None:
    """The pump shows a new price before the loop has said so: the start says it first, and no audit finds a fault."""
    async with a_court(tmp_path) as court:
        dearer = {grade: price_e3 + 10_000 for grade, price_e3 in PRICES.items()}
        court.model.set_prices({1: dearer["92"], 2: dearer["0"]})
        await court.price(dearer, version=2)
        filling = await court.begin_filling(Preset("money", 1_000))
        kinds = [type(body) for body in court.bodies(object) if isinstance(body, PumpPricesSet | FillingOpened)]
        assert kinds[-2:] == [PumpPricesSet, FillingOpened]
        assert filling.opened.offered[0].price_e3 == dearer["92"]
        assert fuel_worth_fen(filling.holds, MONEY_ALONE) == 1_000
        await court.pour(20_000)


async def test_a_day_close_does_not_set_a_pump_back(tmp_path: Path) -> None:
    """Read in mid-sale, recorded after the bill: the litres in between are not counted a second time."""
    async with a_court(tmp_path) as court:
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700, 5_000)
        await court.wait(2)
        seen = await court.islands.read_totals()
        await court.wait(8)
        court.model.hang_up()
        await court.wait(2)
        assert [ml for ml, _ in court.bills] == [5_000]
        await court.desk.record(court.fills.day(seen))
        await court.wait(40)
        assert court.bodies(FuelUnattributed) == []
        read = court.bodies(PumpTotalsRead)[-1].pumps
        assert [one.pump for one in read if one.pump == "p1"] == []


async def test_what_flowed_is_counted_from_the_opening_though_a_day_was_closed_in_mid_sale(tmp_path: Path) -> None:
    """A pump that falls silent after a day close in mid-sale: its filling is let go, all of its litres are nobody's."""
    async with a_court(tmp_path) as court:
        await court.begin_filling(Preset("volume", 5_000))
        await court.wait(1)
        court.model.lift(1)
        court.model.squeeze(700, 5_000)
        await court.wait(3)
        await court.site.close_day("ann")
        court.pump.answers = False
        await court.wait(20)
        court.model.hang_up()
        await court.wait(700)
        assert court.bills == []
        court.pump.answers = True
        await court.wait(5)
        assert sum(body.volume_ml for body in court.bodies(FuelUnattributed)) == 5_000
