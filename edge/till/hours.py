"""Is a shop, or a yard of ports, open now? By the hours of the config, at the site's own time of day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from protocols.trade.records import ClockQuality, Stamp

Hours = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        description='from and to, such as "06:00-23:30"; "20:00-02:00" ends on the next day',
    ),
]
DAY_MIN = 24 * 60


def open_now(hours: Sequence[Hours], utc_offset_min: int, now: Stamp) -> bool:
    """hours: none: always. A clock that nobody knows keeps nobody out."""
    if not hours or now.quality is ClockQuality.UNKNOWN:
        return True
    minute = (now.wall_ms // 60_000 + utc_offset_min) % DAY_MIN
    return any(_within(minute, *(_minute(text) for text in one.split("-"))) for one in hours)


def _within(minute: int, begins: int, ends: int) -> bool:
    """From the first minute on, up to the last and not in it. From a time to itself is the whole day."""
    if begins < ends:
        return begins <= minute < ends
    return minute >= begins or minute < ends


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
