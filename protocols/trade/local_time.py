"""What does the clock on the wall say where a document holds? Its zone, and the offsets that headquarters writes.

Neither a site nor a customer's browser is asked for a time zone database, so that all of them always agree, and an old
bill reads the same for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Protocol

import msgspec

from protocols.door import Fault
from protocols.trade.tariff import DAY_S, Offset

Zone = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*\Z",
        max_length=64,
        description='the IANA name of a time zone, like "Asia/Shanghai"',
    ),
]
"""The key `zone` of a file that people write."""
OffsetsOf = Callable[[str], Sequence[Offset] | None]
"""A zone's offsets by its IANA name, or None for a zone that does not exist."""

_since_s = attrgetter("since_s")


class Zoned(Protocol):
    """A document with the local time of where it holds: `zone`, and `offsets` as of a tariff."""

    @property
    def zone(self) -> str: ...
    @property
    def offsets(self) -> list[Offset]: ...


def offset_index(offsets: Sequence[Offset], wall_ms: int) -> int:
    """Which of them holds at this Unix ms; before the first the first holds."""
    return max(bisect_right(offsets, wall_ms // 1000, key=_since_s) - 1, 0)


def offset_s_at(document: Zoned, wall_ms: int) -> int:
    """What local time is ahead of UTC at this Unix ms."""
    return document.offsets[offset_index(document.offsets, wall_ms)].offset_s


def local_text(document: Zoned, unix_s: int) -> str:
    """The instant by the local clock, as the files write it, seconds left out where they are 0."""
    local = datetime.fromtimestamp(unix_s + offset_s_at(document, unix_s * 1000), UTC)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


# --- what a document is given ----------------------------------------------------------------------------------------


def offsets_in(zone: str, offsets_of: OffsetsOf) -> tuple[list[Offset], list[Fault]]:
    """The offsets that a document of this zone gets, and what is wrong with the zone. One that does not exist is UTC,
    so that the rest of its file can be looked at all the same.
    """
    offsets = offsets_of(zone)
    if offsets is None:
        return [Offset(0, 0)], [Fault("zone", "the IANA name of a time zone", repr(zone), 'Like "Asia/Shanghai".')]
    return list(offsets), []


def offsets_between(utc_offset_s: Callable[[int], int], from_s: int, to_s: int) -> list[Offset]:
    """A zone's offsets over [from_s, to_s] in Unix seconds, to the second, from a function that gives the one in force.

    Looks at each day, so two changes within one day that cancel out are not seen.
    """
    offsets = [Offset(from_s, utc_offset_s(from_s))]
    for day_s in range(from_s, to_s, DAY_S):
        before_s, after_s = day_s, min(day_s + DAY_S, to_s)
        offset_s = utc_offset_s(after_s)
        if offset_s == offsets[-1].offset_s:
            continue
        while after_s - before_s > 1:  # the change is in (before_s, after_s]
            middle_s = (before_s + after_s) // 2
            if utc_offset_s(middle_s) == offset_s:
                after_s = middle_s
            else:
                before_s = middle_s
        offsets.append(Offset(after_s, offset_s))
    return offsets


def disorder(document: Zoned) -> list[Fault]:
    """What the types cannot say of offsets: at least one, each later than the one before."""
    return not_rising("offsets", "since_s", [offset.since_s for offset in document.offsets], str)


def not_rising(table: str, key: str, values: Sequence[int], show: Callable[[int], str]) -> list[Fault]:
    """A table of times must have some, each later than the one before. show: as a person writes such a time."""
    if not values:
        return [Fault(table, "at least one", "none", f"Add a `[[{table}]]` table.")]
    faults = []
    for index, (before, value) in enumerate(pairwise(values), start=1):
        if value <= before:
            expected = f"later than {show(before)}, where the one before begins"
            faults.append(Fault(f"{table}[{index}].{key}", expected, show(value), "Sort them by time."))
    return faults
