"""What does a reader say that prints a line for every card? Ended by CR, LF or both.

STX and ETX around a line, as some readers have them, are no part of it. (facts: cabinets 8.)
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from drivers.readers.config import ReaderSetup
from drivers.readers.listen import heard
from drivers.readers.port import opened
from protocols.fieldbus.expect import NeedMore
from protocols.fieldbus.hunt import Bad, Ear, Sound

LINE_MAX: Final = 700
"""Longest line in bytes; anything longer is noise. A code of a grant and a start has some 450."""

_END: Final = re.compile(rb"[\r\n\x03]+")
_PADDING: Final = " \t\0\x02"


async def lines(setup: ReaderSetup) -> AsyncGenerator[str | None, None]:
    """A `reader.Driver`: each line. It says nothing of its health but what its port does."""
    async with opened(setup) as port:
        yield None
        saying = heard(port, LineEar())
        async with aclosing(saying) as said:
            async for line in said:
                yield line


class LineEar(Ear[str, str]):
    """Lines that are not empty. Characters that are no ASCII show as U+FFFD."""

    def __init__(self) -> None:
        self._cut = _LineCut()
        super().__init__(self._cut, lambda line: line or None)  # an empty line is the second half of CR LF

    def silence(self) -> str | NeedMore:
        """What was begun is lost, and what comes next is a new line."""
        found = super().silence()
        self._cut.overlong = False
        return found


class _LineCut:
    """A `hunt.Cut`. overlong: the rest of such a line is still to come."""

    def __init__(self) -> None:
        self.overlong = False

    def __call__(self, buffer: bytearray) -> Sound[str] | Bad | None:
        end = _END.search(buffer, 0, LINE_MAX + 1)
        if end is None:
            if len(buffer) <= LINE_MAX:
                return None
            self.overlong = True
            return Bad(LINE_MAX)
        raw = bytes(buffer[: end.end()])
        overlong, self.overlong = self.overlong, False
        if overlong:
            return Bad(len(raw))
        return Sound(raw, raw[: end.start()].decode("ascii", "replace").strip(_PADDING))
