"""A simulated pile for a person at a terminal calls its platform, says how it stands, and lets cars come and go."""

from __future__ import annotations

import asyncio

import pytest

from drivers.twins.ports.serve_pile import CODE, COMES_MS, STAYS_MS, Drivers, pile_line, serve_pile
from drivers.twins.ports.ykc import YkcTwin


async def test_served_for_a_person() -> None:
    """It calls, and logs in; without a port to call it is refused in words, and so is a fault that there is not."""
    said: list[str] = []
    called = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set_result(await reader.read(256))
        writer.close()
        stop.set()

    server = await asyncio.start_server(platform, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(20):
        await serve_pile(tcp_port=port, say=said.append, stop=stop)
    assert bytes.fromhex(CODE) in called.result()
    assert said[0] == f"ykc pile {CODE} with 2 guns, calls 127.0.0.1:{port}"
    assert said[1] == "not called yet; 1 plugged; 0 charges ended, 0 bills wait for an answer"
    with pytest.raises(ValueError, match=r"\[\[ykc\]\]"):
        await serve_pile()
    with pytest.raises(ValueError, match="bill-twice"):
        await serve_pile(tcp_port=port, faults=["rain"])


def test_cars_come_and_go() -> None:
    """By the seed alone."""
    twin = YkcTwin(guns=2)
    drivers = Drivers(twin, seed=3)
    drivers.step(0)
    assert (twin.guns[1].plugged, twin.guns[2].plugged) == (True, False)
    drivers.step(COMES_MS[1])
    assert twin.guns[2].plugged
    drivers.step(COMES_MS[1] + STAYS_MS[1])
    assert pile_line(twin).startswith("not called yet; nothing plugged in; 0 charges")
