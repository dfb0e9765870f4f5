"""PN532 frames, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LATE, NEED_MORE, NOISE
from protocols.fieldbus.pn532 import (
    ACK,
    CHIP,
    ERROR,
    HOST,
    LENGTH_MAX,
    WAKE_UP,
    Frame,
    Info,
    Refused,
    ResponseExpect,
    Short,
    command_frame,
    cut,
    ear,
    encode,
    response_frame,
)


def wire(text: str) -> bytes:
    return bytes.fromhex(text)


FRAMES: list[tuple[Frame, str]] = [
    (Short.ACK, "00 00 FF 00 FF 00"),
    (Short.NACK, "00 00 FF FF 00 00"),
    (Info(0x7F, b""), "00 00 FF 01 FF 7F 81 00"),
    (Info(HOST, wire("4A 01 00")), "00 00 FF 04 FC D4 4A 01 00 E1 00"),
    (Info(HOST, wire("02")), "00 00 FF 02 FE D4 02 2A 00"),
    (Info(CHIP, wire("15")), "00 00 FF 02 FE D5 15 16 00"),
    (Info(CHIP, wire("4B 01 01 00 04 08 04 DE AD BE EF")),
     "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 DE AD BE EF 96 00"),
    (Info(CHIP, wire("4B 00")), "00 00 FF 03 FD D5 4B 00 E0 00"),
    (Info(CHIP, wire("03 32 01 06 07")), "00 00 FF 06 FA D5 03 32 01 06 07 E8 00"),
    (Info(HOST, b"\x40\x01" + wire("00 A4 04 00 0E") + b"2PAY.SYS.DDF01\x00"),
     "00 00 FF 17 E9 D4 40 01 00 A4 04 00 0E 32 50 41 59 2E 53 59 53 2E 44 44 46 30 31 00 8F 00"),
    (Info(HOST, bytes(255)), "00 00 FF FF FF 01 00 FF D4" + "00" * 255 + "2C 00"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "text"), FRAMES)
def test_frames(frame: Frame, text: str) -> None:
    """The bytes of each; and without the 00 around them they are the same frame."""
    assert encode(frame) == wire(text)
    plain = encode(frame, plain=True)
    assert wire(text) == b"\x00" + plain + b"\x00"
    for data in (wire(text), plain):
        found = cut(bytearray(data))
        assert getattr(found, "frame", None) == frame


def test_the_wake_up_of_a_captured_dialogue() -> None:
    """55s and 00s before the first command, as every maker's example has them."""
    captured = wire("55 55 00 00 00 00 00 00 00 00 00 00 00 00 00 00 FF 03 FD D4 14 01 17 00")
    assert WAKE_UP + command_frame(b"\x14\x01") == captured
    chip = ear()
    chip.receive_data(captured)
    assert chip.next_event() == b"\x14\x01"
    expect = ResponseExpect(b"\x14\x01")
    assert expect.feed(wire("00 00 FF 00 FF 00 00 00 FF 02 FE D5 15 16 00")) == b""


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_response_comes_in_any_pieces(size: int) -> None:
    """ACK, then the response; nothing is thrown away, not even the 00 between them."""
    data = ACK + response_frame(wire("4B 01 01 00 04 08 04 DE AD BE EF"))
    expect = ResponseExpect(wire("4A 01 00"))
    found = [expect.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert [one for one in found if one is not NEED_MORE] == [wire("01 01 00 04 08 04 DE AD BE EF")]
    assert expect.discarded == {}


def test_a_response_before_the_ack_is_late() -> None:
    """It is of an earlier command, and may tell of a card that is gone; so after giving up, too."""
    gone, there = response_frame(wire("4B 01 01 00 04 08 04 DE AD BE EF")), response_frame(wire("4B 00"))
    expect = ResponseExpect(wire("4A 01 00"))
    assert expect.feed(gone) is NEED_MORE
    assert expect.feed(ACK) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.feed(gone + ACK + there) == b"\x00"
    assert expect.discarded[LATE] == 2 * (len(gone) - 1)


def test_what_is_not_the_response() -> None:
    """Our echo, another command's response, NACK; a refusal ends it."""
    expect = ResponseExpect(b"\x02")
    others = response_frame(wire("4B 00"))
    assert expect.feed(command_frame(b"\x02") + ACK + others + encode(Short.NACK)) is NEED_MORE
    assert set(expect.discarded) == {ECHO, FOREIGN}
    assert expect.feed(ERROR) is Refused.SYNTAX
    assert ResponseExpect(b"\x02").feed(ERROR) is NEED_MORE


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        ("00 00 FF 03 FD D5 4B 00 E1 00", CRC),
        ("00 00 FF 03 FE D5 4B 00 E0 00", NOISE),
        ("00 00 FF 00 00 D5 00", NOISE),  # seen from a chip that was not awake
        ("00 00 FF FF FF 01 0A F5 D5", NOISE),  # 266
        ("00 00 FF FF FF 00 00 00", NOISE),
        ("55 AA 00 11", NOISE),
    ],
)
def test_broken_frames_hide_none(broken: str, kind: str) -> None:
    """The next one is found, and every byte is counted, but for a 00 that may belong to either neighbour."""
    expect = ResponseExpect(wire("4A 01 00"))
    assert expect.feed(ACK + wire(broken) + wire("00 00 FF 03 FD D5 4B 00 E0 00")) == b"\x00"
    assert kind in expect.discarded
    assert abs(sum(expect.discarded.values()) - len(wire(broken))) <= 2


