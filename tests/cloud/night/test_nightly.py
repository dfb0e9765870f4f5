"""Nights at headquarters, told as stories: what is reported, what comes late, and which leg finds which fault."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from hq_box import open_headquarters
from site_story import DATE, DAY, Story, at, customer, night, set_clock

from cloud.clock import SetClock
from cloud.night import nightly
from cloud.night.nightly import DayPassed
from cloud.night.report_model import Report
from cloud.service import Headquarters
from protocols.trade.codec import decode, encode
from protocols.trade.records import ClockQuality, Record

NEXT = date(2026, 6, 9)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Story]:
    """A site with one customer who has paid in 500.00, at midnight of the day."""
    hq = open_headquarters(f"sqlite:///{tmp_path}/hq.db", SetClock(at("00:00")))
    customer(hq, "anna", 50_000)
    yield Story(hq, "s1")
    hq.engine.dispose()


def found(report: Report) -> list[tuple[str, str, int | None, int | None]]:
    """(leg, code, fen, Wh) of what nobody can explain."""
    return [
        (it.leg.value, it.code, it.difference_fen, it.difference_wh)
        for it in report.findings
        if it.weight.value == "unexplained"
    ]


def next_day(site: Story) -> None:
    site.date = NEXT.isoformat()


def test_a_quiet_day_adds_up(site: Story, tmp_path: Path) -> None:
    """Two sessions by hand: 0.50 a kWh by night, 1.35 by day, 1.00 each; to the fen and the Wh, in every total."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)  # 5.00 + 1.00
    site.charge("2", "anna", "10:00", "10:30", 20_001)  # 27.00135 + 1.00
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert (result.exit_code, report.findings) == (0, [])
    day = report.sites[0].day
    assert (day.sessions, day.energy_wh, day.gross_fen, day.captured_fen, day.overrun_fen) == (
        2,
        30_001,
        3_400,
        3_400,
        0,
    )
    assert (day.energy_fen, day.service_fen, day.session_fen) == (2_100, 1_100, 200)
    roll = report.liabilities[0]
    assert (roll.opening, roll.paid_in, roll.used, roll.paid_out, roll.closing) == (0, 50_000, 3_400, 0, 46_600)
    assert [(it.meter, it.sessions_wh, it.unbilled_wh) for it in report.meters] == [
        ("meter-1", 10_000, 0),
        ("meter-2", 20_001, 0),
    ]
    hours = {it.hour: (it.sessions, it.energy_wh, it.gross_fen) for it in report.sites[0].hours if it.energy_wh}
    assert hours == {6: (0, 10_000, 0), 10: (1, 20_001, 2_800)}
    assert sum(it.gross_fen for it in report.sites[0].hours) == 3_400


def test_the_same_inputs_give_the_same_bytes(site: Story, tmp_path: Path) -> None:
    """JSON and page are the same when run again, also from another directory."""
    site.charge("1", "anna", "06:00", "09:17", 31_234)
    site.closes_day()
    site.reports()
    first, _ = night(site.hq, tmp_path / "a")
    again, _ = night(site.hq, tmp_path / "a")
    elsewhere, _ = night(site.hq, tmp_path / "b")
    for path in ("json_path", "html_path"):
        data = getattr(first, path).read_bytes()
        assert data == getattr(again, path).read_bytes() == getattr(elsewhere, path).read_bytes()


def test_the_json_is_canonical(site: Story, tmp_path: Path) -> None:
    """Sorted keys, no spaces, whole numbers only, one line."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports()
    result, _ = night(site.hq, tmp_path)
    text = result.json_path.read_text()

    def refuse(number: str) -> None:
        raise AssertionError(f"{number} is no whole number")

    data = json.loads(text, parse_float=refuse)
    assert json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" == text


def test_a_site_that_has_not_reported_is_awaited(site: Story, tmp_path: Path) -> None:
    """Nothing of it is unexplained; the run does not fail."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports()
    Story(site.hq, "s2")  # enrolled, and never heard of again
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 0
    assert [(it.code, it.subject) for it in report.findings] == [("site-awaited", "s1"), ("site-awaited", "s2")]
    assert [it.reported for it in report.sites] == [False, False]


