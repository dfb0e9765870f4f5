"""Which period of a tariff holds when: Unix instants to the local day, by the tariff's own table of offsets.

No time zone database is asked, so that the site and headquarters always agree and an old bill can be worked out again.
Instants are whole Unix ms; a stretch includes its first ms and excludes its last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter

from protocols.trade.local_time import offset_index, offset_s_at
from protocols.trade.tariff import DAY_S, Offset, Period, Tariff

DAY_MS = DAY_S * 1000

_from_s = attrgetter("from_s")


def local_second(tariff: Tariff, wall_ms: int) -> int:
    """Second of the local day (0 ..= 86399) at this instant."""
    return (wall_ms // 1000 + offset_s_at(tariff, wall_ms)) % DAY_S


def period_at(tariff: Tariff, wall_ms: int) -> int:
    """Index into the tariff's periods at this instant."""
    return _period_index(tariff.periods, local_second(tariff, wall_ms))


def next_boundary_ms(tariff: Tariff, wall_ms: int) -> int | None:
    """The first instant after `wall_ms` at which the period or the offset changes; None when nothing ever will."""
    offsets, periods = tariff.offsets, tariff.periods
    index = offset_index(offsets, wall_ms)
    offset_change_ms = _offset_end_ms(offsets, index)
    if len(periods) == 1:
        return offset_change_ms
    local_ms = (wall_ms + offsets[index].offset_s * 1000) % DAY_MS
    following = bisect_right(periods, local_ms // 1000, key=_from_s)
    from_s = periods[following].from_s if following < len(periods) else periods[0].from_s + DAY_S
    boundary_ms = wall_ms + from_s * 1000 - local_ms
    return boundary_ms if offset_change_ms is None else min(boundary_ms, offset_change_ms)


def stretches(tariff: Tariff, from_ms: int) -> Iterator[tuple[int, int]]:
    """(instant, period index) from `from_ms` on, each time the period becomes another one; endless if it keeps
    changing.
    """
    at_ms: int | None = from_ms
    before = None
    while at_ms is not None:
        period = period_at(tariff, at_ms)
        if period != before:
            yield at_ms, period
            before = period
        at_ms = next_boundary_ms(tariff, at_ms)


def periods_between(tariff: Tariff, from_ms: int, to_ms: int) -> set[int]:
    """Indices of all periods that hold at some instant of [from_ms, to_ms), and always that at from_ms."""
    found: set[int] = set()
    for at_ms, period in stretches(tariff, from_ms):
        if found and (at_ms >= to_ms or len(found) == len(tariff.periods)):
            break
        found.add(period)
    return found


def one_period(tariff: Tariff, from_ms: int, to_ms: int | None) -> bool:
    """Whether one and the same period holds all through [from_ms, to_ms); to_ms None: for ever."""
    changes = stretches(tariff, from_ms)
    next(changes)
    change = next(changes, None)
    return change is None or (to_ms is not None and to_ms <= change[0])


def offset_changes_ms(tariff: Tariff) -> list[int]:
    """The instants at which the offset may change: all but the first, which holds before itself too."""
    return [offset.since_s * 1000 for offset in tariff.offsets[1:]]


def _offset_end_ms(offsets: list[Offset], index: int) -> int | None:
    return offsets[index + 1].since_s * 1000 if index + 1 < len(offsets) else None


def _period_index(periods: list[Period], second: int) -> int:
    """Before the first period of the day the last one still holds."""
    return (bisect_right(periods, second, key=_from_s) - 1) % len(periods)
