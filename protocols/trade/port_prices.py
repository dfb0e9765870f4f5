"""What does an hour or a kWh at a charging port cost? The price lists that headquarters signs for a site's ports.

A port counts time in *power steps*: each second costs the price of the step that the power lies in. Power is told every
few minutes at best, so every stretch lies between two sights of it, and **in doubt it costs the cheaper step**:

* between two sights: the cheaper of their two steps;
* up to the first sight, and after the last one: the step of that sight, if no longer than GAP_S;
* anything that nobody saw for longer: the cheapest step of the list;
* no second costs a step above that of the peak which the board itself has told.

The seconds themselves are the board's. A session is exact to its end and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from protocols.door import Fault
from protocols.trade import local_time
from protocols.trade.codec import Wire
from protocols.trade.price import Bill
from protocols.trade.quantities import largest_remainder, round_half_up, round_up
from protocols.trade.record_parts import Amount, BillLine, Name
from protocols.trade.tariff import Offset

KIND = "port-prices"
"""The document's kind."""
GAP_S = 900
"""Boards report every five minutes; three reports missed in a row, and nobody knows any more what has flowed."""
HOUR_S = 3600
STEPS_MAX = 16


class PowerStep(Wire, frozen=True):
    """Up to and including this power, an hour costs so many thousandths of a fen."""

    power_w: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    price_e3: Amount


class PortPrice(Wire, frozen=True):
    """One price, as ports name it in the config.

    by: `time` (steps: at least one, rising; above the last one its price holds), `energy` (energy_e3 per kWh) or
    `tariff` (the site's tariff by time of day, as of a charging session; its fees are the tariff's own). session_e3:
    for each session. least_s: of `time`: the least time that is billed. cap_fen: the most that a session without a
    preset in money or energy holds; 0: the till's own. late_e3: of lockers: each day begun after late_free_s, at most
    late_days_max of them; 0: nothing.
    """

    name: Name
    by: Literal["time", "energy", "tariff"]
    steps: list[PowerStep]
    energy_e3: Amount
    session_e3: Amount
    least_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)]
    cap_fen: Amount
    late_e3: Amount
    late_free_s: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]
    late_days_max: Annotated[int, msgspec.Meta(ge=0, le=366)]


class PortPrices(Wire, frozen=True):
    """One version: each price once. offsets: as of a tariff, for the local time of bills."""

    id: Name
    version: Amount
    zone: Name
    offsets: list[Offset]
    prices: list[PortPrice]


class Profile(msgspec.Struct, frozen=True):
    """Seconds in each power step, as far as they have been seen.

    to_s: counted up to this second of the order. step: that the power was in then; None: nobody has seen it.
    """

    seconds: tuple[int, ...] = ()
    to_s: int = 0
    step: int | None = None


def price_of(prices: PortPrices, name: str) -> PortPrice | None:
    """None: the list has no such price."""
    return next((one for one in prices.prices if one.name == name), None)


def step_of(price: PortPrice, power_w: int) -> int:
    """The index of the step that this power lies in."""
    return next((index for index, step in enumerate(price.steps) if power_w <= step.power_w), len(price.steps) - 1)


def observe(price: PortPrice, profile: Profile, at_s: int, power_w: int | None) -> Profile:
    """The profile after a sight of the power, so many seconds after the order began. Older sights change nothing."""
    if price.by != "time" or at_s <= profile.to_s:
        return profile
    step = None if power_w is None else step_of(price, power_w)
    ends = [one for one in (profile.step, step) if one is not None]
    unseen = step is None or (profile.step is None and profile.to_s > 0) or at_s - profile.to_s > GAP_S
    return Profile(
        _added(price, profile.seconds, at_s - profile.to_s, _cheapest(price, None if unseen else ends)), at_s, step
    )


def billed_seconds(price: PortPrice, profile: Profile, elapsed_s: int, peak_w: int | None) -> tuple[int, ...]:
    """The seconds of each step that an order of so many seconds is billed for, in the cheapest reading.

    peak_w: by the board's settlement; None: it does not say. Empty where time is not what is billed.
    """
    if price.by != "time" or elapsed_s <= 0:
        return ()
    rest_s = elapsed_s - sum(profile.seconds)
    seconds = profile.seconds
    if rest_s > 0:
        known = profile.step is not None and rest_s <= GAP_S
        seconds = _added(price, seconds, rest_s, profile.step if known else _cheapest(price, None))
    billed = list(seconds)
    for index in sorted(range(len(billed)), key=lambda one: -price.steps[one].price_e3):
        if rest_s >= 0:
            break
        taken = min(billed[index], -rest_s)  # the board's own clock ran shorter: the dearest seconds go first
        billed[index] -= taken
        rest_s += taken
    if peak_w is not None:
        top = step_of(price, peak_w)
        for index in range(top + 1, len(billed)):
            if price.steps[top].price_e3 < price.steps[index].price_e3:
                billed[top] += billed[index]
                billed[index] = 0
    if sum(billed) < price.least_s:
        used = [index for index, count in enumerate(billed) if count]
        billed[_cheapest(price, used)] += price.least_s - sum(billed)
    return tuple(billed)


