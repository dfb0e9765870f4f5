"""The number of a card by PC/SC, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.card_number import CardNumber, credential
from protocols.fieldbus.pcsc import GET_ATS, GET_UID, Refused, Reply, answer, card, encode, parse

UID, ATS = bytes.fromhex("DEADBEEF"), bytes.fromhex("067577810280")


def test_the_commands() -> None:
    """Five octets each."""
    assert bytes.fromhex("FF CA 00 00 00") == GET_UID
    assert bytes.fromhex("FF CA 01 00 00") == GET_ATS


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("DE AD BE EF 90 00", CardNumber(UID)),
        ("04 A1 B2 C3 D4 E5 F6 90 00", CardNumber(bytes.fromhex("04A1B2C3D4E5F6"))),
        ("63 00", Refused.FAILED),
        ("6A 81", Refused.UNSUPPORTED),
        ("6C 04", Refused.LENGTH),
        ("DE AD BE EF 62 82", Refused.LENGTH),
        ("90 00", Refused.OTHER),
        ("DE AD BE 90 00", Refused.OTHER),
        ("00 11 22 33 44 55 66 77 88 99 AA 90 00", Refused.OTHER),
        ("DE AD BE EF 90 01", Refused.OTHER),
        ("90", Refused.OTHER),
        ("", Refused.OTHER),
    ],
)
def test_replies(reply: str, said: CardNumber | Refused) -> None:
    """A number, or why there is none."""
    assert card(bytes.fromhex(reply)) == said


def test_what_a_reader_answers() -> None:
    """With a card, without one, with one that has no ATS, and to another command."""
    assert answer(GET_UID, UID) == bytes.fromhex("DEADBEEF9000")
    assert answer(GET_ATS, UID, ATS) == bytes.fromhex("067577810280 9000")  # captured
    assert answer(GET_UID, None) == bytes.fromhex("6300")
    assert answer(GET_ATS, UID) == answer(b"\xff\x00", UID) == bytes.fromhex("6A81")


@given(st.binary(max_size=20))
def test_nothing_raises(reply: bytes) -> None:
    """What is read is said alike."""
    parsed = parse(reply)
    assert (encode(parsed) if parsed else reply) == reply
    assert isinstance(card(reply), CardNumber | Refused)


@given(st.binary(min_size=4, max_size=10))
def test_there_and_back(uid: bytes) -> None:
    """The card's number is the credential, first octet first."""
    said = card(answer(GET_UID, uid))
    assert isinstance(said, CardNumber)
    assert credential(said) == uid.hex().upper()
    assert parse(answer(GET_UID, uid)) == Reply(uid, 0x9000)
