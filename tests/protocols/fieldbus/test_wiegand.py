"""Wiegand values, bit for bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.card_number import Kept, Part, credential, from_said
from protocols.fieldbus.wiegand import BITS_MAX, Fault, Wiegand, WiegandEar, decode, encode

octets = st.binary(min_size=3, max_size=3) | st.binary(min_size=4, max_size=4)

VALUES = [
    (123, 45678, 3, "10111101110110010011011101"),
    (0, 1, 3, "00000000000000000000000010"),
    (7, 13536, 3, "10000011100110100111000001"),
    (255, 65535, 3, "01111111111111111111111111"),
    (0xD4, 0x1B81, 3, "1" "110101000001101110000001" "0"),  # a reader's manual
    (0x89D4, 0x1B81, 4, "1" "10001001110101000001101110000001" "1"),  # the same
]  # fmt: skip


@pytest.mark.parametrize(("facility", "number", "count", "bits"), VALUES)
def test_values(facility: int, number: int, count: int, bits: str) -> None:
    """Facility, number and both parities."""
    data = (facility << 16 | number).to_bytes(count, "big")
    assert encode(data) == bits
    value = decode(bits)
    assert value == Wiegand(data)
    assert isinstance(value, Wiegand)
    assert (value.facility, value.number) == (facility, number)


def test_it_is_the_same_card_as_on_the_serial_reader() -> None:
    """Facility 7, number 13536 is tag 01 000734E0, for a fleet that keeps three octets."""
    value = decode("10000011100110100111000001")
    assert isinstance(value, Wiegand)
    said = credential(from_said(value.octets, part=Part.LAST), Kept(3))
    assert said == credential(from_said(bytes.fromhex("01000734E0")), Kept(3)) == "0734E0"


@pytest.mark.parametrize("bits", ["", "0", "1" * 25, "0" * 27, "1" * 32, "x" * 26, "٣" * 26, "1010", "1" * 200])
def test_other_lengths(bits: str) -> None:
    """Keypads send 4 or 8 bits, other cards 32, 35 or 37."""
    assert decode(bits) is Fault.LENGTH


@given(octets, st.data())
def test_one_bit_wrong_is_seen(data: bytes, drawn: st.DataObject) -> None:
    """Each bit stands under one parity."""
    bits = encode(data)
    at = drawn.draw(st.integers(0, len(bits) - 1))
    assert decode(bits[:at] + "10"[int(bits[at])] + bits[at + 1 :]) is Fault.PARITY


@given(octets)
def test_there_and_back_by_pulses(data: bytes) -> None:
    """Pulses and silence give the value; swapped wires never do, and are named."""
    straight, swapped = WiegandEar(), WiegandEar()
    assert straight.silence() is None
    for bit in encode(data):
        straight.pulse(bit == "1")
        swapped.pulse(bit == "0")
    assert straight.silence() == Wiegand(data)
    assert straight.silence() is None
    assert swapped.silence() is Fault.SWAPPED


@given(st.text("01", max_size=40) | st.text(max_size=40))
def test_nothing_raises(bits: str) -> None:
    """Whatever a converter says; what is a value has these very bits."""
    value = decode(bits)
    if isinstance(value, Wiegand):
        assert encode(value.octets) == bits


def test_endless_pulses_are_forgotten() -> None:
    """A wire that chatters costs no memory, and is no value even when its first bits are."""
    ear = WiegandEar()
    for bit in encode(b"\x00\x00\x01") * 1000:
        ear.pulse(bit == "1")
    assert len(ear._bits) == BITS_MAX + 1
    assert ear.silence() is Fault.LENGTH


def test_other_counts_of_octets_are_refused() -> None:
    """There are two formats."""
    for data in (b"", b"\x00" * 2, b"\x00" * 5):
        with pytest.raises(ValueError, match="3 or 4"):
            encode(data)
