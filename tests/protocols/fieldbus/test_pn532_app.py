"""What is said to a PN532 and what it says, byte for byte, in both roles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.card_number import credential
from protocols.fieldbus.pn532_app import (
    TRIES_ENDLESS,
    Exchange,
    Exchanged,
    Field,
    Firmware,
    GetFirmware,
    ListTargets,
    NormalMode,
    Question,
    Release,
    Tries,
    ask,
    done,
    exchanged,
    firmware,
    parse,
    respond,
)
from protocols.fieldbus.pn532_targets import Modulation, Target, TargetA, TargetB, TargetF, targets


def wire(text: str) -> bytes:
    return bytes.fromhex(text)


QUESTIONS: list[tuple[Question, str]] = [
    (GetFirmware(), "02"),
    (NormalMode(), "14 01"),
    (Field(True), "32 01 01"),
    (Field(False), "32 01 00"),
    (Tries(1), "32 05 FF 01 01"),
    (Tries(TRIES_ENDLESS), "32 05 FF 01 FF"),
    (ListTargets(Modulation.A_106), "4A 01 00"),
    (ListTargets(Modulation.FELICA_212), "4A 01 01 00 FF FF 01 00"),  # as in ACS's manual
    (ListTargets(Modulation.FELICA_424), "4A 01 02 00 FF FF 01 00"),
    (ListTargets(Modulation.B_106, 2), "4A 02 03 00"),
    (Exchange(1, wire("00 A4 04 00 0E") + b"2PAY.SYS.DDF01\x00"),
     "40 01 00 A4 04 00 0E 32 50 41 59 2E 53 59 53 2E 44 44 46 30 31 00"),
    (Release(), "52 00"),
    (Release(2), "52 02"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "text"), QUESTIONS)
def test_questions(question: Question, text: str) -> None:
    """The gateway says these bytes; the chip understands them."""
    assert ask(question) == wire(text)
    assert parse(wire(text)) == question


MIFARE = TargetA(1, b"\x00\x04", 0x08, wire("DE AD BE EF"))
DESFIRE = TargetA(1, b"\x03\x44", 0x20, wire("04 A1 B2 C3 D4 E5 F6"), wire("75 77 81 02 80"))
SECOND = TargetA(2, b"\x00\x44", 0x00, wire("04 01 02 03 04 05 06"))
CARD_B = TargetB(1, wire("50 12 23 45 56 12 53 54 4E 33 81 C3"), b"\x01")
FELICA = TargetF(1, wire("01 01 05 01 86 04 02 02"), wire("03 00 4B 02 4F 49 8A 8A"), 0x8008)

LISTED: list[tuple[Modulation, tuple[Target, ...], str]] = [
    (Modulation.A_106, (), "4B 00"),
    (Modulation.A_106, (MIFARE,), "4B 01 01 00 04 08 04 DE AD BE EF"),
    (Modulation.A_106, (DESFIRE,), "4B 01 01 03 44 20 07 04 A1 B2 C3 D4 E5 F6 06 75 77 81 02 80"),
    (Modulation.A_106, (DESFIRE, SECOND),
     "4B 02 01 03 44 20 07 04 A1 B2 C3 D4 E5 F6 06 75 77 81 02 80 02 00 44 00 07 04 01 02 03 04 05 06"),
    (Modulation.B_106, (CARD_B,), "4B 01 01 50 12 23 45 56 12 53 54 4E 33 81 C3 01 01"),
    (Modulation.FELICA_212, (FELICA,),  # captured
     "4B 01 01 14 01 01 01 05 01 86 04 02 02 03 00 4B 02 4F 49 8A 8A 80 08"),
    (Modulation.FELICA_424, (TargetF(2, FELICA.idm, FELICA.pmm),),
     "4B 01 02 12 01 01 01 05 01 86 04 02 02 03 00 4B 02 4F 49 8A 8A"),
]  # fmt: skip


@pytest.mark.parametrize(("modulation", "cards", "text"), LISTED)
def test_cards(modulation: Modulation, cards: tuple[Target, ...], text: str) -> None:
    """The chip says these bytes of these cards; cut short it says none, but of one whose ATS alone lacks."""
    assert respond(ListTargets(modulation), cards) == wire(text)
    assert targets(modulation, wire(text)[1:]) == cards
    for size in range(1, len(wire(text))):
        assert targets(modulation, wire(text)[1:size]) in (None, (replace(DESFIRE, ats=None),))


def test_an_ats_is_awaited_unless_it_is_switched_off() -> None:
    """Then a second card begins where it would stand."""
    first = TargetA(1, b"\x03\x44", 0x20, DESFIRE.uid)
    said = respond(ListTargets(Modulation.A_106, 2), (first, SECOND))[1:]
    assert targets(Modulation.A_106, said) is None
    assert targets(Modulation.A_106, said, ats=False) == (first, SECOND)
    assert targets(Modulation.A_106, respond(ListTargets(Modulation.A_106), (first,))[1:]) == (first,)


def test_numbers_of_cards() -> None:
    """What a credential is made of; a phone's number is made up at each tap."""
    assert [credential(card.card) for card in (MIFARE, DESFIRE, CARD_B, FELICA)] == [
        "DEADBEEF",
        "04A1B2C3D4E5F6",
        "12234556",
        "0101050186040202",
    ]
    assert [TargetA(1, b"\x00\x04", 0x20, wire(uid)).made_up for uid in ("08 11 22 33", "18 11 22 33")] == [True, False]
    assert not TargetA(1, b"\x00\x44", 0, wire("08 01 02 03 04 05 06")).made_up


