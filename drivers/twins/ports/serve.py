"""One simulated DNY board for a person at a terminal: `fieldtill twin dny`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from drivers.twins.ports.board import PortWorld
from drivers.twins.ports.dny import DnyTwin
from drivers.twins.ports.faults import PortFaults, parse_port_faults
from drivers.twins.ports.visitors import Visitors
from drivers.twins.ports.wire import DnyCaller, DnyLine
from protocols.fieldbus.dny_frames import DeviceType, device_id

PORT_BOARDS: Final = ("dny", "dny-tcp")
NUMBER: Final = 11_220_795
PORTS: Final = 10
VIRTUAL_ID: Final = 20


async def serve_port_board(
    protocol: str,
    *,
    tcp_port: int | None = None,
    pty_link: str | None = None,
    virtual_id: int | None = None,
    baud: int | None = None,
    faults: Sequence[str] = (),
    speed: int = 1,
    seed: int = 0,
    say: Callable[[str], None] = print,
    live: bool = True,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until cancelled or `stop` is set. Say where; if `live`, say each second how, when that has changed.

    `dny` is on a pty, with a symlink at `pty_link` if given; `dny-tcp` calls a gateway at `tcp_port` of this machine,
    for boards are no servers. Visitors come and go by `seed`; they charge when they are sold to. faults: as
    `parse_port_faults`. Raises ValueError and OSError.
    """
    world = PortWorld(PORTS)
    device = device_id(DeviceType.PORTS_10, NUMBER)
    twin = DnyTwin(
        world,
        device,
        PortFaults(seed, parse_port_faults(faults)),
        virtual_id=VIRTUAL_ID if virtual_id is None else virtual_id,
    )
    if protocol == "dny-tcp":
        if not tcp_port:
            raise ValueError("a dny-tcp board calls a gateway: say the port of its listener")
        way: DnyCaller | DnyLine = DnyCaller(twin, "127.0.0.1", tcp_port, speed=speed)
    else:
        way = DnyLine([twin], baud=baud or 9600, speed=speed, link=None if pty_link is None else Path(pty_link))
    visitors = Visitors(world, seed)
    async with way:
        place = (
            f"calls 127.0.0.1:{tcp_port}" if isinstance(way, DnyCaller) else f"address {twin.virtual_id}, {way.port}"
        )
        say(f"{protocol} board {NUMBER} with {PORTS} ports, {place}")
        await follow(visitors.step, lambda: board_line(twin), say if live else None, stop)


async def follow(
    step: Callable[[], None], line: Callable[[], str], say: Callable[[str], None] | None, stop: asyncio.Event | None
) -> None:
    """Once a second, until `stop` is set: let the world's people act, and say how it stands where that has changed."""
    told, ends = "", asyncio.Event() if stop is None else stop
    while not ends.is_set():
        step()
        if say is not None and (now := line()) != told:
            say(now)
            told = now
        try:
            async with asyncio.timeout(1.0):
                await ends.wait()
        except TimeoutError:
            continue


def board_line(twin: DnyTwin) -> str:
    """One line of a board's state: `1 charging 200 W, 3 plugged; 4 settled, 1 waits for an answer`."""
    parts = []
    for port, outlet in twin.world.outlets.items():
        if outlet.job is not None:
            parts.append(f"{port} charging {outlet.power_w} W")
        elif outlet.battery is not None:
            parts.append(f"{port} plugged")
    over = sum(job.ended is not None for job in twin.world.truth)
    wait = len(twin.kept)
    waits = f"{wait} wait{'s' * (wait == 1)} for an answer"
    return f"{', '.join(parts) or 'nothing plugged in'}; {over} orders ended, {waits}"
