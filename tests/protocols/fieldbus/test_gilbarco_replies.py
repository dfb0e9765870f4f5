"""What pumps say: every published reply, and what comes out of it, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.gilbarco import Bad, Level
from protocols.fieldbus.gilbarco_replies import (
    EXTENDED,
    LIVE_VOLUME_WORDS,
    NORMAL,
    GradeTotal,
    HoseVolume,
    SaleReply,
    Width,
    decode_live_amount,
    decode_live_volume,
    decode_sale,
    decode_totals,
    encode_live_amount,
    encode_live_volume,
    encode_sale,
    encode_totals,
)
from protocols.fieldbus.gilbarco_special import (
    CONFIGURATION,
    EXTENDED_STATUS,
    Configuration,
    ExtendedStatus,
    SpecialReply,
    configuration,
    decode_special,
    encode_configuration,
    encode_extended_status,
    encode_special,
    extended_status,
)

CASH, CREDIT = Level.CASH, Level.CREDIT

SALES = [
    (
        "FF F1 F8 EB E1 E0 E0 E0 F6 E1 F4 F7 E0 E0 E1 E1 F9 E0 E0 E0 E0 E1 E0 FA E0 E0 E0 E1 E1 E0 FB E7 F0",
        SaleReply(2, 2, CASH, 1100, 10000, 11000),  # from the field
    ),
    (
        "FF F1 F8 EB E2 E0 E0 E0 F6 E2 F4 F7 E0 E3 E4 E1 F9 E0 E0 E0 E0 E3 E0 FA E0 E0 E9 E2 E4 E0 FB E0 F0",
        SaleReply(3, 3, CASH, 1430, 30000, 42900),  # from the field
    ),
    (
        "FF F1 F8 EB E2 E0 E0 E0 F6 E0 F4 F7 E0 E4 E4 E1 F9 E9 E8 E8 E3 E1 E0 FA E0 E0 E0 E2 E0 E0 FB E4 F0",
        SaleReply(3, 1, CASH, 1440, 13889, 2000),
    ),
    (
        "FF F1 F8 EB EF E0 E0 E0 F6 E1 F5 F7 E0 E4 E4 E1 F9 E9 E8 E8 E3 E1 E0 FA E0 E0 E0 E2 E0 E0 FB E5 F0",
        SaleReply(16, 2, CREDIT, 1440, 13889, 2000),
    ),
]

TOTALS = [
    (  # from a forecourt in Greece
        "FF F6 E0 F9 E7 E5 E2 E1 E5 E1 E2 E0 FA E3 E8 E0 E4 E3 E4 E2 E0 F4 E0 E4 E4 E1 F5 E0 E0 E0 E0"
        "F6 E1 F9 E0 E0 E0 E0 E0 E0 E0 E0 FA E0 E0 E0 E0 E0 E0 E0 E0 F4 E0 E0 E0 E0 F5 E0 E0 E0 E0"
        "F6 E2 F9 E0 E0 E0 E0 E0 E0 E0 E0 FA E0 E0 E0 E0 E0 E0 E0 E0 F4 E0 E0 E0 E0 F5 E0 E0 E0 E0 FB E5 F0",
        (GradeTotal(1, 2151257, 2434083, 1440, 0), GradeTotal(2, 0, 0, 0, 0), GradeTotal(3, 0, 0, 0, 0)),
    ),
    (  # from a forecourt in Uzbekistan
        "FF F6 E0 F9 E6 E6 E9 E4 E3 E6 E6 E2 FA E7 E6 E2 E0 E8 E7 E2 E8 F4 E0 E3 E1 E1 F5 E0 E0 E0 E0"
        "F6 E1 F9 E8 E6 E0 E5 E0 E6 E5 E3 FA E3 E2 E5 E1 E2 E2 E2 E8 F4 E0 E0 E1 E1 F5 E0 E0 E0 E0"
        "F6 E2 F9 E2 E3 E9 E5 E0 E4 E9 E9 FA E9 E1 E8 E1 E0 E1 E1 E8 F4 E0 E3 E4 E1 F5 E0 E0 E0 E0 FB EC F0",
        (
            GradeTotal(1, 26634966, 82780267, 1130, 0),
            GradeTotal(2, 35605068, 82221523, 1100, 0),
            GradeTotal(3, 99405932, 81101819, 1430, 0),
        ),
    ),
    (
        "FF F6 E0 F9 E9 E8 E3 E1 E0 E0 E1 E0 FA E0 E0 E0 E2 E4 E4 E1 E0 F4 E0 E4 E4 E1 F5 E0 E4 E4 E1 FB E1 F0",
        (GradeTotal(1, 1001389, 1442000, 1440, 1440),),
    ),
]


@pytest.mark.parametrize(("frame", "sale"), SALES)
def test_sales(frame: str, sale: SaleReply) -> None:
    """The last sale, as pumps have sent it."""
    assert decode_sale(bytes.fromhex(frame)) == sale
    assert encode_sale(sale).hex(" ").upper() == frame


@pytest.mark.parametrize(("frame", "totals"), TOTALS)
def test_totals(frame: str, totals: tuple[GradeTotal, ...]) -> None:
    """Totals and prices, as pumps have sent them."""
    assert decode_totals(bytes.fromhex(frame)) == totals
    assert encode_totals(totals) == bytes.fromhex(frame)


def test_live_amount() -> None:
    """The running money has no frame."""
    assert decode_live_amount(bytes.fromhex("E0 E0 E9 E2 E4 E0")) == 42900  # both from the field
    assert decode_live_amount(bytes.fromhex("E0 E0 E3 E1 E1 E0")) == 11300
    assert encode_live_amount(42900) == bytes.fromhex("E0 E0 E9 E2 E4 E0")
    assert decode_live_amount(bytes.fromhex("E0 E0 E9 E2 E4 F0")) is Bad.SHAPE
    assert decode_live_amount(bytes.fromhex("E0 E0 E9 E2 E4")) is Bad.LENGTH


@pytest.mark.parametrize("width", [NORMAL, EXTENDED])
def test_lengths(width: Width) -> None:
    """33 and 39 words for a sale, 30n + 4 and 42n + 4 for totals."""
    assert (width.sale, width.grade_total) == ((33, 30) if width is NORMAL else (39, 42))
    assert len(encode_sale(SaleReply(1, 1, CASH, 1, 2, 3), width)) == width.sale
    for grades in range(1, 7):
        totals = tuple(GradeTotal(grade, 1, 2, 3, 4) for grade in range(1, grades + 1))
        assert len(encode_totals(totals, width)) == width.totals(grades) == width.grade_total * grades + 4
        assert decode_totals(encode_totals(totals, width), width) == totals


def test_the_wrong_mode_is_told_apart() -> None:
    """A head in the other mode is a length that does not fit, never wrong numbers."""
    sale, totals = SaleReply(1, 1, CASH, 785, 20000, 15700), (GradeTotal(1, 1, 2, 3, 4),)
    assert decode_sale(encode_sale(sale, EXTENDED), NORMAL) is Bad.LENGTH
    assert decode_sale(encode_sale(sale, NORMAL), EXTENDED) is Bad.LENGTH
    assert decode_totals(encode_totals(totals, EXTENDED), NORMAL) is Bad.LENGTH
    assert decode_totals(encode_totals(totals, NORMAL), EXTENDED) is Bad.LENGTH


sales = st.builds(
    SaleReply,
    st.integers(1, 16),
    st.integers(1, 16),
    st.sampled_from(Level),
    st.integers(0, 9999),
    st.integers(0, 999_999),
    st.integers(0, 999_999),
    *[st.integers(0, 15)] * 4,
)
totals_of = st.lists(
    st.builds(GradeTotal, st.integers(1, 16), *[st.integers(0, 10**8 - 1)] * 2, *[st.integers(0, 9999)] * 2),
    min_size=1,
    max_size=6,
    unique_by=lambda total: total.grade,
).map(tuple)


@given(sales, totals_of, st.integers(0, 999_999), st.sampled_from([NORMAL, EXTENDED]))
def test_what_the_pump_says_the_host_hears(
    sale: SaleReply, totals: tuple[GradeTotal, ...], amount: int, width: Width
) -> None:
    """Every reply comes out as it went in, in both modes."""
    assert decode_sale(encode_sale(sale, width), width) == sale
    assert decode_totals(encode_totals(totals, width), width) == totals
    assert decode_live_amount(encode_live_amount(amount, width), width) == amount
    assert decode_live_volume(encode_live_volume(HoseVolume(sale.pump, amount))) == HoseVolume(sale.pump, amount)
    assert len(encode_live_volume(HoseVolume(1, 0))) == LIVE_VOLUME_WORDS


@given(sales, st.integers(0, 32), st.integers(1, 255))
def test_one_spoilt_word_never_changes_a_sale(sale: SaleReply, at: int, flip: int) -> None:
    """No single spoilt word gives another sale: the sum covers the low nibbles, the shape the high ones."""
    frame = bytearray(encode_sale(sale))
    frame[at] ^= flip
    found = decode_sale(bytes(frame))
    assert isinstance(found, Bad)


# Special functions.


@pytest.mark.parametrize(
    ("frame", "pump", "nozzle"),
    [
        ("BA B0 B3 B1 B0 B1 B0 B0 B0 B0 B1 B0 B1 B1 B1 C3 C1 8D 8A", 1, 1),
        ("BA B0 B3 B1 B0 B1 B0 B0 B0 B0 B1 B1 B1 B1 B2 C2 B9 8D 8A", 1, 2),
        ("BA B0 B3 B3 B0 B1 B0 B0 B0 B0 B1 B1 B1 B1 B3 B9 B8 8D 8A", 3, 3),
        ("BA B0 B3 B1 B0 B1 B0 B0 B0 B0 B1 B1 B1 B1 B3 C2 B8 8D 8A", 1, 3),
    ],
)
def test_which_nozzle_is_out(frame: str, pump: int, nozzle: int) -> None:
    """The answers to 010 that were published, all from the field."""
    reply = decode_special(bytes.fromhex(frame))
    assert isinstance(reply, SpecialReply)
    assert (reply.pump, reply.function, reply.remaining) == (pump, EXTENDED_STATUS, 0)
    assert encode_special(reply) == bytes.fromhex(frame)
    status = extended_status(reply)
    assert isinstance(status, ExtendedStatus)
    assert (status.nozzle_out, status.nozzle) == (True, nozzle)
    assert encode_extended_status(pump, status) == bytes.fromhex(frame)


def test_configuration() -> None:
    """00E says how many digits a money preset has; 27 characters."""
    said = Configuration(unit_type=1, volume_unit=0, amount_digits=6, auto_on=0)
    frame = encode_configuration(16, said)
    reply = decode_special(frame)
    assert len(frame) == 27
    assert isinstance(reply, SpecialReply)
    assert (reply.pump, reply.function) == (16, CONFIGURATION)
    assert configuration(reply) == said
    assert extended_status(reply) is Bad.SHAPE


def test_a_special_reply_with_a_wrong_check_sum() -> None:
    """One digit of the sum is off."""
    frame = bytes.fromhex("BA B0 B3 B1 B0 B1 B0 B0 B0 B0 B1 B0 B1 B1 B1 C3 C2 8D 8A")
    assert decode_special(frame) is Bad.LRC


@given(st.binary(max_size=200) | st.lists(st.integers(0xE0, 0xFF), max_size=60).map(bytes))
def test_noise_is_no_reply(noise: bytes) -> None:
    """Whatever arrives, the decoders give a value; noise that decodes is what its value encodes to."""
    for width in (NORMAL, EXTENDED):
        sale, totals = decode_sale(noise, width), decode_totals(noise, width)
        assert isinstance(sale, Bad) or encode_sale(sale, width) == noise
        assert isinstance(totals, Bad) or encode_totals(totals, width) == noise
        assert isinstance(decode_live_amount(noise, width), (int, Bad))
    assert isinstance(decode_live_volume(noise), (HoseVolume, Bad))
    special = decode_special(noise)
    assert isinstance(special, Bad) or encode_special(special) == noise
