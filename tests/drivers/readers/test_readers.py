"""Readers on a real pty: what they say, half of it, noise, and what becomes of one that is pulled out or dies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from reader_rig import Near, at_reader

from drivers.api import LinkState
from drivers.errors import DeviceFault, LineDown, Silent
from drivers.readers.config import TRAITS
from drivers.readers.registry import DRIVERS
from protocols.fieldbus import gm65, pn532, pn532_app, rdm6300
from protocols.fieldbus.card_number import CardNumber, Order, Part
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.pn532_targets import Modulation, TargetA, TargetF
from protocols.fieldbus.rdm6300 import Tag
from protocols.fieldbus.wiegand import encode

TAG = bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03")  # facts, cabinets 8
NUMBER = CardNumber(bytes.fromhex("01000734E0"))
OTHER = Tag(0x62, 0xE3086CED)


def test_every_kind_has_a_driver() -> None:
    """And its traits."""
    assert set(DRIVERS) == set(TRAITS)


async def opened(near: Near) -> None:
    await near.until(lambda: near.reader.link().state is LinkState.ONLINE)


# RDM6300


async def test_a_tag(tmp_path: Path) -> None:
    """As an RDM6300 says it, and as the ID-12 family does; repeats are told apart by who taps, not here."""
    async with at_reader("rdm6300", tmp_path) as near:
        await opened(near)
        near.far.say(TAG + TAG + rdm6300.encode(OTHER, id12=True))
        await near.hears(NUMBER, NUMBER, OTHER.card)


@pytest.mark.parametrize(
    "noise", [b"\xff\x00\x02\x02", TAG[:7], TAG[:-3] + b"\x30\x30\x03", b"\x02GGGG", TAG[3:], b"\x02" * 50]
)
async def test_noise_around_a_tag(noise: bytes, tmp_path: Path) -> None:
    """Half a frame, a wrong sum, and whatever an antenna picks up: the next whole frame counts, and only that."""
    async with at_reader("rdm6300", tmp_path) as near:
        await opened(near)
        near.far.say(noise + TAG)
        await near.hears(NUMBER)


async def test_half_a_tag_is_no_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut off is forgotten after a silence; it is not put before the next tag."""
    monkeypatch.setattr("drivers.readers.listen.QUIET_S", 0.1)
    async with at_reader("rdm6300", tmp_path) as near:
        await opened(near)
        near.far.say(TAG[:9])
        await asyncio.sleep(0.3)
        near.far.say(TAG)
        await near.hears(NUMBER)


@pytest.mark.parametrize("kind", ["rdm6300", "text", "wiegand"])
async def test_a_reader_is_pulled_out_and_put_in_again(kind: str, tmp_path: Path) -> None:
    """Its link says so, and why; the next card counts."""
    async with at_reader(kind, tmp_path) as near:  # type: ignore[arg-type]  # one of the kinds
        said = TAG if kind == "rdm6300" else b"007,13536\r\n"
        await opened(near)
        near.far.say(said)
        await near.until(lambda: len(near.said) == 1)
        near.far.unplug()
        await near.until(lambda: near.reader.link().state is LinkState.OFFLINE)
        assert near.reader.link().error is not None
        assert all(isinstance(error, LineDown) for error in near.errors)
        near.far.plug_in()
        await opened(near)
        assert near.reader.link().error is None
        near.far.say(said)
        await near.until(lambda: len(near.said) == 2)


# Lines of text


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"6222-0001\r", ["6222-0001"]),
        (b"6222-0001\n", ["6222-0001"]),
        (b"6222-0001\r\n6222-0002\r\n", ["6222-0001", "6222-0002"]),
        (b"6222-0001\n\r", ["6222-0001"]),
        (b"\x020003808980205\x03", ["0003808980205"]),
        (b"\r\n\r\n  6222-0001 \r\n", ["6222-0001"]),
        (b"FT1:" + b"A" * 690 + b"\r", ["FT1:" + "A" * 690]),
        (b"x" * 5_000 + b"\r6222-0001\r", ["6222-0001"]),
        (b"\xff\xfe\r6222-0001\r", ["\ufffd\ufffd", "6222-0001"]),
    ],
    ids=["CR", "LF", "CR LF", "LF CR", "STX ETX", "empty lines", "a code", "endless", "no text"],
)
async def test_lines(wire: bytes, said: list[str], tmp_path: Path) -> None:
    """Ended by CR, LF or both, whole or byte by byte."""
    async with at_reader("text", tmp_path) as near:
        await opened(near)
        near.far.say(wire)
        await near.hears(*said)
        near.said.clear()
        if len(wire) < 100:
            for byte in wire:
                near.far.say(bytes((byte,)))
                await asyncio.sleep(0.002)
            await near.hears(*said)


