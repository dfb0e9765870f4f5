"""DNY frames, byte for byte, and whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.dny_frames import (
    DATA_MAX,
    DeviceType,
    Frame,
    Iccid,
    KeepAlive,
    cut,
    cut_tcp,
    device_id,
    device_kind,
    encode_frame,
    poll,
    printed_number,
)
from protocols.fieldbus.expect import CRC
from protocols.fieldbus.hunt import Bad, FrameReader, Sound

DUAL = 0x04AB373B
QUERY = bytes.fromhex("44 4E 59 09 00 3B 37 AB 04 01 00 81 97 02")
ICCID = b"89860413161892009275"

frames = st.builds(
    Frame,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 255),
    st.binary(max_size=DATA_MAX) | st.lists(st.sampled_from([b"DNY", b"link", b"89", b"\0"])).map(b"".join),
)


def read(*chunks: bytes, last: bool = True) -> tuple[list[Frame | Iccid | KeepAlive], int]:
    """What is found on TCP, and how many bytes are none of it."""
    reader, found, bad = FrameReader(cut_tcp), [], 0
    for end, chunk in enumerate(chunks, 1):
        reader.receive_data(chunk)
        while (each := reader.next_frame(last=last and end == len(chunks))) is not None:
            if isinstance(each, Sound):
                found.append(each.frame)
            else:
                bad += each.size
    return found, bad


def test_a_printed_frame() -> None:
    """Device, message id and command of the vendor's first example."""
    frame = Frame(DUAL, 1, 0x81)
    assert encode_frame(frame) == QUERY
    assert read(QUERY) == ([frame], 0)


def test_ids() -> None:
    """The vendor's own: 40 AA CE 04 has 13544000 on it; the examples' device is 11220795."""
    device = int.from_bytes(bytes.fromhex("40 AA CE 04"), "little")
    assert (device_kind(device), printed_number(device)) == (DeviceType.DUAL, 13_544_000)
    assert device_id(DeviceType.DUAL, 11_220_795) == DUAL
    for kind, number in ((4, 1 << 24), (256, 1), (4, -1)):
        with pytest.raises(ValueError, match="number"):
            device_id(kind, number)


def test_a_poll() -> None:
    """V2.9, clause 4.0: length 0A, device 0 or the time, message id 1 when ids are given, the virtual id."""
    assert encode_frame(poll(20)) == bytes.fromhex("44 4E 59 0A 00 00 00 00 00 00 00 00 14 09 01")
    assert poll(0, offline_at_s=0x5FA90E09, assigns=True) == Frame(0x5FA90E09, 1, 0, b"\0")
    for virtual_id in (-1, 50):
        with pytest.raises(ValueError, match="virtual"):
            poll(virtual_id)


def test_text_between_frames() -> None:
    """A SIM card's number first, then "link" in silence; joined to frames and broken anywhere."""
    stream = ICCID + QUERY + b"link" + b"link" + QUERY + b"link"
    frame = Frame(DUAL, 1, 0x81)
    expected = [Iccid(ICCID.decode()), frame, KeepAlive(), KeepAlive(), frame, KeepAlive()]
    assert read(stream) == (expected, 0)
    assert read(*(stream[at : at + 1] for at in range(len(stream))), last=False) == (expected, 0)


@pytest.mark.parametrize(
    "junk",
    [b"\0\xff", b"lin", b"8", b"8986041316189200927", b"8986 ", b"DN", b"DNX", b"DNY\x08\0", b"DNY\x01\x01", b"lDN"],
)
def test_behind_junk_the_next_frame_is_read(junk: bytes) -> None:
    """Also behind what began like a frame or text: lengths of 8 and 257 are none."""
    assert read(junk + QUERY) == ([Frame(DUAL, 1, 0x81)], len(junk))


def test_a_broken_frame_hides_none() -> None:
    """A wrong sum, and a length that is too long: the frame within is found."""
    broken = QUERY[:-1] + b"\x03"
    assert read(broken + QUERY) == ([Frame(DUAL, 1, 0x81)], len(broken))
    assert read(b"DNY\x20\0" + QUERY + QUERY) == ([Frame(DUAL, 1, 0x81)] * 2, 5)
    assert read(b"DNY\xf0\0" + QUERY) == ([Frame(DUAL, 1, 0x81)], 5)
    found = cut(bytearray(broken))
    assert found == Bad(len(broken), CRC)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(1 << 32, 1, 1),
        Frame(1, 1 << 16, 1),
        Frame(1, 1, 256),
        Frame(1, 1, 1, bytes(DATA_MAX + 1)),
        Frame(-1, 1, 1),
    ],
)
def test_what_no_frame_can_hold_is_refused(frame: Frame) -> None:
    """256 bytes from device to sum."""
    with pytest.raises(ValueError, match=r"DNY|range"):
        encode_frame(frame)


@given(st.lists(frames, max_size=4), st.integers(1, 60))
def test_there_and_back(sent: list[Frame], size: int) -> None:
    """Any frames in any pieces, on a line and on TCP."""
    wire = b"".join(map(encode_frame, sent))
    assert read(*(wire[at : at + size] for at in range(0, len(wire), size)), last=False) == (sent, 0)
    reader = FrameReader(cut)
    reader.receive_data(wire)
    assert [found.frame for _ in sent if isinstance(found := reader.next_frame(), Sound)] == sent


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([b"DNY", b"link", b"lin", ICCID, b"89", b"D", QUERY]), max_size=9)
)
def test_every_byte_is_accounted_for(chunks: list[bytes]) -> None:
    """Found or bad, nothing is lost, nothing raises."""
    sizes = {Iccid: 20, KeepAlive: 4}
    found, bad = read(*chunks, b"")
    seen = sum(len(encode_frame(each)) if isinstance(each, Frame) else sizes[type(each)] for each in found)
    assert seen + bad == sum(map(len, chunks))
