"""DNY on a bad line: round trips of anything, and no error on any bytes."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus import dny_board, dny_platform
from protocols.fieldbus.dny import DnyExpect, PlatformSide, board_ear, board_ear_tcp, said_by_board, said_by_platform
from protocols.fieldbus.dny_fields import Counted, Form, Number, Raw, decode, encode
from protocols.fieldbus.dny_frames import Frame, encode_frame, poll
from protocols.fieldbus.expect import NEED_MORE

KINDS = sorted(
    {*dny_board.REPORTS.values(), *dny_board.ANSWERS.values(), *dny_platform.REQUESTS.values(),
     *dny_platform.ANSWERS.values()},
    key=lambda kind: kind.__name__,
)  # fmt: skip


def form(hint: Any) -> Form:
    parts = (hint, *typing.get_args(hint))
    return typing.cast(Form, next(part.__metadata__[0] for part in parts if hasattr(part, "__metadata__")))


def values(of: Form) -> st.SearchStrategy[Any]:
    match of:
        case Number(size, step):
            return st.integers(0, 256**size - 1).map(lambda steps: steps * step)
        case Raw(size):
            return st.binary(min_size=size, max_size=size)
        case Counted():
            return st.binary(max_size=40)
        case _:
            return st.none() | st.integers(-64, 190)


def messages(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of a kind, with any number of its newest fields missing."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = dataclasses.fields(kind)
    needed = sum(field.default is not None for field in fields)
    return st.integers(needed, len(fields)).flatmap(
        lambda count: st.builds(kind, *(values(form(hints[field.name])) for field in fields[:count]))
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.rpartition('_')[2]}.{kind.__name__}")
@given(st.data())
def test_messages_there_and_back(kind: type[Any], data: st.DataObject) -> None:
    """Any message, and behind it whatever a later version adds after its last field."""
    message = data.draw(messages(kind))
    assert decode(kind, encode(message)) == message


@given(st.sampled_from(sorted({*dny_board.REPORTS, *dny_platform.REQUESTS, 0, 1})), st.binary(max_size=80))
def test_any_data_is_a_message_or_none(command: int, data: bytes) -> None:
    """And a message has these data, as far as they are known."""
    for said in (said_by_board, said_by_platform):
        message = said(Frame(1, 1, command, data))
        assert message is None or data.startswith(encode(message))


@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from([b"link", b"89860413161892009275", b"DNY\x0a\0", encode_frame(poll(3))])
        | st.builds(Frame, st.just(5), st.just(1), st.integers(0, 255), st.binary(max_size=40)).map(encode_frame),
        max_size=10,
    )
)
def test_noise_never_raises(data: list[bytes]) -> None:
    """All ears survive anything; what the line's throws away is counted to the byte, unless it found something."""
    side, ears = PlatformSide(), (board_ear(5, 3), board_ear_tcp(5))
    asked = side.ask(5, dny_platform.Reboot())
    expects = (DnyExpect(asked), DnyExpect(poll(3)))
    for chunk in data:
        side.receive_data(chunk)
        while side.next_event() is not NEED_MORE:
            pass
        for ear in ears:
            ear.receive_data(chunk)
            while ear.next_event() is not NEED_MORE:
                pass
    for expect in expects:
        answers = [*map(expect.feed, data), expect.give_up()]
        if all(found is NEED_MORE for found in answers):
            kept = sum(len(encode_frame(frame)) for frame in expect.reports)
            assert kept + sum(expect.discarded.values()) == sum(map(len, data))