def test_a_length_that_is_wrong_does_not_swallow_the_next_frame() -> None:
    """An extended length of 255 over noise; silence, or the frame's end, brings what stood in it."""
    good = wire("00 00 FF 03 FD D5 4B 00 E0 00")
    expect = ResponseExpect(wire("4A 01 00"))
    assert expect.feed(ACK + wire("00 00 FF FF FF 00 FF 01") + good) is NEED_MORE
    assert expect.give_up() == b"\x00"
    expect = ResponseExpect(wire("4A 01 00"))
    assert expect.feed(ACK + wire("00 00 FF FF FF 00 FF 01") + good + bytes([1]) * 300) == b"\x00"


frames: st.SearchStrategy[Frame] = st.sampled_from(Short) | st.builds(
    Info, st.sampled_from([HOST, CHIP]), st.binary(min_size=1, max_size=LENGTH_MAX - 1)
)


@given(st.lists(frames, max_size=4), st.integers(1, 60), st.booleans())
def test_there_and_back(sent: list[Frame], size: int, plain: bool) -> None:
    """The chip hears the host's frames in any pieces, extended ones too, with and without the 00."""
    data = b"".join(encode(frame, plain=plain) for frame in sent)
    chip, heard = ear(), []
    for at in range(0, len(data), size):
        chip.receive_data(data[at : at + size])
        while (event := chip.next_event()) is not NEED_MORE:
            heard.append(event)
    assert heard == [frame if isinstance(frame, Short) else frame.data for frame in sent
                     if isinstance(frame, Short) or frame.tfi == HOST]  # fmt: skip
    assert chip.noise_bytes == 0


@given(
    st.lists(st.binary(max_size=30) | frames.map(encode) | st.sampled_from([b"\x00\x00\xff", b"\xff\xff"]), max_size=9)
)
def test_nothing_raises(chunks: list[bytes]) -> None:
    """Both ears survive anything; after silence the next command is heard."""
    chip, expect = ear(), ResponseExpect(b"\x02")
    for chunk in chunks:
        chip.receive_data(chunk)
        while chip.next_event() is not NEED_MORE:
            pass
        expect.feed(chunk)
    expect.give_up()
    while chip.silence() is not NEED_MORE:
        pass
    chip.receive_data(command_frame(b"\x02"))
    assert chip.next_event() == b"\x02"


def test_more_than_a_frame_holds_is_refused() -> None:
    """265 bytes with the TFI, and no more."""
    assert len(encode(Info(HOST, bytes(264)))) == 265 + 10
    with pytest.raises(ValueError, match="265"):
        encode(Info(HOST, bytes(265)))
