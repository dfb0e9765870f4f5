"""Sanki on a bad line: round trips of anything, and no error on any bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.sanki import PumpEar, Request, SankiExpect, answer, request_frame
from protocols.fieldbus.sanki_app import SHAPES, Command, LastSale, Question, Status, Totals, authorise

commands = st.sampled_from(Command)
chunks = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([request_frame(1, Question(Command.STATUS)), request_frame(1, authorise(0x66))]),
        st.lists(st.sampled_from([0xFC, 0x80, 0x01, 0x87, 0x66]), max_size=10).map(bytes),
    ),
    max_size=10,
)


@given(st.integers(1, 99), commands, st.binary(min_size=6, max_size=6))
def test_every_request_arrives(point: int, command: Command, data: bytes) -> None:
    """Whatever is asked of one pump is understood by it, behind any start of a broken frame."""
    question = Question(command, data[: SHAPES[command].asked])
    for before in (b"", b"\xfc", b"\xfc\xfc\xfc", b"\xfc\xfc\xfc\x00"):
        ear = PumpEar(point)
        ear.receive_data(before + request_frame(point, question))
        assert ear.next_event() == Request(command, question.data)


@given(commands, st.binary(min_size=25, max_size=25))
def test_every_answer_arrives(command: Command, data: bytes) -> None:
    """Any data of the right length behind the right command are the answer, but for the question's own echo."""
    data = data[: SHAPES[command].answered]
    question = Question(command, bytes(SHAPES[command].asked))
    wire = answer(command, 1, data)
    if wire != request_frame(1, question):
        assert SankiExpect(1, question).feed(wire) == data


@given(chunks, commands)
def test_noise_never_raises_and_is_all_counted(data: list[bytes], command: Command) -> None:
    """Both ears survive anything; what the till's throws away is counted to the byte, unless it found an answer."""
    expect, ear = SankiExpect(1, Question(command, bytes(SHAPES[command].asked))), PumpEar(1)
    answers = [expect.feed(chunk) for chunk in data]
    answers.append(expect.give_up())
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    ear.silence()
    if all(found is NEED_MORE for found in answers):
        assert sum(expect.discarded.values()) == sum(len(chunk) for chunk in data)


@given(st.binary(max_size=30))
def test_values_never_raise(data: bytes) -> None:
    """Any data are a value or none, and a value has these data."""
    for kind in (Status, Totals, LastSale):
        value = kind.decode(data)
        assert value is None or value.encode() == data