def test_word_after_midnight_is_a_report_too(site: Story, tmp_path: Path) -> None:
    """A site in touch after the day's end has told all of it, day close or not."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.wall_ms = at("00:05", NEXT.isoformat())
    site.reads_totalizers()
    site.reports()
    _, report = night(site.hq, tmp_path)
    assert report.sites[0].reported


def test_sessions_that_have_not_ended_are_open_and_age(site: Story, tmp_path: Path) -> None:
    """Running and held for review: their holds are shown, their energy is nobody's gap."""
    site.opens("1", "anna", 3_000, "06:00")
    held = site.opens("2", "anna", 2_000, "07:00")
    site.registers["meter-2"] += 500
    site.holds_for_review(held)
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path, NEXT)
    assert result.exit_code == 0
    assert [(it.code, it.age_days) for it in report.findings] == [
        ("site-awaited", 1),
        ("session-held", 1),
        ("session-open", 1),
    ]
    assert (report.sites[0].running, report.sites[0].held, report.sites[0].held_fen) == (1, 1, 5_000)
    assert [(it.meter, it.running_wh) for it in report.meters] == [("meter-1", 0), ("meter-2", 500)]


def test_an_overrun_is_the_operators_and_no_customers(site: Story, tmp_path: Path) -> None:
    """A stuck relay: 14.50 delivered on a hold of 10.00. The customer pays 10.00; the rest is noted."""
    site.charge("1", "anna", "09:00", "09:30", 10_000, hold_fen=1_000)
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 0
    assert (report.total.gross_fen, report.total.captured_fen, report.total.overrun_fen) == (1_450, 1_000, 450)
    assert [(it.code, it.difference_fen) for it in report.findings] == [("overrun", 450)]
    assert report.liabilities[0].used == 1_000


# --- late records ----------------------------------------------------------------------------------------------------


def test_what_comes_late_is_an_adjustment_of_the_day_it_arrives(site: Story, tmp_path: Path) -> None:
    """The link breaks at noon: the afternoon appears in the next night's report under its own date, and only there."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports()
    late = site.charge("1", "anna", "14:00", "15:00", 20_000)
    _, first = night(site.hq, tmp_path)
    assert first.total.sessions == 1

    next_day(site)
    site.charge("1", "anna", "08:00", "08:30", 5_000)
    site.closes_day()
    site.reports()
    result, second = night(site.hq, tmp_path, NEXT)
    assert result.exit_code == 0
    assert (second.total.sessions, second.total.energy_wh) == (1, 5_000)
    assert [(it.date, it.session, it.energy_wh) for it in second.sites[0].adjustments] == [(DATE, late, 20_000)]
    assert (second.adjusted.late, second.total.late) == (1, 1)
    assert second.previous is not None
    assert second.previous.date == DATE
    rolls = [it.liabilities[0] for it in (first, second)]
    assert [(it.opening, it.paid_in, it.used, it.closing) for it in rolls] == [
        (0, 50_000, 600, 49_400),
        (49_400, 0, 2_800 + 775, 45_825),
    ]


def test_what_came_early_is_not_lost(site: Story, tmp_path: Path) -> None:
    """A report that runs after midnight has pinned the next day's first session: it still counts, once, on its day."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    next_day(site)
    site.charge("1", "anna", "00:10", "00:20", 1_000)
    site.reports()
    _, first = night(site.hq, tmp_path)
    _, second = night(site.hq, tmp_path, NEXT)
    assert [it.total.sessions for it in (first, second)] == [1, 1]
    assert [it.adjusted.sessions for it in (first, second)] == [0, 0]


def test_a_day_without_a_report_is_not_lost(site: Story, tmp_path: Path) -> None:
    """The first night's run has seen a session of the ninth; the ninth never gets a report; the tenth tells it."""
    next_day(site)
    site.charge("1", "anna", "00:10", "00:20", 1_000)
    site.reports()
    night(site.hq, tmp_path)
    _, later = night(site.hq, tmp_path, date(2026, 6, 10))
    assert [it.date for it in later.sites[0].adjustments] == [NEXT.isoformat()]


def test_a_report_that_was_followed_keeps_its_pins(site: Story, tmp_path: Path) -> None:
    """Run again after a later one, it reads the log as far as it did then and gives the same bytes."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports()
    first, _ = night(site.hq, tmp_path)
    before = first.json_path.read_bytes()
    site.charge("1", "anna", "14:00", "15:00", 20_000)
    next_day(site)
    site.closes_day()
    site.reports()
    customer(site.hq, "bo", 900)
    night(site.hq, tmp_path, NEXT)
    Story(site.hq, "s2")
    again, _ = night(site.hq, tmp_path)
    assert again.json_path.read_bytes() == before


def test_todays_report_takes_in_what_has_come_since(site: Story, tmp_path: Path) -> None:
    """Until a later one stands on it, a report can be run again."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports()
    night(site.hq, tmp_path)
    site.charge("1", "anna", "14:00", "15:00", 20_000)
    site.reports()
    _, report = night(site.hq, tmp_path)
    assert report.total.sessions == 2


