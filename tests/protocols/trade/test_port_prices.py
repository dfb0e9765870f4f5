"""What an hour or a kWh at a port costs: tables by hand, and what holds for every profile of power."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.port_prices import (
    GAP_S,
    PortPrice,
    PortPrices,
    PowerStep,
    Profile,
    bill,
    billed_seconds,
    dearest_e3,
    disorder,
    energy_for,
    fen_for_energy,
    fen_for_time,
    late_bill,
    late_most_fen,
    observe,
    step_of,
    time_for,
)

from .samples import SHANGHAI

STEPS = [PowerStep(200, 100_000), PowerStep(400, 150_000), PowerStep(1_000, 300_000)]
BIKES = PortPrice("bikes", "time", STEPS, 0, 0, 0, 0, 0, 0, 0)
CARS = PortPrice("cars", "energy", [], 120_000, 50_000, 0, 0, 0, 0, 0)
LATE = PortPrice("lockers", "time", STEPS, 0, 0, 0, 0, 200_000, 86_400, 3)
DAY_S = 86_400


def seen(*sights: tuple[int, int | None], price: PortPrice = BIKES) -> Profile:
    """The profile after these sights of (second of the order, W)."""
    profile = Profile()
    for at_s, power_w in sights:
        profile = observe(price, profile, at_s, power_w)
    return profile


@pytest.mark.parametrize(("power_w", "step"), [(0, 0), (200, 0), (201, 1), (400, 1), (999, 2), (1_000, 2), (9_999, 2)])
def test_the_step_of_a_power(power_w: int, step: int) -> None:
    """Up to and including a step's own power; above the last one the last."""
    assert step_of(BIKES, power_w) == step


@pytest.mark.parametrize(
    ("sights", "elapsed_s", "peak_w", "expected"),
    [
        ([(300, 150), (600, 150)], 600, 150, (600, 0, 0)),
        ([(300, 300), (600, 150)], 600, 300, (300, 300, 0)),  # between two sights the cheaper one
        ([(300, 150), (600, 300)], 600, 300, (600, 0, 0)),
        ([(300, 300)], 900, 300, (0, 900, 0)),  # after the last sight its step
        ([(300, 300)], 300 + GAP_S + 1, 300, (GAP_S + 1, 300, 0)),  # but not for long
        ([(300, 300), (300 + GAP_S + 1, 300)], 300 + GAP_S + 1, 300, (GAP_S + 1, 300, 0)),
        ([], 1_200, 900, (1_200, 0, 0)),  # nobody has seen anything
        ([(300, None), (600, 300)], 600, 300, (600, 0, 0)),
        ([(300, 900), (600, 900)], 600, 350, (0, 600, 0)),  # the board's own peak was lower
        ([(300, 900), (600, 900), (900, 150)], 700, 900, (300, 0, 400)),  # its clock ran shorter: the dearest go
        ([(600, 300), (300, 900)], 600, 900, (0, 600, 0)),  # an old report
        ([(300, 300)], 0, 300, ()),
    ],
)
def test_the_seconds_of_each_step(
    sights: list[tuple[int, int | None]], elapsed_s: int, peak_w: int | None, expected: tuple[int, ...]
) -> None:
    """In doubt the cheaper one."""
    assert billed_seconds(BIKES, seen(*sights), elapsed_s, peak_w) == expected


def test_a_bill_by_time_is_rounded_once() -> None:
    """20 minutes at 1.00 and 10 at 1.50 yuan an hour: 33 1/3 + 25 fen, in two lines that add up."""
    made = bill(BIKES, (1_200, 600, 0), 0)
    assert (made.exact_fen, made.amount_fen) == (Fraction(175, 3), 58)
    assert [(line.code, line.period, line.quantity, line.amount_fen) for line in made.lines] == [
        ("time", 0, 1_200, 33), ("time", 1, 600, 25),
    ]  # fmt: skip


def test_a_bill_by_energy() -> None:
    """1.234 kWh at 1.20 yuan and half a yuan for the session."""
    made = bill(CARS, (), 1_234)
    assert made.amount_fen == 198
    assert [line.code for line in made.lines] == ["energy", "session"]


def test_the_least_time() -> None:
    """Two minutes of a price with a least of an hour cost an hour at the step that was used."""
    hourly = PortPrice("hourly", "time", STEPS, 0, 0, 3_600, 0, 0, 0, 0)
    assert billed_seconds(hourly, seen((60, 300), (120, 300), price=hourly), 120, 300) == (0, 3_600, 0)
    assert time_for(hourly, 299, 1_000) == 0
    assert time_for(hourly, 300, 1_000) == 3_600


