"""Totalizers as the witness: each walk along a nozzle, told as a table of records in the order of the log."""

from __future__ import annotations

import pytest

from cloud.night.reconcile.log import LogFacts, LogKey, Stored, read
from cloud.night.reconcile.pumps import NozzleSum, reconcile_pumps
from protocols.trade.codec import Wire, encode
from protocols.trade.records import BillLine, ClockQuality, Draft, Notice, Origin, Preset, SessionVoided, Stamp, seal
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelUnattributed,
    NozzleTotals,
    Offered,
    PumpTotals,
    PumpTotalsRead,
)

BEGIN, END, VOID, TOTAL, LOST, FELL = "begin", "end", "void", "total", "lost", "notice"
OFFERED = Offered(1, "92", "T1", 785_000)

Row = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]
"""(what, totalizer in mL); then of an end the filling's record and what was sold, of a void the filling's record, of a
loss what was lost.
"""


def facts(*rows: Row, epoch: int = 1, total_step_ml: int = 10, minutes: list[int] | None = None) -> LogFacts:
    """Row n is record n, made in minute n; its totals were read then, or in the minute that `minutes` says."""
    stored = []
    for seq, row in enumerate(rows):
        stamp = Stamp(bytes([epoch] * 8), seq * 60_000, 0, ClockQuality.INFORMATIVE, 0, None)
        taken = (minutes[seq] if minutes else seq) * 60_000
        leaf = encode(seal(Draft(body(row, taken, total_step_ml)), stamp))
        stored.append(Stored(seq, leaf, 1_000_000_000_000, "2026-06-08"))
    return read(LogKey("s", epoch), stored)


def body(row: Row, mono_ms: int, total_step_ml: int) -> Wire:
    what, ml, *more = row
    totals = PumpTotals("1", [NozzleTotals(1, ml, None)], mono_ms, 0)
    if what == BEGIN:
        order = (Preset("full", 0), "full", 0, [OFFERED], Origin("card", b"", 0, ""), "", totals)
        return FillingOpened("1", [], False, *order, 10, 1, total_step_ml, 0, [], 0, None)
    if what == END:
        session, sold_ml = more
        line = BillLine("fuel", 1, sold_ml, 785_000, 0)
        return FillingClosed(session, "hung-up", OFFERED, sold_ml, 0, totals, [line], 0, 0, 1, 0, None)
    if what == VOID:
        return SessionVoided(more[0], "timeout")
    if what == LOST:
        (lost_ml,) = more
        before, after = NozzleTotals(1, ml - lost_ml, None), NozzleTotals(1, ml, None)
        return FuelUnattributed("1", 1, "92", "T1", "no-sale", before, after, lost_ml, None, [])
    if what == FELL:
        return Notice("totalizer-fell", "1", "")
    return PumpTotalsRead([totals])


def walk(*logs: LogFacts) -> tuple[NozzleSum, list[tuple[str, int | None]]]:
    sums, findings = reconcile_pumps("s", logs)
    (one,) = sums
    moved_ml = one.last_ml - one.first_ml + one.wrapped_ml
    booked_ml = one.sold_ml + one.unattributed_ml + one.running_ml + one.rounding_ml + one.missing_ml
    assert moved_ml == booked_ml - one.fallen_ml
    return one, [(it.code, it.difference_ml) for it in findings]


@pytest.mark.parametrize(
    ("what", "rows", "expected"),
    [
        ("two sales", [(BEGIN, 0), (END, 500, 0, 500), (BEGIN, 500), (END, 900, 2, 400)], []),
        ("a sale that nobody wrote", [(BEGIN, 0), (END, 500, 0, 500), (BEGIN, 900)], [("litres-missing", 400)]),
        ("lost while idle, and said so", [(TOTAL, 0), (LOST, 70, 70), (TOTAL, 70)], []),
        ("lost beside a sale", [(BEGIN, 0), (END, 800, 0, 500), (LOST, 800, 300), (BEGIN, 800)], []),
        ("lost, in part", [(TOTAL, 0), (LOST, 70, 70), (TOTAL, 75)], [("litres-missing", 5)]),
        ("void with flow, told", [(BEGIN, 0), (VOID, 0, 0), (LOST, 200, 200), (TOTAL, 200)], []),
        ("void with flow, not told", [(BEGIN, 0), (VOID, 0, 0), (TOTAL, 200)], [("litres-missing", 200)]),
        ("billed twice", [(BEGIN, 0), (END, 500, 0, 500), (LOST, 500, 500), (TOTAL, 500)], [("litres-too-many", -500)]),
        ("a step short", [(BEGIN, 0), (END, 500, 0, 490), (BEGIN, 500)], []),
        ("two steps short", [(BEGIN, 0), (END, 500, 0, 480), (BEGIN, 500)], [("litres-missing", 20)]),
        ("read in mid-sale", [(BEGIN, 0), (TOTAL, 300), (END, 500, 0, 500), (TOTAL, 500)], []),
        ("reset", [(TOTAL, 5_000), (TOTAL, 0)], [("totalizer-fell", None)]),
        ("reset, and said so", [(TOTAL, 5_000), (FELL, 0), (TOTAL, 0)], [("totalizer-began-anew", None)]),
        ("told once, fallen twice", [(TOTAL, 9), (FELL, 0), (TOTAL, 5), (TOTAL, 0)],
         [("totalizer-began-anew", None), ("totalizer-fell", None)]),
        ("comes round in a sale", [(BEGIN, 999_999_800), (END, 300, 0, 500), (BEGIN, 300)], []),
        ("comes round after a rest", [(TOTAL, 999_999_990), (BEGIN, 999_999_990), (END, 10, 1, 20)], []),
        ("an end without a beginning", [(TOTAL, 0), (END, 500, 0, 500)], []),
    ],
)  # fmt: skip
def test_a_nozzle(what: str, rows: list[Row], expected: list[tuple[str, int | None]]) -> None:
    """What moved is sold, lost by name, or a finding; to the mL, but for a step a sale."""
    _, found = walk(facts(*rows))
    assert found == expected, what


def test_a_sale_that_runs() -> None:
    """What has flowed in it is nobody's loss yet."""
    one, found = walk(facts((BEGIN, 0), (TOTAL, 300)))
    assert (one.running_ml, found) == (300, [])


def test_litres_in_tens_and_totals_in_litres() -> None:
    """A totalizer that shows whole litres is off by less than one at each sale."""
    one, found = walk(
        facts((BEGIN, 0), (END, 1_000, 0, 1_990), (BEGIN, 1_000), (END, 3_000, 2, 1_010), total_step_ml=1_000)
    )
    assert (one.rounding_ml, one.missing_ml, found) == (0, 0, [])


def test_totals_told_after_newer_ones() -> None:
    """A reading that was taken before the end of the sale and logged after it is no fall."""
    rows = ((BEGIN, 0), (END, 500, 0, 500), (TOTAL, 0), (TOTAL, 500))
    _, found = walk(facts(*rows, minutes=[0, 3, 1, 4]))
    assert found == []


def test_a_pump_outlives_its_box() -> None:
    """What moved between the last record of one epoch and the first of the next was sold to nobody."""
    _, found = walk(facts((BEGIN, 0), (END, 500, 0, 500)), facts((TOTAL, 900), epoch=2))
    assert found == [("litres-missing", 400)]
    _, found = walk(facts((BEGIN, 0)), facts((TOTAL, 0), (TOTAL, 0), epoch=2))
    assert found == []
