"""How simulated DNY boards are reached: one that calls a gateway over TCP, and several on a polled serial line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from drivers.twins.faults import Piece
from drivers.twins.ports.board import PortWorld
from drivers.twins.ports.dny import DnyTwin
from drivers.twins.ports.faults import WORLD, PortFault, PortFaultKind
from drivers.twins.pty import SlowPty, sleep_until
from protocols.fieldbus.dny import board_ear, board_ear_tcp
from protocols.fieldbus.dny_frames import LINK, POLL, Frame, encode_frame
from protocols.fieldbus.expect import NEED_MORE

TICK_S: Final = 0.01
LINK_TEXT_S: Final = 30
CALLS_AGAIN_MS: Final = 2_000  # of its own time
_GAP_S: Final = 0.06  # a frame that pauses for longer is lost
_TURNAROUND_US: Final = 3_000
_BITS: Final = 10


class Clock:
    """A board's time, some way ahead of ours. speed: how much faster it runs."""

    def __init__(self, world: PortWorld, speed: int = 1) -> None:
        self.world = world
        self.speed = speed
        self._at_s = time.monotonic()
        self._rest_ms = 0.0

    def catch_up(self) -> None:
        """Let the world's time pass up to now."""
        now_s = time.monotonic()
        due_ms = self._rest_ms + 1000 * self.speed * (now_s - self._at_s)
        self._at_s = now_s
        self._rest_ms = due_ms % 1
        self.world.run(int(due_ms))


def befall(twin: DnyTwin) -> None:
    """Let the faults of the world that are in force happen."""
    world = twin.world
    for fault in twin.faults.active():
        if fault.kind in WORLD and (hit := twin.faults.take(fault.kind)) is not None:
            _happen(world, hit)


def _happen(world: PortWorld, fault: PortFault) -> None:
    kinds, port = PortFaultKind, min(fault.port, len(world.outlets))
    match fault.kind:
        case kinds.POWER_CUT:
            world.cut_power(fault.amount_or_usual)
        case kinds.SMOKE:
            world.raise_smoke(port, for_ms=fault.amount_or_usual)
        case kinds.WATER:
            world.raise_water()
        case kinds.WELDED:
            world.weld(port)
        case kinds.OVERLOAD:
            world.draw(port, fault.amount_or_usual)
        case kinds.UNPLUG:
            world.unplug(port)
        case kinds.SPRUNG:
            world.spring(port)
        case _:
            raise AssertionError(f"{fault.kind} is not of the world")


def said(twin: DnyTwin) -> bytes:
    """The next frame in its outbox as it arrives, spoilt as ordered."""
    frame = twin.outbox.popleft()
    if twin.faults.take(PortFaultKind.FOREIGN):
        frame = replace(frame, device=frame.device ^ 1)
    return twin.faults.spoil(encode_frame(frame))


