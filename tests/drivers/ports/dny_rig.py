"""A simulated DNY board and its driver, joined by a TCP connection or a paced pty; what both share in tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from drivers.errors import DeviceFault, Transient
from drivers.line import Line, LineConfig
from drivers.port_board import PortOrder, PortState, PortStatus, Settlement, order_number
from drivers.ports.config import ListenerConfig, PortBoardConfig
from drivers.ports.dny import DnyBoard
from drivers.ports.listener import Listener
from drivers.ports.registry import build_listener, build_port_board
from drivers.twins.ports.battery import Battery
from drivers.twins.ports.board import PortWorld
from drivers.twins.ports.dny import DnyTwin, Pace
from drivers.twins.ports.faults import PortFault, PortFaultKind, PortFaults
from drivers.twins.ports.wire import DnyCaller, DnyLine

PATIENCE_S = 15.0  # no test waits so long; it is what a broken one takes to fail
NUMBER = 11_220_795
DEVICE = 0x05AB373B  # the same of a board with ten ports
UNIX_MS = 1_790_000_000_000
FAST: dict[str, Any] = {"gap_s": 0.0, "answer_s": 0.3, "heartbeat_s": 1, "poll_s": 0.02, "poll_answer_s": 0.06}
QUICK = Pace(heartbeat_s=1, power_s=300, repeat_s=1800)  # of the world's time
SPEED = 100

Via = Literal["tcp", "line"]
BOTH = pytest.mark.parametrize("via", ["tcp", "line"])


def number(seq: int) -> bytes:
    return order_number(3, seq)


def order(seq: int = 1, kind: Literal["time", "energy", "full"] = "full", limit: int = 0, **more: Any) -> PortOrder:
    return PortOrder(number(seq), kind, limit, **more)


async def until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives, once that is true."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if found := condition():
                return found
            await asyncio.sleep(0.005)


@dataclass
class Plant:
    """What a test holds: the till's end, the board's end, and what is between them."""

    driver: DnyBoard
    twin: DnyTwin
    world: PortWorld
    way: DnyCaller | DnyLine
    listener: Listener | None = None
    line: Line | None = None

    def fault(self, kind: PortFaultKind, count: int | None = 1, amount: int | None = None, port: int = 1) -> None:
        self.twin.faults.set(PortFault(kind=kind, count=count, amount=amount, port=port))

    def plug(self, port: int = 1, battery: Battery | None = None) -> None:
        self.world.plug(port, Battery.usual() if battery is None else battery)

    def status(self, port: int = 1) -> PortStatus | None:
        return self.driver.status()[port].value

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What `condition` gives, once that is true."""
        return await until(condition)

    async def until_state(self, state: PortState, port: int = 1) -> PortStatus:
        """Ask until the port is so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Transient):
                    status = (await self.driver.read_status(port)).value
                    if status is not None and status.state is state:
                        return status
                await asyncio.sleep(0.02)

    async def settled(self, seq: int = 1) -> Settlement:
        """The settlement of that order, still to be acknowledged."""
        found: Settlement = await self.until(
            lambda: next((one for one in self.driver.settlements() if one.number == number(seq)), None)
        )
        return found

    async def start(self, what: PortOrder, port: int = 1) -> None:
        """As a till does: again with the same number while nothing is known."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await self.driver.start(port, what)
                except DeviceFault:
                    raise
                except Transient:
                    await asyncio.sleep(0.05)


async def there(plant: Plant) -> None:
    """Wait until the board has said how its ports are."""
    await plant.until(lambda: plant.status() is not None)


def board_config(via: Via, ports: int = 10, **options: Any) -> PortBoardConfig:
    on: dict[str, Any] = {"line": "yard", "address": 7} if via == "line" else {"listener": "yard"}
    kind = {} if ports == 10 else {"kind": 5}
    return PortBoardConfig(
        id="board-1",
        number=1,
        protocol="dny" if via == "line" else "dny-tcp",
        device=NUMBER,
        ports=ports,
        options={**FAST, **kind, **options},
        **on,
    )


def listener_config(**more: Any) -> ListenerConfig:
    return ListenerConfig(**{"id": "yard", "host": "127.0.0.1", "port": 0, "greeting_s": 0.5, "silence_s": 5.0, **more})


@asynccontextmanager
async def running(*works: Any) -> AsyncIterator[None]:
    """Keep these in tasks meanwhile."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


@asynccontextmanager
async def listening(**more: Any) -> AsyncIterator[Listener]:
    listener = build_listener(listener_config(**more))
    async with running(listener.run()):
        await until(lambda: listener.up)
        yield listener


def board_twin(
    ports: int = 10, *, doors: bool = False, pace: Pace = QUICK, faults: Sequence[PortFault] = ()
) -> DnyTwin:
    """The board's end alone; it says every 20 of its seconds how it is."""
    twin = DnyTwin(PortWorld(ports, doors=doors), DEVICE, PortFaults(7, faults), virtual_id=7, pace=pace)
    twin.floating = replace(twin.floating, heartbeat_s=20)
    return twin


@asynccontextmanager
async def plant(
    via: Via = "tcp",
    *,
    ports: int = 10,
    speed: int = SPEED,
    options: dict[str, Any] | None = None,
    listener: dict[str, Any] | None = None,
    doors: bool = False,
    pace: Pace = QUICK,
    faults: Sequence[PortFault] = (),
    wait: bool = True,
) -> AsyncIterator[Plant]:
    """A board and a driver that runs. The board's clock runs `speed` times as fast as ours."""
    twin = board_twin(ports, doors=doors, pace=pace, faults=faults)
    world = twin.world
    config = board_config(via, ports, doors=doors, **(options or {}))
    if via == "tcp":
        async with listening(**(listener or {})) as on:
            driver = build_port_board(config, on, lambda: UNIX_MS)
            assert isinstance(driver, DnyBoard)
            assert on.port is not None
            caller = DnyCaller(twin, "127.0.0.1", on.port, speed=speed)
            async with running(driver.run()), caller:
                found = Plant(driver, twin, world, caller, listener=on)
                if wait:
                    await there(found)
                yield found
        return
    wire = DnyLine([twin], baud=115_200, speed=speed)
    async with wire, Line(LineConfig(id="yard", path=wire.port, baud=115_200, drain_ms=0)) as line:
        driver = build_port_board(config, line, lambda: UNIX_MS)
        assert isinstance(driver, DnyBoard)
        async with running(driver.run()):
            found = Plant(driver, twin, world, wire, line=line)
            if wait:
                await there(found)
            yield found