def bill(price: PortPrice, seconds: Sequence[int], energy_wh: int) -> Bill:
    """The bill of a price by time or energy. seconds: as of `billed_seconds`. Raises ValueError for one by tariff."""
    if price.by == "tariff":
        raise ValueError(f"price {price.name} is the tariff's: its bill is that of a charging session")
    lines: list[tuple[str, int, int, int]] = []  # code, step, quantity, price_e3
    weights: list[Fraction] = []
    for index, count in enumerate(seconds):
        if count:
            e3 = price.steps[index].price_e3
            lines.append(("time", index, count, e3))
            weights.append(Fraction(count * e3, HOUR_S * 1000))
    if price.by == "energy":
        lines.append(("energy", 0, energy_wh, price.energy_e3))
        weights.append(Fraction(energy_wh * price.energy_e3, 1_000_000))
    if price.session_e3:
        lines.append(("session", 0, 1, price.session_e3))
        weights.append(Fraction(price.session_e3, 1000))
    exact_fen = sum(weights, Fraction(0))
    amount_fen = round_half_up(exact_fen)
    parts = largest_remainder(amount_fen, weights)
    return Bill(tuple(BillLine(*line, part) for line, part in zip(lines, parts, strict=True)), exact_fen, amount_fen)


def late_bill(price: PortPrice, stay_s: int) -> Bill:
    """What a pack's stay in a locker costs, by the days begun beyond those that are free."""
    days = min(price.late_days_max, -(-max(0, stay_s - price.late_free_s) // 86_400)) if price.late_e3 else 0
    exact_fen = Fraction(days * price.late_e3, 1000)
    amount_fen = round_half_up(exact_fen)
    lines = (BillLine("late", 0, days, price.late_e3, amount_fen),) if days else ()
    return Bill(lines, exact_fen, amount_fen)


def late_most_fen(price: PortPrice) -> int:
    """The most that a stay can cost: what is held for it."""
    return round_up(Fraction(price.late_days_max * price.late_e3, 1000))


# --- before a start --------------------------------------------------------------------------------------------------


def dearest_e3(price: PortPrice, power_w_max: int) -> int:
    """The dearest hour that a port of so much power can come to."""
    return max(step.price_e3 for step in price.steps[: step_of(price, power_w_max) + 1])


def fen_for_time(price: PortPrice, duration_s: int, power_w_max: int) -> int:
    """Fen that surely pay so many seconds, whatever is drawn."""
    e3 = max(duration_s, price.least_s) * dearest_e3(price, power_w_max)
    return round_up(Fraction(e3, HOUR_S * 1000) + Fraction(price.session_e3, 1000))


def time_for(price: PortPrice, amount_fen: int, power_w_max: int) -> int | None:
    """The most seconds that this surely pays, whatever is drawn. 0: less than the least that is billed; None: free."""
    left_e3 = amount_fen * 1000 - price.session_e3
    if left_e3 < 0:
        return 0
    hour_e3 = dearest_e3(price, power_w_max)
    if not hour_e3:
        return None
    duration_s = left_e3 * HOUR_S // hour_e3
    return 0 if duration_s < price.least_s else duration_s


def fen_for_energy(price: PortPrice, energy_wh: int) -> int:
    """Fen that surely pay so much energy at a price by energy."""
    return round_up(Fraction(energy_wh * price.energy_e3, 1_000_000) + Fraction(price.session_e3, 1000))


def energy_for(price: PortPrice, amount_fen: int) -> int | None:
    """The most Wh that this surely pays at a price by energy. None: it is free."""
    left_e3 = amount_fen * 1000 - price.session_e3
    if left_e3 < 0:
        return 0
    return left_e3 * 1000 // price.energy_e3 if price.energy_e3 else None


def disorder(prices: PortPrices) -> list[Fault]:
    """What the types do not hold against it; empty for a list that may be put in force."""
    names = [one.name for one in prices.prices]
    faults = local_time.disorder(prices)
    if not names or len(set(names)) != len(names):
        faults.append(Fault("prices", "at least one, each name once", ", ".join(names) or "none"))
    for index, one in enumerate(prices.prices):
        where = f"prices[{index}]"
        powers = [step.power_w for step in one.steps]
        if one.by == "time" and not powers:
            faults.append(Fault(f"{where}.steps", "at least one", "none", "Add a `[[prices.steps]]` table."))
        if one.by != "time" and (powers or one.least_s):
            faults.append(Fault(f"{where}.steps", f"none, and no least time, for a price by {one.by}", str(powers)))
        if len(powers) > STEPS_MAX or any(after <= before for before, after in pairwise(powers)):
            faults.append(Fault(f"{where}.steps", f"rising power, at most {STEPS_MAX} steps", str(powers)))
        if one.by == "energy" and not one.energy_e3:
            faults.append(Fault(f"{where}.energy", "more than 0 for a price by energy", "0"))
        if one.by != "energy" and one.energy_e3:
            faults.append(Fault(f"{where}.energy", f"0 for a price by {one.by}", str(one.energy_e3)))
        if one.by == "tariff" and one.session_e3:
            faults.append(Fault(f"{where}.session", "0: the tariff has its own", str(one.session_e3)))
        if bool(one.late_e3) != bool(one.late_days_max):
            got = f"{one.late_e3} e3 for at most {one.late_days_max} days"
            faults.append(Fault(f"{where}.late", "a price and the most days, both or neither", got))
    return faults


def _cheapest(price: PortPrice, steps: Sequence[int] | None) -> int:
    """The cheapest of these steps, or of all where nobody knows which; ties: the lowest."""
    among = steps or range(len(price.steps))
    return min(among, key=lambda index: (price.steps[index].price_e3, index))


def _added(price: PortPrice, seconds: Sequence[int], more_s: int, step: int | None) -> tuple[int, ...]:
    assert step is not None
    counts = list(seconds) or [0] * len(price.steps)
    counts[step] += more_s
    return tuple(counts)
