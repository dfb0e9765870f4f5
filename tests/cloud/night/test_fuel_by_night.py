"""Nights of a forecourt: a golden day, and which part of the fuel leg finds which fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from fuel_story import Forecourt, price_list
from hq_box import open_headquarters
from site_story import DATE, DAY, at, customer, night

from cloud import documents, store
from cloud.clock import SetClock
from cloud.night import report
from cloud.night.reconcile.findings import Leg
from cloud.night.report_model import FuelDay, Report
from cloud.service import Headquarters
from cloud.verify import logs, signers, verify_log
from cloud.verify_books import verify_accounts
from cloud.verify_tables import verify_tables
from edge.till.fill.day import day_drafts
from protocols.trade import fuel_prices
from protocols.trade.codec import decode, encode
from protocols.trade.records import ConfigApplied, Notice, Record, body_of
from protocols.trade.records_fuel import FillingClosed, FuelDayClosed, GradeSum, WetStockClosed


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Forecourt]:
    """A forecourt with two customers who have paid in 2,000.00 each, at midnight of the day."""
    hq = open_headquarters(f"sqlite:///{tmp_path}/hq.db", SetClock(at("00:00")))
    yield stocked(hq)
    hq.engine.dispose()


def stocked(hq: Headquarters) -> Forecourt:
    customer(hq, "anna", 200_000)
    customer(hq, "fleet", 200_000)
    site = Forecourt(hq)
    site.dips("T1", 20_000_000, "00:10")
    site.dips("T2", 10_000_000, "00:11")
    return site


def a_day(site: Forecourt) -> None:
    """Four sales, a price change at noon, a delivery 40 litres short, two litres that nobody
    bought, a dip of one tank of two."""
    site.fills("1", 1, "anna", "08:00", "08:04", 40_000)  # 314.00
    site.fills("1", 2, "fleet", "09:00", "09:05", 50_000)  # 374.50
    site.sets_prices("1", "12:00")
    site.sets_prices("2", "12:02")
    site.fills("2", 1, "anna", "13:00", "13:03", 10_000)  # 77.90
    site.voids(site.lifts("2", "anna", 1_000, "14:00"))
    site.receives("T1", 5_000_000, "note-1")
    site.finds("2", 1, 2_000, "attendant wu")
    session = site.lifts("1", "fleet", 40_000, "15:00", payer="anna")
    site.hangs_up(session, 1, "15:05", 20_000)  # 155.80, paid by anna
    site.dips("T1", 24_887_500, "22:00")
    site.closes_day()
    site.reports()


def fuel(told: Report) -> FuelDay:
    assert told.sites[0].fuel is not None
    return told.sites[0].fuel


def found(told: Report) -> list[tuple[str, int | None, int | None]]:
    """(code, fen, mL) of everything that is not in order."""
    return [(it.code, it.difference_fen, it.difference_ml) for it in told.findings]


GOLDEN = """\
Nightly report 2026-06-08: everything adds up

site  sessions    kWh   gross  captured  overrun  voided  running  held  reported
f1           4  0.000  922.20    922.20     0.00       1        0     0       yes
all          4  0.000  922.20    922.20     0.00       1        0     0

leg        unexplained  yuan    kWh  litres  awaited  open  noted  checked
books                0  0.00  0.000   0.000        0     0      0  2 logs 45 records 11 transfers 6 accounts 2 leases
liability            0  0.00  0.000   0.000        0     0      0  1 assets
energy               0  0.00  0.000   0.000        0     0      0  0 meters 0 readings 0 bills
fuel                 0  0.00  0.000   0.000        0     2      1  3 nozzles 19 totals 4 fillings 2 tanks

fuel  grade  fillings  litres    yuan  unattributed
f1    0             1  50.000  374.50         0.000
f1    92            3  70.000  547.70         2.000

wet stock  tank  grade     opening   received    sold  unattributed    expected      dipped  variance  per mille
f1         T1    92     20,000.000  5,000.000  70.000         2.000  24,928.000  24,887.500   -40.500  -562.50 ‰
f1         T2    0      10,000.000      0.000  50.000         0.000   9,950.000      no dip         –          –

