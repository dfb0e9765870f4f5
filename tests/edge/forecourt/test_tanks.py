"""Tanks at the site: dips, deliveries, gauges, the wet stock of a day."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.api import Link, LinkState, Quality, Reading
from drivers.gauge import TankReading
from edge.forecourt.tanks import TankRefused, Tanks
from edge.panel import verbs_tank
from edge.panel.verbs import Declined, NoArgs
from edge.till.fill.tank_rules import TankLimits
from protocols.trade.records_fuel import TankDipped, WetStockClosed
from tests.edge.forecourt.court_rig import a_court

LIMITS = TankLimits("t1", "92", 30_000_000, ((1000, 10_000), (2000, 30_000)), 50, 4_000_000, 30_000)


class Gauge:
    """A gauge that shows what the test says."""

    id, profile_id = "gauge-t1", "probe"

    def __init__(self) -> None:
        self.level_mm, self.water_mm = 1000, 0
        self.quality = Quality.GOOD

    def reading(self) -> Reading[TankReading]:
        return Reading(TankReading(None, self.level_mm, self.water_mm, 185), self.quality, 0)

    async def read_now(self) -> Reading[TankReading]:
        return self.reading()

    def link(self) -> Link:
        return Link(LinkState.ONLINE, 0, 0, None)

    def points(self) -> list[Any]:
        return []

    async def run(self) -> None:
        """Nothing to poll."""


async def test_a_day_of_a_tank(tmp_path: Path) -> None:
    """Dipped by its gauge, filled, closed by the gauge at the day close: the variance is what is missing."""
    async with a_court(tmp_path) as court:
        gauge = Gauge()
        tanks = court.islands.tanks = Tanks(court.fills.desk, court.clock, {"t1": LIMITS}, {"t1": gauge})
        opening = await tanks.dip_by_gauge("t1", "wang")
        assert (opening.volume_ml, opening.level_mm, opening.source) == (10_000_000, 1000, "gauge")
        await tanks.receive("t1", "92", 5_000_000, "DN-1", "wang")
        gauge.level_mm = 1249  # 14,980 L: 20 L are missing
        drafts = await court.islands.day()
        [closed] = [draft.body for draft in drafts if isinstance(draft.body, WetStockClosed)]
        assert (closed.opening_ml, closed.received_ml, closed.closing_ml) == (10_000_000, 5_000_000, 14_980_000)
        assert (closed.variance_ml, closed.variance_ppm) == (-20_000, None)


async def test_what_is_refused_books_nothing(tmp_path: Path) -> None:
    """An unknown tank, another grade, too much, a note twice, no gauge."""
    async with a_court(tmp_path) as court:
        tanks = Tanks(court.fills.desk, court.clock, {"t1": LIMITS}, {})
        before = court.fills.desk.state.size
        for act in (
            tanks.dip("t9", "wang", 1),
            tanks.dip("t1", "wang", 30_000_001),
            tanks.dip_by_gauge("t1", "wang"),
            tanks.receive("t1", "95", 1, "DN-1", "wang"),
            tanks.receive("t1", "92", 30_000_001, "DN-1", "wang"),
        ):
            with pytest.raises(TankRefused):
                await act
        assert court.fills.desk.state.size == before
        await tanks.receive("t1", "", 1_000_000, "DN-1", "wang")
        with pytest.raises(TankRefused, match="DN-1 has been booked"):
            await tanks.receive("t1", "92", 1_000_000, "DN-1", "wang")


async def test_water_low_stock_and_a_leak_are_told_once(tmp_path: Path) -> None:
    """By notices in the log; a stale gauge tells nothing."""
    async with a_court(tmp_path) as court:
        gauge = Gauge()
        tanks = Tanks(court.fills.desk, court.clock, {"t1": LIMITS}, {"t1": gauge})
        await tanks.look()
        size = court.fills.desk.state.size
        gauge.level_mm, gauge.water_mm = 990, 60  # 100 L less, nothing sold
        await tanks.look()
        await tanks.look()
        assert court.fills.desk.state.size == size + 2
        gauge.quality = Quality.STALE
        gauge.level_mm = 100
        await tanks.look()
        assert court.fills.desk.state.size == size + 2
        assert tanks.seen("t1") is None


async def test_the_panel_shows_and_books(tmp_path: Path) -> None:
    """What `fieldtill tank` asks of the daemon."""
    async with a_court(tmp_path) as court:
        gauge = Gauge()
        court.islands.tanks = Tanks(court.fills.desk, court.clock, {"t1": LIMITS}, {"t1": gauge})
        daemon: Any = SimpleNamespace(site=court.site, clock=court.clock)
        booked: Any = await verbs_tank.dip(daemon, verbs_tank.Dip("t1", 12_000_000, water_mm=3), "wang")
        assert (booked.volume_ml, booked.tank.book_ml, booked.tank.gauge_ml) == (12_000_000, 12_000_000, 10_000_000)
        again: Any = await verbs_tank.receive(daemon, verbs_tank.Receive("t1", 1_000_000, "DN-7"), "wang")
        assert again.tank.book_ml == 13_000_000
        listed: Any = await verbs_tank.tanks(daemon, NoArgs(), "wang")
        assert [view.id for view in listed] == ["t1"]
        with pytest.raises(Declined, match="DN-7"):
            await verbs_tank.receive(daemon, verbs_tank.Receive("t1", 1_000_000, "DN-7"), "wang")
        with pytest.raises(Declined):
            await verbs_tank.show(daemon, verbs_tank.OneTank("t9"), "wang")
        assert isinstance(court.fills.desk.state.forecourt.tanks["t1"].opening, TankDipped)
