"""How is a frame that says where it ends found in whatever arrives?

For protocols whose frames have a head, a length and a check sum. Such a protocol gives one function, its `Cut`; the
gateway's ear (`FrameExpect`) and the device's (`Ear`) are the same for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from protocols.fieldbus.expect import CRC, ECHO, NEED_MORE, NOISE, Expect, NeedMore

F = TypeVar("F")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Sound(Generic[F]):
    """A frame whose check sum is right. raw: its bytes."""

    raw: bytes
    frame: F


@dataclass(frozen=True, slots=True)
class Bad:
    """The first `size` bytes, at least one, are no frame. kind: NOISE or CRC."""

    size: int
    kind: str = NOISE


Cut = Callable[[bytearray], Sound[F] | Bad | None]
"""What stands at the beginning of a buffer that is not empty. None: more is needed. It says None only while a longest
frame may still be on its way, so that a buffer never grows beyond that."""


class FrameReader(Generic[F]):
    """Bytes in, frames out."""

    def __init__(self, cut: Cut[F]) -> None:
        self._cut = cut
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def next_frame(self, *, last: bool = False) -> Sound[F] | Bad | None:
        """The next frame, or what stands before it. None: more is needed.

        last: no more will come. So what only begins like a frame is none, and one may stand behind its beginning.
        """
        if not self._buffer:
            return None
        found = self._cut(self._buffer)
        if found is None and last:
            found = Bad(1)
        if found is not None:
            del self._buffer[: len(found.raw) if isinstance(found, Sound) else found.size]
        return found


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sound frame that is not the answer. kind: FOREIGN, LENGTH or LATE."""

    kind: str


class FrameExpect(Expect[R], Generic[F, R]):
    """Finds the answer to one question; an `expect.Expect`. Never raises on anything that comes off a wire."""

    def __init__(
        self, cut: Cut[F], judge: Callable[[F], R | NeedMore | Wrong], shape: Hashable, asked: bytes = b""
    ) -> None:
        """judge: the answer in a frame; NEED_MORE when it is only a part of it. asked: as sent, to know its echo."""
        self._discarded: dict[str, int] = {}
        self._reader = FrameReader(cut)
        self._judge = judge
        self._shape = shape
        self._asked = asked

    @property
    def discarded(self) -> dict[str, int]:
        return self._discarded

    @property
    def shape(self) -> Hashable:
        return self._shape

    def feed(self, data: bytes) -> R | NeedMore:
        self._reader.receive_data(data)
        return self._look(last=False)

    def give_up(self) -> R | NeedMore:
        """No more will come. An answer behind noise that looked like a frame's beginning is given now."""
        return self._look(last=True)

    def _look(self, *, last: bool) -> R | NeedMore:
        while (found := self._reader.next_frame(last=last)) is not None:
            if isinstance(found, Bad):
                self.count(found.kind, found.size)
            elif found.raw == self._asked:
                self.count(ECHO, len(found.raw))
            else:
                judged = self._judge(found.frame)
                if isinstance(judged, Wrong):
                    self.count(judged.kind, len(found.raw))
                elif judged is not NEED_MORE:
                    return judged
        return NEED_MORE

    def count(self, kind: str, size: int) -> None:
        """Note `size` bytes as thrown away."""
        self._discarded[kind] = self._discarded.get(kind, 0) + size


class Ear(Generic[F, R]):
    """A device's ear: the requests that are meant for it."""

    def __init__(self, cut: Cut[F], mine: Callable[[F], R | None]) -> None:
        """mine: the request in a frame. None: it is for another, or no request."""
        self.noise_bytes = 0
        self._reader = FrameReader(cut)
        self._mine = mine

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._reader.receive_data(data)

    def next_event(self) -> R | NeedMore:
        """The next whole request to this device."""
        return self._next(last=False)

    def silence(self) -> R | NeedMore:
        """The line was quiet: a frame begun is a frame lost. Gives a request that stood behind noise."""
        return self._next(last=True)

    def _next(self, *, last: bool) -> R | NeedMore:
        while (found := self._reader.next_frame(last=last)) is not None:
            if isinstance(found, Bad):
                self.noise_bytes += found.size
            elif (request := self._mine(found.frame)) is not None:
                return request
        return NEED_MORE


def damaged(buffer: bytearray, size: int, head: re.Pattern[bytes]) -> Bad:
    """A frame of `size` bytes with a wrong check sum. Its length may be wrong too: it ends where another may begin."""
    again = head.search(buffer, 1, size)
    return Bad(again.start() if again else size, CRC)


def sum8(data: bytes | bytearray) -> int:
    """The low byte of the sum."""
    return sum(data) & 0xFF
