"""How is a site's tariff told to a pile that reckons by itself? Four prices and forty-eight half-hours.

A pile's own sum is never what is charged: it ends a charge when it reaches what was paid, and its bill is compared with
ours. So the fees of a tariff that a pile has no place for are left out, but a price or an hour that it cannot have is a
reason to refuse: its sums would be another tariff's. (facts: chargers_meters 6.2.)
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from operator import attrgetter
from typing import Final

from protocols.door import Fault, Refused
from protocols.fieldbus.ykc_money import HALF_HOURS, Price, PriceModel, Slot
from protocols.trade.tariff import DAY_S, Offset, Period, Tariff

HALF_HOUR_S: Final = DAY_S // HALF_HOURS
PRICE_E3_MAX: Final = 0xFFFF_FFFF
MODELS: Final = 9_999  # 0001 to 9999; 0000 is a pile that has none

_SLOTS: Final = {slot.name.lower(): slot for slot in Slot}
_from_s: Final = attrgetter("from_s")


def price_model(tariff: Tariff, utc_offset_min: int) -> PriceModel:
    """What the pile is told; utc_offset_min: of its clock.

    A period named sharp, peak, flat or valley has that slot; what bears other names takes those left, the dearest
    first. The model's number follows from the tariff's name and version, so that two versions in a row differ. Raises
    Refused with every reason.
    """
    levels = list(dict.fromkeys(_level(period) for period in tariff.periods))
    if faults := [*_misfits(tariff, utc_offset_min), *_too_many(levels)]:
        raise Refused(f"tariff {tariff.id} version {tariff.version} for piles", faults)
    slots = _slots(tariff, levels)
    prices = [Price(0, 0)] * len(Slot)
    for level, slot in slots.items():
        prices[slot] = Price(*level)
    half_hours = tuple(slots[_level(_period_at(tariff, half * HALF_HOUR_S))] for half in range(HALF_HOURS))
    return PriceModel(_number(tariff), tuple(prices), 0, half_hours)


def _level(period: Period) -> tuple[int, int]:
    return period.energy_e3, period.service_e3


def _period_at(tariff: Tariff, second: int) -> Period:
    """Before the first one begins the last one still holds."""
    return tariff.periods[bisect_right(tariff.periods, second, key=_from_s) - 1]


def _slots(tariff: Tariff, levels: list[tuple[int, int]]) -> dict[tuple[int, int], Slot]:
    """A slot for each level, none twice."""
    slots: dict[tuple[int, int], Slot] = {}
    for period in tariff.periods:
        slot = _SLOTS.get(period.name)
        if slot is not None and slot not in slots.values():
            slots.setdefault(_level(period), slot)
    free = [slot for slot in Slot if slot not in slots.values()]
    dearest_first = sorted((level for level in levels if level not in slots), key=sum, reverse=True)
    return slots | dict(zip(dearest_first, free, strict=False))


def _misfits(tariff: Tariff, utc_offset_min: int) -> list[Fault]:
    faults = []
    for index, period in enumerate(tariff.periods):
        if period.from_s % HALF_HOUR_S:
            hours, minutes = divmod(period.from_s // 60, 60)
            got = f"{hours:02}:{minutes:02}:{period.from_s % 60:02}"
            faults.append(Fault(f"periods[{index}].from", "a full or half hour", got))
        if period.energy_e3 > PRICE_E3_MAX or period.service_e3 > PRICE_E3_MAX:
            got = f"{max(_level(period))} thousandths of a fen"
            faults.append(Fault(f"periods[{index}]", f"at most {PRICE_E3_MAX} thousandths of a fen", got))
    offsets = {offset.offset_s for offset in tariff.offsets}
    if offsets != {utc_offset_min * 60}:
        got = ", ".join(_clock(offset) for offset in tariff.offsets)
        wanted = f"{_clock(Offset(0, utc_offset_min * 60))} all year, as the pile's clock"
        faults.append(Fault("zone", wanted, f"{tariff.zone}: {got}"))
    return faults


def _too_many(levels: list[tuple[int, int]]) -> list[Fault]:
    if len(levels) <= len(Slot):
        return []
    got = ", ".join(f"{energy_e3} + {service_e3}" for energy_e3, service_e3 in levels)
    return [Fault("periods", f"at most {len(Slot)} different prices", f"{len(levels)}: {got}")]


def _clock(offset: Offset) -> str:
    sign, minutes = "-" if offset.offset_s < 0 else "+", abs(offset.offset_s) // 60
    return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}"


def _number(tariff: Tariff) -> str:
    named = sum(byte * 31**index for index, byte in enumerate(tariff.id.encode()))
    return f"{(named + tariff.version) % MODELS + 1:04}"


def hours_of(model: PriceModel) -> list[tuple[int, Slot]]:
    """(half-hour, slot) where each stretch begins, for people to read."""
    firsts = [0, *(half for half, (before, now) in enumerate(pairwise(model.half_hours), 1) if before != now)]
    return [(half, Slot(model.half_hours[half])) for half in firsts]
