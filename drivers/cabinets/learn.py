"""How is a slot watched around a pulse, so that `evidence` can judge how it is wired?"""

from __future__ import annotations

import asyncio
from typing import Final

from drivers.cabinets.cabinet import BoardCabinet
from drivers.cabinets.evidence import LOOKS, Look
from drivers.errors import DeviceError

EVERY_S: Final = 0.2
OPENS_WITHIN_S: Final = 4.0  # a spring needs that long; cabinets repeat a pulse after it


async def look(cabinet: BoardCabinet, slot: int) -> Look:
    """Ask the boards of the lock and of the door now."""
    wired = cabinet.wired[slot]
    lock, door = wired.lock, wired.door_open
    boards = list(dict.fromkeys(wire.board for wire in (lock, door) if wire is not None))
    done = await asyncio.gather(*(board.refresh() for board in boards), return_exceptions=True)
    for error in done:
        if error is not None and not isinstance(error, DeviceError):
            raise error
    answered = {board for board, error in zip(boards, done, strict=True) if error is None}
    return Look(
        contact=lock.board.contact(lock.ref.channel).value if lock.board in answered else None,
        door=door.board.input(door.ref.channel).value if door is not None and door.board in answered else None,
    )


async def looks(cabinet: BoardCabinet, slot: int, count: int = LOOKS) -> list[Look]:
    """Several, EVERY_S apart."""
    seen: list[Look] = []
    for nth in range(count):
        if nth:
            await asyncio.sleep(EVERY_S)
        seen.append(await look(cabinet, slot))
    return seen


async def looks_after(
    cabinet: BoardCabinet, slot: int, before: Look, opens_within_s: float = OPENS_WITHIN_S
) -> list[Look]:
    """After a pulse: until something is steadily other than `before`, or the door has had its time."""
    loop, seen = asyncio.get_running_loop(), [await look(cabinet, slot)]
    until = loop.time() + opens_within_s
    while True:
        end = seen[-LOOKS:]
        moved = len(end) == LOOKS and set(end) != {before} and len(set(end)) == 1
        if moved or (len(end) == LOOKS and loop.time() >= until):
            return seen
        await asyncio.sleep(EVERY_S)
        seen.append(await look(cabinet, slot))
