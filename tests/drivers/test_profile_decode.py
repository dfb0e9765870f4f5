"""Registers to exact values and back."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile_decode import AGAIN, Codec, codec
from tests.drivers.profile_text import meter


def of(text: str) -> Codec:
    """The codec of a point written as in a profile, without space and address."""
    space = "coil" if '"bool"' in text else "holding"
    profile = meter(f'x = {{ space = "{space}", addr = 1000, {text} }}')
    return codec(profile, profile.points["x"])


@pytest.mark.parametrize(
    ("point", "registers", "value"),
    [
        ('type = "u16"', [0xFFFE], 65534),
        ('type = "i16", unit = "0.1 degC"', [0xFFFE], Fraction(-1, 5)),
        ('type = "u32", unit = "mA"', [0, 16000], 16),
        ('type = "u32", word_order = "le"', [0xE240, 0x0001], 123456),
        ('type = "i32", word_order = "le", unit = "0.1 W"', [0xC47E, 0xFFFF], Fraction("-1523.4")),
        ('type = "u32", word_order = "le", byte_order = "le"', [0x4100, 0x0000], 0x41),
        ('type = "u48"', [1, 2, 3], 0x0001_0002_0003),
        ('type = "u64", unit = "0.01 kWh"', [0, 0, 0x12, 0xD687], 12345670),
        ('type = "i64", unit = "Wh"', [0xFFFF] * 4, -1),
        ('type = "f32", unit = "0.1 V"', [0x4510, 0x1000], Fraction("230.5")),
        ('type = "f32"', [0x7FC0, 0], None),
        ('type = "f32"', [0x7F80, 0], None),
        ('type = "f64", unit = "Wh", resolution = "1 Wh"', [0x4167, 0x8C29, 0xC000, 0], 12345678),
        ('type = "bcd", length = 2', [0x0010, 0x1530], 101530),
        ('type = "bcd", length = 1', [0x00A1], None),
        ('type = "ascii", length = 3', [0x4332, 0x0000, 0x4142], "C2"),
        ('type = "ascii", length = 2', [0x2041, 0x4220], "AB"),
        ('type = "ascii", length = 2', [0xFFFF, 0xFFFF], None),
        ('type = "ascii", length = 2, byte_order = "le"', [0x4241, 0x4443], "ABCD"),
        ('type = "utf16", length = 2', [0x0045, 0x0056], "EV"),
        ('type = "hex", length = 2', [0x0102, 0x1300], "01021300"),
        ('type = "u32", mask = 0x7F00, shift = 8', [0, 0x8400], 4),
        ('type = "u32", unit = "10 Ws"', [0, 360], 1),
        ('offset = -40, unit = "degC"', [65], 25),
        ("null = [0xFFFF]", [0xFFFF], None),
        ("transient = [0xFFFF]", [0xFFFF], AGAIN),
        ('type = "bool"', [1], 1),
    ],
)
def test_decode(point: str, registers: list[int], value: object) -> None:
    """Each type, order, scale and sentinel."""
    assert of(point).decode(registers) == value


@given(st.integers(0, 1_600_000))
def test_a_float_gives_back_what_the_display_shows(hundredths: int) -> None:
    """A meter that counts in 0.01 kWh and sends floats is understood exactly, up to 16 000 kWh."""
    registers = struct.unpack(">HH", struct.pack(">f", hundredths / 100))
    assert of('type = "f32", unit = "kWh", resolution = "10 Wh"').decode(registers) == hundredths * 10


@given(st.floats(0, 1e6, width=32), st.floats(0, 1e6, width=32))
def test_quantising_keeps_the_order_and_never_adds_a_step(one: float, other: float) -> None:
    """A growing float gives a growing register, never more than half a float's spacing above the wire."""
    decoder = of('type = "f32", unit = "kWh", resolution = "10 Wh"')
    lower, upper = sorted((one, other))
    values = [decoder.decode(struct.unpack(">HH", struct.pack(">f", number))) for number in (lower, upper)]
    assert isinstance(values[0], Fraction | int)
    assert isinstance(values[1], Fraction | int)
    assert values[0] <= values[1]
    for number, value in zip((lower, upper), values, strict=True):
        assert isinstance(value, Fraction | int)
        assert -10 < value - Fraction(number) * 1000 <= 5


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.sampled_from(["be", "le"]), st.sampled_from(["be", "le"]))
def test_what_is_encoded_is_decoded(raw: int, words: str, octets: str) -> None:
    """Both roles agree in every order."""
    point = of(f'type = "i32", unit = "0.1 W", word_order = "{words}", byte_order = "{octets}"')
    assert point.decode(point.encode(Fraction(raw, 10))) == Fraction(raw, 10)


def test_a_limit_between_two_steps_goes_down() -> None:
    """15.99 A in steps of 0.1 A is written as 15.9 A, never as 16."""
    assert of('unit = "0.1 A"').encode(Fraction("15.99")) == (159,)


@pytest.mark.parametrize(
    ("point", "value"),
    [
        ('type = "u16"', -1),
        ('type = "u16"', 65536),
        ('type = "u16"', "text"),
        ('type = "ascii", length = 1', "ABC"),
        ('type = "bcd", length = 1', 10000),
    ],
)
def test_what_does_not_fit_is_refused(point: str, value: int | str) -> None:
    """Nothing is cut off silently."""
    with pytest.raises(ValueError, match=r"fit|number"):
        of(point).encode(value)


def test_null_is_written_as_null() -> None:
    """A twin that does not know says so as the real device does."""
    assert of("null = [0xFFFF]").encode(None) == (0xFFFF,)
    assert of('type = "f32"').decode(of('type = "f32"').encode(None)) is None
    with pytest.raises(ValueError, match="no way to say"):
        of('type = "u16"').encode(None)