tanks  tank  grade    in stock  next day  days left  by
f1     T1    92     24,887.500    72.000          –  mean
f1     T2    0       9,950.000    50.000          –  mean

price changes  pump  due                  shown                late by, s
f1             1     2026-06-08 12:00:00  2026-06-08 12:00:00           0
f1             2     2026-06-08 12:00:00  2026-06-08 12:02:00         120
"""


def test_a_golden_day(site: Forecourt, tmp_path: Path) -> None:
    """Litres, fen, tanks and prices of a day by hand, as a person reads them; the wrong tank is noted."""
    a_day(site)
    result, told = night(site.hq, tmp_path)
    shown = report.show(result.json_path)
    assert shown.startswith(GOLDEN)
    assert found(told) == [
        ("dip-missing", None, None),
        ("litres-unattributed", None, 2_000),
        ("tank-variance", None, -40_500),
    ]
    assert result.exit_code == 0


# --- sown faults -----------------------------------------------------------------------------------------------------

Sow = Callable[[Forecourt], None]


def one_sale(volume_ml: int = 40_000, *, price_off_by: int = 0, moved_ml: int = 0, **off: int) -> Sow:
    """A sale in the morning with a fault in its records, and what the totalizer moved by itself after it."""

    def sow(site: Forecourt) -> None:
        session = site.lifts("1", "anna", 50_000, "08:00", price_off_by=price_off_by)
        site.hangs_up(session, 1, "08:04", volume_ml, **off)
        site.totals["1", 1] += moved_ml
        site.reads_pumps()

    return sow


def a_reset(*, says_so: bool) -> Sow:
    return lambda site: (one_sale()(site), site.sees_a_reset("1", says_so=says_so), None)[-1]


def comes_round(site: Forecourt) -> None:
    """A totalizer of seven digits before the point goes over its end in mid-sale."""
    site.finds("1", 1, 9_998_990_000)
    session = site.lifts("1", "anna", 50_000, "08:00")
    site.totals["1", 1] -= 10_000_000_000
    site.hangs_up(session, 1, "08:04", 40_000)


def a_tank_closed_wrong(site: Forecourt) -> None:
    """The site's own wet stock hides five litres."""
    site.dips("T1", 19_995_000, "22:00")
    site.dips("T2", 10_000_000, "22:00")
    right = day_drafts(site.state)[0].body
    assert isinstance(right, WetStockClosed)
    site.add(msgspec.structs.replace(right, closing_ml=20_000_000, variance_ml=0))


def a_day_closed_wrong(site: Forecourt) -> None:
    one_sale()(site)
    site.add(FuelDayClosed(1, [GradeSum("92", 1, 40_000, 31_401, 0)]))


FAULTS: list[tuple[str, Sow, list[tuple[str, int | None, int | None]]]] = [
    ("nothing", one_sale(), []),
    ("a step of a display", one_sale(volume_off_by=-10), []),
    ("a litre missing", one_sale(moved_ml=1_000), [("litres-missing", None, 1_000)]),
    ("10 mL missing while nobody filled", one_sale(40_000, moved_ml=10), [("litres-missing", None, 10)]),
    ("a litre that never flowed", one_sale(volume_off_by=1_000), [("litres-too-many", None, -1_000)]),
    ("nine fen more on the display than it can show", one_sale(shown_off_by=9), [("display-differs", -9, None)]),
    ("a line that a clerk changed", one_sale(line_off_by=1), [("lines-differ", 0, None)]),
    ("sold cheaper than offered", one_sale(sold_at=700_000), [("price-not-offered", None, None)]),
    ("offered dearer than listed", one_sale(price_off_by=1_000), [("price-not-listed", None, None)] * 2),
    ("a reset that nobody has seen", a_reset(says_so=False), [("totalizer-fell", None, None)] * 2),
    ("a reset that the site tells", a_reset(says_so=True), []),
    ("a totalizer that comes round", comes_round, []),
    ("a tank closed wrong", a_tank_closed_wrong, [("stock-differs", None, 5_000)]),
    ("a fuel day closed wrong", a_day_closed_wrong, [("fuel-day-differs", -1, 0)]),
]


