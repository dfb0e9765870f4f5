"""Which period holds when, held against Python's own time zones."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.daytime import (
    local_second,
    next_boundary_ms,
    one_period,
    period_at,
    periods_between,
    stretches,
)
from protocols.trade.tariff import Tariff

from .samples import BERLIN_2026, CITY, DAY_MS, HOUR_MS, HOUR_S, INSTANTS_MS, tariff, tariffs, unix_ms

VALLEY, PEAK, FLAT, NIGHT = range(4)  # the periods of CITY


@pytest.mark.parametrize(
    ("local", "period", "next_local"),
    [
        ("2026-05-01 00:00:00", VALLEY, "2026-05-01 08:00:00"),
        ("2026-05-01 07:59:59", VALLEY, "2026-05-01 08:00:00"),
        ("2026-05-01 08:00:00", PEAK, "2026-05-01 12:00:00"),
        ("2026-05-01 21:59:59", FLAT, "2026-05-01 22:00:00"),
        ("2026-05-01 23:30:00", NIGHT, "2026-05-02 00:00:00"),
        ("1969-12-31 09:00:00", PEAK, "1969-12-31 12:00:00"),
    ],
)
def test_a_day(local: str, period: int, next_local: str) -> None:
    """A period holds from its first second; the last one ends where the day does."""
    assert period_at(CITY, unix_ms(local)) == period
    assert next_boundary_ms(CITY, unix_ms(local)) == unix_ms(next_local)


def test_a_night_over_midnight() -> None:
    """Before the day's first period the last one still holds."""
    night = tariff(("07:00", 1, 0), ("23:00", 2, 0))
    assert period_at(night, unix_ms("2026-05-02 03:00:00")) == 1
    assert next_boundary_ms(night, unix_ms("2026-05-01 23:30:00")) == unix_ms("2026-05-02 07:00:00")


def test_the_last_ms_of_a_period() -> None:
    """Boundaries are exact to the ms."""
    eight_ms = unix_ms("2026-05-01 08:00:00")
    assert period_at(CITY, eight_ms - 1) == VALLEY
    assert next_boundary_ms(CITY, eight_ms - 1) == eight_ms
    assert periods_between(CITY, eight_ms - 1, eight_ms) == {VALLEY}
    assert periods_between(CITY, eight_ms - 1, eight_ms + 1) == {VALLEY, PEAK}
    assert periods_between(CITY, eight_ms, eight_ms) == {PEAK}


def test_nothing_ever_changes() -> None:
    """One period and one offset: there is no next boundary, and one period for ever."""
    flat = tariff(("00:00", 5, 5))
    assert next_boundary_ms(flat, 0) is None
    assert list(stretches(flat, 0)) == [(0, 0)]
    assert one_period(flat, 0, None)


def test_a_spring_night_skips_an_hour() -> None:
    """At 01:00 UTC Berlin goes from 02:00 to 03:00: a period within that hour never comes."""
    berlin = tariff(("00:00", 1, 0), ("02:00", 2, 0), ("03:00", 3, 0), offsets=BERLIN_2026)
    change_ms = BERLIN_2026[1].since_s * 1000
    assert local_second(berlin, change_ms - 1000) == 2 * HOUR_S - 1
    assert local_second(berlin, change_ms) == 3 * HOUR_S
    assert periods_between(berlin, change_ms - HOUR_MS, change_ms + HOUR_MS) == {0, 2}


def test_an_autumn_night_repeats_an_hour() -> None:
    """At 01:00 UTC Berlin goes from 03:00 back to 02:00: the hour's period comes twice."""
    berlin = tariff(("00:00", 1, 0), ("02:00", 2, 0), ("02:30", 3, 0), ("03:00", 4, 0), offsets=BERLIN_2026)
    change_ms = BERLIN_2026[2].since_s * 1000
    seen = [period for _, period in islice(stretches(berlin, change_ms - HOUR_MS), 5)]
    assert seen == [1, 2, 1, 2, 3]


@given(INSTANTS_MS)
def test_local_time_is_that_of_the_zone(wall_ms: int) -> None:
    """The offset table says what the zone's own rules say."""
    there = datetime.fromtimestamp(wall_ms // 1000, ZoneInfo("Europe/Berlin"))
    berlin = tariff(("00:00", 1, 0), offsets=BERLIN_2026)
    assert local_second(berlin, wall_ms) == there.hour * HOUR_S + there.minute * 60 + there.second


@given(tariffs(), INSTANTS_MS)
def test_nothing_changes_before_the_next_boundary(drawn: Tariff, wall_ms: int) -> None:
    """Half hours are sampled up to the boundary: all have the period of the start."""
    boundary_ms = next_boundary_ms(drawn, wall_ms)
    end_ms = min(boundary_ms or wall_ms + DAY_MS, wall_ms + DAY_MS)
    assert end_ms > wall_ms
    for at_ms in (*range(wall_ms, end_ms, HOUR_MS // 2), end_ms - 1):
        assert period_at(drawn, at_ms) == period_at(drawn, wall_ms)


@given(tariffs(), INSTANTS_MS, st.integers(0, 2 * DAY_MS))
def test_periods_between_misses_none_and_invents_none(drawn: Tariff, from_ms: int, length_ms: int) -> None:
    """The same set as looking at the first and last ms and at every whole half hour between."""
    to_ms = from_ms + length_ms
    half_ms = HOUR_MS // 2
    looked_at = {from_ms, max(from_ms, to_ms - 1), *range(-(-from_ms // half_ms) * half_ms, to_ms, half_ms)}
    expected = {period_at(drawn, at_ms) for at_ms in looked_at}
    assert periods_between(drawn, from_ms, to_ms) == expected
    assert one_period(drawn, from_ms, max(to_ms, from_ms + 1)) == (len(expected) == 1)
