"""Which network number may a device have? One space for the whole fleet, a range for each kind of device."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What bears a number of the fleet. All other devices have theirs per site."""

    DTU = "dtu"
    BATTERY = "battery"
    TBOX = "tbox"


RANGES: dict[Kind, tuple[int, int | None]] = {
    Kind.DTU: (20_001, 200_000),
    Kind.BATTERY: (200_001, 5_000_000),
    Kind.TBOX: (5_000_001, None),
}
"""First and last number of each kind; None: there is no last."""


def why_not(kind: Kind, number: int) -> str:
    """What is wrong with this number for such a device, with the range that it has; empty: nothing."""
    first, last = RANGES[kind]
    if first <= number and (last is None or number <= last):
        return ""
    expected = f"{first:,} and above" if last is None else f"{first:,} to {last:,}"
    its = kind_of(number)
    is_one = f", which is a {its.value}'s" if its is not None else ""
    return f"expected a {kind.value}'s number, {expected}, got {number:,}{is_one}"


def kind_of(number: int) -> Kind | None:
    """Whose number this is; None: nobody's."""
    ranges = ((kind, first, last) for kind, (first, last) in RANGES.items())
    return next((kind for kind, first, last in ranges if first <= number and (last is None or number <= last)), None)
