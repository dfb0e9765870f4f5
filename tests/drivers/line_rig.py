"""A line to test against: a real pty or TCP port, with slaves on it that answer, or misbehave as told."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivers.line import Line, LineDevice, Priority
from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    Pdu,
    ReadRegisters,
    Refused,
    Request,
    Space,
    answer_frame,
    request_frame,
)

Play = Sequence[tuple[float, bytes]]  # (seconds after the one before, bytes), in order
Slave = Callable[[Request], Play]


def honest(request: Request) -> Play:
    """Answers at once; a register's value is its address."""
    pdu = request.pdu
    if isinstance(pdu, ReadRegisters):
        values = Answer(registers=tuple(range(pdu.address, pdu.address + pdu.count)))
        return [(0, answer_frame(Framing.RTU, request, values))]
    return [(0, answer_frame(Framing.RTU, request))]


def dead(request: Request) -> Play:
    """Never answers."""
    return []


@dataclass
class PtyBus:
    """Slaves behind a pty, reached through a link that plays /dev/serial/by-id. Unknown units are silent."""

    link: Path
    slaves: dict[int, Slave]
    heard: list[Request] = field(default_factory=list)
    spoken_to: asyncio.Event = field(default_factory=asyncio.Event)
    echo: bool = False
    ear: DeviceSide = field(default_factory=lambda: DeviceSide(Framing.RTU))
    _master: int | None = None
    _tail: int | None = None
    _talking: set[asyncio.Task[None]] = field(default_factory=set)

    def plug_in(self) -> None:
        self._master, self._tail = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._tail)
        self.link.symlink_to(os.ttyname(self._tail))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def unplug(self) -> None:
        if self._master is None or self._tail is None:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self.link.unlink()
        os.close(self._tail)
        os.close(self._master)
        self._master = self._tail = None

    def say(self, data: bytes) -> None:
        """Put bytes on the line, asked or not."""
        if self._master is not None:
            os.write(self._master, data)

    async def __aenter__(self) -> PtyBus:
        self.plug_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._talking:
            task.cancel()
        self.unplug()

    def _read(self) -> None:
        assert self._master is not None
        data = os.read(self._master, 4096)
        if self.echo:
            self.say(data)
        self.ear.receive_data(data)
        while (request := self.ear.next_event()) is not NEED_MORE:
            self.heard.append(request)
            self.spoken_to.set()
            play = self.slaves.get(request.unit, dead)(request)
            task = asyncio.get_running_loop().create_task(self._perform(play))
            self._talking.add(task)
            task.add_done_callback(self._talking.discard)

    async def _perform(self, play: Play) -> None:
        for pause_s, data in play:
            if pause_s:
                await asyncio.sleep(pause_s)
            self.say(data)


def read(address: int, count: int = 1) -> ReadRegisters:
    return ReadRegisters(Space.HOLDING, address, count)


async def ask(
    device: LineDevice,
    unit: int,
    pdu: Pdu,
    *,
    priority: Priority = Priority.POLL,
    timeout_s: float | None = None,
    framing: Framing = Framing.RTU,
    line: Line | None = None,
) -> Answer | Refused:
    """One Modbus request as a driver makes it."""
    number = line.next_transaction_id() if line is not None else 0
    return await device.exchange(
        request_frame(framing, unit, pdu, number),
        Expectation(framing, unit, pdu, number),
        priority=priority,
        timeout_s=timeout_s,
    )
