"""How is a GM65 scanner of QR codes served? It is set to plain text once, and asked now and then whether it lives.

Scanners obey printed setup codes: shut those off when commissioning (docs/readers.md).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from drivers.errors import Silent
from drivers.readers.config import ReaderSetup
from drivers.readers.dialogue import ask
from drivers.readers.listen import heard
from drivers.readers.port import ReaderPort, opened
from protocols.fieldbus.gm65 import TAIL, AskAlive, Code, Keep, Question, Read, Write, ear, expect, request_frame

BEAT_S: Final = 10.0  # so the maker, and that a scanner is dead after three without an answer
BEATS_MISSED_MAX: Final = 3

_END_OF_LINE: Final = 0x01  # bits of the setting TAIL
_FRAMED: Final = 0x80


async def codes(setup: ReaderSetup) -> AsyncGenerator[str | None, None]:
    """A `reader.Driver`. Raises Silent for a scanner that does not answer."""
    async with opened(setup) as port:
        if setup.setup:
            await _set_up(port)
        yield None
        missed = 0
        saying = heard(port, ear(), BEAT_S)
        async with aclosing(saying) as said:
            async for one in said:
                if one is None and missed >= BEATS_MISSED_MAX:
                    raise Silent(f"no sign of life for {missed * BEAT_S:g} s", where=port.where)
                if one is None:
                    missed += 1
                    port.write(request_frame(AskAlive()))
                    continue
                missed = 0
                yield one.data.decode("ascii", "replace") if isinstance(one, Code) else None


async def _set_up(port: ReaderPort) -> None:
    """Plain text with an end of line. It is kept over power-off only when it was another, for that wears its flash."""
    (tail,) = await _ask(port, Read(TAIL))
    wanted = tail & ~_FRAMED | _END_OF_LINE
    if tail != wanted:
        await _ask(port, Write(TAIL, bytes((wanted,))))
        await _ask(port, Keep())


async def _ask(port: ReaderPort, question: Question) -> bytes:
    return await ask(port, request_frame(question), expect(question))
