"""The twins of a shop front in a process of their own, which know when each lock was pulsed and each port started.

`python -m bench.shop_twins NAME` serves one of `bench.shop_front.FRONTS`, or nothing for `none`, until its input ends.
It says where its lines are; then each line on stdin is a command, and is answered with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from bench.processes import Child, python
from bench.shop_front import FRONTS
from drivers.loop import new_event_loop
from drivers.twins.cabinets.config import ShopConfig
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.ledger import Pulsed
from drivers.twins.ports.battery import Battery
from drivers.twins.ports.board import Event, Happened, PortWorld
from drivers.twins.ports.dny import DnyTwin
from drivers.twins.ports.wire import DnyCaller
from protocols.fieldbus.dny_frames import DeviceType, device_id

BOARD: Final = 11_220_795
PORTS: Final = 10


class ShopTwins(Child):
    """That process, as a benchmark has it. lines: where each one is. Times are of CLOCK_MONOTONIC, which all share."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(python("-m", "bench.shop_twins", name), folder / f"{name}.log")
        self.lines: dict[str, str] = self._said()

    def stats(self) -> dict[str, dict[str, int]]:
        """What passed on each line: `WireStats`."""
        found: dict[str, dict[str, int]] = self._do("stats")
        return found

    def pulses(self) -> list[tuple[str, int, float]]:
        """(cabinet, slot, when in s) of every lock that was pulsed since this was asked last."""
        return [(cabinet, slot, at_s) for cabinet, slot, at_s in self._do("pulses")]

    def shut(self, cabinet: str, slot: int) -> None:
        """Somebody pushes a door shut."""
        self._do("shut", cabinet, slot)

    def call(self, port: int) -> None:
        """A DNY board with something plugged into each outlet connects to a gateway."""
        self._do("call", port)

    def starts(self) -> list[tuple[int, float]]:
        """(port, when in s) of every port that was started since this was asked last."""
        return [(port, at_s) for port, at_s in self._do("starts")]

    def _do(self, *command: object) -> Any:
        self.tell(json.dumps(command))
        return self._said()

    def _said(self) -> Any:
        return json.loads(self.line())


class World:
    """What serves, and what it has noted."""

    def __init__(self, front: ShopFront, end: AsyncExitStack) -> None:
        self._front = front
        self._end = end
        self._starts: list[tuple[int, float]] = []

    async def obey(self, what: str, *more: Any) -> Any:
        match what:
            case "stats":
                return {name: _stats(line.stats) for name, line in self._front.lines.items()}
            case "pulses":
                return self._pulses()
            case "shut":
                self._front.shop.catch_up()
                return self._front.shop.shut(more[0], more[1], "somebody")
            case "call":
                return await self._call(more[0])
            case "starts":
                starts, self._starts = self._starts, []
                return starts
        raise ValueError(f"{what} is no command")

    def _pulses(self) -> list[tuple[str, int, float]]:
        """The world tells its own time, which is at the wall clock's once it has caught up."""
        shop = self._front.shop
        shop.catch_up()
        began_s = time.monotonic() - shop.now_ms / 1000
        noted = [one for one in shop.ledger.movements if isinstance(one, Pulsed)]
        shop.ledger.movements.clear()
        return [(one.cabinet, one.slot, began_s + one.at_ms / 1000) for one in noted]

    async def _call(self, port: int) -> int:
        world = PortWorld(PORTS)
        for outlet in world.outlets:
            world.plug(outlet, Battery.usual(room_wh=100_000))
        world.listeners.append(self._note_start)
        twin = DnyTwin(world, device_id(DeviceType.PORTS_10, BOARD))
        await self._end.enter_async_context(DnyCaller(twin, "127.0.0.1", port))
        return BOARD

    def _note_start(self, event: Event) -> None:
        if event.what is Happened.STARTED and event.port is not None:
            self._starts.append((event.port, time.monotonic()))


def _stats(stats: Any) -> dict[str, int]:
    return {name: getattr(stats, name) for name in ("requests", "answers", "wire_us", "late_us")}


async def serve(name: str) -> None:
    config = FRONTS[name]() if name in FRONTS else ShopConfig()
    async with AsyncExitStack() as end:
        front = await end.enter_async_context(ShopFront(config))
        world = World(front, end)
        _say({line: one.port for line, one in front.lines.items()})
        async for line in _commands():
            _say(await world.obey(*json.loads(line)))


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


async def _commands() -> AsyncIterator[bytes]:
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    while line := await stream.readline():
        yield line


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(sys.argv[1]))
