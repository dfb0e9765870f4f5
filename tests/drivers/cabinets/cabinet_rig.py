"""A cabinet of four slots to test against: a lock board, a relay and input board, and Greenway packs behind relays."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from board_rig import Bus, Polled, Unit, XorBoard, until
from pack_mouths import PACK, greenway_pack

from drivers.api import Device
from drivers.boards.board import Board
from drivers.boards.config import BoardConfig
from drivers.boards.registry import build_board
from drivers.cabinet import SlotSight
from drivers.cabinets.cabinet import BoardCabinet
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.registry import build_cabinets
from protocols.door import admit
from protocols.fieldbus.pack import PackReading

SLOTS = range(1, 5)
BOARDS = """
[[board]]
id = "locks"
protocol = "xor"
line = "locks"
feedback = "nc"
poll_s = 0.02

[[board]]
id = "io"
protocol = "relay"
line = "io"
poll_s = 0.02
options = { relays = 8, inputs = 14 }
"""
CABINET = """
id = "cab-1"
pack_poll_s = 0.1
wake_pulse_s = 0.1

[[slot]]
number = 1
count = 4
lock = "locks/1"
door_open = "io/1"
present = "not io/5"
charger = "io/1"
charge_power_w_max = 600
pack = { protocol = "greenway", line = "packs", mux = "io/5", settle_ms = 5, timeout_ms = 40 }

[inputs]
smoke = ["io/9", "io/10"]
emergency_stop = ["not io/11"]
mains = "io/12"
aux = { tamper = "io/13" }
"""


@dataclass
class Packs:
    """Greenway packs by slot, on one line through relays 5 to 8. clashes: how often two were connected at a question.

    asleep: slots whose pack answers only while its charger is on.
    """

    io: Unit
    in_slot: dict[int, PackReading] = field(default_factory=dict)
    asleep: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    clashes: int = 0
    garble: bool = False

    def __post_init__(self) -> None:
        self.mouths = {slot: greenway_pack(partial(self.in_slot.__getitem__, slot)) for slot in SLOTS}

    def hear(self, data: bytes) -> list[bytes]:
        connected = [slot for slot in SLOTS if self.io.coils.get(slot + 3)]
        self.clashes += len(connected) > 1
        self.asked += connected
        answers: list[bytes] = []
        for slot in connected:
            awake = slot not in self.asleep or self.io.coils.get(slot - 1)
            if slot in self.in_slot and awake:
                answers += self.mouths[slot](data)
        return [answer[:-1] + bytes((answer[-1] ^ 1,)) for answer in answers] if self.garble else answers


@dataclass
class Rig:
    """What a test holds: both ends of everything."""

    cabinet: BoardCabinet
    boards: dict[str, Board]
    locks: XorBoard
    io: Unit
    packs: Packs
    buses: dict[str, Bus]

    def door(self, slot: int, is_open: bool) -> None:
        """The door's own sensor, and the bolt with it."""
        self.io.inputs[slot - 1] = is_open
        self.locks.set_ = self.locks.set_ - {slot} if is_open else self.locks.set_ | {slot}

    def put(self, slot: int, pack: PackReading | None = PACK) -> None:
        """None: something that says nothing."""
        self.io.inputs[slot + 3] = False
        if pack is not None:
            self.packs.in_slot[slot] = pack

    def take(self, slot: int) -> None:
        self.io.inputs[slot + 3] = True
        self.packs.in_slot.pop(slot, None)

    def seen(self, slot: int) -> SlotSight:
        return self.cabinet.sight().slots[slot]

    async def sees(self, slot: int, **values: Any) -> None:
        """Wait until the slot's sight says so."""
        await until(lambda: all(getattr(self.seen(slot), name) == value for name, value in values.items()))

    def running(self) -> Polled:
        """All boards and the cabinet poll meanwhile."""
        return Polled(*self.boards.values(), self.cabinet)


def pack(code: str) -> PackReading:
    """The usual pack with another code."""
    return replace(PACK, serial=code)


def configs(boards: str = BOARDS, cabinet: str = CABINET) -> tuple[list[BoardConfig], CabinetConfig]:
    """From TOML, as a site's file has them."""
    tables = tomllib.loads(boards)["board"]
    read = [admit(table, BoardConfig, source="test") for table in tables]
    return read, admit(tomllib.loads(cabinet), CabinetConfig, source="test")


@asynccontextmanager
async def rig(
    boards: str = BOARDS, cabinet: str = CABINET, devices: Mapping[str, Device] | None = None
) -> AsyncIterator[Rig]:
    """Closed, empty, nothing energised, mains there; every board answers."""
    locks, io = XorBoard(set_=set(SLOTS)), Unit()
    io.inputs = {slot + 3: True for slot in SLOTS} | {10: True, 11: True}
    packs = Packs(io)
    async with Bus([locks]) as on_locks, Bus([io]) as on_io, Bus([packs]) as on_packs:
        buses = {"locks": on_locks, "io": on_io, "packs": on_packs}
        async with (
            on_locks.line("locks") as line_1,
            on_io.line("io") as line_2,
            on_packs.line("packs") as line_3,
        ):
            lines = {line.id: line for line in (line_1, line_2, line_3)}
            board_configs, config = configs(boards, cabinet)
            built = {board.id: build_board(board, lines[board.line]) for board in board_configs}
            made = build_cabinets([config], built, lines, devices or {})["cab-1"]
            for board in built.values():
                await asyncio.wait_for(board.refresh(), 5)
            await asyncio.sleep(0.002)  # what is asked now is younger than that
            yield Rig(made, built, locks, io, packs, buses)