class _Running:
    """`async with` runs it as a task."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self.run(), name="port board twin")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class DnyCaller(_Running):
    """A board on the network, which calls `host`:`port` and calls again. `async with` runs it.

    iccid: of its SIM card, said when it connects; None: it has none.
    """

    def __init__(
        self, twin: DnyTwin, host: str, port: int, *, speed: int = 1, iccid: str | None = "89860413161892009275"
    ) -> None:
        super().__init__()
        self.twin = twin
        self.clock = Clock(twin.world, speed)
        self.calls = 0
        self.connected = False
        self.cut = asyncio.Event()  # set: the network is gone, until it is cleared
        self._address = (host, port)
        self._iccid = iccid
        self._deaf_until_ms = 0

    async def run(self) -> None:
        while True:
            if self.cut.is_set() or not self.twin.world.powered:
                await self._wait(0)
                continue
            try:
                reader, writer = await asyncio.open_connection(*self._address)
            except OSError:
                await self._wait(CALLS_AGAIN_MS)
                continue
            self.calls += 1
            again_ms = CALLS_AGAIN_MS
            try:
                self.connected = True
                again_ms = await self._talk(reader, writer)
            except OSError:
                pass
            finally:
                self.connected = False
                writer.transport.abort()
            await self._wait(again_ms)

    async def _wait(self, ms: int) -> None:
        until_ms = self.twin.world.now_ms + ms
        while True:
            await asyncio.sleep(TICK_S)
            self._live()
            if self.twin.world.now_ms >= until_ms:
                return

    def _live(self) -> None:
        self.clock.catch_up()
        befall(self.twin)
        self.twin.tick()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        """Until the connection ends. How long to wait then, in the world's ms."""
        twin, world = self.twin, self.twin.world
        ear = board_ear_tcp(twin.device)
        twin.connected()
        if self._iccid is not None:
            writer.write(self._iccid.encode("ascii"))
        link_ms = world.now_ms + 1000 * LINK_TEXT_S
        reading = asyncio.ensure_future(reader.read(4096))
        try:
            while True:
                self._live()
                if self.cut.is_set() or not world.powered or twin.offline:
                    return CALLS_AGAIN_MS
                if loss := twin.faults.take(PortFaultKind.LINK_LOSS):
                    return loss.amount_or_usual
                if deaf := twin.faults.take(PortFaultKind.DEAF):
                    self._deaf_until_ms = world.now_ms + deaf.amount_or_usual
                if world.now_ms >= link_ms:
                    link_ms = world.now_ms + 1000 * LINK_TEXT_S
                    writer.write(LINK)
                while twin.outbox:
                    writer.write(said(twin))
                done, _ = await asyncio.wait([reading], timeout=TICK_S)
                if not done:
                    continue
                data = reading.result()
                if not data:
                    return CALLS_AGAIN_MS
                reading = asyncio.ensure_future(reader.read(4096))
                ear.receive_data(data)
                while isinstance(frame := ear.next_event(), Frame):
                    if world.now_ms >= self._deaf_until_ms:
                        twin.hear(frame)
        finally:
            reading.cancel()


class DnyLine(_Running):
    """Boards on one RS-485 line, paced. `async with` opens it; `port` is what a gateway opens."""

    def __init__(self, twins: Sequence[DnyTwin], *, baud: int = 9600, speed: int = 1, link: Path | None = None) -> None:
        super().__init__()
        self.twins = tuple(twins)
        self.polls = 0
        self.deaf = False  # the wire is cut: nobody hears anything
        self._clocks = [Clock(twin.world, speed) for twin in twins]
        self._ears = {twin.device: board_ear(twin.device, twin.virtual_id) for twin in twins}
        self._pty = SlowPty(self._on_bytes, baud=baud, bits=_BITS, link=link)
        self._heard_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> str:
        return self._pty.port

    async def run(self) -> None:
        while True:
            for clock, twin in zip(self._clocks, self.twins, strict=True):
                clock.catch_up()
                befall(twin)
                twin.tick()
            await asyncio.sleep(TICK_S)

    async def __aenter__(self) -> Self:
        self._pty.open()
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._pty.deafen()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pty.close()

    def _on_bytes(self, data: bytes) -> None:
        if self.deaf:
            return
        now_s = asyncio.get_running_loop().time()
        if now_s - self._heard_s > _GAP_S:
            for ear in self._ears.values():
                while ear.silence() is not NEED_MORE:
                    pass
        self._heard_s = max(now_s, self._heard_s) + self._pty.wire_time_us(len(data)) / 1e6
        for twin in self.twins:
            ear = self._ears[twin.device]
            ear.receive_data(data)
            while isinstance(frame := ear.next_event(), Frame):
                self._hear(twin, frame)

    def _hear(self, twin: DnyTwin, frame: Frame) -> None:
        if frame.command == POLL:
            self.polls += 1
        else:
            before = len(twin.outbox)
            twin.hear(frame)
            if len(twin.outbox) == before or twin.outbox[0].message_id != frame.message_id:
                return  # nothing to answer; what it has to report waits for a poll
        if twin.outbox and twin.world.powered:
            self._spawn(self._talk(said(twin), self._heard_s + _TURNAROUND_US / 1e6))

    async def _talk(self, data: bytes, ready_s: float) -> None:
        await sleep_until(ready_s)
        if data:
            await self._pty.talk([Piece(data)], ready_s)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
