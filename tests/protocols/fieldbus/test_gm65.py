"""Grow's scanners, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, FOREIGN, LENGTH, NEED_MORE
from protocols.fieldbus.gm65 import (
    BAUD,
    CODE_MAX,
    TAIL,
    TRIGGER,
    Alive,
    Answer,
    AskAlive,
    Code,
    Keep,
    Question,
    Read,
    Said,
    Write,
    alive,
    answer,
    code_frame,
    code_line,
    ear,
    expect,
    request_frame,
    scanner_ear,
)


def wire(text: str) -> bytes:
    return bytes.fromhex(text)


def heard(*chunks: bytes) -> tuple[list[Said], int]:
    """What a gateway hears, and bytes of noise."""
    listener, found = ear(), []
    for chunk in chunks:
        listener.receive_data(chunk)
        while (event := listener.next_event()) is not NEED_MORE:
            found.append(event)
    return found, listener.noise_bytes


QUESTIONS: list[tuple[Question, str]] = [
    (Read(BAUD, 2), "7E 00 07 01 00 2A 02 D8 0F"),
    (Keep(), "7E 00 09 01 00 00 00 DE C8"),
    (AskAlive(), "7E 00 0A 01 00 00 00 30 1A"),
    (Write(BAUD, wire("39 01")), "7E 00 08 02 00 2A 39 01 A7 EA"),
    (Write(0x00D9, b"\x50"), "7E 00 08 01 00 D9 50 81 D3"),  # as it came from the factory
    (Write(0x00D9, b"\x55"), "7E 00 08 01 00 D9 55 D1 76"),
    (Write(0x00D9, b"\x56"), "7E 00 08 01 00 D9 56 E1 15"),
    (Write(0x00D9, b"\xa5"), "7E 00 08 01 00 D9 A5 3E 69"),
    (Write(0x00D9, b"\x00"), "7E 00 08 01 00 D9 00 DB 26"),
]


@pytest.mark.parametrize(("question", "text"), QUESTIONS)
def test_questions(question: Question, text: str) -> None:
    """As makers print them; the scanner understands them, whole or byte by byte."""
    assert request_frame(question) == wire(text)
    for chunks in ([wire(text)], [bytes([byte]) for byte in wire(text)]):
        scanner = scanner_ear()
        for chunk in chunks:
            scanner.receive_data(chunk)
        assert scanner.next_event() == question
        assert scanner.noise_bytes == 0


def test_the_trigger_without_a_check_sum() -> None:
    """AB CD is taken for any CRC."""
    frame = request_frame(Write(TRIGGER, b"\x01"), checked=False)
    assert frame == wire("7E 00 08 01 00 02 01 AB CD")
    scanner = scanner_ear()
    scanner.receive_data(frame)
    assert scanner.next_event() == Write(TRIGGER, b"\x01")
    assert expect(Write(TRIGGER, b"\x01")).feed(wire("02 00 00 01 00 33 31")) == b"\x00"


SETTINGS = wire(
    "D6 00 20 00 00 0A 32 01 2C 00 87 3C 01 A1 1C 32 03 00 80 00 06 00 00 00 00 00 00 00 00 00 00 00 00 02 80 3C 00 00"
    "00 06 00 00 39 01 05 64 0D 0D 0D 01 0D 01 04 80 09 04 80 05 04 80 01 04 80 01 08 04 80 08 04 80 08 04 80 08 04 80"
    "08 01 80 00 00 00 04 80 01 01 00 00 00 00 04 80 00 00 03 00 01 00"
)
ANSWERS: list[tuple[Question, bytes, bytes]] = [
    (Keep(), b"\x00", wire("02 00 00 01 00 33 31")),
    (Read(TAIL), b"\x01", wire("02 00 00 01 01 23 10")),  # captured
    (Read(BAUD, 2), wire("39 01"), wire("02 00 00 02 39 01 C1 4C")),  # captured
    (Write(BAUD, wire("39 01")), wire("39 01"), wire("02 00 00 02 39 01 C1 4C")),
    (Read(0, 0x62), SETTINGS, wire("02 00 00 62") + SETTINGS + wire("30 FE")),  # captured
]


@pytest.mark.parametrize(("question", "data", "frame"), ANSWERS)
def test_answers(question: Question, data: bytes, frame: bytes) -> None:
    """The scanner says these bytes; they are the answer, whole or byte by byte."""
    assert answer(data) == frame
    finds = expect(question)
    assert [found for byte in frame if (found := finds.feed(bytes([byte]))) is not NEED_MORE] == [data]
    assert finds.discarded == {}
    assert heard(frame) == ([Answer(0, data)], 0)


def test_being_there() -> None:
    """Its answer begins with 03; one text prints the answer to a setting instead, which is none."""
    assert alive() == wire("03 00 00 01 00 33 31")
    finds = expect(AskAlive())
    assert finds.feed(wire("02 00 00 01 00 33 31")) is NEED_MORE
    assert finds.feed(alive()) == b""
    assert finds.discarded == {FOREIGN: 7}
    assert heard(alive()) == ([Alive()], 0)


@pytest.mark.parametrize(
    ("said", "data"),
    [
        (wire("38 37 31 31 32 31 38 39 37 32 38 37 35 0D"), b"8711218972875"),  # captured
        (wire("5D 45 30 38 37 31 31 32 31 38 39 37 32 38 37 35 0D"), b"]E08711218972875"),
        (wire("03 00 0A 30 33 32 31 35 36 33 38 34 30"), b"0321563840"),  # captured
        (code_line(b"FT1:ABC", b"\r\n"), b"FT1:ABC"),
        (code_line(b"FT1:ABC", b"\n"), b"FT1:ABC"),
        (code_line("é".encode()), "é".encode()),
    ],
)
def test_codes(said: bytes, data: bytes) -> None:
    """In lines and in frames; an empty line is no code."""
    assert heard(said) == ([Code(data)], 0)
    assert heard(*(bytes([byte]) for byte in said)) == ([Code(data)], 0)
    assert heard(b"\r\n\r", said, said) == ([Code(data), Code(data)], 0)


def test_an_answer_and_the_code_behind_it() -> None:
    """A trigger is answered, then the code comes; both may come at once."""
    assert heard(answer() + code_line(b"FT1:ABC") + alive() + code_frame(b"FT1:DEF")) == (
        [Answer(0, b"\x00"), Code(b"FT1:ABC"), Alive(), Code(b"FT1:DEF")],
        0,
    )


def test_what_is_not_the_answer() -> None:
    """A code, the answer to another count, a result that is not 0, a wrong CRC; AB CD is none in an answer."""
    finds = expect(Read(TAIL))
    for data in (code_line(b"FT1:ABC"), answer(wire("39 01")), answer(b"\x00", 1), wire("02 00 00 01 00 33 32"),
                 wire("02 00 00 01 00 AB CD"), alive()):  # fmt: skip
        assert finds.feed(data) is NEED_MORE
    assert finds.discarded == {FOREIGN: 8 + 7 + 7, LENGTH: 8, CRC: 14}
    assert finds.feed(answer(b"\x81")) == b"\x81"


def test_a_text_that_is_cut_off_is_no_code() -> None:
    """Its end was lost: an answer in it, or silence, throws the beginning away."""
    assert heard(b"FT1:AB", answer(), b"CD\r") == ([Answer(0, b"\x00"), Code(b"CD")], 6)
    listener = ear()
    listener.receive_data(b"FT1:AB")
    assert listener.next_event() is NEED_MORE
    assert listener.silence() is NEED_MORE
    listener.receive_data(b"FT1:CD\r")
    assert listener.next_event() == Code(b"FT1:CD")
    assert listener.noise_bytes == 6


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_an_overlong_line_is_dropped_to_its_end(size: int) -> None:
    """The tail of it would be a code that nobody has shown."""
    said = b"A" * 3000 + b"\r" + b"B" * CODE_MAX + b"\r"
    assert heard(*(said[at : at + size] for at in range(0, len(said), size))) == ([Code(b"B" * CODE_MAX)], 3001)


def test_silence_ends_an_overlong_line_too() -> None:
    """A scanner without a line's end is set up wrongly; the next code is still heard."""
    listener = ear()
    listener.receive_data(b"A" * 3000)
    assert listener.next_event() is NEED_MORE
    assert listener.silence() is NEED_MORE
    listener.receive_data(code_line(b"FT1:ABC"))
    assert listener.next_event() == Code(b"FT1:ABC")
    assert listener.noise_bytes == 3000


