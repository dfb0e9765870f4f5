"""8A/80 lock boards, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.lock_xor import (
    AskAddress,
    Contact,
    Hold,
    LockExpect,
    Open,
    OpenAll,
    OpenSome,
    Question,
    Read,
    ReadAll,
    answer_all,
    answer_one,
    board_ear,
    parse,
    request_frame,
)


def wire(text: str) -> bytes:
    return bytes.fromhex(text)


QUESTIONS: list[tuple[Question, str]] = [
    (Open(1, 5), "8A 01 05 11 9F"),
    (Open(1, 1, 3), "8A 01 01 11 03 98"),
    (OpenSome(1, frozenset({1, 9})), "90 01 00 01 01 91"),
    (Read(1, 1), "80 01 01 33 B3"),
    (ReadAll(1), "80 01 00 33 B2"),
    (AskAddress(), "80 01 00 99 18"),
    (OpenAll(2), "8A 02 00 11 99"),
    (Hold(1, 5, True), "9A 01 05 11 8F"),
    (Hold(1, 5, False), "9B 01 05 11 8E"),
]


@pytest.mark.parametrize(("question", "text"), QUESTIONS)
def test_questions(question: Question, text: str) -> None:
    """The gateway says these bytes, its board understands them, another board does not."""
    assert request_frame(question) == wire(text)
    for chunks in ([wire(text)], [bytes([byte]) for byte in wire(text)]):
        ear, other = board_ear(getattr(question, "board", 1)), board_ear(7)
        for chunk in chunks:
            ear.receive_data(chunk)
            other.receive_data(chunk)
        assert ear.next_event() == question
        assert (other.next_event() is NEED_MORE) == (question != AskAddress())


ANSWERS: list[tuple[str, Open | Read | ReadAll, int, str, dict[int, bool | None]]] = [
    ("contact 00 after open", Open(1, 1), 24, "8A 01 01 00 8A", {1: False}),
    ("contact 11 after open", Open(1, 5), 24, "8A 01 05 11 9F", {5: True}),
    ("contact 11", Read(1, 1), 24, "80 01 01 11 91", {1: True}),
    ("contact 00", Read(1, 1), 24, "80 01 01 00 80", {1: False}),
    ("neither", Read(1, 1), 24, "80 01 01 22 A2", {1: None}),
    ("all 32", ReadAll(1), 32, "80 01 FF FF FF FF 33 B2", dict.fromkeys(range(1, 33), True)),
    ("24, 9 and 1", ReadAll(1), 24, "80 01 80 01 01 33 32", {n: n in (1, 9, 24) for n in range(1, 25)}),
    ("1 of 24", ReadAll(1), 24, "80 01 00 00 01 33 B3", {n: n == 1 for n in range(1, 25)}),
]


@pytest.mark.parametrize(
    ("question", "channels", "text", "closed"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_answers(question: Open | Read | ReadAll, channels: int, text: str, closed: dict[int, bool | None]) -> None:
    """The board says these bytes; the gateway finds raw contacts in them, whole or byte by byte."""
    expected = tuple(Contact(lock, value) for lock, value in closed.items())
    for chunks in ([wire(text)], [bytes([byte]) for byte in wire(text)]):
        expect = LockExpect(question, channels=channels)
        found = [expect.feed(chunk) for chunk in chunks]
        assert found[-1] == expected
        assert expect.discarded == {}
    if isinstance(question, ReadAll):
        assert answer_all(1, [value is True for value in closed.values()]) == wire(text)
    elif None not in closed.values():
        assert answer_one(question, question.lock, closed[question.lock] is True) == wire(text)


def test_the_same_beginning_has_four_lengths() -> None:
    """The parser trap: an echo, then the answer of this question's length, with other answers in between."""
    asked, late = request_frame(ReadAll(1)), answer_one(Read(1, 3), 3, True)
    for channels in (24, 32):
        expect = LockExpect(ReadAll(1), channels=channels)
        closed = [n % 3 == 0 for n in range(channels)]
        assert expect.feed(asked + answer_all(2, [False] * channels)) is NEED_MORE
        assert expect.feed(late + answer_all(1, closed)) == tuple(Contact(n + 1, bit) for n, bit in enumerate(closed))
        assert expect.discarded[ECHO] == 5
    begins_like_the_echo = wire("80 01 00 33 B2 33 33")
    closed_locks = tuple(Contact(n, n in (2, 5, 6, 8, 9, 10, 13, 14)) for n in range(1, 25))
    assert LockExpect(ReadAll(1)).feed(asked + begins_like_the_echo) == closed_locks
    expect = LockExpect(Read(1, 4))
    assert expect.feed(late) is NEED_MORE
    assert expect.discarded == {FOREIGN: 5}


