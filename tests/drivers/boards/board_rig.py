"""Boards to test against: a real pty with fake boards behind it that answer, or misbehave as told."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from drivers.boards.board import Board
from drivers.boards.config import BoardConfig
from drivers.boards.registry import build_board
from drivers.line import Line, LineConfig
from protocols.fieldbus import lock_kerong, lock_xor
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.modbus import (
    Answer,
    DeviceSide,
    Framing,
    ReadBits,
    ReadRegisters,
    Request,
    Space,
    WriteCoils,
    WriteRegisters,
    answer_frame,
    coil_value,
    exception_frame,
)

PATIENCE_S = 10.0  # no test waits so long; it is what a broken one takes to fail


class Mouth(Protocol):
    """Whoever hangs on the bus: hears all bytes, says some."""

    def hear(self, data: bytes) -> Sequence[bytes]: ...


@dataclass
class Bus:
    """A pty with boards on it. log: the dialogue, `>> ` what the gateway said, `<< ` what it heard."""

    mouths: Sequence[Mouth]
    echo: bool = False
    dead: bool = False
    log: list[str] = field(default_factory=list)
    path: str = ""
    _ends: tuple[int, int] = (-1, -1)

    async def __aenter__(self) -> Bus:
        self._ends = os.openpty()
        tty.setraw(self._ends[0])
        tty.setraw(self._ends[1])
        self.path = os.ttyname(self._ends[1])
        asyncio.get_running_loop().add_reader(self._ends[0], self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)

    def said(self) -> list[str]:
        """What the gateway said, once for each run of the same frame."""
        frames = [line[3:] for line in self.log if line.startswith(">> ")]
        return [frame for n, frame in enumerate(frames) if n == 0 or frames[n - 1] != frame]

    def line(self, name: str = "bus", **settings: Any) -> Line:
        """The gateway's end."""
        return Line(LineConfig(id=name, path=self.path, baud=115_200, drain_ms=1.0, **settings))

    def _read(self) -> None:
        data = os.read(self._ends[0], 4096)
        self.log.append(f">> {data.hex(' ')}")
        if self.dead:
            return
        if self.echo:
            os.write(self._ends[0], data)
        for mouth in self.mouths:
            for answer in mouth.hear(data):
                self.log.append(f"<< {answer.hex(' ')}")
                os.write(self._ends[0], answer)


@dataclass
class XorBoard:
    """24 locks. set_: the contacts that are set; a pulse turns its lock's over. opened: every pulse, in order."""

    board: int = 1
    set_: set[int] = field(default_factory=set)
    opened: list[int] = field(default_factory=list)
    moves: bool = True
    mute: Callable[[Any], bool] = lambda question: False
    spoil: bool = False
    tell_wrong: bool = False

    def __post_init__(self) -> None:
        self._ear = lock_xor.board_ear(self.board)

    def hear(self, data: bytes) -> list[bytes]:
        self._ear.receive_data(data)
        answers: list[bytes] = []
        while (question := self._ear.next_event()) is not NEED_MORE:
            answer = self._answer(question)
            if self.mute(question):
                continue
            answers.append(answer[:-1] + bytes((answer[-1] ^ 0xFF,)) if self.spoil else answer)
        return answers

    def _answer(self, question: Any) -> bytes:
        if isinstance(question, lock_xor.ReadAll):
            return lock_xor.answer_all(self.board, [lock in self.set_ for lock in range(1, 25)])
        lock = question.lock
        if isinstance(question, lock_xor.Open):
            self.opened.append(lock)
            if self.moves:
                self.set_ ^= {lock}
        told = lock % 24 + 1 if self.tell_wrong else lock
        return lock_xor.answer_one(question, told, lock in self.set_)


@dataclass
class KerongBoard:
    """16 locks, 0 on the wire is the first. unlocked, items: as bits."""

    board: int = 0
    unlocked: set[int] = field(default_factory=set)
    items: set[int] = field(default_factory=set)
    opened: list[int] = field(default_factory=list)
    dies_of_it: bool = False
    dead: bool = False

    def __post_init__(self) -> None:
        self._ear = lock_kerong.board_ear(self.board)

    def hear(self, data: bytes) -> list[bytes]:
        self._ear.receive_data(data)
        answers: list[bytes] = []
        while (question := self._ear.next_event()) is not NEED_MORE:
            if isinstance(question, lock_kerong.Unlock):
                self.opened.append(question.lock)
                self.unlocked.add(question.lock)
                self.dead = self.dead or self.dies_of_it
            elif not self.dead:
                assert isinstance(question, lock_kerong.AskStates)
                bits = [tuple(n in some for n in range(16)) for some in (self.unlocked, self.items)]
                answers.append(lock_kerong.answer(self.board, lock_kerong.States(*bits)))
        return answers


@dataclass
class Unit:
    """A Modbus unit with coils, inputs and registers. refuse: functions that it answers with an exception.

    writes: every write, as (address, value). stuck: coils that do not follow. pulses: those of flash-on.
    """

    unit: int = 1
    coils: dict[int, bool] = field(default_factory=dict)
    inputs: dict[int, bool] = field(default_factory=dict)
    registers: dict[int, int] = field(default_factory=dict)
    refuse: frozenset[int] = frozenset()
    stuck: set[int] = field(default_factory=set)
    writes: list[tuple[int, int]] = field(default_factory=list)
    mute: Callable[[Request], bool] = lambda request: False

    def __post_init__(self) -> None:
        self._ear = DeviceSide(Framing.RTU)

    def hear(self, data: bytes) -> list[bytes]:
        self._ear.receive_data(data)
        answers: list[bytes] = []
        while (request := self._ear.next_event()) is not NEED_MORE:
            if request.unit != self.unit:
                continue
            if request.function in self.refuse:
                answers.append(exception_frame(Framing.RTU, request, 1))
                continue
            answer = self._answer(request)
            if not self.mute(request):
                answers.append(answer_frame(Framing.RTU, request, answer))
        return answers

    def _answer(self, request: Request) -> Answer:
        asked = coil_value(request)
        if asked is not None:
            self.writes.append((asked.address, asked.value))
            if asked.address not in self.stuck:
                self.coils[asked.address] = asked.value != 0
            return Answer()
        match request.pdu:
            case ReadBits(space=space, address=address, count=count):
                bits = self.coils if space is Space.COIL else self.inputs
                return Answer(bits=tuple(bits.get(n, False) for n in range(address, address + count)))
            case ReadRegisters(address=address, count=count):
                return Answer(registers=tuple(self.registers.get(n, 0) for n in range(address, address + count)))
            case WriteRegisters(address=address, values=values):
                self.writes.append((address, values[0]))
                if address not in self.stuck:
                    self.registers[address] = values[0]
            case WriteCoils():
                raise AssertionError("nobody writes several coils here")
        return Answer()


def board_on(line: Line, protocol: str, address: int = 1, **settings: Any) -> Board:
    """A driver that polls only when its `run` does."""
    fields: dict[str, Any] = {"id": f"{protocol}-{address}", "poll_s": 0.02} | settings
    return build_board(BoardConfig(protocol=protocol, line=line.id, address=address, **fields), line)  # type: ignore[arg-type]  # keywords as given


class Polled:
    """`async with Polled(board, ...)`: they poll meanwhile."""

    def __init__(self, *devices: Any) -> None:
        self._devices = devices
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(device.run()) for device in self._devices]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object]) -> None:
    """Wait for it to become so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # neither end tells by an event
            await asyncio.sleep(0.005)
