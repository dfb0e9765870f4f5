"""DL/T 645-2007: identifiers, forms and signs."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dlt645_items import (
    COMBINED_ENERGY,
    CURRENT,
    DAILY_FORWARD,
    ENERGY,
    FACTOR,
    FREQUENCY,
    POWER,
    VOLTAGE,
    Item,
    Unit,
    decode_clock,
    decode_date,
    decode_moment,
    encode_moment,
    item_of,
    values,
)

ITEMS = (ENERGY, COMBINED_ENERGY, VOLTAGE, CURRENT, POWER, FACTOR, FREQUENCY)


@pytest.mark.parametrize(
    ("identifier", "item"),
    [
        (0x00000000, COMBINED_ENERGY),
        (0x00010000, ENERGY),
        (0x00010100, ENERGY),
        (0x00010400, ENERGY),
        (0x0001FF00, ENERGY),
        (0x00020000, ENERGY),
        (0x05060101, ENERGY),
        (0x02010100, VOLTAGE),
        (0x0201FF00, VOLTAGE),
        (0x02020300, CURRENT),
        (0x02030000, POWER),
        (0x02040100, POWER),
        (0x02050000, POWER),
        (0x02060000, FACTOR),
        (0x02800002, FREQUENCY),
        (0x02800001, None),
        (0x00010001, None),
        (0x04000401, None),
    ],
)
def test_identifiers(identifier: int, item: Item | None) -> None:
    """Every identifier of the facts has its form; what is not in them has none."""
    assert item_of(identifier) is item


@pytest.mark.parametrize(
    ("item", "wire", "value"),
    [
        (COMBINED_ENERGY, "78 56 34 92", -123_456_780 * 10),
        (ENERGY, "78 56 34 92", 9_234_567_800),
        (POWER, "54 72 83", -37_254),
        (CURRENT, "34 62 81", -16_234),
        (CURRENT, "00 00 80", 0),
        (FACTOR, "98 09", 998),
        (FACTOR, "98 89", -998),
        (FREQUENCY, "98 49", 4998),
        (VOLTAGE, "FF FF", None),
        (CURRENT, "FF FF FF", None),
        (VOLTAGE, "0A 23", None),
        (VOLTAGE, "05", None),
        (VOLTAGE, "05 23 00", None),
        (VOLTAGE, "", None),
    ],
)
def test_forms(item: Item, wire: str, value: int | None) -> None:
    """Signs are in the top bit where there is one; all FF, a nibble that is no digit and a wrong length are unknown."""
    assert item.decode(bytes.fromhex(wire)) == value


def test_a_direct_current_meter_has_items_of_its_own() -> None:
    """A vendor's identifier with four decimals of a kWh loses none of them; a known one can be given another form."""
    fine = Item(Unit.ENERGY_DWH, 5)
    vendor = {0x00600000: fine, 0x00010000: fine}
    assert values(0x00600000, bytes.fromhex("01 00 45 23 01"), vendor) == (12_345_0001,)
    assert values(0x00600000, bytes.fromhex("01 00 45 23 01")) is None
    assert item_of(0x00010000, vendor) is fine


def test_blocks() -> None:
    """A block has as many values as it has; anything else has one; half a value is none."""
    one, two = bytes.fromhex("00 01 00 00"), bytes.fromhex("00 01 00 00 FF FF FF FF")
    assert values(0x0001FF00, one) == (10_000,)
    assert values(0x0001FF00, two) == (10_000, None)
    assert values(DAILY_FORWARD, two) == (10_000, None)
    assert values(0x00010000, two) is None
    assert values(0x0001FF00, two[:-1]) is None
    assert values(0x0001FF00, b"") is None


@given(st.sampled_from(ITEMS), st.integers(-(10**10), 10**10))
def test_values_come_back(item: Item, steps: int) -> None:
    """Whatever has a place comes back; the rest is an error, never another value."""
    value = steps * item.step
    try:
        data = item.encode(value)
    except ValueError:
        return
    assert len(data) == item.size
    assert item.decode(data) == value


@given(st.sampled_from(ITEMS), st.binary(max_size=6))
def test_forms_never_raise(item: Item, data: bytes) -> None:
    """Any bytes are a value with these very bytes, or unknown; minus zero is the only other spelling."""
    value = item.decode(data)
    if value:
        assert item.encode(value) == data


@pytest.mark.parametrize(("item", "value"), [(VOLTAGE, 150), (VOLTAGE, -100), (VOLTAGE, 1_000_000), (POWER, 800_000)])
def test_what_has_no_place(item: Item, value: int) -> None:
    """Half a step, a sign where there is none, and a digit in the sign's place."""
    with pytest.raises(ValueError, match="no place"):
        item.encode(value)
    assert item.encode(None) == b"\xff" * item.size


def test_clocks() -> None:
    """As the meter's own clock has them."""
    assert decode_date(bytes.fromhex("06 21 11 26")) == date(2026, 11, 21)
    assert decode_clock(bytes.fromhex("58 59 23")) == time(23, 59, 58)
    for wrong in ("06 31 02 26", "06 21 11", "06 2A 11 26", ""):
        assert decode_date(bytes.fromhex(wrong)) is None
    for wrong in ("60 00 00", "00 60 00", "00 00 24", "00 00", "0A 00 00"):
        assert decode_clock(bytes.fromhex(wrong)) is None


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))
def test_moments_come_back(moment: datetime) -> None:
    """To the second."""
    assert decode_moment(encode_moment(moment)) == moment.replace(microsecond=0)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=40))
def test_nothing_raises(identifier: int, data: bytes) -> None:
    """Any bytes behind any identifier are values or none."""
    values(identifier, data)
    decode_moment(data)
    decode_date(data)
    decode_clock(data)
