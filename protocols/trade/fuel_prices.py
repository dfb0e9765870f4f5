"""What does a litre of each grade cost, and from when on? The price list that headquarters signs for a site.

A list holds its own future: steps in time order, each with the price of every grade. So a change arrives days before it
is due, and happens on time with the link down.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from protocols.door import Fault
from protocols.trade import local_time
from protocols.trade.codec import Wire
from protocols.trade.local_time import offset_s_at
from protocols.trade.record_parts import Amount, ClockQuality, Name, Stamp
from protocols.trade.tariff import DAY_S, Offset

KIND = "fuel-prices"
"""The document's kind."""


class Grade(Wire, frozen=True):
    """A fuel. code: as on the nozzles of the config, like `92` or `0`. name: for customers."""

    code: Name
    name: Name


class GradePrice(Wire, frozen=True):
    """Thousandths of a fen per litre: 7.85 yuan is 785,000."""

    grade: Name
    price_e3: Amount


class PriceStep(Wire, frozen=True):
    """From this Unix second on. prices: of every grade of the list, in the list's order."""

    from_s: int
    prices: list[GradePrice]


class PriceList(Wire, frozen=True):
    """One version. steps: at least one, rising from_s; before the first the first holds. offsets: as of a tariff, for
    the local day of daily limits.
    """

    id: Name
    version: Amount
    zone: Name
    offsets: list[Offset]
    grades: list[Grade]
    steps: list[PriceStep]


def prices_at(prices: PriceList, wall_s: int) -> Mapping[str, int]:
    """price_e3 by grade at this Unix second."""
    step = prices.steps[0]
    for later in prices.steps[1:]:
        if later.from_s <= wall_s:
            step = later
    return {one.grade: one.price_e3 for one in step.prices}


def prices_between(prices: PriceList, lb_ms: int, ub_ms: int | None) -> list[Mapping[str, int]]:
    """price_e3 by grade of each step that may be in force at an instant that is known so far, the earliest first.

    Unix ms; ub_ms: None: nothing says how late it may be.
    """
    lb_s = lb_ms // 1000
    later = [step for step in prices.steps if step.from_s > lb_s and (ub_ms is None or step.from_s <= ub_ms // 1000)]
    return [prices_at(prices, lb_s), *({one.grade: one.price_e3 for one in step.prices} for step in later)]


def due_prices(prices: PriceList, now: Stamp, shown: Mapping[str, int]) -> Mapping[str, int]:
    """price_e3 by grade that pumps should show now. shown: what the log says they show, by grade.

    A box that does not know the time changes no price that the list has at any time; a grade without such a price takes
    that of the earliest step that may be in force, or a cheaper one of the steps that may.
    """
    if now.quality != ClockQuality.UNKNOWN:
        return prices_at(prices, now.wall_ms // 1000)
    may_hold = prices_between(prices, now.lb_ms, now.ub_ms)
    due: dict[str, int] = {}
    for grade in prices.grades:
        possible = [step[grade.code] for step in may_hold]
        now_shown = shown.get(grade.code)
        due[grade.code] = now_shown if now_shown in possible else min(possible)
    return due


def next_change_s(prices: PriceList, wall_s: int) -> int | None:
    """The Unix second of the next step. None: none is planned."""
    return next((step.from_s for step in prices.steps if step.from_s > wall_s), None)


def disorder(prices: PriceList) -> list[Fault]:
    """What the types do not hold against it; empty for a list that may be put in force."""
    faults: list[Fault] = []
    codes = [grade.code for grade in prices.grades]
    if not codes or len(set(codes)) != len(codes):
        faults.append(Fault("grades", "at least one, each code once", ", ".join(codes) or "none"))
    faults += local_time.disorder(prices)
    if not prices.steps:
        faults.append(Fault("steps", "at least one", "none", "Add a `[[steps]]` table."))
    for index, (before, step) in enumerate(pairwise(prices.steps), start=1):
        if step.from_s <= before.from_s:
            faults.append(Fault(f"steps[{index}].from", "later than the one before", str(step.from_s), "Sort them."))
    for index, step in enumerate(prices.steps):
        if [one.grade for one in step.prices] != codes:
            got = ", ".join(one.grade for one in step.prices) or "none"
            faults.append(Fault(f"steps[{index}].prices", f"a price of each of {', '.join(codes)}", got))
        free = (one.grade for one in step.prices if not one.price_e3)
        faults += [Fault(f"steps[{index}].prices.{grade}", "more than 0", "0") for grade in free]
    return faults


def local_day(prices: PriceList, wall_ms: int) -> int:
    """Days since 1970-01-01 on the site's own calendar, which daily limits count by."""
    return max(0, (wall_ms // 1000 + offset_s_at(prices, wall_ms)) // DAY_S)
