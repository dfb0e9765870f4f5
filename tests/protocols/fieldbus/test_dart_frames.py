"""DART frames, byte for byte, and whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dart_frames import Control, Frame, FrameReader, crc16_arc, encode_frame
from protocols.fieldbus.expect import CRC, NOISE

addresses = st.integers(0x50, 0xCF)
frames = st.one_of(
    st.builds(
        Frame, addresses, st.sampled_from([kind for kind in Control if kind is not Control.DATA]), st.integers(0, 15)
    ),
    st.builds(Frame, addresses, st.just(Control.DATA), st.integers(0, 15), st.binary(max_size=100)),
)


def read(text: str) -> list[Frame]:
    return FrameReader().feed(bytes.fromhex(text))


def test_the_crc_has_the_check_value_of_crc_16_arc() -> None:
    """The vendor's text calls it CCITT; every real frame is ARC."""
    assert crc16_arc(b"123456789") == 0xBB3D
    assert crc16_arc(bytes.fromhex("51 35 01 01 00")) == 0x50A2
    assert crc16_arc(bytes.fromhex("51 35 01 01 00 A2 50")) == 0


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame(0x50, Control.POLL), "50 20 FA"),
        (Frame(0x50, Control.EOT), "50 70 FA"),
        (Frame(0x50, Control.ACK, 5), "50 C5 FA"),
        (Frame(0x53, Control.NAK, 4), "53 54 FA"),
        (Frame(0x52, Control.ACKPOLL, 7), "52 E7 FA"),
        (Frame(0x52, Control.IAP), "52 40 FA"),
    ],
)
def test_short_frames(frame: Frame, text: str) -> None:
    """Address, kind and number, FA."""
    assert encode_frame(frame) == bytes.fromhex(text)
    assert read(text) == [frame]


@pytest.mark.parametrize(
    ("address", "number", "data", "text"),
    [
        (0x53, 0, "05 03 00 01 25", "53 30 05 03 00 01 25 6A 10 FA 03 FA"),
        (0x50, 0, "03 04 00 00 31 89", "50 30 03 04 00 00 31 89 10 10 FA 03 FA"),
        (0x50, 6, "03 04 00 00 83 09", "50 36 03 04 00 00 83 09 03 10 FA 03 FA"),
        (0x53, 0, "05 03 00 00 83", "53 30 05 03 00 00 83 EB 10 03 FA"),
    ],
    ids=["CRC 6A FA", "CRC 10 FA", "CRC 03 FA looks like the end", "CRC EB 10 escapes nothing"],
)
def test_stuffing_is_decided_on_raw_bytes(address: int, number: int, data: str, text: str) -> None:
    """The four edge cases of the CRC."""
    frame = Frame(address, Control.DATA, number, bytes.fromhex(data))
    assert encode_frame(frame) == bytes.fromhex(text)
    assert read(text) == [frame]
    reader = FrameReader()
    assert [found for byte in bytes.fromhex(text) for found in reader.feed(bytes([byte]))] == [frame]


@given(st.lists(frames, max_size=5), st.integers(1, 40))
def test_what_is_sent_is_read_in_any_pieces(sent: list[Frame], size: int) -> None:
    """Round trip, with data full of FA, 10 and 03 too."""
    wire = b"".join(encode_frame(frame) for frame in sent)
    reader = FrameReader()
    heard = [frame for at in range(0, len(wire), size) for frame in reader.feed(wire[at : at + size])]
    assert heard == sent
    assert reader.discarded == {}


@given(st.binary(max_size=600))
def test_the_reader_never_raises(noise: bytes) -> None:
    """Whatever comes off a wire."""
    reader = FrameReader()
    found = reader.feed(noise)
    reader.silence()
    assert all(frame.address >= 0x50 for frame in found)


@given(st.binary(max_size=300), frames)
def test_after_noise_and_silence_the_next_frame_is_read(noise: bytes, frame: Frame) -> None:
    """Silence ends whatever was begun."""
    reader = FrameReader()
    reader.feed(noise)
    reader.silence()
    assert reader.feed(encode_frame(frame)) == [frame]


@given(st.binary(min_size=1, max_size=20).filter(lambda noise: b"\xfa" not in noise and noise[-1] != 0x10), frames)
def test_noise_right_before_a_frame_is_thrown_away(noise: bytes, frame: Frame) -> None:
    """An adapter that turns around adds a byte or two; a DATA block is known by its CRC."""
    reader = FrameReader()
    found = reader.feed(noise + encode_frame(frame))
    assert found[-1:] == [frame]
    assert reader.discarded == {NOISE: len(noise)}


def test_a_broken_block_is_counted_and_not_read() -> None:
    """One bit wrong, and there is no frame; the one behind it is read."""
    reader = FrameReader()
    assert reader.feed(bytes.fromhex("51 35 01 01 01 A2 50 03 FA 51 70 FA")) == [Frame(0x51, Control.EOT)]
    assert reader.discarded == {CRC: 9}


def test_a_frame_behind_endless_noise_is_read() -> None:
    """The reader keeps no more than the longest block."""
    reader = FrameReader()
    assert reader.feed(b"\x55" * 10_000 + bytes.fromhex("51 35 01 01 00 A2 50 03 FA")) != []
    assert reader.discarded == {NOISE: 10_000}


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x50, Control.DATA, 0, bytes(251)),
        Frame(0x50, Control.DATA, 0, b"\xfa" * 126),
        Frame(0x50, Control.ACK, 16),
        Frame(0x50, Control.ACK, 0, b"x"),
        Frame(0xFA, Control.POLL),
    ],
)
def test_what_no_frame_can_hold_is_refused(frame: Frame) -> None:
    """256 bytes as it travels, numbers 0 to 15."""
    with pytest.raises(ValueError, match=r"got|no data"):
        encode_frame(frame)


def test_the_longest_block_travels() -> None:
    """256 bytes and no more."""
    frame = Frame(0x50, Control.DATA, 0, bytes(250))
    assert len(encode_frame(frame)) == 256
    assert FrameReader().feed(encode_frame(frame)) == [frame]
