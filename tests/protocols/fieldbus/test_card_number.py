"""One card, one credential, whatever prints its number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.card_number import (
    EM4100_DECIMAL,
    EM4100_FACILITY,
    CardNumber,
    Form,
    Kept,
    Order,
    Part,
    Radix,
    credential,
    from_said,
    made_up,
    read,
    say,
)
from protocols.trade.grants import CredentialKey, hide_credential

WHOLE_HEX = Form()
REVERSED_HEX = Form(order=Order.FIRST_LOW)
DECIMAL = Form(Radix.DECIMAL, octets=4)
DECIMAL_LOW = Form(Radix.DECIMAL, Order.FIRST_LOW, 4)
LAST_3, LAST_4, FIRST_3 = Kept(3), Kept(4), Kept(3, Part.FIRST)

EM, EM_2 = bytes.fromhex("01000734E0"), bytes.fromhex("62E3086CED")
UID, UID_7 = bytes.fromhex("DEADBEEF"), bytes.fromhex("04A1B2C3D4E5F6")

PRINTED: list[tuple[bytes, Form, str]] = [
    (EM, WHOLE_HEX, "01000734E0"),
    (EM, EM4100_DECIMAL, "0000472288"),
    (EM, EM4100_FACILITY, "007,13536"),
    (EM_2, WHOLE_HEX, "62E3086CED"),
    (EM_2, EM4100_DECIMAL, "3808980205"),
    (UID, WHOLE_HEX, "DEADBEEF"),
    (UID, REVERSED_HEX, "EFBEADDE"),
    (UID, DECIMAL, "3735928559"),  # as a DNY board gives it: big-endian
    (UID, DECIMAL_LOW, "4022250974"),
    (UID, Form(Radix.FACILITY, octets=3, part=Part.LAST), "173,48879"),
    (UID, Form(Radix.FACILITY, octets=4), "57005,48879"),
    (UID, Form(Radix.FACILITY, Order.FIRST_LOW, 3, Part.FIRST), "190,44510"),
    (UID_7, WHOLE_HEX, "04A1B2C3D4E5F6"),
    (UID_7, Form(Radix.HEX, octets=4, part=Part.FIRST), "04A1B2C3"),
]


@pytest.mark.parametrize(("octets", "form", "text"), PRINTED)
def test_what_readers_print(octets: bytes, form: Form, text: str) -> None:
    """The reader says this text; it is read as what it says of the card."""
    assert say(CardNumber(octets), form) == text
    number = read(f" {text.lower()}\r\n", form)
    assert number is not None
    assert number.part is form.part
    assert number.octets in octets
    assert say(number, form) == text


@pytest.mark.parametrize(
    ("octets", "kept", "text", "forms"),
    [
        (EM, None, "01000734E0", [WHOLE_HEX]),
        (EM, LAST_4, "000734E0", [WHOLE_HEX, EM4100_DECIMAL]),
        (EM, LAST_3, "0734E0", [WHOLE_HEX, EM4100_DECIMAL, EM4100_FACILITY]),
        (UID, None, "DEADBEEF", [WHOLE_HEX, REVERSED_HEX, DECIMAL, DECIMAL_LOW]),
        (UID, LAST_3, "ADBEEF", [WHOLE_HEX, REVERSED_HEX, Form(Radix.FACILITY, octets=3, part=Part.LAST)]),
        (UID, FIRST_3, "DEADBE", [WHOLE_HEX, Form(Radix.FACILITY, Order.FIRST_LOW, 3, Part.FIRST)]),
    ],
)
def test_the_same_card_gives_one_credential(octets: bytes, kept: Kept | None, text: str, forms: list[Form]) -> None:
    """By every reader that says as much as the fleet keeps."""
    for form in forms:
        number = read(say(CardNumber(octets), form), form)
        assert number is not None
        assert credential(number, kept) == text


def test_it_is_the_credential_that_a_plain_reader_gives() -> None:
    """A site that took its reader's lines as they are keeps its customers when it gets another reader."""
    key = CredentialKey(1, bytes(32))
    for octets, line, form in ((EM, "01000734e0\r\n", WHOLE_HEX), (UID, "DEADBEEF", DECIMAL_LOW)):
        number = read(say(CardNumber(octets), form), form)
        assert number is not None
        assert hide_credential(key, credential(number) or "") == hide_credential(key, line)


