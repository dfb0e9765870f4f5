"""A pump's own words must fit together within a step of its digits, or there is no bill."""

from __future__ import annotations

from fractions import Fraction

import pytest

from protocols.trade.fuel_bill import bill_of

PRICE_E3 = 785_000  # 7.85 yuan per litre

FITS = [
    # volume_ml, price_e3, shown_fen, volume_step_ml, amount_step_fen
    (0, PRICE_E3, 0, 10, 1),  # the nozzle was lifted and hung up
    (40_000, PRICE_E3, 31_400, 10, 1),  # 40.00 L to the fen
    (12_730, PRICE_E3, 9_993, 10, 1),  # 99.9305: cut off
    (12_730, PRICE_E3, 10_000, 10, 1),  # a preset of 100.00 yuan ends within the last hundredth of a litre
    (12_730, PRICE_E3, 10_001, 10, 1),  # 12.74 L cost 100.009: the last fen that still fits
    (12_730, PRICE_E3, 9_985, 10, 1),  # 12.72 L cost 99.852, a fen less is 99.842
    (10, PRICE_E3, 0, 10, 1),  # the first hundredth costs 7.85 fen, not shown yet
    (20_000, 1_000_000, 20_110, 10, 100),  # money in whole yuan: 200.10 and a yuan, inclusive
    (20_000, 1_000_000, 19_890, 10, 100),  # 199.90 less a yuan
]

DOES_NOT = [
    (12_730, PRICE_E3, 10_002, 10, 1),
    (12_730, PRICE_E3, 9_984, 10, 1),
    (0, PRICE_E3, 9, 10, 1),  # money without fuel: more than a step's 7.85 and one fen
    (40_000, PRICE_E3, 3_140, 10, 1),  # a decimal point in the wrong place
    (20_000, 1_000_000, 20_111, 10, 100),
    (20_000, 1_000_000, 19_889, 10, 100),
]


@pytest.mark.parametrize(("volume_ml", "price_e3", "shown_fen", "volume_step_ml", "amount_step_fen"), FITS)
def test_the_display_is_the_bill(
    volume_ml: int, price_e3: int, shown_fen: int, volume_step_ml: int, amount_step_fen: int
) -> None:
    """What fits within one step of volume and one of money is billed as shown, with the exact price beside it."""
    bill = bill_of(volume_ml, price_e3, shown_fen, volume_step_ml, amount_step_fen)
    assert bill is not None
    assert bill.amount_fen == shown_fen
    assert bill.exact_fen == Fraction(volume_ml, 1_000) * Fraction(price_e3, 1_000)


@pytest.mark.parametrize(("volume_ml", "price_e3", "shown_fen", "volume_step_ml", "amount_step_fen"), DOES_NOT)
def test_what_does_not_fit_has_no_bill(
    volume_ml: int, price_e3: int, shown_fen: int, volume_step_ml: int, amount_step_fen: int
) -> None:
    """One fen beyond either end is refused."""
    assert bill_of(volume_ml, price_e3, shown_fen, volume_step_ml, amount_step_fen) is None
