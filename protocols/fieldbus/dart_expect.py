"""DART: which of the frames on a line is the answer to what the master has just sent? For `drivers.line`."""

from __future__ import annotations

from collections.abc import Hashable

from protocols.fieldbus.dart_frames import Frame, FrameReader, encode_frame
from protocols.fieldbus.dart_link import Master
from protocols.fieldbus.expect import ECHO, FOREIGN, NEED_MORE, NeedMore


class DartExpect:
    """Finds the answer of `master`'s slave to `sent`; an `expect.Expect`."""

    def __init__(self, master: Master, sent: Frame) -> None:
        self.shape: Hashable = ("dart", master.address)  # a late answer looks like that to the next poll
        self._master = master
        self._sent = sent
        self._reader = FrameReader()
        self._sorted: dict[str, int] = {}

    @property
    def discarded(self) -> dict[str, int]:
        return {**self._reader.discarded, **self._sorted}

    def feed(self, data: bytes) -> Frame | NeedMore:
        """The answer. A block that breaks off is silent: the slave repeats it at the next poll."""
        for frame in self._reader.feed(data):
            if self._master.answers(self._sent, frame):
                return frame
            kind = ECHO if frame == self._sent else FOREIGN
            self._sorted[kind] = self._sorted.get(kind, 0) + len(encode_frame(frame))
        return NEED_MORE

    def give_up(self) -> Frame | NeedMore:
        self._reader.silence()
        return NEED_MORE