async def test_half_a_line_is_no_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that lost its power in a number does not turn the next card into another one."""
    monkeypatch.setattr("drivers.readers.listen.QUIET_S", 0.1)
    async with at_reader("text", tmp_path) as near:
        await opened(near)
        near.far.say(b"6222")
        await asyncio.sleep(0.3)
        near.far.say(b"-0002\r")
        await near.hears("-0002")


# Wiegand converters


async def test_wiegand(tmp_path: Path) -> None:
    """Bits with their parities, or the number as converters print it; bits with a wrong parity are nothing."""
    bits = encode(bytes((7, 0x34, 0xE0)))
    wrong = ("1" if bits[0] == "0" else "0") + bits[1:]
    async with at_reader("wiegand", tmp_path) as near:
        await opened(near)
        near.far.say(f"{bits}\r\n{wrong}\r\n007,13536\r\n".encode())
        await near.hears(CardNumber(bytes((7, 0x34, 0xE0)), Part.LAST), "007,13536")
        assert near.reader.setup.form is not None
        assert near.reader.setup.form.order is Order.FIRST_HIGH


# PN532


class Chip:
    """A PN532 with cards on it."""

    def __init__(self) -> None:
        self.cards: dict[Modulation, tuple[TargetA | TargetF, ...]] = {}
        self.asked: list[pn532_app.Question] = []
        self.dead = self.refuses = False
        self._ear = pn532.ear()

    def __call__(self, data: bytes) -> list[bytes]:
        if self.dead:
            return []
        self._ear.receive_data(data)
        said = []
        while (heard := self._ear.next_event()) is not NEED_MORE:
            if isinstance(heard, bytes):
                said += [pn532.ACK, self._answer(heard)]
        return said

    def _answer(self, data: bytes) -> bytes:
        question = pn532_app.parse(data)
        if question is None or self.refuses:
            return pn532.ERROR
        self.asked.append(question)
        there = self.cards.get(question.modulation, ()) if isinstance(question, pn532_app.ListTargets) else None
        return pn532.response_frame(pn532_app.respond(question, there))


CARD = TargetA(1, b"\x00\x04", 0x08, bytes.fromhex("DEADBEEF"))
PHONE = TargetA(1, b"\x00\x04", 0x20, bytes.fromhex("08112233"))
FELICA = TargetF(1, bytes.fromhex("0101020304050607"), bytes(8))


async def test_a_card_on_a_pn532(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is woken, told to read cards and not to wait for ever, then asked again and again."""
    monkeypatch.setattr("drivers.readers.pn532.POLL_S", 0.01)
    chip = Chip()
    async with at_reader("pn532", tmp_path, chip, felica=True) as near:
        await opened(near)
        assert near.far.heard.startswith(pn532.WAKE_UP)
        assert chip.asked[:2] == [pn532_app.NormalMode(), pn532_app.Tries(1)]
        chip.cards = {Modulation.A_106: (CARD,)}
        await near.until(lambda: len(near.said) > 2)
        assert set(near.said) == {CARD.card}
        chip.cards = {Modulation.FELICA_212: (FELICA,)}
        await near.until(lambda: FELICA.card in near.said)


async def test_a_phone_without_a_number_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes one up at each tap: nobody's credential, so nothing is said."""
    monkeypatch.setattr("drivers.readers.pn532.POLL_S", 0.01)
    chip = Chip()
    chip.cards = {Modulation.A_106: (PHONE,)}
    async with at_reader("pn532", tmp_path, chip) as near:
        await near.until(lambda: len(chip.asked) > 5)
        assert near.said == []
        assert pn532_app.ListTargets(Modulation.FELICA_212) not in chip.asked


