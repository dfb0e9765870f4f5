"""What a pack says can be so, or not; and whether two readings may be of two packs."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_mouths import PACK

from drivers.packs.ranges import LIMITS, impossible, may_be_another
from protocols.fieldbus.pack import PackReading


def test_every_number_has_its_limits() -> None:
    """A new value of a reading is not forgotten, and each limit says why."""
    numbers = {field.name for field in fields(PackReading) if field.name.endswith(("_mv", "_ma", "_mah", "_permille"))}
    numbers |= {field.name for field in fields(PackReading) if "_dc" in field.name or "_mv_" in field.name}
    assert set(LIMITS) == numbers | {"cycles"}
    assert all(limits.low < limits.high and limits.why for limits in LIMITS.values())


def test_what_is_unknown_is_not_wrong() -> None:
    """A pack that says nothing says nothing impossible."""
    assert impossible(PackReading()) == []
    assert impossible(PACK) == []


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_both_ends(name: str) -> None:
    """The ends are possible, one beyond them is not, and the words say which value."""
    limits = LIMITS[name]
    several = name in ("cells_mv", "temps_dc")

    def said(value: int) -> list[str]:
        values: dict[str, Any] = {name: (value,) if several else value}
        return impossible(PackReading(**values))

    assert said(limits.low) == said(limits.high) == []
    for beyond in (limits.low - 1, limits.high + 1):
        (words,) = said(beyond)
        assert words.startswith(f"{name} {beyond} is not {limits.low}..={limits.high}")


@pytest.mark.parametrize(
    ("now", "another"),
    [
        ({}, False),
        ({"voltage_mv": 67_000, "current_ma": 9_000}, False),
        ({"soc_permille": 760}, False),
        ({"soc_permille": 690}, True),
        ({"soc_permille": None, "remaining_mah": 2_000}, True),
        ({"cycles": 79}, False),
        ({"cycles": 77}, True),
        ({"cycles": 90}, True),
        ({"cycles": None}, False),
        ({"full_mah": 24_500}, False),
        ({"full_mah": 20_000, "soc_permille": 750}, True),
        ({"design_mah": 20_000}, True),
    ],
)
def test_another_pack(now: dict[str, Any], another: bool) -> None:
    """By what one pack cannot do between two polls: not by its voltage, which a charger moves at once."""
    assert may_be_another(PACK, replace(PACK, **now)) is another


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_it_does_not_matter_which_came_first(one: int, other: int) -> None:
    """A jump up is as strange as a jump down."""
    first, second = replace(PACK, soc_permille=one), replace(PACK, soc_permille=other)
    assert may_be_another(first, second) is may_be_another(second, first) is (abs(one - other) > 50)
