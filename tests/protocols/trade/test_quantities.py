"""Rounding once, parts that add up, and numbers for people."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.quantities import kwh, largest_remainder, round_half_up, round_up, yuan, yuan_e3


@pytest.mark.parametrize(
    ("exact", "nearest", "above"),
    [
        (Fraction(0), 0, 0),
        (Fraction(1, 2), 1, 1),
        (Fraction(49, 100), 0, 1),
        (Fraction(3, 2), 2, 2),
        (Fraction(5, 2), 3, 3),  # half up, not half to even
        (Fraction(-1, 2), 0, 0),
        (Fraction(-3, 2), -1, -1),
        (Fraction(10**30 * 2 + 1, 2), 10**30 + 1, 10**30 + 1),
        (Fraction(7), 7, 7),
    ],
)
def test_rounding(exact: Fraction, nearest: int, above: int) -> None:
    """A half goes up, for ever so large numbers too; a hold is never below its price."""
    assert round_half_up(exact) == nearest
    assert round_up(exact) == above


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),  # ties by order
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [Fraction(1, 3), Fraction(2, 3)], [3, 7]),
        (7, [0, 5, 0], [0, 7, 0]),
        (0, [], []),
        (0, [0, 0], [0, 0]),
        (1, [1, 2, 2], [0, 1, 0]),
    ],
)
def test_parts_of_a_total(total: int, weights: list[int | Fraction], parts: list[int]) -> None:
    """The larger remainders are rounded up, ties by order."""
    assert largest_remainder(total, weights) == parts


@given(st.integers(0, 10**9), st.lists(st.fractions(0, 1000, max_denominator=997), min_size=1, max_size=8))
def test_parts_always_add_up(total: int, weights: list[Fraction]) -> None:
    """Whatever the weights, parts sum to the total, and each is its exact share rounded down or up."""
    if not any(weights):
        weights.append(Fraction(1))
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [0, 0]), (-1, [1]), (1, [2, -1])])
def test_a_total_that_nobody_can_bear(total: int, weights: list[int]) -> None:
    """Money with no bearer, or a negative share, is refused rather than lost."""
    with pytest.raises(ValueError, match="expected"):
        largest_remainder(total, weights)


def test_numbers_for_people() -> None:
    """Fen, Wh and prices read as yuan and kWh, signs and zeros included."""
    assert [yuan(1234), yuan(5), yuan(0), yuan(-1234), yuan(-5)] == ["12.34", "0.05", "0.00", "-12.34", "-0.05"]
    assert [kwh(1234), kwh(999), kwh(0)] == ["1.234", "0.999", "0.000"]
    assert [yuan_e3(123_450), yuan_e3(100_000), yuan_e3(1)] == ["1.2345", "1.00", "0.00001"]