async def test_a_pn532_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its port is there, but no answer comes: dead. When it answers again it is set up anew."""
    monkeypatch.setattr("drivers.readers.pn532.POLL_S", 0.01)
    monkeypatch.setattr("drivers.readers.dialogue.ANSWER_S", 0.05)
    chip = Chip()
    async with at_reader("pn532", tmp_path, chip) as near:
        await opened(near)
        chip.dead = True
        await near.until(lambda: near.reader.link().state is LinkState.OFFLINE)
        assert isinstance(near.errors[0], Silent)
        chip.asked.clear()
        chip.dead = False
        chip.cards = {Modulation.A_106: (CARD,)}
        await near.until(lambda: CARD.card in near.said)
        assert chip.asked[0] == pn532_app.NormalMode()


async def test_a_pn532_that_refuses(tmp_path: Path) -> None:
    """Not a PN532 in UART mode: a fault, with what to look at."""
    chip = Chip()
    chip.refuses = True
    async with at_reader("pn532", tmp_path, chip) as near:
        await near.until(lambda: bool(near.errors))
        assert isinstance(near.errors[0], DeviceFault)


# GM65


class Scanner:
    """A GM65 with its settings."""

    def __init__(self, tail: int = 0x01) -> None:
        self.settings = {gm65.TAIL: tail}
        self.asked: list[gm65.Question] = []
        self.dead = False
        self._ear = gm65.scanner_ear()

    def __call__(self, data: bytes) -> list[bytes]:
        if self.dead:
            return []
        self._ear.receive_data(data)
        said = []
        while (question := self._ear.next_event()) is not NEED_MORE:
            self.asked.append(question)
            match question:
                case gm65.AskAlive():
                    said.append(gm65.alive())
                case gm65.Read(address):
                    said.append(gm65.answer(bytes((self.settings[address],))))
                case gm65.Write(address, setting):
                    self.settings[address] = setting[0]
                    said.append(gm65.answer())
                case _:
                    said.append(gm65.answer())
        return said


@pytest.mark.parametrize(("tail", "kept"), [(0x00, True), (0x81, True), (0x01, False)])
async def test_a_scanner_is_set_up(tail: int, kept: bool, tmp_path: Path) -> None:
    """Plain text with line ends; its flash is written only when that was not so."""
    scanner = Scanner(tail)
    async with at_reader("gm65", tmp_path, scanner) as near:
        await opened(near)
        assert scanner.settings[gm65.TAIL] == 0x01
        assert (gm65.Keep() in scanner.asked) is kept
        near.far.say(gm65.code_line(b"FT1:ABC"))
        near.far.say(gm65.code_line(b"6222-0001", b"\r\n"))
        await near.hears("FT1:ABC", "6222-0001")


async def test_a_scanner_is_left_as_it_is(tmp_path: Path) -> None:
    """With `setup = false`; a framed code is understood too."""
    scanner = Scanner(0x81)
    async with at_reader("gm65", tmp_path, scanner, setup=False) as near:
        await opened(near)
        near.far.say(gm65.code_frame(b"FT1:ABC"))
        await near.hears("FT1:ABC")
        assert scanner.asked == []


async def test_a_scanner_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked now and then whether it lives; after three times without an answer it is dead, and opened again."""
    monkeypatch.setattr("drivers.readers.gm65.BEAT_S", 0.05)
    monkeypatch.setattr("drivers.readers.listen.QUIET_S", 0.05)
    monkeypatch.setattr("drivers.readers.dialogue.ANSWER_S", 0.05)
    scanner = Scanner()
    async with at_reader("gm65", tmp_path, scanner) as near:
        await near.until(lambda: scanner.asked.count(gm65.AskAlive()) > 4)
        assert near.errors == []
        scanner.dead = True
        await near.until(lambda: near.reader.link().state is LinkState.OFFLINE)
        assert "no sign of life" in str(near.errors[0])
        scanner.dead = False
        near.said.clear()
        await opened(near)
        near.far.say(gm65.code_line(b"6222-0001"))
        await near.hears("6222-0001")
