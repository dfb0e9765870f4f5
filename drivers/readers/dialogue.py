"""How is a reader asked something on its port, and its answer found?"""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from drivers.errors import LineDown, Silent
from drivers.readers.port import ReaderPort
from protocols.fieldbus.expect import NEED_MORE, Expect

R = TypeVar("R")

ANSWER_S: Final = 0.5
TRIES: Final = 3


async def ask(port: ReaderPort, frame: bytes, expect: Expect[R], *, before: bytes = b"") -> R:
    """What `expect` finds. before: said before the frame each time, to wake it. Raises Silent or LineDown."""
    loop = asyncio.get_running_loop()
    for _ in range(TRIES):
        port.write(before + frame)
        until = loop.time() + ANSWER_S
        while (left_s := until - loop.time()) > 0:
            data = await port.read(left_s)
            if data == b"":
                raise LineDown("the port is at its end", where=port.where)
            if data is not None and (answer := expect.feed(data)) is not NEED_MORE:
                return answer
        if (answer := expect.give_up()) is not NEED_MORE:
            return answer
    raise Silent(
        f"no answer, {TRIES} times within {ANSWER_S:g} s",
        where=port.where,
        remedy="Check its supply, that TX and RX are crossed, and `kind` and `baud` in config.",
    )
