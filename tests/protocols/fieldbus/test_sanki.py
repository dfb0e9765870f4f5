"""Sanki, byte for byte, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.sanki import PumpEar, Request, SankiExpect, answer, frame, request_frame, short_answer
from protocols.fieldbus.sanki_app import (
    SHAPES,
    Command,
    LastSale,
    Outcome,
    Question,
    State,
    Status,
    Totals,
    authorise,
    bcd,
    digits,
    next_chain,
    outcome,
    preset,
    price,
)

DONE, REFUSED = b"\x99", b"\x66"

# (what it is, question, bytes, answer's data, answer's bytes). The first two are dialogues with a real pump.
GOLDEN: list[tuple[str, Question, str, bytes, str]] = [
    ("price 3.45", price(345), "FC FC FC 84 01 03 45 00 28 98 55 FF 58", DONE, "FC FC FC 84 01 99 81 D3"),
    ("totals 55.03 L, 187.36", Question(Command.TOTALS), "FC FC FC 83 01 A0 F0",
     Totals(5503, 18736).encode(), "FC FC FC 83 01 00 00 00 55 03 00 00 01 87 36 B5 96"),
    ("status", Question(Command.STATUS), "FC FC FC 80 01 A0 00",
     Status(345, 1234, 4257, State.BUSY).encode(), "FC FC FC 80 01 03 45 00 12 34 00 42 57 44 00 58 C3"),
    ("preset 20.00", preset(Command.PRESET_AMOUNT, 2000, 0x11), "FC FC FC 86 01 00 20 00 11 E3 A0",
     DONE, "FC FC FC 86 01 99 20 13"),
    ("authorise", authorise(0x11), "FC FC FC 87 01 11 71 B5", REFUSED, "FC FC FC 87 01 66 31 93"),
    ("stop", Question(Command.STOP), "FC FC FC 8D 01 A4 90", DONE, "FC FC FC 8D 01 99 51 D1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "asked", "data", "answered"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN]
)
def test_golden_dialogues(question: Question, asked: str, data: bytes, answered: str) -> None:
    """The till says these bytes and the pump understands them; the pump says those and the till finds them."""
    wire, reply = bytes.fromhex(asked), bytes.fromhex(answered)
    assert request_frame(1, question) == wire
    assert answer(question.command, 1, data) == reply
    ear, other = PumpEar(1), PumpEar(2)
    for hearer in (ear, other):
        hearer.receive_data(wire)
    assert ear.next_event() == Request(question.command, question.data)
    assert other.next_event() is NEED_MORE
    for chunks in ([reply], [reply[at : at + 1] for at in range(len(reply))]):
        expect = SankiExpect(1, question)
        assert [expect.feed(chunk) for chunk in chunks][-1] == data
        assert expect.discarded == {}


def test_the_reciprocal_of_a_price_is_cut_off() -> None:
    """1/3.45 = 0.28985507..., sent as 00289855; 0.01 has none that fits."""
    assert price(345).data.hex() == "034500289855"
    assert price(785).data.hex() == "078500127388"
    assert price(2).data.hex() == "000250000000"
    for wrong in (0, 1, 10_000):
        with pytest.raises(ValueError, match=r"price|fit"):
            price(wrong)


def test_the_chain_byte_steps() -> None:
    """By 11h, from 88 to 00; 66 is left out, for `authorise 66` looks like its own refusal."""
    chain, seen = 0, []
    for _ in range(9):
        chain = next_chain(chain)
        seen.append(f"{chain:02x}")
    assert seen == ["11", "22", "33", "44", "55", "77", "88", "00", "11"]
    assert request_frame(1, authorise(0x66)) == short_answer(Command.AUTHORISE, 1, Outcome.REFUSED)


def test_values_there_and_back() -> None:
    """Status, totals and sale keep their bytes; a nibble that is no digit makes none."""
    for value in (Status(785, 10, 78, 0x55, 7), Totals(9_999_999_999, 0), LastSale(785, 999_999, 1, bytes(range(17)))):
        data = value.encode()
        assert type(value).decode(data) == value
        assert type(value).decode(b"\x0a" + data[1:]) is None
        assert type(value).decode(data[:-1]) is None
    assert bcd(2000, 3) == b"\x00\x20\x00"
    assert digits(b"\x00\x20\x0a") is None


def test_short_answers() -> None:
    """99 is done, 66 is refused, anything else is neither."""
    assert [outcome(data) for data in (DONE, REFUSED, b"\x00", b"")] == [Outcome.DONE, Outcome.REFUSED, None, None]


@pytest.mark.parametrize("command", [Command.HOST_MODE, Command.DELETE_SALE])
def test_answers_that_may_be_a_byte_shorter(command: Command) -> None:
    """One source expects 7 bytes and does not say which one is missing; 8 bytes are taken too."""
    question = Question(command)
    assert SankiExpect(1, question).feed(short_answer(command, 1, Outcome.DONE)) == DONE
    assert SankiExpect(1, question).feed(short_answer(command, 1, Outcome.REFUSED)) == REFUSED
    assert SankiExpect(1, question).feed(frame(command, 0x99)) == DONE
    assert SankiExpect(1, question).feed(frame(command, 0x66)) == REFUSED
    assert SankiExpect(1, question).feed(frame(command, 1)) == DONE


def test_echo_and_foreign_talk_are_told_apart() -> None:
    """Our own request, another fuelling point's answer and another question's answer are no answer."""
    question = authorise(0x22)
    expect = SankiExpect(1, question)
    other = short_answer(Command.AUTHORISE, 2, Outcome.DONE)
    late = answer(Command.STATUS, 1, Status(345, 0, 0, State.LIFTED).encode())
    noise = b"\x00\xfc" + request_frame(1, question) + other + late
    assert expect.feed(noise) is NEED_MORE
    assert expect.feed(short_answer(Command.AUTHORISE, 1, Outcome.DONE)) == DONE
    assert expect.discarded == {NOISE: 2, ECHO: 8, FOREIGN: 8 + 17}


def test_a_wrong_crc_is_no_answer() -> None:
    """It is counted as such, and hides no sound frame behind it."""
    question = Question(Command.STATUS)
    broken = bytes.fromhex("FC FC FC 80 01 03 45 00 12 34 00 42 57 44 00 58 C2")
    expect = SankiExpect(1, question)
    assert expect.feed(broken) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == {CRC: 17}
    sound = Status(345, 1234, 4257, State.BUSY).encode()
    assert expect.feed(broken + answer(Command.STATUS, 1, sound)) == sound


def test_every_command_has_its_shape() -> None:
    """A pump's ear knows from the command how long a question is."""
    assert set(SHAPES) == set(Command)
