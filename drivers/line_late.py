"""Which answers may still come although their time is up, and must not be taken for those of other requests?

RTU says neither which address nor which request an answer belongs to. So after a time-out no request of the same shape
(unit and function) is sent, by whichever device of ours, until its answer has come late or can be expected no more.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import inf
from typing import Any

from drivers.line_state import LineState
from protocols.fieldbus.expect import NEED_MORE, Expect


@dataclass(frozen=True, slots=True)
class _Late:
    device: LineState
    expect: Expect[Any]
    until: float  # loop time


class LateAnswers:
    """The requests of one line that timed out a short while ago."""

    def __init__(self) -> None:
        self._by_shape: dict[Hashable, _Late] = {}

    def may_come(self, device: LineState, expect: Expect[Any], until: float) -> None:
        """`device` has not answered in time; its answer may come up to `until`. Of no concern where it can be told."""
        if expect.shape is not None:
            self._by_shape[expect.shape] = _Late(device, expect, until)

    def over_at(self, shape: Hashable) -> float:
        """When a request of this shape may be sent."""
        late = self._by_shape.get(shape)
        return -inf if late is None else late.until

    def forget(self, shape: Hashable) -> None:
        """A request of this shape was answered; whatever was late before it is not to come any more."""
        self._by_shape.pop(shape, None)

    def clear(self) -> None:
        """The port was closed: nothing comes any more."""
        self._by_shape.clear()

    def hear(self, data: bytes, now: float) -> bool:
        """Bytes came that nobody waits for. True: a late answer is complete, and its shape is free again."""
        heard = False
        for shape, late in list(self._by_shape.items()):
            if now >= late.until:
                del self._by_shape[shape]
            elif late.expect.feed(data) is not NEED_MORE:
                late.device.count("late")
                del self._by_shape[shape]
                heard = True
        return heard
