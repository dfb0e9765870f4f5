"""A yard of port boards and piles from one file: who plugs in where, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.twins.commands import ready, run
from drivers.twins.config import read_site
from drivers.twins.site import TwinSite
from protocols.door import Refused

FILE = """
[[port_board]]
id = "rack"
device = 11_220_795
ports = 2
link = "{folder}/rack"
speed = 1000

[[pile]]
id = "pile"
code = "32010200000001"
port = {port}
"""


def site(folder: Path, port: int = 9, more: str = "") -> TwinSite:
    path = folder / "site.toml"
    path.write_text(FILE.format(folder=folder, port=port) + more)
    return TwinSite(read_site(path))


async def say(twins: TwinSite, **command: Any) -> dict[str, Any]:
    answer, _ = await run(twins, json.dumps(command))
    return answer


async def test_a_bike_comes_and_goes(tmp_path: Path) -> None:
    """`plug-in` and `plug-out` move it; `state` has every port; its line is there once `ready` names it."""
    async with site(tmp_path) as twins:
        assert list(ready(twins)["boards"]) == ["rack"]
        told = await say(twins, do="plug-in", board="rack", port=2, room_wh=300, power_w=180)
        assert (told["ok"], told["2"]["plugged"], told["1"]["plugged"]) == (True, True, False)
        assert "taken" in (await say(twins, do="plug-in", board="rack", port=2))["error"]
        await say(twins, do="plug-out", board="rack", port=2)
        assert not (await say(twins, do="state"))["ports"]["rack"]["2"]["plugged"]


@pytest.mark.parametrize(
    "where", [{"board": "shed", "port": 1}, {"board": "rack", "port": 3}, {"board": "pile", "port": 2}]
)
async def test_what_is_not_there_is_said(tmp_path: Path, where: dict[str, Any]) -> None:
    """An unknown board, port or gun is an answer, not an end."""
    async with site(tmp_path) as twins:
        assert "there is no" in (await say(twins, do="plug-in", **where))["error"]


async def test_a_pile_calls_its_platform(tmp_path: Path) -> None:
    """It logs in at the port that the file names, and a car can stand at its gun meanwhile."""
    heard = asyncio.Event()

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) == b"\x68":
            heard.set()
        writer.transport.abort()

    server = await asyncio.start_server(platform, "127.0.0.1", 0)
    async with server, site(tmp_path, server.sockets[0].getsockname()[1]) as twins:
        told = await say(twins, do="plug-in", board="pile", port=1, room_wh=200, power_w=7_000)
        assert told["1"] == {"plugged": True, "charging": False, "delivered_wh": 0}
        async with asyncio.timeout(20):
            await heard.wait()


async def test_a_board_calls_its_gateway(tmp_path: Path) -> None:
    """One with a `port` says who it is there, and has no line of its own; dark, it hangs up."""
    heard, gone = asyncio.Event(), asyncio.Event()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"DNY" in data:
                heard.set()
        gone.set()
        writer.transport.abort()

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    more = f'[[port_board]]\nid = "shed"\ndevice = 7\nports = 2\nport = {port}\n'
    async with server, site(tmp_path, more=more) as twins:
        assert list(ready(twins)["boards"]) == ["rack"]
        async with asyncio.timeout(20):
            await heard.wait()
            await say(twins, do="board-dark", board="shed", for_ms=60_000)
            await gone.wait()


async def test_a_door_of_a_cabinet_is_shut_by_hand(tmp_path: Path) -> None:
    """It opens by order alone; what has no doors says so."""
    cabinet = '[[port_board]]\nid = "lockers"\ndevice = 11_220_796\nports = 12\ndoors = true\n'
    async with site(tmp_path, more=cabinet) as twins:
        twins.yard.boards["lockers"].world.open_door(4)
        assert (await say(twins, do="state"))["ports"]["lockers"]["4"]["door_open"]
        told = await say(twins, do="shut-door", board="lockers", port=4)
        assert (told["ok"], told["4"]["door_open"]) == (True, False)
        for board in ("rack", "pile"):
            assert "no doors" in (await say(twins, do="shut-door", board=board, port=1))["error"]


async def test_a_board_that_was_dark_ends_its_orders(tmp_path: Path) -> None:
    """Nothing flows while it is dark, whoever stays plugged in."""
    async with site(tmp_path) as twins:
        await say(twins, do="plug-in", board="rack", port=1)
        board = twins.yard.boards["rack"]
        await say(twins, do="board-dark", board="rack", for_ms=3_600_000)
        assert not board.world.powered
        board.world.return_power()
        assert (await say(twins, do="state"))["ports"]["rack"]["1"]["plugged"]


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """A board and a pile share what commands call them by."""
    with pytest.raises(Refused, match="ids that differ"):
        site(tmp_path, more='[[pile]]\nid = "rack"\ncode = "32010200000002"\nport = 9\n')