def test_a_date_that_was_passed_over_is_refused(site: Story, tmp_path: Path) -> None:
    """Its sales stand in the later report; telling them twice would be a lie."""
    night(site.hq, tmp_path, NEXT)
    with pytest.raises(DayPassed, match="found one of 2026-06-09"):
        nightly.run(site.hq.engine, DAY, tmp_path)


def test_without_a_date_it_is_the_last_day_that_is_over(site: Story, tmp_path: Path) -> None:
    """At one in the morning that is yesterday; today is a word of its own."""
    set_clock(site.hq, at("01:00", NEXT.isoformat()))
    result = nightly.run(site.hq.engine, None, tmp_path, clock=site.hq.clock)
    assert result.json_path.name == f"nightly-{DATE}.json"
    assert nightly.today(site.hq.engine, site.hq.clock) == NEXT


def test_a_clock_of_1970_dates_nothing(site: Story, tmp_path: Path) -> None:
    """A box that knows no time: its sale belongs to the day on which headquarters heard of it."""
    site.quality = ClockQuality.UNKNOWN
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.reports("23:00")
    _, report = night(site.hq, tmp_path)
    assert report.sites[0].clocks == {"unknown": 1}
    assert report.total.sessions == 1


# --- sown faults -----------------------------------------------------------------------------------------------------

Sow = Callable[[sqlite3.Connection], None]
LAST_SALE = "log = 2 AND seq = (SELECT max(seq) FROM transfers WHERE log = 2)"


def sql(*statements: str) -> Sow:
    def sow(database: sqlite3.Connection) -> None:
        for statement in statements:
            assert database.execute(statement).rowcount, statement

    return sow


def one_fen_more_in_a_record(database: sqlite3.Connection) -> None:
    """The stored bytes of the last sale, canonical still, with one fen more."""
    rows = database.execute(
        "SELECT seq, bytes FROM records WHERE log = 2 AND kind = 'session-closed' ORDER BY seq DESC"
    )
    seq, data = rows.fetchone()
    record = decode(data, Record)
    moves = [type(it)(it.effect, it.account, it.asset, it.place, it.amount + 1, it.counter + 1) for it in record.moves]
    altered = encode(Record(record.kind, record.version, record.stamp, moves, record.body))
    database.execute("UPDATE records SET bytes = ? WHERE log = 2 AND seq = ?", (altered, seq))


@pytest.mark.parametrize(
    ("what", "sow", "expected"),
    [
        (
            "one fen on an account",
            sql("UPDATE ledger SET credits = credits + 1 WHERE code = 'cust:anna'"),
            {
                ("books", "balance-differs", -1),
                ("books", "books-broken", -1),
                ("liability", "roll-forward-differs", -1),
            },
        ),
        (
            "one fen on a transfer",
            sql(f"UPDATE transfers SET amount = amount + 1 WHERE {LAST_SALE}"),
            {("books", "transfer-differs", -1), ("books", "balance-differs", -1), ("books", "balance-differs", 1)},
        ),
        (
            "a clerk who keeps the books balanced",
            sql(
                "UPDATE transfers SET amount = amount + 1 WHERE log = 1 AND seq = 0",
                "UPDATE ledger SET credits = credits + 1 WHERE code = 'cust:anna'",
                "UPDATE ledger SET debits = debits + 1 WHERE code = 'channel:wechat:clearing'",
            ),
            {("books", "transfer-differs", -1), ("liability", "roll-forward-differs", -1)},
        ),
        (
            "a sale taken out of the books",
            sql(
                f"DELETE FROM transfers WHERE {LAST_SALE}",
                "UPDATE ledger SET debits = debits - 2800 WHERE code = 'lease:anna:s1:1'",
                "UPDATE ledger SET credits = credits - 2800 WHERE code = 'revenue:s1'",
                "UPDATE leases SET used = used - 2800",
            ),
            {
                ("books", "transfer-missing", 2_800),
                ("books", "counter-differs", -2_800),
                ("liability", "roll-forward-differs", -2_800),
            },
        ),
        (
            "one record gone",
            sql("DELETE FROM records WHERE log = 2 AND kind = 'day-closed'"),
            {("books", "record-missing", None)},
        ),
        (
            "one fen in a record",
            one_fen_more_in_a_record,
            {
                ("books", "root-differs", None),
                ("books", "transfer-differs", 1),
                ("books", "counter-differs", -1),
                ("liability", "roll-forward-differs", -1),
                ("energy", "capture-differs", -1),
            },
        ),
        (
            "one fen on a lease's counter",
            sql("UPDATE leases SET used = used - 1"),
            {("books", "counter-differs", -1), ("books", "books-broken", 1)},
        ),
        (
            "a head that the site never signed",
            sql("UPDATE epochs SET log_key = (SELECT log_key FROM epochs WHERE id = 1) WHERE id = 2"),
            {("books", "head-unproven", None)},
        ),
        ("a tariff that is gone", sql("DELETE FROM documents"), {("energy", "tariff-missing", None)}),
    ],
)
def test_a_fault_in_the_database_is_found_by_its_leg(
    site: Story, tmp_path: Path, what: str, sow: Sow, expected: set[tuple[str, str, int | None]]
) -> None:
    """Somebody edits headquarters' database; one fen or one record is enough."""
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.charge("1", "anna", "09:00", "10:00", 20_000)
    site.closes_day()
    site.reports()
    database = sqlite3.connect(tmp_path / "hq.db")
    with database:
        sow(database)
    database.close()
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 1, what
    assert {(leg, code, fen) for leg, code, fen, _ in found(report)} == expected, what


