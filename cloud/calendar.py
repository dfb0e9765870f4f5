"""On which business day does a record count?

Calendar dates are headquarters' business: the site's zone and the local hour at which its business day begins decide,
and the site's own clock only as far as it can be trusted.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from protocols.trade.local_time import offsets_between
from protocols.trade.records import ClockQuality, Stamp
from protocols.trade.tariff import Offset

_QUARTER_MS = 15 * 60 * 1000
"""All zones' offsets and all business days change on a quarter of an hour."""


def business_date(stamp: Stamp, received_ms: int, zone: str, day_starts_h: int) -> str:
    """The ISO date of the business day that a record belongs to."""
    return _date_of_quarter(effective_ms(stamp, received_ms) // _QUARTER_MS, zone, day_starts_h)


def date_of(unix_ms: int, zone: str, day_starts_h: int) -> date:
    """The business day at this instant."""
    local = datetime.fromtimestamp(unix_ms // 1000, UTC).astimezone(ZoneInfo(zone))
    return (local.replace(tzinfo=None) - timedelta(hours=day_starts_h)).date()


def zone_exists(zone: str) -> bool:
    """Is it the IANA name of a time zone that this machine knows?"""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones raises OSError
        return False
    return True


def offsets_of(zone: str, now_ms: int) -> list[Offset] | None:
    """The zone's UTC offsets from two years before this one to two years after it, each from its first second; None: no
    such zone. The same all year long, so that saying a file again changes nothing.
    """
    if not zone_exists(zone):
        return None
    rules, year = ZoneInfo(zone), datetime.fromtimestamp(now_ms // 1000, UTC).year

    def utc_offset_s(unix_s: int) -> int:
        offset = datetime.fromtimestamp(unix_s, rules).utcoffset()
        assert offset is not None, zone
        return round(offset.total_seconds())

    first, last = (int(datetime(some, 1, 1, tzinfo=UTC).timestamp()) for some in (year - 2, year + 3))
    return offsets_between(utc_offset_s, first, last)


def effective_ms(stamp: Stamp, received_ms: int) -> int:
    """When the record was made, as well as can be said: the site's estimate within its provable bounds and never after
    it came here; from a site that knows no time, as late as it can have been."""
    ub_ms, guess = stamp.ub_ms, stamp.wall_ms
    latest = received_ms if ub_ms is None or ub_ms > received_ms else ub_ms
    if guess > latest or stamp.quality is ClockQuality.UNKNOWN:
        guess = latest
    elif guess < stamp.lb_ms:
        guess = min(stamp.lb_ms, latest)
    return guess if guess > 0 else 0


@lru_cache(maxsize=4096)
def _date_of_quarter(quarter: int, zone: str, day_starts_h: int) -> str:
    return date_of(quarter * _QUARTER_MS, zone, day_starts_h).isoformat()
