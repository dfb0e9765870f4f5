"""How is a reader heard that speaks unasked? Bytes in, what was said out; what was only begun is dropped in silence."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, TypeVar

from drivers.readers.port import ReaderPort
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.hunt import Ear

F = TypeVar("F")
R = TypeVar("R")

QUIET_S: Final = 1.0  # readers send what they say in one go; what is half there after so long will never be whole


async def heard(port: ReaderPort, ear: Ear[F, R], beat_s: float | None = None) -> AsyncGenerator[R | None, None]:
    """What is said, until the port's end. None: nothing was, for `beat_s`. Raises LineDown."""
    pending = False
    while (data := await port.read(QUIET_S if pending else beat_s)) != b"":
        if data is None and not pending:
            yield None
            continue
        if data is not None:
            ear.receive_data(data)
        pending = data is not None
        while (said := ear.next_event() if pending else ear.silence()) is not NEED_MORE:
            yield said