@pytest.mark.parametrize(("what", "sow", "expected"), FAULTS)
def test_a_fault_at_the_site_is_found(
    site: Forecourt, tmp_path: Path, what: str, sow: Sow, expected: list[tuple[str, int | None, int | None]]
) -> None:
    """The site's log is in order and the books follow it; totalizers, price list and dips tell."""
    sow(site)
    site.reports("23:00")
    result, told = night(site.hq, tmp_path)
    unexplained = [
        (it.code, it.difference_fen, it.difference_ml) for it in told.findings if it.weight.value == "unexplained"
    ]
    assert unexplained == expected, what
    assert result.exit_code == bool(expected)
    for nozzle in told.nozzles:
        moved_ml = nozzle.last_ml - nozzle.first_ml + nozzle.wrapped_ml
        booked_ml = nozzle.sold_ml + nozzle.unattributed_ml + nozzle.running_ml
        assert moved_ml == booked_ml + nozzle.rounding_ml + nozzle.missing_ml - nozzle.fallen_ml


@pytest.mark.parametrize(
    ("changed", "sold", "expected"),
    [
        ("12:00", "12:10", []),
        ("12:20", "12:30", [("price-late", None, None)]),
        ("12:20", "12:10", [("price-not-listed", None, None), ("price-late", None, None)]),
        (None, "11:50", [("price-not-applied", None, None)]),
    ],
)
def test_price_changes(
    site: Forecourt, tmp_path: Path, changed: str | None, sold: str, expected: list[tuple[str, int | None, int | None]]
) -> None:
    """Due at noon: in time, late, late with a sale at the old price meanwhile, and never."""
    site.sets_prices("1", "12:01")
    for clock, act in sorted((it, what) for it, what in ((changed, "set"), (sold, "sell")) if it is not None):
        if act == "set":
            site.sets_prices("2", clock)
        else:
            site.fills("2", 1, "anna", clock, clock, 10_000)
    site.reads_pumps()
    site.clock("15:00")
    site.add_notice()
    site.reports()
    _, told = night(site.hq, tmp_path)
    assert [it for it in found(told) if it[0].startswith("price")] == expected
    assert [(it.pump, it.late_s) for it in fuel(told).price_changes] == [
        ("1", 60),
        ("2", {"12:00": 0, "12:20": 1200}.get(changed or "")),
    ]


def test_a_new_list_is_due_at_once(site: Forecourt, tmp_path: Path) -> None:
    """Headquarters signs another price for now; the pump shows it when the site has taken the list."""
    site.clock("10:00")
    site.prices = price_list(2, (0, "8.00", "7.49"))
    with store.writing(site.hq.engine) as connection:
        documents.publish(connection, site.hq.keys, site.hq.clock, fuel_prices.KIND, 2, site.prices, ["f1"])
    site.add(ConfigApplied([site.pin]))
    site.sets_prices("1", "10:03")
    site.sets_prices("2", "10:00")
    site.fills("1", 1, "anna", "13:00", "13:03", 10_000)  # 12:00 of the list before is no change any more
    site.reports()
    _, told = night(site.hq, tmp_path)
    assert [(it.pump, it.due_ms, it.late_s) for it in fuel(told).price_changes] == [
        ("1", at("10:00"), 180),
        ("2", at("10:00"), 0),
    ]
    assert told.sound


# --- somebody edits headquarters' database ---------------------------------------------------------------------------


def a_bill_changed(database: sqlite3.Connection) -> None:
    """The stored bytes of the last filling, canonical still, with a yuan less."""
    query = "SELECT log, seq, bytes FROM records WHERE kind = 'filling-closed' ORDER BY seq DESC"
    log, seq, data = database.execute(query).fetchone()
    record = decode(data, Record)
    body = body_of(record)
    assert isinstance(body, FillingClosed)
    changed = msgspec.structs.replace(body, amount_fen=body.amount_fen - 100)
    altered = encode(msgspec.structs.replace(record, body=encode(changed)))
    database.execute("UPDATE records SET bytes = ? WHERE log = ? AND seq = ?", (altered, log, seq))


