"""What are an order and a price list in a DART pump's digits? Raises ValueError for what it cannot carry out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from drivers.pump import Decimals, Order
from protocols.fieldbus.dart_app import DIGITS_MAX, PRICE_MAX, PresetAmount, PresetVolume, Prices

LARGEST: Mapping[str, list[PresetVolume | PresetAmount]] = {
    "none": [],
    "volume": [PresetVolume(DIGITS_MAX)],
    "amount": [PresetAmount(DIGITS_MAX)],
}


def price_digits(price_e3: Mapping[int, int], scales: Decimals) -> dict[int, int]:
    """Prices by nozzle, exact, in its digits."""
    digits = {nozzle: scales.price_digits(price) for nozzle, price in sorted(price_e3.items())}
    for nozzle, price in digits.items():
        if not 0 < price <= PRICE_MAX:
            raise ValueError(f"expected prices of 1 to {PRICE_MAX} in its digits, got {price} for nozzle {nozzle}")
    return digits


def price_list(digits: Mapping[int, int]) -> Prices:
    """CD5 has a price for every number from 1 on. One without a nozzle sells nothing, so any price does for it."""
    filler = next(iter(digits.values()))
    return Prices(tuple(digits.get(nozzle, filler) for nozzle in range(1, max(digits) + 1)))


def preset(
    order: Order, scales: Decimals, full: Literal["none", "volume", "amount"]
) -> list[PresetVolume | PresetAmount]:
    """The order's limit, rounded down to what the pump can count; nothing for one without, or the largest by `full`."""
    if order.kind == "full":
        return LARGEST[full]
    by_amount = order.kind == "amount"
    digits = scales.amount_digits(order.limit) if by_amount else scales.volume_digits(order.limit)
    if not 0 < digits <= DIGITS_MAX:
        raise ValueError(f"expected a preset of 1 to {DIGITS_MAX} in its digits, got {digits}")
    return [PresetAmount(digits) if by_amount else PresetVolume(digits)]
