"""Registers as the witness: each walk along a meter, told as a table of readings in the order of the log."""

from __future__ import annotations

import pytest

from cloud.night.reconcile.log import LogFacts, LogKey, Stored, read
from cloud.night.reconcile.meters import MeterSum, reconcile_meters
from protocols.trade.codec import Wire, encode
from protocols.trade.records import (
    ClockQuality,
    Draft,
    Origin,
    Preset,
    Register,
    SessionClosed,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    Stamp,
    TotalizersRead,
    seal,
)

BEGIN, END, TOTAL, VOID, HELD = "begin", "end", "total", "void", "held"

Row = tuple[str, int, int] | tuple[str, int, int, int]
"""(what, session or 0, register in Wh, minute of reading if not the row's own)"""


def walk(*rows: Row, boots: dict[int, bytes] | None = None) -> tuple[MeterSum, list[tuple[str, int | None]]]:
    """The sum of meter `m`, and its findings as (code, Wh). Row n is record n, made in minute n."""
    sums, findings = reconcile_meters([facts(*rows, boots=boots)])
    return sums[0], [(it.code, it.difference_wh) for it in findings]


def facts(*rows: Row, boots: dict[int, bytes] | None = None, epoch: int = 1) -> LogFacts:
    stored = []
    for seq, row in enumerate(rows):
        what, session, wh = row[:3]
        minute = row[3] if len(row) == 4 else seq
        stamp = Stamp((boots or {}).get(seq, bytes(8)), seq * 60_000, 0, ClockQuality.INFORMATIVE, 0, None)
        register = Register("m", wh, minute * 60_000, 0)
        leaf = encode(seal(Draft(body(what, session, register)), stamp))
        stored.append(Stored(seq, leaf, 1_000_000_000_000, "2026-06-08"))
    return read(LogKey("s", epoch), stored)


def body(what: str, session: int, register: Register) -> Wire:
    if what == BEGIN:
        return SessionOpened("1", [], Preset("full", 0), Origin("card", b"", 0, ""), register, [], 0, None)
    if what == END:
        return SessionClosed(session, "Local", register, 0, [], 0, 0, None, [], 0, 0, 1, 0, None)
    if what == VOID:
        return SessionVoided(session, "Timeout")
    if what == HELD:
        return SessionHeld(session, "meter-jump", "")
    return TotalizersRead([register])


def test_sessions_that_follow_on_leave_nothing() -> None:
    """end(n) = begin(n+1): every Wh has an owner."""
    sums, found = walk((BEGIN, 0, 100), (END, 0, 150), (BEGIN, 0, 150), (END, 2, 190), (TOTAL, 0, 190))
    assert found == []
    assert (sums.first_wh, sums.last_wh, sums.sessions, sums.sessions_wh, sums.unbilled_wh) == (100, 190, 2, 90, 0)


def test_one_wh_between_two_sessions_is_found_with_both() -> None:
    """The gap names the session before and the one after."""
    _, findings = reconcile_meters([facts((BEGIN, 0, 100), (END, 0, 150), (BEGIN, 0, 151), (END, 2, 190))])
    assert [(it.code, it.difference_wh) for it in findings] == [("energy-unbilled", 1)]
    assert findings[0].detail == "end of s/1/0 150 Wh, begin of s/1/2 151 Wh"


@pytest.mark.parametrize(
    ("why", "rows", "expected"),
    [
        ("before the first session", [(TOTAL, 0, 90), (BEGIN, 0, 100), (END, 1, 110)], [("energy-unbilled", 10)]),
        ("after the last one", [(BEGIN, 0, 100), (END, 0, 110), (TOTAL, 0, 117)], [("energy-unbilled", 7)]),
        (
            "read three times, still one gap",
            [(BEGIN, 0, 100), (END, 0, 110), (TOTAL, 0, 112), (TOTAL, 0, 115), (BEGIN, 0, 116), (END, 4, 120)],
            [("energy-unbilled", 6)],
        ),
        (
            "a voided session delivers nothing",
            [(BEGIN, 0, 100), (VOID, 0, 0), (TOTAL, 0, 103)],
            [("energy-unbilled", 3)],
        ),
        ("a totalizer within a session is its own", [(BEGIN, 0, 100), (TOTAL, 0, 104), (END, 0, 110)], []),
        ("a running session owns what is counted", [(BEGIN, 0, 100), (TOTAL, 0, 130)], []),
        ("so does a held one", [(BEGIN, 0, 100), (HELD, 0, 0), (TOTAL, 0, 130)], []),
        ("the register went back", [(TOTAL, 0, 100), (TOTAL, 0, 99)], [("register-fell", -1)]),
        (
            "two sessions at once",
            [(BEGIN, 0, 100), (BEGIN, 0, 104), (END, 0, 110), (END, 1, 120)],
            [("energy-billed-twice", -6)],
        ),
    ],
)
def test_what_lies_outside_sessions(why: str, rows: list[Row], expected: list[tuple[str, int]]) -> None:
    """Each way in which a register can move without a bill, or be billed twice."""
    sums, found = walk(*rows)
    assert found == expected, why
    counted = sums.sessions_wh - sums.twice_wh + sums.unbilled_wh + sums.running_wh - sums.fallen_wh
    assert sums.last_wh - sums.first_wh == counted, why


def test_readings_stand_in_the_order_in_which_they_were_taken() -> None:
    """A totalizer read just before a session began, and logged just after it, is no step back."""
    _, found = walk((BEGIN, 0, 100, 0), (TOTAL, 0, 100, 0), (END, 0, 120, 2), (TOTAL, 0, 110, 1))
    assert found == []


def test_a_register_from_before_the_restart_stands_where_it_is_told() -> None:
    """A session settled after a power cut from its last progress: the minutes of two boots do not compare."""
    rows = [(BEGIN, 0, 100, 50), (END, 0, 120, 55), (BEGIN, 0, 120), (END, 2, 130)]
    _, found = walk(*rows, boots={0: b"boot-old", 1: b"boot-new", 2: b"boot-new", 3: b"boot-new"})
    assert found == []


def test_a_meter_outlives_the_box() -> None:
    """What was counted while the box was swapped lies between the last reading of one epoch and the first of the
    next."""
    old = facts((BEGIN, 0, 100), (END, 0, 110))
    new = facts((BEGIN, 0, 115), (END, 0, 120), epoch=2)
    sums, findings = reconcile_meters([new, old])
    assert [(it.code, it.difference_wh) for it in findings] == [("energy-unbilled", 5)]
    assert sums[0].sessions == 2


def test_citrineos_1060_zero_baseline() -> None:
    """A session begun at 0 on a meter that stood at 910 kWh bills 910.083 kWh for 0.083: the step back is found."""
    sums, found = walk((TOTAL, 0, 910_000), (BEGIN, 0, 0), (END, 1, 910_083), (TOTAL, 0, 910_083))
    assert found == [("register-fell", -910_000)]
    assert (sums.sessions_wh, sums.fallen_wh) == (910_083, 910_000)


def test_a_first_reading_is_a_baseline() -> None:
    """A register of 4,200 kWh before anything else is nobody's delivery."""
    sums, found = walk((BEGIN, 0, 4_200_000), (END, 0, 4_200_500))
    assert found == []
    assert sums.sessions_wh == 500
