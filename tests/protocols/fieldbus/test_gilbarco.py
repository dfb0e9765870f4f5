"""Gilbarco Two-Wire byte for byte: what was published, and what follows from the rules, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.gilbarco import (
    PUMPS,
    AskSpecial,
    Bad,
    Block,
    Command,
    DataLength,
    FillUp,
    Level,
    Preset,
    Price,
    SelectLevel,
    Status,
    decode_block,
    digits,
    encode_block,
    number,
    pump_of,
    ready_word,
    status_word,
    word,
)

CASH, CREDIT = Level.CASH, Level.CREDIT

BLOCKS: list[tuple[Block, str]] = [
    (Price(1, CASH, 1111), "FF E5 F4 F6 E0 F7 E1 E1 E1 E1 FB EC F0"),  # from the field
    (Price(1, CASH, 1440), "FF E5 F4 F6 E0 F7 E0 E4 E4 E1 FB E7 F0"),
    (Price(1, CASH, 123456, 6), "FF E3 F4 F6 E0 F7 E6 E5 E4 E3 E2 E1 FB ED F0"),
    (Preset("amount", 2000), "FF E6 F2 F8 E0 E0 E0 E2 E0 FB E4 F0"),
    (Preset("amount", 10000, 6), "FF E5 F2 F8 E0 E0 E0 E0 E1 E0 FB E6 F0"),
    (Preset("amount", 2000, 6, CASH, 1), "FF E2 F2 F4 F6 E0 F8 E0 E0 E0 E2 E0 E0 FB EE F0"),
    (Preset("amount", 5000, 8, CASH, 1), "FF E0 F2 F4 F6 E0 F8 E0 E0 E0 E5 E0 E0 E0 E0 FB ED F0"),
    (Preset("amount", 0), "FF E6 F2 F8 E0 E0 E0 E0 E0 FB E6 F0"),  # cancels
    (Preset("amount", 2000, 6, CASH), "FF E4 F2 F4 F8 E0 E0 E0 E2 E0 E0 FB E2 F0"),
    (SelectLevel(CASH), "FF EC F4 FB E6 F0"),
    (SelectLevel(CREDIT), "FF EC F5 FB E5 F0"),
]


@pytest.mark.parametrize(("block", "frame"), BLOCKS, ids=lambda one: one if isinstance(one, str) else "")
def test_blocks(block: Block, frame: str) -> None:
    """A block is these bytes, and these bytes are that block."""
    assert encode_block(block).hex(" ").upper() == frame
    assert decode_block(bytes.fromhex(frame), DataLength.COUNTED) == block
    assert decode_block(bytes.fromhex(frame)) == block


@pytest.mark.parametrize(
    ("block", "head"),
    [
        (Price(2, CREDIT, 1100), "FF E5 F5 F6 E1 F7"),
        (Preset("volume", 2000), "FF E6 F1 F8"),
        (Preset("volume", 2000, 5, CASH), "FF E5 F1 F4 F8"),
        (Preset("volume", 2000, 5, CASH, 3), "FF E3 F1 F4 F6 E2 F8"),
        (Preset("amount", 2000, 8, None, 1), "FF E1 F2 F6 E0 F8"),
        (Preset("amount", 2000, 8), "FF E3 F2 F8"),
        (AskSpecial(0x010), "FF E9 FE E0 E1 E0 FB"),
        (AskSpecial(0x00E), "FF E9 FE EE E0 E0 FB"),
        (FillUp(), "FF EC F3 FB"),
    ],
)
def test_data_length_follows_the_words_behind_it(block: Block, head: str) -> None:
    """DL counts the words up to the end: with level, with grade, with 5, 6 and 8 digits."""
    assert encode_block(block).startswith(bytes.fromhex(head))
    assert decode_block(encode_block(block), DataLength.COUNTED) == block


def test_a_host_that_always_says_e3() -> None:
    """Heads that ignore DL take E3 for any length; one that counts refuses it."""
    frame = encode_block(Preset("amount", 2000, 6, CASH, 1), DataLength.FIXED_E3)
    assert frame[1] == 0xE3
    assert decode_block(frame) == Preset("amount", 2000, 6, CASH, 1)
    assert decode_block(frame, DataLength.COUNTED) is Bad.LENGTH


def test_words_of_the_sale_script() -> None:
    """The words of a whole sale at pump 3, as hosts and pumps say them."""
    assert [word(command, 3).hex() for command in Command] == ["03", "13", "23", "33", "43", "53", "63", "73"]
    assert [status_word(status, 3).hex() for status in Status] == ["03", "63", "73", "83", "93", "a3", "b3", "c3"]
    assert ready_word(3).hex() == "d3"


def test_pump_16_is_nibble_0() -> None:
    """Pump 16 has no nibble of its own."""
    assert word(Command.STATUS, 16) == b"\x00"
    assert status_word(Status.CALL, 16) == b"\x70"
    assert [pump_of(word(Command.STATUS, pump)[0]) for pump in PUMPS] == list(PUMPS)
    for pump in (0, 17):
        with pytest.raises(ValueError, match="expected a pump"):
            word(Command.STATUS, pump)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("FF E5 F4 F6 E0 F7 E1 E1 E1 E1 FB ED F0", Bad.LRC),
        ("FF E6 F4 F6 E0 F7 E1 E1 E1 E1 FB EB F0", Bad.LENGTH),
        ("FF E6 F4 F6 E0 F7 E1 E1 E1 FB EC F0", Bad.SHAPE),  # three digits
        ("FF E5 F4 F6 E0 F7 E1 E1 E1 EA FB E3 F0", Bad.SHAPE),  # a digit of ten
        ("FF FB E6 F0", Bad.SHAPE),
        ("", Bad.SHAPE),
    ],
)
def test_spoilt_blocks(frame: str, why: Bad) -> None:
    """A pump knows what it cannot use, and why."""
    assert decode_block(bytes.fromhex(frame), DataLength.COUNTED) is why


def test_a_value_too_long_for_its_digits_is_never_cut() -> None:
    """1000.00 yuan in five digits would be a preset of nothing."""
    with pytest.raises(ValueError, match="at most 5 digits, got 100000"):
        encode_block(Preset("amount", 100_000))


grades = st.integers(1, 16)
levels = st.sampled_from(Level)
blocks = st.one_of(
    st.builds(Price, grades, levels, st.integers(0, 9999), st.sampled_from([4, 6])),
    st.builds(SelectLevel, levels),
    st.builds(
        Preset,
        st.sampled_from(["amount", "volume"]),
        st.integers(0, 99999),
        st.sampled_from([5, 6, 8]),
        st.none() | levels,
        st.none() | grades,
    ),
    st.builds(FillUp, st.none() | levels, st.none() | grades),
    st.builds(AskSpecial, st.integers(0, 0xFFF)),
)


@given(blocks, st.sampled_from(DataLength))
def test_what_the_host_says_the_pump_hears(block: Block, length: DataLength) -> None:
    """Every block comes out as it went in, however DL is filled."""
    assert decode_block(encode_block(block, length), length) == block


@given(st.binary(max_size=40) | st.lists(st.integers(0xE0, 0xFF), max_size=24).map(bytes))
def test_noise_is_no_block(noise: bytes) -> None:
    """Whatever arrives, the decoder gives a value, and only its own encoding decodes."""
    for length in DataLength:
        found = decode_block(noise, length)
        assert isinstance(found, Bad) or encode_block(found, length) == noise


@given(st.integers(0, 10**12 - 1))
def test_digits(value: int) -> None:
    """Lowest digit first, there and back."""
    assert number(digits(value, 12)) == value
    assert digits(value, 12)[0] & 0xF == value % 10
