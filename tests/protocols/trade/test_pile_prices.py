"""A tariff as a pile is told it: the slot of every half-hour, and what a pile cannot have."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from protocols.door import Refused
from protocols.fieldbus.ykc_fields import Layout
from protocols.fieldbus.ykc_money import Price, PriceAnswer, Slot
from protocols.trade.pile_prices import hours_of, price_model
from protocols.trade.tariff import Offset, Period, Tariff

CHINA_MIN = 480
SHARP, PEAK, FLAT, VALLEY = (100_000, 30_000), (90_000, 30_000), (60_000, 30_000), (30_000, 30_000)


def tariff(*periods: tuple[float, str, tuple[int, int]], **changes: Any) -> Tariff:
    """periods: (hour, name, (energy, service))."""
    plain: dict[str, Any] = {
        "id": "site", "version": 1, "zone": "Asia/Shanghai", "offsets": [Offset(0, 28_800)],
        "periods": [Period(int(hour * 3600), name, *price) for hour, name, price in periods],
        "session_e3": 0, "idle_e3_per_min": 0, "idle_grace_s": 0,
    }  # fmt: skip
    return Tariff(**{**plain, **changes})


FACTS = tariff(
    (0, "valley", VALLEY), (7, "flat", FLAT), (8, "peak", PEAK), (11, "flat", FLAT), (13, "peak", PEAK),
    (18, "sharp", SHARP), (20, "flat", FLAT), (22, "valley", VALLEY),
)  # fmt: skip


def test_the_facts_model_byte_for_byte() -> None:
    """But for its number, which follows from the tariff."""
    model = price_model(FACTS, CHINA_MIN)
    body = bytes.fromhex(
        "A0 86 01 00 30 75 00 00 90 5F 01 00 30 75 00 00 60 EA 00 00 30 75 00 00 30 75 00 00 30 75 00 00 00 "
        "03 03 03 03 03 03 03 03 03 03 03 03 03 03 02 02 01 01 01 01 01 01 02 02 02 02 01 01 01 01 01 01 01 01 01 01 "
        "00 00 00 00 02 02 02 02 03 03 03 03"
    )
    assert Layout(PriceAnswer).write(PriceAnswer("32010200000001", model))[9:] == body


@pytest.mark.parametrize(
    ("periods", "hours"),
    [
        ([(0, "day", FLAT)], [(0, Slot.SHARP)]),
        ([(6.5, "flat", FLAT), (22, "valley", VALLEY)], [(0, Slot.VALLEY), (13, Slot.FLAT), (44, Slot.VALLEY)]),
        ([(0, "night", VALLEY), (6, "day", PEAK)], [(0, Slot.PEAK), (12, Slot.SHARP)]),
        (
            [(0, "flat", FLAT), (8, "flat", PEAK), (12, "flat", FLAT)],
            [(0, Slot.FLAT), (16, Slot.SHARP), (24, Slot.FLAT)],
        ),
        ([(0, "flat", FLAT), (8, "peak", FLAT)], [(0, Slot.FLAT)]),
    ],
    ids=["one", "over midnight", "other names", "one name twice", "two names for a price"],
)
def test_slots(periods: list[tuple[float, str, tuple[int, int]]], hours: list[tuple[int, Slot]]) -> None:
    """By name where there is one, the dearest first where there is none; each price has one slot."""
    model = price_model(tariff(*periods), CHINA_MIN)
    assert hours_of(model) == hours
    for half in range(48):
        second = half * 1800
        holding = [price for hour, _, price in periods if hour * 3600 <= second] or [periods[-1][2]]
        assert model.prices[model.half_hours[half]] == Price(*holding[-1])


@pytest.mark.parametrize(
    ("changes", "periods", "words"),
    [
        ({}, [(0.25, "flat", FLAT)], "periods[0].from: expected a full or half hour, got 00:15:00"),
        ({}, [(hour, f"p{hour}", (hour, 0)) for hour in range(5)], "at most 4 different prices, got 5"),
        ({"offsets": [Offset(0, 3_600)]}, [(0, "flat", FLAT)], "UTC+08:00 all year, as the pile's clock"),
        ({"offsets": [Offset(0, 28_800), Offset(9, 32_400)]}, [(0, "flat", FLAT)], "UTC+08:00, UTC+09:00"),
        ({}, [(0, "flat", (1 << 32, 0))], "at most 4294967295"),
    ],
)
def test_what_a_pile_cannot_have(
    changes: dict[str, Any], periods: list[tuple[float, str, tuple[int, int]]], words: str
) -> None:
    """Refused with what is wrong, where."""
    with pytest.raises(Refused) as refused:
        price_model(tariff(*periods, **changes), CHINA_MIN)
    assert words in str(refused.value)


def test_numbers_differ_from_version_to_version() -> None:
    """A pile that says the number of the version before is told the new one; none is 0000."""
    numbers = [price_model(tariff((0, "flat", FLAT), version=version), CHINA_MIN).model for version in range(12_000)]
    assert all(one != other for one, other in pairwise(numbers))
    assert "0000" not in numbers
    assert all(len(number) == 4 and number.isdecimal() for number in numbers)