@pytest.mark.parametrize(
    ("stay_s", "fen"), [(0, 0), (DAY_S, 0), (DAY_S + 1, 200), (2 * DAY_S, 200), (3 * DAY_S, 400), (99 * DAY_S, 600)]
)
def test_late_days(stay_s: int, fen: int) -> None:
    """Each day begun beyond the free one, at most three of them."""
    assert late_bill(LATE, stay_s).amount_fen == fen
    assert fen <= late_most_fen(LATE)


@pytest.mark.parametrize(
    ("price", "path"),
    [
        (PortPrice("a", "time", [], 0, 0, 0, 0, 0, 0, 0), "prices[0].steps"),
        (PortPrice("a", "time", STEPS[::-1], 0, 0, 0, 0, 0, 0, 0), "prices[0].steps"),
        (PortPrice("a", "energy", [], 0, 0, 0, 0, 0, 0, 0), "prices[0].energy"),
        (PortPrice("a", "tariff", [], 0, 5, 0, 0, 0, 0, 0), "prices[0].session"),
        (PortPrice("a", "tariff", STEPS, 0, 0, 0, 0, 0, 0, 0), "prices[0].steps"),
        (PortPrice("a", "energy", [], 5, 0, 0, 0, 200, 0, 0), "prices[0].late"),
    ],
)
def test_lists_that_are_not_put_in_force(price: PortPrice, path: str) -> None:
    """Each fault with its path."""
    assert [fault.path for fault in disorder(PortPrices("east", 1, "Asia/Shanghai", SHANGHAI, [price]))] == [path]
    assert disorder(PortPrices("east", 1, "Asia/Shanghai", SHANGHAI, [BIKES, CARS, LATE])) == []


prices = st.builds(
    lambda powers, e3, session, least: PortPrice(
        "p", "time", [PowerStep(w, e) for w, e in zip(sorted(powers), e3, strict=False)], 0, session, least, 0, 0, 0, 0
    ),
    st.sets(st.integers(1, 2_000), min_size=1, max_size=4),
    st.lists(st.integers(0, 500_000), min_size=4, max_size=4),
    st.integers(0, 100_000),
    st.sampled_from([0, 0, 600, 3_600]),
)
sights = st.lists(st.tuples(st.integers(0, 40_000), st.none() | st.integers(0, 2_500)), max_size=12)


@given(prices, sights, st.integers(0, 40_000), st.none() | st.integers(0, 2_500))
def test_seconds_are_neither_lost_nor_made(
    price: PortPrice, sights: list[tuple[int, int | None]], elapsed_s: int, peak_w: int | None
) -> None:
    """All of the board's seconds are billed, and no others but the least time; the lines add up."""
    seconds = billed_seconds(price, seen(*sights, price=price), elapsed_s, peak_w)
    assert sum(seconds) == (max(elapsed_s, price.least_s) if elapsed_s else 0)
    made = bill(price, seconds, 0)
    assert sum(line.amount_fen for line in made.lines) == made.amount_fen


@given(prices, sights, st.integers(1, 40_000), st.integers(0, 2_500), st.integers(0, 20_000))
def test_an_order_within_its_hold_costs_no_more(
    price: PortPrice, sights: list[tuple[int, int | None]], elapsed_s: int, power_w: int, hold_fen: int
) -> None:
    """Whatever is drawn up to the port's greatest power, what the hold pays for is never billed beyond it."""
    capped = [(at_s, None if seen_w is None else min(seen_w, power_w)) for at_s, seen_w in sights]
    most_s = time_for(price, hold_fen, power_w)
    told_s = elapsed_s if most_s is None else min(elapsed_s, most_s)
    seconds = billed_seconds(price, seen(*capped, price=price), told_s, power_w)
    if told_s:
        assert bill(price, seconds, 0).amount_fen <= hold_fen
        dearest = bill(price, seconds, 0).exact_fen
        assert dearest <= fen_for_time(price, told_s, power_w)


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_energy_within_its_hold_costs_no_more(energy_wh: int, hold_fen: int) -> None:
    """What is ordered for a hold is paid by it, and what is held for an energy pays it."""
    most_wh = energy_for(CARS, hold_fen)
    assert most_wh is not None
    if most_wh:
        assert bill(CARS, (), most_wh).amount_fen <= hold_fen
    assert bill(CARS, (), energy_wh).amount_fen <= fen_for_energy(CARS, energy_wh)
    assert dearest_e3(BIKES, 250) == 150_000
