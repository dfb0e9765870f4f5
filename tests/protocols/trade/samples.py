"""Tariffs and sessions that the tests of this folder share, and how hypothesis draws more of them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from protocols.trade.records import Slice
from protocols.trade.tariff import DAY_S, Offset, Period, Tariff

HOUR_S = 3_600
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
STEP_S = 1_800
"""Drawn boundaries lie on whole half hours, so that an oracle may look at half hours alone."""

SHANGHAI = [Offset(0, 8 * HOUR_S)]
BERLIN_2026 = [Offset(0, HOUR_S), Offset(1_774_746_000, 2 * HOUR_S), Offset(1_792_890_000, HOUR_S)]
"""29 March and 25 October 2026, 01:00 UTC."""


def tariff(
    *periods: tuple[str, int, int],
    offsets: list[Offset] = SHANGHAI,
    session_e3: int = 0,
    idle_e3_per_min: int = 0,
) -> Tariff:
    """Of ("HH:MM", energy, service), both e3 per kWh."""
    return Tariff(
        id="city-east",
        version=7,
        zone="Asia/Shanghai",
        offsets=offsets,
        periods=[Period(second(at), f"from {at}", energy, service) for at, energy, service in periods],
        session_e3=session_e3,
        idle_e3_per_min=idle_e3_per_min,
        idle_grace_s=900,
    )


def second(clock: str) -> int:
    """Of the day, for "HH:MM"."""
    hours, minutes = clock.split(":")
    return int(hours) * HOUR_S + int(minutes) * 60


def unix_ms(local: str, offset_s: int = 8 * HOUR_S) -> int:
    """Unix ms of "2026-03-29 07:30:00" in local time."""
    return int(datetime.fromisoformat(local).replace(tzinfo=UTC).timestamp() - offset_s) * 1000


CITY = tariff(
    ("00:00", 35_120, 40_000),
    ("08:00", 110_000, 40_000),
    ("12:00", 70_000, 40_000),
    ("22:00", 35_120, 40_000),
)
"""Valley 0.7512, peak 1.50, flat 1.10 yuan per kWh, service included."""


@st.composite
def tariffs(draw: st.DrawFn, offsets: list[Offset] | None = None) -> Tariff:
    """One to six periods on half hours, prices that often tie, one or two changes of offset."""
    halves = sorted(draw(st.sets(st.integers(0, DAY_S // STEP_S - 1), min_size=1, max_size=6)))
    price = st.sampled_from([0, 1, 35_123, 70_000, 110_001])
    return Tariff(
        id="drawn",
        version=1,
        zone="Europe/Berlin",
        offsets=offsets or draw(st.sampled_from([SHANGHAI, BERLIN_2026])),
        periods=[Period(half * STEP_S, f"p{half}", draw(price), draw(price)) for half in halves],
        session_e3=draw(st.sampled_from([0, 50_000, 33_333])),
        idle_e3_per_min=draw(st.sampled_from([0, 20_000, 777])),
        idle_grace_s=600,
    )


@st.composite
def slices(draw: st.DrawFn, longest_ms: int = 3 * HOUR_MS) -> tuple[Slice, ...]:
    """Up to eight, rising, with gaps, often of whole minutes and half hours."""
    at_ms, drawn = 0, []
    edge = st.integers(0, longest_ms)
    for unit_ms in (MINUTE_MS, STEP_S * 1000):
        edge |= st.integers(0, longest_ms // unit_ms).map(unit_ms.__mul__)
    for _ in range(draw(st.integers(0, 8))):
        from_ms = at_ms + draw(st.sampled_from([0, 0, 0, 1, 40_000]))
        at_ms = from_ms + max(1, draw(edge))
        drawn.append(Slice(from_ms, at_ms, draw(st.integers(0, 60_000))))
    return tuple(drawn)


INSTANTS_MS = st.sampled_from(
    [
        unix_ms("2026-03-28 18:00:00", 0),
        unix_ms("2026-03-29 00:59:59", 0),
        unix_ms("2026-06-15 03:30:00", 0),
        unix_ms("2026-10-24 20:00:00", 0),
        unix_ms("2026-10-25 00:30:00", 0),
    ]
).flatmap(
    lambda near_ms: (
        st.integers(near_ms, near_ms + 8 * HOUR_MS)
        | st.integers(0, 16).map(lambda half: near_ms - near_ms % (STEP_S * 1000) + half * STEP_S * 1000)
    )
)
"""Openings around Berlin's two changes of 2026 and far from them, often on whole half hours."""