@pytest.mark.parametrize(
    ("form", "text", "kept"),
    [
        (EM4100_DECIMAL, "0000472288", None),
        (EM4100_FACILITY, "007,13536", LAST_4),
        (EM4100_FACILITY, "007,13536", FIRST_3),
        (Form(octets=4, part=Part.FIRST), "04A1B2C3", LAST_4),
    ],
)
def test_a_part_that_is_too_small_gives_none(form: Form, text: str, kept: Kept | None) -> None:
    """A shorter text, or other octets, would be another customer's."""
    number = read(text, form)
    assert number is not None
    assert credential(number, kept) is None


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (WHOLE_HEX, ""), (WHOLE_HEX, "DEADBEE"), (WHOLE_HEX, "DEADBEEG"), (WHOLE_HEX, "DE AD BE EF"),
        (WHOLE_HEX, "00" * 11), (Form(octets=4), "01000734E0"), (DECIMAL, "4294967296"), (DECIMAL, "00000472288"),
        (DECIMAL, "-1"), (DECIMAL, "٣"), (EM4100_FACILITY, "256,00000"), (EM4100_FACILITY, "007,65536"),
        (EM4100_FACILITY, "7,13536"), (EM4100_FACILITY, "007.13536"),
    ],
)  # fmt: skip
def test_what_is_no_number_of_the_form(form: Form, text: str) -> None:
    """It is not read as a near one."""
    assert read(text, form) is None


def test_facility_and_number_without_a_comma() -> None:
    """Some print eight digits."""
    assert read("00713536", EM4100_FACILITY) == CardNumber(EM[-3:], Part.LAST)


def test_forms_that_cannot_be() -> None:
    """Said when they are configured, not when a card is shown."""
    for radix, octets in ((Radix.DECIMAL, None), (Radix.FACILITY, 2), (Radix.HEX, 11)):
        with pytest.raises(ValueError, match="form"):
            Form(radix, octets=octets)
    for count, part in ((2, Part.LAST), (11, Part.LAST), (4, Part.WHOLE)):
        with pytest.raises(ValueError, match="kept"):
            Kept(count, part)
    for number in (CardNumber(UID[1:], Part.LAST), CardNumber(EM)):
        with pytest.raises(ValueError, match="more than is known"):
            say(number, DECIMAL)


forms = st.one_of(
    st.builds(Form, st.just(Radix.HEX), st.sampled_from(Order), st.none() | st.integers(2, 4)),
    st.builds(Form, st.sampled_from([Radix.DECIMAL, Radix.FACILITY]), st.sampled_from(Order), st.integers(3, 4),
              st.sampled_from([Part.FIRST, Part.LAST])),
)  # fmt: skip


@given(st.binary(min_size=4, max_size=10), st.integers(3, 10), st.sampled_from(Order), st.data())
def test_there_and_back(octets: bytes, count: int, order: Order, data: st.DataObject) -> None:
    """A reader that says n octets of an end agrees with a whole one on any n and fewer of that end."""
    count = min(count, len(octets))
    part = data.draw(st.sampled_from([Part.FIRST, Part.LAST]))
    form = Form(data.draw(st.sampled_from(Radix)), order, count, part)
    number = read(say(CardNumber(octets), form), form)
    assert number is not None
    for kept in range(3, count + 1):
        assert credential(number, Kept(kept, part)) == credential(CardNumber(octets), Kept(kept, part))


@given(st.text(max_size=30), forms)
def test_no_text_raises(text: str, form: Form) -> None:
    """Whatever a reader prints; and what is read is printed alike, but for zeros, cases and commas."""
    number = read(text, form)
    if number is not None:
        again = read(say(number, form), form)
        assert again == number


def test_octets_from_a_line() -> None:
    """Wiegand gives octets, in the reader's order."""
    assert from_said(b"\x07\x34\xe0", part=Part.LAST) == read("007,13536", EM4100_FACILITY)
    assert credential(from_said(b"\xbe\xad\xde", Order.FIRST_LOW, Part.FIRST), FIRST_3) == "DEADBE"


def test_numbers_that_are_made_up() -> None:
    """Four octets that begin with 08 are a phone's; seven are a card's."""
    assert made_up(bytes.fromhex("08112233"))
    assert not any(map(made_up, (UID, UID_7, b"", bytes.fromhex("08112233445566"))))
