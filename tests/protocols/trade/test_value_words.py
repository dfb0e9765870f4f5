"""Amounts of value in words: money in yuan whatever its asset is called, all else in its own units."""

from __future__ import annotations

import pytest

from protocols.trade.records import Hold
from protocols.trade.value_words import amount_text, bare_amount, holds_text


@pytest.mark.parametrize(
    ("amount", "asset", "text", "bare"),
    [
        (350, "CNY", "¥3.50", "3.50"),
        (30_000, "DEPOSIT", "¥300.00 DEPOSIT", "300.00"),
        (1, "DEPOSIT-WAIVED", "1 DEPOSIT-WAIVED", "1"),
        (1, "swaps-30", "1 swaps-30", "1"),
        (-200, "POINTS", "-200 POINTS", "-200"),
    ],
)
def test_an_amount(amount: int, asset: str, text: str, bare: str) -> None:
    """A deposit is money that is not spent: it is counted in fen like any other."""
    assert (amount_text(amount, asset), bare_amount(amount, asset)) == (text, bare)


def test_who_holds_what() -> None:
    """In the order in which they are drawn on."""
    holds = [Hold("ann", "CNY", 19_900), Hold("ann", "DEPOSIT", 30_000), Hold("bob", "POINTS", 3)]
    assert holds_text(holds) == "ann holds ¥199.00, ann holds ¥300.00 DEPOSIT, bob holds 3 POINTS"
    assert holds_text([]) == ""
