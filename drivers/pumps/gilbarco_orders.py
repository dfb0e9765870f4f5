"""What are an order and a price list in a Gilbarco pump's blocks?"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.errors import Misconfigured
from drivers.pump import Order
from drivers.pumps.config import PumpConfig
from drivers.pumps.gilbarco_options import GilbarcoOptions
from drivers.pumps.gilbarco_picture import traits_of
from protocols.fieldbus.gilbarco import Block, FillUp, Level, Preset, Price


def grades_of(config: PumpConfig) -> dict[int, int]:
    """The pump's number of each nozzle's grade. A pump of one hose has grade 1, whatever its nozzle is called."""
    numbers = config.nozzle_numbers
    return {numbers[0]: 1} if len(numbers) == 1 else {number: number for number in numbers}


def preset_of(order: Order, config: PumpConfig, options: GilbarcoOptions, *, where: str) -> Block | None:
    """None: a plain authorisation says it all. Raises Misconfigured for a limit that its digits cannot carry."""
    level = options.sold_at if options.preset_says != "value" else None
    grade = None
    if options.preset_says == "grade" and len(order.nozzles) == 1:
        grade = grades_of(config).get(order.nozzles[0])
    if order.kind == "full":
        if options.full_preset == "fill-up":
            return FillUp(level, grade)
        return Preset("amount", 0, options.amount_digits, level, grade) if options.full_preset == "cancel" else None
    traits = traits_of(config, options)
    if order.kind == "amount":
        value, most, unit = config.scales.amount_digits(order.limit), traits.amount_max_fen, "fen"
    else:
        value = order.limit // int(10 ** (3 - options.volume_preset_decimals))
        most, unit = traits.volume_max_ml, "mL"
    if value <= 0 or order.limit > most:  # a preset of 0 would cancel, and let everything flow
        raise Misconfigured(f"its presets are more than 0 and up to {most} {unit}, got {order.limit}", where=where)
    count = options.amount_digits if order.kind == "amount" else options.volume_digits
    return Preset(order.kind, value, count, level, grade)


def price_blocks(
    price_e3: Mapping[int, int], config: PumpConfig, options: GilbarcoOptions, *, where: str
) -> list[Block]:
    """By nozzle, then level. Raises Misconfigured for a nozzle that is not there, or a price that it cannot show."""
    grades, most = grades_of(config), traits_of(config, options).price_max_e3
    levels = [options.sold_at]
    if options.both_levels:
        levels += [level for level in Level if level is not options.sold_at]
    blocks = list[Block]()
    for number, price in sorted(price_e3.items()):
        try:
            value = config.scales.price_digits(price)
            if number not in grades or not 0 < price <= most:
                raise ValueError(f"expected 1..={most} at one of the nozzles {sorted(grades)}")
        except ValueError as error:
            raise Misconfigured(f"price {price} at nozzle {number}: {error}", where=where) from error
        blocks += [Price(grades[number], level, value, options.price_digits) for level in levels]
    return blocks
