"""KERONG CU16, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.lock_kerong import AskStates, Question, States, Unlock, answer, board_ear
from protocols.fieldbus.lock_kerong import expect_states as expect_
from protocols.fieldbus.lock_kerong import request_frame as ask


def bits(*numbers: int) -> tuple[bool, ...]:
    return tuple(n in numbers for n in range(16))


@pytest.mark.parametrize(
    ("question", "text"),
    [(Unlock(0, 0), "02 00 31 03 36"), (AskStates(0), "02 00 30 03 35"), (Unlock(1, 5), "02 15 31 03 4B")],
)
def test_questions(question: Question, text: str) -> None:
    """The gateway says these bytes, its board understands them, another does not."""
    wire = bytes.fromhex(text)
    assert ask(question) == wire
    ear, other = board_ear(question.board), board_ear(9)
    for byte in wire:
        assert ear.next_event() is NEED_MORE
        ear.receive_data(bytes([byte]))
        other.receive_data(bytes([byte]))
    assert ear.next_event() == question
    assert other.next_event() is NEED_MORE


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (States(bits(), bits()), "02 00 35 00 00 00 00 03 3A"),
        (States(bits(0), bits(1)), "02 00 35 01 00 02 00 03 3D"),
        (States(bits(15), bits(8)), "02 00 35 00 80 00 01 03 BB"),
    ],
    ids=["all locked", "the first open, something in the second", "the upper bytes"],
)
def test_states(states: States, text: str) -> None:
    """Behind the echo of the question, at once or byte by byte."""
    assert answer(0, states) == bytes.fromhex(text)
    wire = ask(AskStates(0)) + bytes.fromhex(text)
    for chunks in ([wire], [bytes([byte]) for byte in wire]):
        expect = expect_(0)
        assert [expect.feed(chunk) for chunk in chunks][-1] == states
        assert expect.discarded == {ECHO: 5}


def test_what_is_no_answer() -> None:
    """Another board's, a wrong sum, a broken end, the CU48's question; the answer behind them is found."""
    states = States(bits(2), bits())
    expect = expect_(1)
    junk = [answer(2, states), bytes.fromhex("02 10 35 04 00 00 00 03 4F"), bytes.fromhex("02 00 00 60 03 65")]
    assert all(expect.feed(chunk) is NEED_MORE for chunk in junk)
    assert expect.feed(answer(1, states)) == states
    assert expect.discarded == {FOREIGN: 9, CRC: 9, NOISE: 6}
    assert expect.feed(answer(1, states)[:6]) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert sum(expect.discarded.values()) == 30


def test_boards_and_locks_have_four_bits() -> None:
    """0 to 15 each."""
    for question in (Unlock(16, 0), Unlock(0, 16), Unlock(0, -1), AskStates(16)):
        with pytest.raises(ValueError, match="KERONG"):
            ask(question)


nibbles = st.integers(0, 15)
sixteen = st.lists(st.booleans(), min_size=16, max_size=16).map(tuple)


@given(st.builds(Unlock, nibbles, nibbles) | st.builds(AskStates, nibbles), st.builds(States, sixteen, sixteen))
def test_there_and_back(question: Question, states: States) -> None:
    """Any question, any states; an ETX or STX within is data."""
    ear = board_ear(question.board)
    ear.receive_data(answer(question.board, states) + ask(question))
    assert ear.next_event() == question
    assert expect_(question.board).feed(answer(question.board, states)) == states


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"\x02\x00\x35", b"\x02\x00\x30\x03\x35"]), max_size=8))
def test_noise_never_raises_and_is_all_counted(data: list[bytes]) -> None:
    """Both ears survive anything."""
    expect, ear = expect_(0), board_ear(0)
    answers = [*map(expect.feed, data), expect.give_up()]
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    if all(found is NEED_MORE for found in answers):
        assert sum(expect.discarded.values()) == sum(map(len, data))
