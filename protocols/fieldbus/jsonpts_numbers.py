"""How do jsonPTS's decimal numbers become whole mL, fen and thousandths of a fen per litre, and back?

On the wire litres, yuan and yuan per litre are JSON numbers with a decimal point. They are taken from their text, digit
by digit; a number that is finer than the unit is an error, never rounded.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from protocols.fieldbus.jsonpts_errors import Malformed

LITRE_PLACES: Final = 3  # mL
YUAN_PLACES: Final = 2  # fen
PRICE_PLACES: Final = 5  # thousandths of a fen per litre
DIGITS_MAX: Final = 12  # before the point; no totalizer has more, and a JSON exponent must not fill the memory


def whole(value: Decimal, places: int, name: str) -> int:
    """`value` x 10^places as a whole number. Raises Malformed when it is none, negative, or absurdly large."""
    if (
        not value.is_finite()
        or (value.is_signed() and value != 0)
        or value.adjusted() >= DIGITS_MAX
        or len(value.as_tuple().digits) > 2 * DIGITS_MAX
    ):
        raise Malformed(f"{name}: expected a number from 0 to below 10^{DIGITS_MAX}, got {_show(value)}")
    scaled = value.scaleb(places)  # exact: it has fewer digits than any context rounds to
    if value and (scaled.adjusted() < 0 or scaled != scaled.to_integral_value()):
        raise Malformed(f"{name}: expected at most {places} decimals, got {_show(value)}")
    return int(scaled)


def ml(litres: Decimal, name: str) -> int:
    """Whole mL. Raises Malformed."""
    return whole(litres, LITRE_PLACES, name)


def fen(yuan: Decimal, name: str) -> int:
    """Whole fen. Raises Malformed."""
    return whole(yuan, YUAN_PLACES, name)


def price_e3(yuan: Decimal, name: str) -> int:
    """Thousandths of a fen per litre. Raises Malformed."""
    return whole(yuan, PRICE_PLACES, name)


def number(value: int, places: int, shown: int) -> Decimal:
    """`value` x 10^-places, written with `shown` decimals.

    Raises ValueError for a value that has more of them.
    """
    scaled, rest = divmod(value, int(10 ** (places - shown)))
    if rest:
        raise ValueError(f"expected at most {shown} decimals, got {value} x 10^-{places}")
    return Decimal((0, tuple(map(int, str(scaled))), -shown))


def _show(value: Decimal) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