def the_price_list_gone(database: sqlite3.Connection) -> None:
    assert database.execute("DELETE FROM documents WHERE kind = 'fuel-prices'").rowcount


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            a_bill_changed,
            {
                ("books", "root-differs", None),
                ("books", "day-differs", -100),
                ("fuel", "fuel-day-differs", -100),
                ("fuel", "lines-differ", 100),
                ("fuel", "capture-differs", -100),
            },
        ),
        (the_price_list_gone, {("fuel", "price-list-missing", None)}),
    ],
)
def test_an_edited_database_is_found(
    site: Forecourt,
    tmp_path: Path,
    edit: Callable[[sqlite3.Connection], None],
    expected: set[tuple[str, str, int | None]],
) -> None:
    """A clerk lowers a friend's bill, or takes away what it was priced by."""
    a_day(site)
    database = sqlite3.connect(tmp_path / "hq.db")
    with database:
        edit(database)
    database.close()
    result, told = night(site.hq, tmp_path)
    assert result.exit_code == 1
    assert {
        (it.leg.value, it.code, it.difference_fen) for it in told.findings if it.weight.value == "unexplained"
    } == expected


# --- days that follow each other -------------------------------------------------------------------------------------


def test_a_filling_that_runs_over_the_night(site: Forecourt, tmp_path: Path) -> None:
    """What has flowed so far is its own, its hold is shown; the next night it is a sale like any other."""
    for pump in ("1", "2"):
        site.sets_prices(pump, "12:00")
    session = site.lifts("1", "anna", 40_000, "23:40")
    site.totals["1", 1] += 15_000
    site.closes_day()
    site.reads_pumps()
    site.reports()
    result, told = night(site.hq, tmp_path)
    assert (result.exit_code, told.sites[0].running, told.sites[0].held_fen) == (0, 1, 40_000)
    assert [it.running_ml for it in told.nozzles if (it.pump, it.nozzle) == ("1", 1)] == [15_000]
    assert ("session-open", None, None) in found(told)
    site.date = "2026-06-09"
    site.totals["1", 1] -= 15_000
    site.hangs_up(session, 1, "00:05", 20_000)
    site.closes_day()
    site.reports()
    result, told = night(site.hq, tmp_path, DAY + timedelta(days=1))
    assert (told.total.fillings, told.total.volume_ml, told.total.fuel_fen) == (1, 20_000, 15_580)
    assert [it for it in told.findings if it.leg is Leg.FUEL and it.weight.value == "unexplained"] == []


def test_what_comes_late_stands_in_a_later_report(site: Forecourt, tmp_path: Path) -> None:
    """A sale and two lost litres of a day whose report was written before they came."""
    night(site.hq, tmp_path)
    site.fills("1", 1, "anna", "08:00", "08:04", 40_000)
    site.finds("1", 1, 2_000)
    site.date = "2026-06-09"
    site.clock("09:00")
    site.reports()
    _, told = night(site.hq, tmp_path, DAY + timedelta(days=1))
    assert [(it.date, it.volume_ml, it.gross_fen) for it in told.sites[0].adjustments] == [(DATE, 40_000, 31_400)]
    assert (told.adjusted.fillings, told.total.fillings) == (1, 0)
    assert [(it.date, it.volume_ml) for it in fuel(told).unattributed] == [(DATE, 2_000)]
    assert ("litres-unattributed", None, 2_000) in found(told)
    _, again = night(site.hq, tmp_path, DAY + timedelta(days=2))
    assert fuel(again).unattributed == []


def test_a_tank_runs_dry_in_so_many_days(site: Forecourt, tmp_path: Path) -> None:
    """By what it sold on the days so far; a day without a dip stays open, and the next dip closes both."""
    for day, sold_ml in ((DAY, 40_000), (DAY + timedelta(days=1), 20_000)):
        site.date = day.isoformat()
        site.fills("1", 1, "anna", "08:00", "08:04", sold_ml)
        if day != DAY:
            site.dips("T1", 450_000, "23:00")
        site.closes_day()
        site.reports()
        _, told = night(site.hq, tmp_path, day)
    assert [(it.tank, it.stock_ml, it.day_ml, it.tenths) for it in fuel(told).tanks] == [
        ("T1", 450_000, 30_000, 150),
        ("T2", 10_000_000, None, None),
    ]
    assert [(it.day, it.sold_ml, it.variance_ml) for it in fuel(told).stock if it.tank == "T1"] == [
        (2, 60_000, 450_000 - (20_000_000 - 60_000))
    ]