@pytest.mark.parametrize(
    "broken",
    ["7E 00 07 01 00 2A 02 D8 0E", "7E 00 0B 01 00 00 00 00 00", "7E 00 09 01 00 00 01 AB CD", "7E 00 07 00 AB CD",
     "7E 00 07 02 00 2A 01 02 AB CD", "FF 7E 7E", "7E 00 07 01 00 2A 00 AB CD"],
)  # fmt: skip
def test_broken_questions_are_not_understood(broken: str) -> None:
    """And hide none."""
    scanner = scanner_ear()
    scanner.receive_data(wire(broken) + request_frame(Keep()))
    assert scanner.next_event() == Keep()
    assert scanner.noise_bytes == len(wire(broken))


questions: st.SearchStrategy[Question] = st.one_of(
    st.builds(Read, st.integers(0, 0xFFFF), st.integers(1, 255)),
    st.builds(Write, st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=255)),
    st.sampled_from([Keep(), AskAlive()]),
)
said = st.one_of(
    st.binary(min_size=1, max_size=255).map(answer),
    st.just(alive()),
    st.binary(min_size=1, max_size=300).map(code_frame),
    st.from_regex(rb"\A[\x20-\x7e]{1,60}\Z").map(code_line),
)


@given(st.lists(questions, max_size=4), st.integers(1, 50), st.booleans())
def test_questions_there_and_back(asked: list[Question], size: int, checked: bool) -> None:
    """In any pieces."""
    data = b"".join(request_frame(question, checked=checked) for question in asked)
    scanner, found = scanner_ear(), []
    for at in range(0, len(data), size):
        scanner.receive_data(data[at : at + size])
        while (event := scanner.next_event()) is not NEED_MORE:
            found.append(event)
    assert (found, scanner.noise_bytes) == (asked, 0)


