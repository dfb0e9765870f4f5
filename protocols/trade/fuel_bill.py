"""Is what a pump shows the price of what it delivered? One rule, for the till and for everybody who checks it.

A pump shows volume and money in steps of its own, and cuts or rounds what it really counted to them: nobody outside
knows which. So the price of the true volume, which lies within a step of the volume shown, must lie within a step of
the money shown. Where it does, the display is the bill: the customer has seen it, and it is what the law's seal covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

UNITS = 1_000_000
"""Parts of a fen in which mL times thousandths of a fen per litre is whole."""


@dataclass(frozen=True, slots=True)
class FuelBill:
    """exact_fen: volume times price, unrounded. amount_fen: what is owed, as the pump showed it."""

    exact_fen: Fraction
    amount_fen: int


def bill_of(
    volume_ml: int, price_e3: int, shown_fen: int, volume_step_ml: int, amount_step_fen: int
) -> FuelBill | None:
    """The bill of a sale that shows volume_ml and shown_fen at price_e3 per litre. None: the two do not fit together.

    volume_step_ml, amount_step_fen: one step of the pump's own digits, at least 1. Both ends of the range count.
    """
    least = (volume_ml - volume_step_ml) * price_e3 - amount_step_fen * UNITS
    most = (volume_ml + volume_step_ml) * price_e3 + amount_step_fen * UNITS
    if not least <= shown_fen * UNITS <= most:
        return None
    return FuelBill(Fraction(volume_ml * price_e3, UNITS), shown_fen)