def test_an_alarm_of_a_gauge_reaches_headquarters(site: Forecourt, tmp_path: Path) -> None:
    """Once, on the day that it was raised."""
    site.clock("03:00")
    site.add(Notice("tank-leak", "T1", "40.000 L less than when nothing flowed any more"))
    site.reports()
    _, told = night(site.hq, tmp_path)
    assert [(it.subject, it.detail) for it in told.findings if it.code == "tank-leak"] == [
        ("f1 tank T1", "40.000 L less than when nothing flowed any more")
    ]
    _, told = night(site.hq, tmp_path, DAY + timedelta(days=1))
    assert "tank-leak" not in {it.code for it in told.findings}


def test_charging_and_fuel_at_one_site(site: Forecourt, tmp_path: Path) -> None:
    """Every total holds both, and each leg its own."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    a_day(site)
    result, told = night(site.hq, tmp_path)
    total = told.total
    assert (total.sessions, total.fillings, total.energy_wh, total.volume_ml) == (5, 4, 10_000, 120_000)
    assert total.gross_fen == total.fuel_fen + 600 == 92_820
    assert (result.exit_code, [it.checked for it in told.legs if it.leg is Leg.ENERGY]) == (
        0,
        [{"meters": 1, "readings": 3, "bills": 1}],
    )
    assert [it.sessions for it in told.sites[0].closes] == [5]
    assert sum(it.gross_fen for it in told.sites[0].hours) == 92_820
    assert sum(it.volume_ml for it in told.sites[0].hours) == 120_000
    assert [(it.version, it.sessions) for it in told.sites[0].price_lists] == [(1, 5)]
    assert [(it.version, it.sessions) for it in told.sites[0].tariffs] == [(1, 1)]


def test_who_stands_in_pays_what_the_others_leave(site: Forecourt, tmp_path: Path) -> None:
    """And what both holds leave is the operator's: an overrun, noted."""
    session = site.lifts("1", "fleet", 10_000, "08:00", payer="anna")
    site.hangs_up(session, 1, "08:05", 30_000)  # 235.50 on 100.00 and 100.00
    site.reports("09:00")
    _, told = night(site.hq, tmp_path)
    assert [it for it in found(told) if it[0] != "site-awaited"] == [("overrun", 3_550, None)]
    assert (told.total.captured_fen, told.total.overrun_fen) == (20_000, 3_550)


def test_the_page_shows_the_fuel(site: Forecourt, tmp_path: Path) -> None:
    """In both languages, from the JSON alone."""
    a_day(site)
    result, _ = night(site.hq, tmp_path)
    page = result.html_path.read_text()
    assert report.page(result.json_path.read_bytes()) == page
    for said in ("油罐账", "Wet stock", "attendant wu", "24,887.500", "-562.50 ‰", "120 s", "缺液位", "Price changes"):
        assert said in page, said


def test_both_databases_tell_the_same_of_fuel(hq: Headquarters, tmp_path: Path) -> None:
    """SQLite and PostgreSQL; and `verify` finds nothing in either."""
    site = stocked(hq)
    a_day(site)
    result, told = night(hq, tmp_path)
    assert result.exit_code == 0
    assert fuel(told).grades[1].volume_ml == 70_000
    assert told.liabilities[0].closing == 400_000 - 92_220
    with store.reading(hq.engine) as connection:
        trusted = signers(connection, hq.keys)
        verified = [verify_log(connection, row, trusted) for row in logs(connection, None, None)]
        assert [it.findings for it in verified] == [[], []]
        assert (verify_accounts(connection), verify_tables(connection, hq.keys)) == ([], [])
