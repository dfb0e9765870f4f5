"""Decimals on the wire and whole numbers inside."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.jsonpts_errors import Malformed
from protocols.fieldbus.jsonpts_numbers import YUAN_PLACES, fen, ml, number, price_e3, whole


@pytest.mark.parametrize(
    ("text", "wanted_fen"),
    [("50.00", 5000), ("50", 5000), ("0.07", 7), ("1519.84", 151984), ("11.500", 1150), ("5E+1", 5000), ("0", 0)],
)
def test_yuan_become_fen(text: str, wanted_fen: int) -> None:
    """However many zeros the controller writes."""
    assert fen(Decimal(text), "Amount") == wanted_fen


def test_litres_and_prices() -> None:
    """mL, and thousandths of a fen per litre."""
    assert ml(Decimal("26.720"), "Volume") == 26_720
    assert price_e3(Decimal("7.85"), "Price") == 785_000


@pytest.mark.parametrize(
    "text",
    ["-1", "0.005", "1E+999999999", "1E-999999999", "0E+999999", "NaN", "Infinity", "1000000000000", "1." + "1" * 60],
)
def test_numbers_that_are_refused(text: str) -> None:
    """Negative, finer than a fen, absurd: never rounded, and never a memory full of zeros."""
    with pytest.raises(Malformed, match=r"^Amount: expected"):
        fen(Decimal(text), "Amount")


@given(st.integers(0, 10**13), st.integers(0, 2))
def test_there_and_back(value: int, shown: int) -> None:
    """What can be written with so many decimals comes back the same."""
    step = 10 ** (YUAN_PLACES - shown)
    assert whole(number(value // step * step, YUAN_PLACES, shown), YUAN_PLACES, "x") == value // step * step


def test_a_number_is_never_rounded_on_the_way_out() -> None:
    """A price that the pump cannot show raises."""
    assert str(number(785_000, 5, 2)) == "7.85"
    with pytest.raises(ValueError, match="at most 2 decimals"):
        number(785_500, 5, 2)
