"""Days until a tank is empty: by hand, from a few days and from four weeks of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.stock_forecast import DAYS_MAX, Forecast, SoldDay, forecast

MONDAY, SATURDAY = 0, 5


def weeks(*weeks_of_litres: list[int]) -> list[SoldDay]:
    """Days from Monday on, in litres."""
    return [SoldDay(at % 7, litres * 1000) for week in weeks_of_litres for at, litres in enumerate(week)]


def test_nothing_is_known_yet() -> None:
    """A tank that has never sold has no forecast, which is not the same as a long one."""
    assert forecast(10_000_000, [], MONDAY) is None


@pytest.mark.parametrize(
    ("stock_l", "sold", "expected"),
    [
        (1_000, weeks([100]), Forecast(100, "mean", 100_000)),
        (1_000, weeks([100, 300]), Forecast(50, "mean", 200_000)),
        (450, weeks([100]), Forecast(45, "mean", 100_000)),
        (0, weeks([100]), Forecast(0, "mean", 100_000)),
        (-5, weeks([100]), Forecast(0, "mean", 100_000)),  # more is booked out than ever was in
        (1_000, weeks([0, 0]), Forecast(None, "mean", 0)),
        (9_899, weeks([100]), Forecast(989, "mean", 100_000)),
        (9_900, weeks([100]), Forecast(None, "mean", 100_000)),
    ],
)
def test_a_few_days(stock_l: int, sold: list[SoldDay], expected: Forecast) -> None:
    """The mean of all there are, the last day in tenths, rounded down; beyond the horizon it is not told."""
    assert forecast(stock_l * 1000, sold, MONDAY) == expected


def test_four_weeks_tell_weekdays_apart() -> None:
    """Weekends sell half. From Saturday on 600 L last two weekend days and two weekdays of 200."""
    sold = weeks(*[[200] * 5 + [100, 100]] * 4)
    assert forecast(600_000, sold, SATURDAY) == Forecast(40, "weekday", 100_000)
    assert forecast(600_000, sold, MONDAY) == Forecast(30, "weekday", 200_000)


def test_the_last_week_weighs_more() -> None:
    """Of 100, 100, 100 and then 200: the mean of 200 and 125."""
    sold = weeks([100] * 7, [100] * 7, [100] * 7, [200] * 7)
    assert forecast(162_500, sold, MONDAY) == Forecast(10, "weekday", 162_500)


def test_only_four_weeks_count() -> None:
    """What was sold before them is forgotten."""
    assert forecast(1_000_000, weeks([9_999] * 7, *[[100] * 7] * 4), MONDAY) == Forecast(100, "weekday", 100_000)


def test_site_days_that_miss_a_weekday_take_the_mean() -> None:
    """A site that does not close its day each day has no Tuesday of its own."""
    sold = [SoldDay(at % 2, 100_000) for at in range(40)]
    assert forecast(1_000_000, sold, MONDAY) == Forecast(100, "mean", 100_000)


@given(
    st.integers(0, 50_000_000),
    st.lists(st.integers(0, 9_000_000), min_size=1, max_size=40),
    st.integers(0, 6),
)
def test_more_fuel_never_lasts_shorter(stock_ml: int, sold_ml: list[int], weekday: int) -> None:
    """And a forecast is never beyond its horizon."""
    sold = [SoldDay(at % 7, ml) for at, ml in enumerate(sold_ml)]
    less, more = forecast(stock_ml, sold, weekday), forecast(stock_ml + 1_000, sold, weekday)
    assert less is not None
    assert more is not None
    longest = DAYS_MAX * 10
    assert (less.tenths if less.tenths is not None else longest) <= (
        more.tenths if more.tenths is not None else longest
    )
    assert less.tenths is None or less.tenths < longest
