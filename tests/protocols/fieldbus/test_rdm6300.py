"""What an RDM6300 says, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.card_number import EM4100_DECIMAL, EM4100_FACILITY, credential, say
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.rdm6300 import FRAME_MAX, Tag, ear, encode

tags = st.builds(Tag, st.integers(0, 255), st.integers(0, 0xFFFF_FFFF))


def heard(*chunks: bytes) -> tuple[list[Tag], int]:
    """Tags, and bytes of noise."""
    listener, found = ear(), []
    for chunk in chunks:
        listener.receive_data(chunk)
        while isinstance(event := listener.next_event(), Tag):
            found.append(event)
        assert len(listener._reader._buffer) < FRAME_MAX
    return found, listener.noise_bytes


@pytest.mark.parametrize(
    ("tag", "frame", "printed"),
    [
        (Tag(0x01, 0x000734E0), "02 30 31 30 30 30 37 33 34 45 30 44 32 03", "0000472288"),
        (Tag(0x62, 0xE3086CED), "02 36 32 45 33 30 38 36 43 45 44 30 38 03", "3808980205"),
    ],
)
def test_tags(tag: Tag, frame: str, printed: str) -> None:
    """As captured: the frame, whole or byte by byte, and what stands on the tag."""
    wire = bytes.fromhex(frame)
    assert encode(tag) == wire
    assert heard(wire) == ([tag], 0)
    assert heard(*(bytes([byte]) for byte in wire)) == ([tag], 0)
    assert say(tag.card, EM4100_DECIMAL) == printed


def test_the_three_names_of_one_tag() -> None:
    """A serial reader's, a decimal one's and access control's."""
    card = Tag(0x01, 0x000734E0).card
    assert credential(card) == "01000734E0"
    assert say(card, EM4100_FACILITY) == "007,13536"


@given(st.lists(tags, max_size=6), st.integers(1, 20), st.booleans())
def test_what_is_said_is_heard_in_any_pieces(said: list[Tag], size: int, id12: bool) -> None:
    """Repeats too, in the ID-12 family's form as well."""
    wire = b"".join(encode(tag, id12=id12) for tag in said)
    assert heard(*(wire[at : at + size] for at in range(0, len(wire), size))) == (said, 0)


@pytest.mark.parametrize(
    "broken",
    [
        b"\x02010007 34E0D2\x03",
        b"\x0201000734E0D3\x03",
        b"\x0201000734E0D2\x02",
        b"\x0201000734E0D2\r\x03",
        b"\x0201000734E0\x03",
        b"\x020100073\x02",
        b"01000734E0D2\x03",
        b"\xff\x00\r\n",
    ],
)
def test_a_broken_frame_is_no_tag_and_hides_none(broken: bytes) -> None:
    """What follows it is heard, and nothing is counted twice."""
    tag = Tag(0x62, 0xE3086CED)
    found, noise = heard(broken, encode(tag))
    assert found == [tag]
    assert noise == len(broken)


@given(st.lists(st.binary(max_size=20) | tags.map(encode) | st.sampled_from([b"\x02", b"\x0201", b"\x03"]), max_size=9))
def test_nothing_raises(chunks: list[bytes]) -> None:
    """After silence a tag is heard, whatever came before."""
    listener = ear()
    for chunk in chunks:
        listener.receive_data(chunk)
        while listener.next_event() is not NEED_MORE:
            pass
    while listener.silence() is not NEED_MORE:
        pass
    tag = Tag(1, 2)
    listener.receive_data(encode(tag))
    assert listener.next_event() == tag
