"""Whatever stands around an answer, it is found or rejected, and never read wrong."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    ReadRegisters,
    Refused,
    Reply,
    Request,
    Space,
    WriteRegisters,
    answer_frame,
    exception_frame,
    request_frame,
)

framings = st.sampled_from(Framing)
reads = st.builds(
    ReadRegisters, st.sampled_from([Space.HOLDING, Space.INPUT]), st.integers(0, 0xFFFF), st.integers(1, 20)
)
noise = st.binary(max_size=60)


def replies(count: int) -> st.SearchStrategy[Reply]:
    words = st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count)
    return st.one_of(words.map(lambda values: Answer(registers=tuple(values))), st.builds(Refused, st.integers(1, 11)))


def frame_of(framing: Framing, request: Request, reply: Reply) -> bytes:
    if isinstance(reply, Refused):
        return exception_frame(framing, request, reply.code)
    return answer_frame(framing, request, reply)


def hear(expect: Expectation, data: bytes, cuts: list[int]) -> Reply | None:
    """Feed `data` in pieces, then give up; the first reply, or None."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        found = expect.feed(data[start:end])
        if found is not NEED_MORE:
            return found
    found = expect.give_up()
    return None if found is NEED_MORE else found


@given(
    data=st.data(), pdu=reads, unit=st.integers(1, 247), before=noise, cuts=st.lists(st.integers(0, 400), max_size=5)
)
def test_an_rtu_answer_behind_noise_is_found(
    data: st.DataObject, pdu: ReadRegisters, unit: int, before: bytes, cuts: list[int]
) -> None:
    """Any answer behind any noise is found with its own value."""
    reply = data.draw(replies(pdu.count))
    request = Request(unit, pdu)
    assume(frame_of(Framing.RTU, request, reply) not in before)
    stream = before + frame_of(Framing.RTU, request, reply)
    expect = Expectation(Framing.RTU, unit, pdu)
    assert hear(expect, stream, cuts) == reply
    assert sum(expect.discarded.values()) == len(before)


@given(data=st.data(), framing=framings, pdu=reads, position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_an_answer_with_one_byte_changed_is_never_read_wrong(
    data: st.DataObject, framing: Framing, pdu: ReadRegisters, position: int, flip: int
) -> None:
    """One garbled byte gives no value over a serial line; TCP has its own check sum, so only its header is tried."""
    reply = data.draw(replies(pdu.count))
    frame = bytearray(frame_of(framing, Request(1, pdu, 5), reply))
    position %= 8 if framing is Framing.TCP else len(frame)
    frame[position] ^= flip
    found = hear(Expectation(framing, 1, pdu, 5), bytes(frame), [])
    if framing is Framing.ASCII and found is not None:
        assert found == reply  # hex digits may change their case
    elif framing is Framing.TCP and found is not None:
        assert isinstance(found, Refused)
        assert position == 7  # the function byte itself was turned into a refusal
    else:
        assert found is None


@given(data=st.data(), framing=framings, asked=reads, other=reads, unit=st.integers(1, 3), number=st.integers(1, 3))
def test_the_answer_to_another_request_is_taken_only_where_rtu_cannot_tell(
    data: st.DataObject, framing: Framing, asked: ReadRegisters, other: ReadRegisters, unit: int, number: int
) -> None:
    """Taken means: same unit, function, and count or a refusal; over TCP also the same transaction."""
    reply = data.draw(replies(other.count))
    found = hear(Expectation(framing, 1, asked, 1), frame_of(framing, Request(unit, other, number), reply), [])
    same = unit == 1 and asked.space is other.space
    if framing is Framing.TCP:
        same = same and number == 1
    if same and (isinstance(reply, Refused) or asked.count == other.count):
        assert found == reply
    else:
        assert found is None


@given(junk=st.binary(max_size=1500), pdu=reads)
def test_junk_alone_is_never_an_answer(junk: bytes, pdu: ReadRegisters) -> None:
    """Random bytes give nothing, every one of them is counted, and the memory they take is bounded."""
    expect = Expectation(Framing.RTU, 1, pdu)
    for start in range(0, len(junk), 7):
        assert expect.feed(junk[start : start + 7]) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert sum(expect.discarded.values()) == len(junk)


@given(junk=st.binary(max_size=300), framing=framings, pdu=reads)
def test_a_device_hears_the_request_behind_junk(junk: bytes, framing: Framing, pdu: ReadRegisters) -> None:
    """After silence a device understands the next request whatever came before; it never raises."""
    ear = DeviceSide(framing)
    ear.receive_data(junk)
    while ear.next_event() is not NEED_MORE:
        pass
    ear.silence()
    ear.receive_data(request_frame(framing, 17, pdu, 3))
    assert ear.next_event() == Request(17, pdu, 0 if framing is not Framing.TCP else 3)


@given(values=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=20), address=st.integers(0, 0xFFFF))
def test_a_write_comes_back_out_as_it_went_in(values: list[int], address: int) -> None:
    """What the gateway writes is what the device reads, in every framing."""
    for framing in Framing:
        write = WriteRegisters(address, tuple(values))
        ear = DeviceSide(framing)
        ear.receive_data(request_frame(framing, 9, write, 2))
        request = ear.next_event()
        assert isinstance(request, Request)
        assert request.pdu == write
        assert Expectation(framing, 9, write, 2).feed(answer_frame(framing, request)) == Answer()
