"""DL/T 645-2007 on a bad line: round trips of anything, and no error on any bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dlt645 import (
    Data,
    Function,
    MeterEar,
    MeterExpect,
    Question,
    Request,
    answer_frame,
    read,
    request_frame,
)
from protocols.fieldbus.dlt645_frames import ANYONE, EVERYONE, START, WAKE
from protocols.fieldbus.expect import NEED_MORE

METER = "123456789012"
digits = st.text("0123456789", min_size=12, max_size=12)
pieces = st.one_of(
    st.binary(max_size=20),
    st.lists(st.sampled_from([WAKE, START, 0x16, 0x11, 0x04]), max_size=20).map(bytes),
    st.sampled_from([request_frame(METER, read(0x00010000)), request_frame(EVERYONE, read(1))]).flatmap(
        lambda frame: st.integers(0, len(frame)).map(lambda end: frame[:end])
    ),
)


@given(digits, st.sampled_from(Function), st.binary(max_size=200), pieces)
def test_every_request_arrives(address: str, function: Function, data: bytes, before: bytes) -> None:
    """Whatever is asked of a meter is understood by it, also behind noise, once the line is quiet."""
    ear = MeterEar(address)
    ear.receive_data(before + request_frame(address, Question(function, data)))
    heard = []
    while (event := ear.next_event()) is not NEED_MORE:
        heard.append(event)
    while (event := ear.silence()) is not NEED_MORE:
        heard.append(event)
    assert heard[-1] == Request(function, data, wants_answer=address != EVERYONE)


@given(digits, st.sampled_from(Function), st.binary(max_size=196), pieces)
def test_every_answer_arrives(address: str, function: Function, data: bytes, before: bytes) -> None:
    """Any data behind the identifier are the answer, also behind noise."""
    question = Question(function, b"\0\0\1\0" if function is Function.READ else b"")
    if function is Function.READ_FOLLOWING:
        question, data = Question(function, b"\0\0\1\0\5"), b"\0\0\1\0" + data[:-5] + b"\5"
    elif function is Function.READ:
        data = question.data + data
    elif function is Function.READ_ADDRESS:
        data = (data + bytes(6))[:6]
    expect = MeterExpect(ANYONE, question)
    answers = [expect.feed(before), expect.feed(answer_frame(address, function, data)), expect.give_up()]
    found = [answer for answer in answers if isinstance(answer, Data)]
    assert [(answer.address, answer.more) for answer in found] == [(address, False)]


@given(st.lists(pieces, max_size=10))
def test_noise_never_raises_and_is_all_counted(data: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte."""
    expect, ear = MeterExpect(METER, read(0x00010000)), MeterEar(METER)
    answers = [expect.feed(chunk) for chunk in data]
    answers.append(expect.give_up())
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    while ear.silence() is not NEED_MORE:
        pass
    if all(found is NEED_MORE for found in answers):
        assert sum(expect.discarded.values()) == sum(len(chunk) for chunk in data)