@pytest.mark.parametrize(
    ("what", "off", "expected"),
    [
        ("one fen too much, from bill to books", {"amount_off_by": 1}, [("energy", "price-differs", -1, None)]),
        ("one fen captured less", {"capture_off_by": -1}, [("energy", "capture-differs", 1, None)]),
        ("one Wh billed that no meter counted", {"energy_off_by": 1}, [("energy", "energy-differs", None, -1)]),
    ],
)
def test_a_fault_at_the_site_is_found_by_the_fourth_leg(
    site: Story, tmp_path: Path, what: str, off: dict[str, int], expected: list[tuple[str, str, int | None, int | None]]
) -> None:
    """The site's own log is in order and the books follow it; meter and tariff tell."""
    site.charge("1", "anna", "09:00", "10:00", 20_000, **off)
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert (result.exit_code, found(report)) == (1, expected), what


def test_one_wh_past_the_till_is_found(site: Story, tmp_path: Path) -> None:
    """Energy that flowed between two sessions, and a sale that the site's day total forgot."""
    site.charge("1", "anna", "09:00", "10:00", 20_000)
    site.registers["meter-1"] += 1
    site.charge("1", "anna", "11:00", "12:00", 20_000)
    number, first, sessions, wh, fen, over = site.day
    site.day = (number, first, sessions, wh, fen - 1, over)
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 1
    assert found(report) == [("books", "day-differs", 1, 0), ("energy", "energy-unbilled", None, 1)]


def test_a_capture_beyond_the_lease_waits_in_suspense(site: Story, tmp_path: Path) -> None:
    """A site that spends more than it was granted: revenue stands, no customer is charged, the run fails until a
    person has decided; and the roll-forward still closes."""
    site.sell("anna", 700)
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 1
    assert ("books", "quarantined", 700, None) in found(report)
    roll = report.liabilities[0]
    assert (roll.used, roll.parked, roll.closing, roll.difference) == (700, -700, 49_300, 0)


def test_a_fork_is_reported(site: Story, tmp_path: Path) -> None:
    """A cloned box signs another branch: the epoch is frozen, and the night says so."""
    site.charge("1", "anna", "09:00", "10:00", 20_000)
    site.reports()
    site.leaves.pop()
    site.add_notice()
    site.hq.answer(site.request("/v1/batch", site.batch(0)))
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 1
    assert [code for _, code, _, _ in found(report)] == ["log-forked"]


def test_both_databases_tell_the_same(hq: Headquarters, tmp_path: Path) -> None:
    """SQLite and PostgreSQL: sums, dates and bytes come back as they went in."""
    customer(hq, "anna", 50_000)
    site = Story(hq, "s1")
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.charge("1", "anna", "09:00", "10:00", 20_000)
    site.closes_day()
    site.reports()
    result, report = night(hq, tmp_path)
    assert (result.exit_code, report.findings) == (0, [])
    assert (report.total.gross_fen, report.liabilities[0].closing) == (3_400, 46_600)
