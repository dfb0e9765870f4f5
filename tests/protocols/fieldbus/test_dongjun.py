"""Dongjun EE/66 boards, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dongjun import (
    DATA_MAX,
    Frame,
    PortState,
    ask_ports,
    board_ear,
    encode_frame,
    expect_ports,
    tell_ports,
)
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LATE, LENGTH, NEED_MORE, NOISE

SESSION = b"123456"
ASKED = bytes.fromhex("EE 09 01 31 32 33 34 35 36 00 0F")
frames = st.builds(
    Frame, st.booleans(), st.integers(0, 255), st.binary(min_size=6, max_size=6), st.binary(max_size=DATA_MAX)
)


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ((PortState.IDLE, PortState.BUSY, PortState.DISABLED), "66 0C 01 31 32 33 34 35 36 03 01 02 03 09"),
        ((PortState.IDLE,), "66 0A 01 31 32 33 34 35 36 01 01 0C"),
    ],
)
def test_printed_dialogues(states: tuple[int, ...], text: str) -> None:
    """The gateway says these bytes and the board understands them; the board says those and the gateway finds them."""
    question, answered = ask_ports(SESSION), bytes.fromhex(text)
    assert encode_frame(question) == ASKED
    ear = board_ear()
    ear.receive_data(ASKED)
    assert ear.next_event() == question
    assert encode_frame(tell_ports(question, bytes(states))) == answered
    for chunks in ([ASKED + answered], [bytes([byte]) for byte in ASKED + answered]):
        expect = expect_ports(question)
        assert [expect.feed(chunk) for chunk in chunks][-1] == bytes(states)
        assert expect.discarded == {ECHO: 11}


def test_what_is_no_answer() -> None:
    """Another session, another command, a count that is wrong, a wrong sum, noise; the answer behind them is found."""
    question = ask_ports(SESSION)
    expect = expect_ports(question)
    other_session, other_command = Frame(False, 1, b"654321", b"\1\1"), Frame(False, 2, SESSION, b"\1\1")
    wrong_count, nothing = Frame(False, 1, SESSION, b"\2\1"), Frame(False, 1, SESSION)
    for frame in (other_session, other_command, wrong_count, nothing):
        assert expect.feed(encode_frame(frame)) is NEED_MORE
    assert expect.feed(bytes.fromhex("66 0A 01 31 32 33 34 35 36 01 01 0D 00 66 07")) is NEED_MORE
    assert expect.feed(encode_frame(tell_ports(question, b"\4"))) == bytes([PortState.FAULT])
    assert expect.discarded == {LATE: 12, FOREIGN: 12, LENGTH: 22, CRC: 12, NOISE: 3}


@pytest.mark.parametrize(
    "frame", [Frame(True, 256, SESSION), Frame(True, 1, b"12345"), Frame(True, 1, SESSION, bytes(248))]
)
def test_what_no_frame_can_hold_is_refused(frame: Frame) -> None:
    """A session of six bytes; LEN is one byte."""
    with pytest.raises(ValueError, match="Dongjun"):
        encode_frame(frame)


@given(st.lists(frames, max_size=4), st.integers(1, 50))
def test_there_and_back(sent: list[Frame], size: int) -> None:
    """Any questions in any pieces reach the board, answers do not."""
    wire, ear, heard = b"".join(map(encode_frame, sent)), board_ear(), []
    for at in range(0, len(wire), size):
        ear.receive_data(wire[at : at + size])
        while (frame := ear.next_event()) is not NEED_MORE:
            heard.append(frame)
    assert heard == [frame for frame in sent if frame.asks]
    assert ear.noise_bytes == 0


@given(st.lists(st.binary(max_size=20) | st.sampled_from([ASKED, b"\xee\x09", b"\x66\xff"]), max_size=8))
def test_noise_never_raises_and_is_all_counted(data: list[bytes]) -> None:
    """Both ears survive anything."""
    expect, ear = expect_ports(ask_ports(SESSION)), board_ear()
    answers = [*map(expect.feed, data), expect.give_up()]
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    if all(found is NEED_MORE for found in answers):
        assert sum(expect.discarded.values()) == sum(map(len, data))
