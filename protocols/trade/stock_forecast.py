"""For how many days does a tank last? From what it holds and what it has sold, at a site and at headquarters alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

WEEK = 7
MONTH = 28
DAYS_MAX = 99
"""A tank that lasts longer is not forecast: nobody orders fuel a season ahead."""


class SoldDay(NamedTuple):
    """What left a tank on one site day. weekday: 0 is Monday."""

    weekday: int
    volume_ml: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """tenths: of days until the tank is empty, rounded down; None: not within DAYS_MAX days. by: `weekday`, or `mean`
    where there are too few days to tell one weekday from another. day_ml: expected on the first of these days.
    """

    tenths: int | None
    by: Literal["weekday", "mean"]
    day_ml: int


def forecast(stock_ml: int, sold: Sequence[SoldDay], weekday: int) -> Forecast | None:
    """sold: whole site days in order, the newest last. weekday: of the day that comes next. None: no day is known yet.

    With four weeks, a weekday is expected to sell the mean of what it sold in the last week and of its mean over all
    four. With fewer, or where a weekday is missing, every day sells the mean of those there are.
    """
    if not sold:
        return None
    newest = sold[-MONTH:]
    mean = Fraction(sum(day.volume_ml for day in newest), len(newest))
    weekdays = _by_weekday(newest)
    expected = [mean] * WEEK if weekdays is None else [weekdays[at] for at in range(WEEK)]
    left, days = Fraction(max(0, stock_ml)), 0
    while days < DAYS_MAX:
        day = expected[(weekday + days) % WEEK]
        if left < day:
            return Forecast(days * 10 + int(left * 10 / day), _by(weekdays), int(expected[weekday]))
        left -= day
        days += 1
    return Forecast(None, _by(weekdays), int(expected[weekday]))


def _by_weekday(newest: Sequence[SoldDay]) -> Mapping[int, Fraction] | None:
    """mL by weekday; None: four weeks of every weekday are not there."""
    if len(newest) < MONTH:
        return None
    of_week = {day.weekday: day.volume_ml for day in newest[-WEEK:]}
    if len(of_week) < WEEK:
        return None
    means: dict[int, Fraction] = {}
    for weekday, last_ml in of_week.items():
        same = [day.volume_ml for day in newest if day.weekday == weekday]
        means[weekday] = (last_ml + Fraction(sum(same), len(same))) / 2
    return means


def _by(weekdays: Mapping[int, Fraction] | None) -> Literal["weekday", "mean"]:
    return "mean" if weekdays is None else "weekday"
