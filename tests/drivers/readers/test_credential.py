"""What a reader says becomes a credential: the same for one card at every reader, never another's."""

from __future__ import annotations

import pytest

from drivers.readers.config import CardsConfig, FormConfig
from drivers.readers.credential import Said, Unread, text_of
from drivers.readers.presented import AGAIN_S, KEPT_MAX, Presentations
from protocols.door import check
from protocols.fieldbus.card_number import EM4100_DECIMAL, CardNumber, Form, Kept, Order, Part, Radix

TAG = CardNumber(bytes.fromhex("01000734E0"))
LAST_4 = Kept(4)
LAST_3 = Kept(3)


@pytest.mark.parametrize(
    ("said", "form", "kept", "text"),
    [
        ("6222-0001", None, None, "6222-0001"),
        ("6222-0001", None, LAST_4, "6222-0001"),
        (TAG, None, None, "01000734E0"),
        (TAG, None, LAST_4, "000734E0"),
        ("0000472288", EM4100_DECIMAL, LAST_4, "000734E0"),
        ("0000472288", EM4100_DECIMAL, None, Unread.SHORT),
        ("007,13536", Form(Radix.FACILITY, octets=3, part=Part.LAST), LAST_3, "0734E0"),
        (CardNumber(bytes.fromhex("0734E0"), Part.LAST), None, LAST_3, "0734E0"),
        (CardNumber(bytes.fromhex("0734E0"), Part.LAST), None, LAST_4, Unread.SHORT),
        ("EFBEADDE", Form(order=Order.FIRST_LOW, octets=4), None, "DEADBEEF"),
        ("no number", EM4100_DECIMAL, LAST_4, Unread.FORM),
        ("FT1:0000472288", EM4100_DECIMAL, LAST_4, "FT1:0000472288"),
    ],
)
def test_credentials(said: Said, form: Form | None, kept: Kept | None, text: str | Unread) -> None:
    """Printed or said as octets; a phone's code stays as it is; too little of a number is nobody."""
    assert text_of(said, form, kept) == text


def test_forms_in_the_config() -> None:
    """By the words of the field; what does not fit together is refused with its reason."""
    form, faults = check({"radix": "facility", "octets": 3, "part": "last"}, FormConfig)
    assert not faults
    assert form is not None
    assert form.form == Form(Radix.FACILITY, octets=3, part=Part.LAST)
    _, faults = check({"radix": "decimal"}, FormConfig, "form")
    assert [str(fault) for fault in faults] == [
        "form: expected values that fit together, got a decimal form needs its count of octets."
    ]
    assert CardsConfig(octets=4, part="first").kept == Kept(4, Part.FIRST)


def test_a_card_that_lies_there() -> None:
    """Each repeat holds the presentation up; two seconds without it end it."""
    seen = Presentations()
    times = [0.0, 1.9, 3.8, 3.8 + AGAIN_S, 100.0]
    assert [seen.is_new("a", at) for at in times] == [True, False, False, True, True]


def test_two_cards_that_lie_there() -> None:
    """Taking turns they are one presentation each."""
    seen = Presentations()
    assert [seen.is_new(card, 0.1 * at) for at, card in enumerate("ababab")] == [True, True, *[False] * 4]


def test_what_is_said_while_a_tap_is_served() -> None:
    """Whatever waited to be looked at meanwhile belongs to it."""
    seen = Presentations()
    assert seen.is_new("a", 0.0)
    seen.note("a", 10.0)
    assert not seen.is_new("a", 10.1)


def test_it_keeps_only_a_few() -> None:
    """Whatever a reader makes up."""
    seen = Presentations()
    assert all(seen.is_new(f"card {at}", at * 0.001) for at in range(1_000))
    assert len(seen._last_s) == KEPT_MAX
