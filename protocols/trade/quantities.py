"""Exact numbers become whole ones, and whole ones become words for people.

Prices and sums stay exact; a session is rounded once, half up, to fen. Parts of a total come from the largest-remainder
method, so that they always add up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm


def round_half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up (towards plus infinity: -1/2 becomes 0)."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def round_up(exact: Fraction) -> int:
    """The least whole number that is not below `exact`: for holds, which must cover a price."""
    return -(-exact.numerator // exact.denominator)


def largest_remainder(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Whole parts of `total` in proportion to `weights`, adding up to it exactly.

    Each part is its exact share rounded down or up; the larger remainders are rounded up, ties by order. Raises
    ValueError for a negative total or weight, and for a total with nobody to bear it (all weights 0).
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError(f"expected a total and weights of at least 0, got {total} over {list(weights)}")
    if total == 0:
        return [0] * len(weights)
    scale = lcm(*(weight.denominator for weight in weights))
    whole = [weight.numerator * (scale // weight.denominator) for weight in weights]
    sum_of_weights = sum(whole)
    if sum_of_weights == 0:
        raise ValueError(f"expected a weight above 0 to bear {total}, got {list(weights)}")
    shares = [divmod(total * weight, sum_of_weights) for weight in whole]
    parts = [part for part, _ in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])  # stable: ties stay in order
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def yuan(amount_fen: int) -> str:
    """1234 -> "12.34"."""
    return _decimal(amount_fen, 2)


def kwh(energy_wh: int) -> str:
    """1234 -> "1.234"."""
    return _decimal(energy_wh, 3)


def litres(volume_ml: int) -> str:
    """1234 -> "1.234"."""
    return _decimal(volume_ml, 3)


def e3_of_yuan(yuan: str) -> int:
    """Yuan as text with up to 5 decimals in thousandths of a fen, exactly: "1.2345" -> 123450."""
    whole, _, decimals = yuan.partition(".")
    return int(whole) * 100_000 + int(decimals.ljust(5, "0"))


def yuan_e3(price_e3: int) -> str:
    """A price in thousandths of a fen as yuan, at least two decimals: 123450 -> "1.2345", 100000 -> "1.00"."""
    whole, _, decimals = _decimal(price_e3, 5).partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _decimal(value: int, places: int) -> str:
    whole, rest = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{places}}"
