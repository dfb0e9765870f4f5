"""Whatever a site writes of pumps and tanks, the night comes to its end and every nozzle's sum adds up."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.night.day import Site, site_day
from cloud.night.fuel import site_fuel
from cloud.night.reconcile.findings import CODES
from cloud.night.reconcile.log import LogKey, Stored, read
from protocols.trade.codec import Wire, encode
from protocols.trade.fuel_prices import KIND, Grade, GradePrice, PriceList, PriceStep
from protocols.trade.records import (
    BillLine,
    ClockQuality,
    ConfigApplied,
    Draft,
    Hold,
    Notice,
    Origin,
    Pin,
    Preset,
    SessionHeld,
    SessionVoided,
    Stamp,
    seal,
)
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelDayClosed,
    FuelReceived,
    FuelUnattributed,
    GradeSum,
    NozzleTotals,
    Offered,
    PumpPricesSet,
    PumpTotals,
    PumpTotalsRead,
    TankDipped,
    WetStockClosed,
)
from protocols.trade.tariff import Offset

DAY = date(2026, 6, 8)
SITE = Site("s", "s", "Asia/Shanghai", 0)
BEGINS_MS = 1_780_848_000_000
PIN = Pin(KIND, 1, bytes(32))
LIST = PriceList(
    "city", 1, "Asia/Shanghai", [Offset(0, 28_800)], [Grade("92", "92#")],
    [PriceStep(0, [GradePrice("92", 785_000)]), PriceStep(BEGINS_MS // 1000 + 600, [GradePrice("92", 779_000)])],
)  # fmt: skip

pumps, nozzles, tanks = st.sampled_from(["1", "2"]), st.integers(1, 2), st.sampled_from(["", "T1"])
ml = st.sampled_from([0, 10, 500, 12_730, 40_000, 999_990, 10**8 - 10, 2**53])
fen = st.sampled_from([0, 1, 9_993, 31_400, 2**53])
seqs = st.integers(0, 4)
price = st.sampled_from([0, 779_000, 785_000])
offered = st.builds(Offered, nozzles, st.sampled_from(["92", "0"]), tanks, price)
totals = st.builds(NozzleTotals, nozzles, ml, st.none())
pump_totals = st.builds(PumpTotals, pumps, st.lists(totals, max_size=2), st.integers(0, 10**6), st.just(0))
lines = st.lists(st.builds(BillLine, st.just("fuel"), nozzles, ml, price, fen), max_size=2)
text = st.just("92")

openings = st.builds(
    FillingOpened,
    pumps,
    st.lists(st.builds(Hold, st.sampled_from(["a", "b"]), st.sampled_from(["CNY", "points"]), fen), max_size=2),
    st.booleans(),
    st.just(Preset("full", 0)),
    st.just("full"),
    st.just(0),
    st.lists(offered, max_size=2),
    st.just(Origin("card", b"", 0, "")),
    st.just(""),
    pump_totals,
    st.sampled_from([1, 10]),
    st.just(1),
    st.sampled_from([1, 1000]),
    st.just(0),
    st.lists(st.just(PIN), max_size=1),
    st.just(BEGINS_MS),
    st.one_of(st.none(), st.just(BEGINS_MS + 10**6)),
)
applied = st.builds(ConfigApplied, st.lists(st.just(PIN), max_size=1))
shown = st.builds(PumpPricesSet, pumps, st.lists(offered, max_size=2), st.just("price-list"))
beginnings = st.tuples(openings, openings, shown, applied)
"""So that ends have something to end, and a price something to change."""

bodies: st.SearchStrategy[Wire] = st.one_of(
    openings,
    st.builds(
        FillingClosed,
        seqs,
        st.just("hung-up"),
        offered,
        ml,
        fen,
        pump_totals,
        lines,
        fen,
        st.integers(0, 9),
        st.integers(-1, 2),
        fen,
        st.none(),
    ),
    st.builds(SessionVoided, seqs, st.just("timeout")),
    st.builds(SessionHeld, seqs, st.just("pump-silent"), st.just("")),
    st.builds(
        FuelUnattributed, pumps, nozzles, text, tanks, st.just("no-sale"), totals, totals, ml, st.none(), st.just([])
    ),
    shown,
    st.builds(PumpTotalsRead, st.lists(pump_totals, max_size=2)),
    st.builds(
        TankDipped,
        st.just("T1"),
        text,
        ml,
        st.none(),
        st.none(),
        st.none(),
        st.just("person"),
        st.just(""),
        st.just(0),
        st.just(0),
    ),
    st.builds(FuelReceived, st.just("T1"), text, ml, st.just("n"), st.just("")),
    st.builds(
        WetStockClosed,
        st.just(1),
        st.just("T1"),
        text,
        st.one_of(st.none(), ml),
        ml,
        ml,
        ml,
        st.one_of(st.none(), ml),
        st.one_of(st.none(), ml),
        st.none(),
    ),
    st.builds(FuelDayClosed, st.just(1), st.lists(st.builds(GradeSum, text, st.just(1), ml, fen, ml), max_size=1)),
    applied,
    st.builds(Notice, st.sampled_from(["totalizer-fell", "tank-leak"]), pumps, st.just("")),
)


@settings(max_examples=300, deadline=None)
@given(beginnings, st.lists(bodies, max_size=14), st.booleans())
def test_any_records_of_fuel(begun: tuple[Wire, ...], then: list[Wire], known: bool) -> None:
    """No order of any records stops the night; every finding has its words; each nozzle keeps its identity."""
    stored = []
    for seq, body in enumerate([*begun, *then]):
        at_ms = BEGINS_MS + seq * 120_000
        stamp = Stamp(bytes(8), seq * 120_000, at_ms, ClockQuality.SYNCHRONISED, at_ms, at_ms)
        stored.append(Stored(seq, encode(seal(Draft(body), stamp)), at_ms, DAY.isoformat()))
    facts = read(LogKey("s", 1), stored)
    assert facts.unreadable == []
    fuel, sums, findings = site_fuel(SITE, DAY, [facts], None, {bytes(32): LIST} if known else {}, {})
    assert all(it.code in CODES for it in findings)
    for it in sums:
        booked_ml = it.sold_ml + it.unattributed_ml + it.running_ml + it.rounding_ml + it.missing_ml - it.fallen_ml
        assert it.last_ml - it.first_ml + it.wrapped_ml == booked_ml
    made = site_day(SITE, DAY, [facts], None, None, fuel)
    assert made.day.volume_ml == sum(it.volume_ml for it in (fuel.grades if fuel else []))