def test_an_answer_to_open_that_equals_the_question() -> None:
    """It is the answer on a line without echo; on one with echo the first is not, the second is."""
    asked = request_frame(Open(1, 5))
    assert LockExpect(Open(1, 5)).feed(asked) == (Contact(5, True),)
    expect = LockExpect(Open(1, 5), echo=True)
    for _ in range(2):
        assert expect.feed(asked) is NEED_MORE
        assert expect.give_up() is NEED_MORE  # the next attempt has an echo of its own
    assert expect.feed(asked + asked) == (Contact(5, True),)
    timed = Open(1, 5, 2)
    assert LockExpect(timed, echo=True).feed(request_frame(timed) + wire("8A 01 05 00 8E")) == (Contact(5, False),)


def test_opening_all_is_answered_lock_by_lock() -> None:
    """The last lock ends it; silence ends it with what came."""
    answers = [answer_one(OpenAll(1), lock, lock != 3) for lock in range(1, 25)]
    expect = LockExpect(OpenAll(1))
    assert all(expect.feed(answer) is NEED_MORE for answer in answers[:-1])
    assert expect.feed(answers[-1]) == tuple(Contact(lock, lock != 3) for lock in range(1, 25))
    expect = LockExpect(OpenAll(1), echo=True)
    assert expect.feed(request_frame(OpenAll(1)) + answers[0]) is NEED_MORE
    assert expect.give_up() == (Contact(1, True),)
    assert expect.give_up() is NEED_MORE


def test_late_answers_are_told_by_board_and_kind() -> None:
    """After silence, an Open waits for a late answer to OpenAll, for that would pass as its own."""
    shapes = [LockExpect(question).shape for question in (Open(1, 5), OpenAll(1), Read(1, 5), ReadAll(1), Open(2, 5))]
    assert shapes[0] == shapes[1] != shapes[2] == shapes[3]
    assert len(set(shapes)) == 3


def test_broken_frames_are_counted() -> None:
    """A wrong BCC is no answer and hides none; a frame cut off is thrown away at silence."""
    expect = LockExpect(Read(1, 1))
    assert expect.feed(wire("80 01 01 11 90")) is NEED_MORE
    assert expect.feed(wire("55") + wire("80 01 01 11 91")) == (Contact(1, True),)
    assert sum(expect.discarded.values()) == 6
    assert set(expect.discarded) <= {CRC, NOISE}
    assert expect.feed(wire("80 01 01")) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    ear = board_ear(1)
    for text in (
        "8A 01 05 11 9E 00",
        "80 01 01 34 B4",
        "FF",
        "8A 01 05 11 00 9F",
        "8A 21 01 11 BB",
        "90 01 00 00 00 91",
    ):
        ear.receive_data(wire(text))
        assert ear.next_event() is NEED_MORE
        assert ear.silence() is NEED_MORE


@pytest.mark.parametrize(
    "question",
    [Open(0, 1), Open(33, 1), Open(1, 0), Open(1, 33), Open(1, 1, 0), Open(1, 1, 10), Read(1, 0), Hold(1, 99, True),
     OpenSome(1, frozenset()), OpenSome(1, frozenset({25})), ReadAll(0)],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(question: Question) -> None:
    """Boards 1 to 32, locks 1 to 32, holding 1 to 9 seconds."""
    with pytest.raises(ValueError, match="8A/80"):
        request_frame(question)


boards, locks = st.integers(1, 32), st.integers(1, 32)
questions: st.SearchStrategy[Question] = st.one_of(
    st.builds(Open, boards, locks, st.none() | st.integers(1, 9)),
    st.builds(OpenAll, boards),
    st.builds(OpenSome, boards, st.frozensets(st.integers(1, 24), min_size=1)),
    st.builds(Hold, boards, locks, st.booleans()),
    st.builds(Read, boards, locks),
    st.builds(ReadAll, boards),
)
noise = st.lists(
    st.one_of(st.binary(max_size=12), questions.map(request_frame), st.sampled_from([b"\x80\x01", b"\x8a\x01\x05"])),
    max_size=8,
)


@given(questions)
def test_every_question_there_and_back(question: Question) -> None:
    """No two questions have the same bytes, not even timed and plain ones."""
    frame = request_frame(question)
    assert parse(frame) == question
    ear = board_ear(frame[1])
    ear.receive_data(frame + frame)
    assert [ear.next_event(), ear.next_event(), ear.next_event()] == [question, question, NEED_MORE]


@given(noise, st.sampled_from([Open(1, 5), OpenAll(1), Read(1, 1), ReadAll(1)]), st.booleans())
def test_noise_never_raises_and_is_all_counted(
    data: list[bytes], question: Open | OpenAll | Read | ReadAll, echo: bool
) -> None:
    """Both ears survive anything."""
    expect, ear = LockExpect(question, echo=echo), board_ear(1)
    answers = [*map(expect.feed, data), expect.give_up()]
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    while ear.silence() is not NEED_MORE:
        pass
    if all(found is NEED_MORE for found in answers):
        assert sum(expect.discarded.values()) == sum(map(len, data))
