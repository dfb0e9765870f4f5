"""AZT 2.0 on a bad line: round trips of anything, and no error on any bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.azt import AztExpect, PumpEar, Request, request_frame
from protocols.fieldbus.azt_app import TYPES, Command, FullSale, PumpError, Question, Status, Totals
from protocols.fieldbus.azt_frames import Above15, FrameReader, Short, encode_long, encode_short
from protocols.fieldbus.expect import NEED_MORE

payloads = st.binary(max_size=30).map(lambda data: bytes(0x20 + byte % 0x3F for byte in data))
chunks = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([encode_short(Short.ACK), encode_long(b"40"), request_frame(1, Question(Command.STATUS))]),
        st.lists(st.sampled_from([0x7F, 0x02, 0x03, 0x31, 0x4E, 0x06]), max_size=10).map(bytes),
    ),
    max_size=10,
)


@given(st.integers(1, 224), st.sampled_from(Above15), st.sampled_from(Command), payloads)
def test_every_request_arrives(number: int, above_15: Above15, command: Command, data: bytes) -> None:
    """Whatever is asked of one pump is understood by it, and by no pump with another address."""
    wire = request_frame(number, Question(command, data), above_15)
    ear, other = PumpEar(number, above_15), PumpEar(number % 224 + 1, above_15)
    ear.receive_data(wire)
    other.receive_data(wire)
    assert ear.next_event() == Request(command, data)
    assert other.next_event() is NEED_MORE


@given(payloads, payloads)
def test_frames_stand_apart(first: bytes, second: bytes) -> None:
    """Two frames in one chunk are two frames."""
    reader = FrameReader()
    reader.receive_data(encode_long(first) + encode_long(second))
    frames = [reader.next_frame(), reader.next_frame(), reader.next_frame()]
    assert [getattr(frame, "payload", None) for frame in frames] == [first, second, None]


@given(chunks)
def test_noise_never_raises_and_is_all_counted(data: list[bytes]) -> None:
    """Both ears survive anything; what the till's throws away is counted to the byte, unless it found an answer."""
    expect, ear = AztExpect(Question(Command.STATUS)), PumpEar(1)
    answers = [expect.feed(chunk) for chunk in data]
    answers.append(expect.give_up())
    for chunk in data:
        ear.receive_data(chunk)
        while ear.next_event() is not NEED_MORE:
            pass
    ear.silence()
    if all(answer is NEED_MORE for answer in answers):
        assert sum(expect.discarded.values()) == sum(len(chunk) for chunk in data)


@given(st.binary(max_size=40))
def test_values_never_raise(data: bytes) -> None:
    """Any data are a value or none."""
    for widths in TYPES.values():
        sale = FullSale.decode(data, widths)
        assert sale is None or sale.encode(widths) == data
    totals = Totals.decode(data)
    assert totals is None or totals.encode() == data
    Status.decode(data)
    error = PumpError.decode(data)
    assert error is None or error.encode() == data


@given(st.binary(max_size=12).filter(lambda noise: 0x7F not in noise), st.sampled_from([b"0", b"1", b"41"]))
def test_an_answer_is_found_behind_noise(noise: bytes, status: bytes) -> None:
    """Noise before an answer costs nothing."""
    assert AztExpect(Question(Command.STATUS)).feed(noise + encode_long(status)) == status