def test_other_responses() -> None:
    """Firmware 1.6 of a PN532, nothing, and a card that is silent, has more to say, or said it all."""
    chip = Firmware(0x32, 1, 6, 7)
    assert respond(GetFirmware(), chip) == wire("03 32 01 06 07")
    assert firmware(wire("32 01 06 07")) == chip
    assert firmware(b"\x32") is None
    assert respond(NormalMode()) == wire("15")
    assert respond(Field(True)) == respond(Tries(2)) == wire("33")
    assert done(b"")
    assert not done(b"\x00")
    assert respond(Exchange(1, b""), Exchanged(0, wire("6F 00"), True)) == wire("41 40 6F 00")
    for said, text in ((Exchanged(0, wire("90 00")), "00 90 00"), (Exchanged(1), "01"), (Exchanged(0x27), "27")):
        assert exchanged(wire(text)) == said
        assert respond(Exchange(1, b""), said)[1:] == wire(text)
    assert exchanged(b"") is None
    assert respond(Release(), Exchanged(0)) == wire("53 00")


@pytest.mark.parametrize(
    "question",
    [Tries(-1), Tries(256), ListTargets(Modulation.A_106, 0), ListTargets(Modulation.A_106, 3), Exchange(0, b""),
     Exchange(3, b""), Exchange(1, bytes(263)), Release(3)],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(question: Question) -> None:
    """Two targets, and what a frame holds."""
    with pytest.raises(ValueError, match="PN532"):
        ask(question)


@given(st.binary(max_size=20) | st.sampled_from([wire(text) for _, text in QUESTIONS]).flatmap(
    lambda data: st.binary(max_size=3).map(lambda tail: data[:3] + tail)))  # fmt: skip
def test_no_command_raises(command: bytes) -> None:
    """What is understood has these very bytes."""
    question = parse(command)
    if question is not None:
        assert ask(question) == command


@given(st.sampled_from(Modulation), st.binary(max_size=60) | st.sampled_from(LISTED).flatmap(
    lambda row: st.integers(0, 40).map(lambda at: wire(row[2])[1 : at + 1] + b"\x04" + wire(row[2])[at + 2 :])),
    st.booleans())  # fmt: skip
def test_no_response_raises(modulation: Modulation, said: bytes, ats: bool) -> None:
    """What is read is said alike."""
    cards = targets(modulation, said, ats=ats)
    if cards is not None:
        assert respond(ListTargets(modulation), cards)[1:] == said
    firmware(said)
    exchanged(said)
