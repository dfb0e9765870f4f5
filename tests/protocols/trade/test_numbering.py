"""Network numbers: each kind of device its range, and the range in the message."""

from __future__ import annotations

import pytest

from protocols.trade.numbering import Kind, kind_of, why_not


@pytest.mark.parametrize(
    ("kind", "number", "wrong"),
    [
        (Kind.DTU, 20_001, ""),
        (Kind.DTU, 200_000, ""),
        (Kind.DTU, 20_000, "expected a dtu's number, 20,001 to 200,000, got 20,000"),
        (Kind.DTU, 200_001, "expected a dtu's number, 20,001 to 200,000, got 200,001, which is a battery's"),
        (Kind.BATTERY, 200_001, ""),
        (Kind.BATTERY, 5_000_000, ""),
        (Kind.BATTERY, 200_000, "expected a battery's number, 200,001 to 5,000,000, got 200,000, which is a dtu's"),
        (Kind.TBOX, 5_000_001, ""),
        (Kind.TBOX, 2**40, ""),
        (Kind.TBOX, -1, "expected a tbox's number, 5,000,001 and above, got -1"),
    ],
)
def test_a_number_outside_its_range_is_refused(kind: Kind, number: int, wrong: str) -> None:
    """First and last of each range, and one beyond."""
    assert why_not(kind, number) == wrong
    assert (kind_of(number) is kind) is not bool(wrong)
