"""Lines of readers, whatever arrives: nothing raises, nothing is hoarded, and pieces make no difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.readers.text import LINE_MAX, LineEar
from protocols.fieldbus.expect import NEED_MORE

NOISE = st.binary(max_size=60) | st.sampled_from([b"\r\n", b"x" * 400, b"\x02", b"\x03"])


def lines(ear: LineEar) -> list[str]:
    said = []
    while (line := ear.next_event()) is not NEED_MORE:
        assert isinstance(line, str)
        said.append(line)
    return said


@given(st.lists(NOISE, max_size=20))
def test_in_pieces_or_whole(chunks: list[bytes]) -> None:
    """The same lines."""
    whole, pieces = LineEar(), LineEar()
    whole.receive_data(b"".join(chunks))
    said = []
    for chunk in chunks:
        pieces.receive_data(chunk)
        said += lines(pieces)
        assert len(pieces._reader._buffer) <= LINE_MAX
    assert [line.strip() for line in said] == [line.strip() for line in lines(whole)]


@given(st.lists(NOISE, max_size=10))
def test_a_card_after_anything(chunks: list[bytes]) -> None:
    """A silence ends whatever was begun: the next line is whole."""
    ear = LineEar()
    for chunk in chunks:
        ear.receive_data(chunk)
        lines(ear)
    while ear.silence() is not NEED_MORE:
        pass
    ear.receive_data(b"6222-0001\r\n")
    assert lines(ear) == ["6222-0001"]
