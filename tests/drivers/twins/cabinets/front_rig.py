"""A shop front for tests: a cabinet of twelve slots on two buses, and the real driver on the other end of its wires."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from drivers.boards.config import BoardConfig
from drivers.boards.registry import build_board
from drivers.cabinets.cabinet import BoardCabinet
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.registry import build_cabinets
from drivers.line import Line, LineConfig
from drivers.twins.cabinets.config import ShopConfig
from drivers.twins.cabinets.front import ShopFront
from protocols import door

TWELVE = """
speed = 1

[[board]]
id = "locks"
protocol = "xor"
line = "bus"
feedback = "nc"

[[board]]
id = "di-1"
protocol = "relay"
line = "modbus"
address = 11
options = { relays = 0, inputs = 16 }

[[board]]
id = "di-2"
protocol = "relay"
line = "modbus"
address = 12
options = { relays = 0, inputs = 16 }

[[board]]
id = "relays-1"
protocol = "relay"
line = "modbus"
address = 1

[[board]]
id = "relays-2"
protocol = "relay"
line = "modbus"
address = 2

[[board]]
id = "thermo"
protocol = "thermometer"
line = "modbus"
address = 21

[[cabinet]]
id = "c1"
inner_temp = "thermo/1"
pack_poll_s = 0.1

[[cabinet.slot]]
number = 1
count = 8
lock = "locks/1"
door_open = "not di-1/1"
present = "di-2/1"
charger = "relays-1/1"
charge_power_w_max = 600
pack = { protocol = "PROTOCOL", line = "pack-{slot}" }

[[cabinet.slot]]
number = 9
count = 4
lock = "locks/9"
door_open = "not di-1/9"
present = "di-2/9"
charger = "relays-2/1"
charge_power_w_max = 600
pack = { protocol = "PROTOCOL", line = "pack-{slot}" }

[cabinet.inputs]
smoke = ["di-1/13"]
water = ["di-1/14"]
emergency_stop = ["not di-1/15"]
mains = "di-1/16"

[cabinet.outputs]
fan = "relays-2/5"
siren = "relays-2/6"

[[pack]]
number = 1
count = 8
cabinet = "c1"
slot = 3
soc_permille = 950

[[pack]]
number = 50
person = "ann"
soc_permille = 120

[[person]]
name = "ann"
credential = "04A1B2C3"
"""


def shop_config(text: str = TWELVE, protocol: str = "greenway", *, kind: str = "tcp", **changes: Any) -> ShopConfig:
    """The shop in a text, with every other key laid over. kind: of its lines; `tcp` is unpaced."""
    plain = tomllib.loads(text.replace("PROTOCOL", protocol)) | changes
    config = door.admit(plain, ShopConfig, source="shop")
    lines = [{"id": name, "kind": kind} for name in config.lines()]
    return door.admit({"line": lines} | plain, ShopConfig, source="shop")


def says(front: ShopFront, line: str, question: str) -> str:
    """What everybody on a line answers to bytes in hexadecimal, at this instant of the shop."""
    parties = front.lines[line].parties
    pieces = [piece for party in parties for piece in party.hear(bytes.fromhex(question))]
    for party in parties:
        party.silence()
    return b"".join(piece.data for piece in pieces).hex(" ").upper()


@asynccontextmanager
async def driven(front: ShopFront, cabinet: str = "c1") -> AsyncIterator[BoardCabinet]:
    """The real driver on a shop front that serves, once all its boards have been heard."""
    tables = front.gateway_tables()
    boards = [door.admit(board, BoardConfig, source="board") for board in tables["board"]]
    cabinets = [door.admit(one, CabinetConfig, source="cabinet") for one in tables["cabinet"]]
    async with AsyncExitStack() as stack:
        lines = {}
        for line in tables["line"]:
            config = LineConfig(**line, drain_ms=0, guard_ms=0)
            lines[config.id] = await stack.enter_async_context(Line(config))
        built = {board.id: build_board(board, lines[board.line]) for board in boards}
        found = build_cabinets(cabinets, built, lines, {})[cabinet]
        tasks = [asyncio.create_task(board.run()) for board in built.values()]
        tasks.append(asyncio.create_task(found.run()))
        try:
            await until(lambda: all(board.link().last_good_ms is not None for board in built.values()))
            yield found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Poll the world until it is so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)
