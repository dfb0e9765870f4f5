"""What card readers and scanners say, and what is said to them, for the fuzz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.fieldbus import card_number, gm65, pcsc, pn532, pn532_app, rdm6300, wiegand
from protocols.fieldbus.card_number import EM4100_DECIMAL, EM4100_FACILITY, CardNumber, Form, Kept, credential
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.hunt import Ear
from protocols.fieldbus.pn532_targets import Modulation, Target, TargetA, TargetB, TargetF, targets


def _heard(data: bytes, *ears: Ear[Any, Any]) -> list[Any]:
    """Everything that is understood, up to silence."""
    heard = []
    for ear in ears:
        ear.receive_data(data)
        for listen in (ear.next_event, ear.silence):
            while (event := listen()) is not NEED_MORE:
                heard.append(event)
    return heard


def _tags(data: bytes) -> object:
    return [credential(tag.card, Kept(3)) for tag in _heard(data, rdm6300.ear())]


def _cards(data: bytes) -> object:
    """As after each question that may be asked."""
    asked = pn532_app.ListTargets(Modulation.A_106)
    told = []
    for question in (asked, pn532_app.GetFirmware(), pn532_app.Exchange(1, b"")):
        expect = pn532.ResponseExpect(pn532_app.ask(question))
        for said in (expect.feed(data), expect.give_up()):
            if isinstance(said, bytes):
                told.append((pn532_app.firmware(said), pn532_app.exchanged(said)))
                told += [_numbers(targets(modulation, said)) for modulation in Modulation]
    return told


def _numbers(listed: tuple[Target, ...] | None) -> object:
    return [credential(card.card) for card in listed or ()]


def _asked(data: bytes) -> object:
    return [pn532_app.parse(command) for command in _heard(data, pn532.ear()) if isinstance(command, bytes)]


def _scanned(data: bytes) -> object:
    """In service, and as an answer."""
    found = [_heard(data, gm65.ear())]
    for question in (gm65.Read(gm65.TAIL), gm65.AskAlive()):
        expect = gm65.expect(question)
        found.append([expect.feed(data), expect.give_up()])
    return found


def _scanner_asked(data: bytes) -> object:
    """What is understood can be said."""
    return [gm65.request_frame(question) for question in _heard(data, gm65.scanner_ear())]


def _printed(data: bytes) -> object:
    """By readers of every form; what is read can be printed."""
    text = data.decode("utf-8", "replace")
    numbers = [(form, card_number.read(text, form)) for form in _FORMS]
    return [card_number.say(number, form) for form, number in numbers if number is not None]


def _wiegand(data: bytes) -> object:
    """As a converter's text, and as pulses."""
    ear = wiegand.WiegandEar()
    for byte in data:
        ear.pulse(bool(byte & 1))
    return wiegand.decode(data.decode("latin-1")), ear.silence()


_FORMS = (Form(), Form(octets=4), EM4100_DECIMAL, EM4100_FACILITY)
_QUESTIONS: tuple[gm65.Question, ...] = (
    gm65.Read(gm65.TAIL), gm65.Read(0, 0x62), gm65.Write(gm65.BAUD, b"\x39\x01"), gm65.Keep(), gm65.AskAlive(),
)  # fmt: skip
_COMMANDS = (
    pn532_app.GetFirmware(), pn532_app.NormalMode(), pn532_app.Field(True), pn532_app.Tries(2), pn532_app.Release(),
    pn532_app.ListTargets(Modulation.FELICA_212), pn532_app.Exchange(1, b"\x00\xa4\x04\x00\x00"),
)  # fmt: skip
_LISTED = (
    (Modulation.A_106, TargetA(1, b"\x03\x44", 0x20, bytes(range(7)), b"\x75\x77")),
    (Modulation.B_106, TargetB(1, b"\x50" + bytes(11), b"\x01")),
    (Modulation.FELICA_424, TargetF(1, bytes(range(8)), bytes(8), 0x8008)),
)

# (name, decoder, honest bytes). None of them may raise on anything.
READER_LINES: list[tuple[str, Callable[[bytes], object], tuple[bytes, ...]]] = [
    ("what an RDM6300 says", _tags, (rdm6300.encode(rdm6300.Tag(1, 0x734E0)),)),
    ("what a PN532 says", _cards,
     (*(pn532.ACK + pn532.response_frame(pn532_app.respond(pn532_app.ListTargets(modulation), (card,)))
        for modulation, card in _LISTED), pn532.ACK + pn532.ERROR)),
    ("what a PN532 is asked", _asked,
     tuple(pn532.WAKE_UP + pn532.command_frame(pn532_app.ask(question)) for question in _COMMANDS)),
    ("what a scanner says", _scanned,
     (gm65.code_line(b"FT1:ABC"), gm65.code_frame(b"FT1:ABC"), gm65.answer(), gm65.answer(bytes(0x62)), gm65.alive())),
    ("what a scanner is asked", _scanner_asked, tuple(map(gm65.request_frame, _QUESTIONS))),
    ("what a card reader prints", _printed, (b"01000734E0", b"DEADBEEF\r\n", b"0000472288", b"007,13536")),
    ("what a Wiegand reader sends", _wiegand, (wiegand.encode(b"\x07\x34\xe0").encode(),)),
    ("what a PC/SC reader replies", pcsc.card, (pcsc.answer(pcsc.GET_UID, CardNumber(bytes(7)).octets),)),
]  # fmt: skip