@given(st.lists(said, max_size=6), st.integers(1, 50))
def test_all_that_is_said_is_heard(parts: list[bytes], size: int) -> None:
    """Codes and answers in any order and in any pieces."""
    data = b"".join(parts)
    found, noise = heard(*(data[at : at + size] for at in range(0, len(data), size)))
    assert (len(found), noise) == (len(parts), 0)
    assert found == [one for part in parts for one in heard(part)[0]]


@given(st.lists(st.binary(max_size=30) | said | questions.map(request_frame) | st.sampled_from([b"\x02\x00", b"\x03"]),
                max_size=8))  # fmt: skip
def test_nothing_raises(chunks: list[bytes]) -> None:
    """All ears survive anything; after silence a code is heard."""
    gateway, scanner, finds = ear(), scanner_ear(), expect(Read(TAIL))
    for chunk in chunks:
        for listener in (gateway, scanner):
            listener.receive_data(chunk)
            while listener.next_event() is not NEED_MORE:
                pass
        finds.feed(chunk)
    finds.give_up()
    for listener in (gateway, scanner):
        while listener.silence() is not NEED_MORE:
            pass
    gateway.receive_data(code_line(b"FT1:ABC"))
    assert gateway.next_event() == Code(b"FT1:ABC")


@pytest.mark.parametrize(
    "question", [Read(0, 0), Read(0, 256), Read(-1), Read(0x10000), Write(0, b""), Write(0, bytes(256))]
)
def test_what_cannot_be_said_is_refused(question: Question) -> None:
    """255 settings at once, addresses of two bytes, codes of 1024 bytes."""
    with pytest.raises(ValueError, match="scanner"):
        request_frame(question)
    for data in (b"", bytes(CODE_MAX + 1)):
        with pytest.raises(ValueError, match="1024"):
            code_frame(data)
