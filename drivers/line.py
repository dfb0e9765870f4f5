"""Who may speak on a line, when, and whose answer is it?

A `Line` owns one serial port or TCP connection. Every request of every device on it, in any protocol, goes through its
one queue: one frame, then its answer or a time-out, then silence, then the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from drivers.errors import DeviceError, Garbled, LineDown, Transient
from drivers.line_config import DevicePolicy, LineConfig
from drivers.line_device import LineDevice, Priority
from drivers.line_ear import Ear
from drivers.line_echo import EchoFilter
from drivers.line_late import LateAnswers
from drivers.line_meter import LineMeter, LineStats
from drivers.line_port import Port, open_port
from drivers.line_queue import Queue, Request, Speaker
from drivers.line_state import LineState
from drivers.line_turn import TURN_MAX_S, Turn
from drivers.loop import Alarm
from protocols.fieldbus.expect import ECHO, NEED_MORE, Expect

__all__ = ["DevicePolicy", "Line", "LineConfig", "LineDevice", "LineStats", "Priority"]

R = TypeVar("R")

REOPEN_MIN_S: Final = 0.1
REOPEN_MAX_S: Final = 5.0
REOPEN_FAILS: Final = 2
BABBLE_MAX_S: Final = 1.0  # a line that is never silent for so long is given up for this request


class Line:
    """One serial port or TCP peer and everything on it. Use as `async with`, or keep `run()` in a task."""

    def __init__(self, config: LineConfig) -> None:
        self.config = config
        self.id = config.id
        self.devices: list[LineDevice] = []
        self._queue = Queue(config.queue_max)
        self._port: Port | None = None
        self._down: LineDown | None = None  # None before the first try, so that what is asked early waits for it
        self._sleeper: asyncio.Future[None] | None = None
        self._alarm = Alarm()
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._late = LateAnswers()
        self._meter = LineMeter()
        self._ear = Ear(config.character_s)
        self._echo = EchoFilter(config.echo)
        self._last_rx = 0.0
        self._silent_until = 0.0
        self._fails = 0
        self._good_at = 0.0
        self._transaction_id = 0
        self._turn: Speaker | None = None  # who has the line for several frames just now
        self._turned_at: float | None = None  # when `run` began what it is at; None: not running

    def attach(self, name: str, policy: DevicePolicy | None = None) -> LineDevice:
        """A device of this name on the line. Several may share one unit; each has its own state and statistics."""
        device = LineDevice(self, name, policy or DevicePolicy())
        self.devices.append(device)
        return device

    def detach(self, device: LineState) -> None:
        """Forget a device. Its requests in the queue are still served."""
        if device in self.devices:
            self.devices.remove(device)

    def next_transaction_id(self) -> int:
        """A number for the next Modbus TCP request, 1..=65535, not used again soon."""
        self._transaction_id = self._transaction_id % 0xFFFF + 1
        return self._transaction_id

    @property
    def up(self) -> bool:
        """Whether the port is open."""
        return self._port is not None

    @property
    def stalled_s(self) -> float:
        """How long `run` has been at one thing: one request, or opening the port. 0.0 while nothing is to be done."""
        if self._turned_at is None or self._sleeper is not None:
            return 0.0
        return time.monotonic() - self._turned_at

    def stats(self) -> LineStats:
        """How the line itself does, as of now."""
        error = None if self._down is None else f"{self._down}. {self._down.remedy}"
        return self._meter.stats(up=self.up, error=error, queue_depth=len(self._queue))

    async def __aenter__(self) -> Self:
        """Start, and wait for the first try to open. A port that is not there is no error: it is tried again."""
        self._task = asyncio.create_task(self.run(), name=f"line {self.id}")
        await self._tried.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()  # a fault of ours is not swallowed

    async def run(self) -> None:
        """Keep the port open and serve the queue, until cancelled. Whoever still waits then gets LineDown."""
        pause_s = REOPEN_MIN_S
        try:
            while True:
                self._turned_at = time.monotonic()
                try:
                    strict = any(device.policy.drop_bad_characters for device in self.devices)
                    self._port = await open_port(self.config, self._received, self._lost, strict)
                except OSError as error:
                    self._go_down(str(error))
                else:
                    good_at = self._opened()
                    while self._port is not None:
                        await self._serve_next()
                    if self._good_at > good_at:  # somebody answered: the peer does more than accept and hang up
                        pause_s = REOPEN_MIN_S
                    pause_s = max([pause_s, *(device.policy.hold_off_s for device in self.devices)])
                self._tried.set()
                await asyncio.sleep(pause_s)
                pause_s = min(REOPEN_MAX_S, pause_s * 2)
        finally:
            self._turned_at = None
            port, self._port = self._port, None
            self._go_down("the line is shut down")
            self._tried.set()
            if port is not None:
                await port.close()

    async def ask(
        self,
        device: LineState,
        frame: bytes,
        expect: Expect[R],
        priority: Priority,
        timeout_s: float | None,
        retries: int | None,
    ) -> R:
        """See LineDevice.exchange."""
        self._refuse_in_back_off(device)
        request = self._request(device, frame, expect, priority)
        request.timeout_s = timeout_s or device.policy.timeout_s
        request.attempts_left = device.policy.retries if retries is None else retries
        self._enqueue(request)
        if not device.offline:
            return await request.future  # type: ignore[no-any-return]  # whatever expect gave
        device.probing, request.probe, request.attempts_left = True, True, 0
        try:
            return await request.future  # type: ignore[no-any-return]  # whatever expect gave
        finally:
            device.probing = False

    async def tell(self, device: LineState, frame: bytes, priority: Priority, pause_s: float | None) -> None:
        """See LineDevice.broadcast."""
        request = self._request(device, frame, None, priority)
        request.pause_s = self.config.turnaround_ms / 1000 if pause_s is None else pause_s
        self._enqueue(request)
        await request.future

    @asynccontextmanager
    async def turn(self, device: LineState, priority: Priority) -> AsyncIterator[Turn]:
        """See LineDevice.turn."""
        self._refuse_in_back_off(device)
        request = self._request(device, b"", None, priority)
        request.turn = turn = Turn(device, priority)
        self._enqueue(request)
        request.probe = probe = device.offline
        device.probing = device.probing or probe
        try:
            await request.future
            yield turn
        finally:
            turn.end()
            if probe:
                device.probing = False

    def _refuse_in_back_off(self, device: LineState) -> None:
        refusal = device.refusal(asyncio.get_running_loop().time())
        if refusal is not None:
            device.count("refused_in_back_off")
            raise refusal

    def _request(self, device: LineState, frame: bytes, expect: Expect[Any] | None, priority: Priority) -> Request:
        return Request(device, frame, expect, 0.0, priority, 0, asyncio.get_running_loop().create_future())

    def _enqueue(self, request: Request) -> None:
        device = request.device
        if self._down is not None:
            raise LineDown(self._down.what, where=device.where)
        if self._queue.full(request.priority):
            self._meter.overruns += 1
            raise Transient(
                f"{len(self._queue)} requests are waiting for the line already",
                where=device.where,
                remedy="Poll less often, raise the baud rate, or put devices on another line.",
            )
        self._queue.add(request)
        self._wake()

    # The port.

    def _opened(self) -> float:
        now = asyncio.get_running_loop().time()
        self._down = None
        self._meter.opened += 1
        self._fails = 0
        self._last_rx = now
        self._good_at = now
        self._tried.set()
        return now

    def _lost(self, port: Port, reason: str) -> None:
        if port is self._port:
            self._port = None
            self._go_down(reason)

    def _go_down(self, reason: str) -> None:
        """Everybody who waits learns that the line is down."""
        self._down = LineDown(f"{self.config.where}: {reason}", where=self.id)
        self._late.clear()
        for device in self.devices:
            device.line_down(self._down)
        self._ear.fail(self._down)
        if self._turn is not None:
            self._turn.end(self._down)
        for request in self._queue.empty():
            request.fail(LineDown(self._down.what, where=request.device.where))
        self._wake()

    # The turn of one request.

    async def _serve_next(self) -> None:
        self._turned_at = time.monotonic()
        request, ready_at = self._queue.pick(asyncio.get_running_loop().time(), self._late)
        if request is None:
            await self._sleep(ready_at)
        elif request.turn is None:
            await self._serve_or_fail(request)
        else:
            await self._serve_turn(request, request.turn)

    async def _serve_turn(self, request: Request, turn: Speaker) -> None:
        """Whatever the driver says until it is done, its line is down, or its time is up."""
        device, now = request.device, asyncio.get_running_loop().time()
        if not request.probe and (refusal := device.refusal(now)) is not None:
            request.fail(refusal)  # it has gone offline since this was asked
            return
        request.done(None)
        self._turn = turn
        try:
            while (step := await turn.next_step(now + TURN_MAX_S)) is not None:
                self._turned_at = time.monotonic()
                if step.expect is not None:
                    await self._alarm.at(max(device.rest_until, self._late.over_at(step.expect.shape)))
                await self._serve_or_fail(step)
        except asyncio.CancelledError:
            turn.end(LineDown("the line is shut down", where=device.where))
            raise
        finally:
            self._turn = None

    async def _serve_or_fail(self, request: Request) -> None:
        try:
            await self._serve(request)
        except DeviceError as error:
            request.fail(error)
        except asyncio.CancelledError:
            request.fail(LineDown("the line is shut down", where=request.device.where))
            raise
        except Exception as error:  # a fault in an Expect: its owner learns of it, the line goes on
            request.fail(error)

    async def _serve(self, request: Request) -> None:
        if request.future.done():  # the caller has gone
            return
        loop, device = asyncio.get_running_loop(), request.device
        if request.expect is not None and not request.probe and (refusal := device.refusal(loop.time())) is not None:
            raise refusal  # it has gone offline since this was asked
        await self._wait_for_silence(device)
        if request.expect is None:
            self._send_broadcast(request)
            return
        assert self._port is not None
        request.before = dict(request.expect.discarded)
        started = loop.time()
        sent = started + len(request.frame) * self.config.character_s
        self._write(request.frame)
        answer = await self._ear.answer(request.expect, sent + request.timeout_s)
        now = loop.time()
        seen = self._seen(request, request.expect)
        if answer is not NEED_MORE:
            self._meter.busy(started, now)
            self._fails, self._good_at = 0, now
            self._late.forget(request.expect.shape)
            device.answered(now, now - started)
            request.done(answer)
            return
        error = device.failed(now, request.timeout_s, seen)
        self._late.may_come(device, request.expect, now + device.policy.late_window_s)
        await self._drain(now)
        self._meter.busy(started, loop.time())
        if request.attempts_left > 0 and not device.offline and self._port is not None:
            request.attempts_left -= 1
            self._queue.put_back(request)
        else:
            request.fail(error)
        if device.policy.back_off:
            self._fails += 1
            await self._reopen_if_dead(now)

    async def _sleep(self, until: float | None) -> None:
        """Until something is worth looking at: a new request, a late answer, the line down, or the given time."""
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        timer = None if until is None else loop.call_at(until, self._wake)
        try:
            await self._sleeper
        finally:
            self._sleeper = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def _wait_for_silence(self, device: LineState) -> None:
        """Until nothing has been on the wire for the guard time. Raises Garbled when that does not come."""
        loop = asyncio.get_running_loop()
        guard_s = self._guard_s(device)
        give_up_at = max(loop.time(), self._silent_until) + guard_s + BABBLE_MAX_S
        while self._port is not None:
            now = loop.time()
            free_at = max(self._last_rx + guard_s, self._silent_until)
            if now > give_up_at:
                device.count("babble")
                raise Garbled("the line is never silent; somebody talks without being asked", where=device.where)
            if now < free_at:
                await self._alarm.at(free_at)
            elif not self._port.pull():
                return
        assert self._down is not None
        raise LineDown(self._down.what, where=device.where)

    def _guard_s(self, device: LineState) -> float:
        if self.config.guard_ms is not None:
            return self.config.guard_s
        return max(self.config.guard_s, device.policy.guard_s)

    def _received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._last_rx = now
        if not (data := self._echo.strip(data)):
            return
        if self._ear.listening:
            self._ear.hear(data, now)
        else:
            self._stray(data, now)

    def _stray(self, data: bytes, now: float) -> None:
        """Bytes that nobody waits for: the late answer of a request that timed out, or noise."""
        self._meter.stray_bytes += len(data)
        if self._late.hear(data, now):
            self._wake()

    def _seen(self, request: Request, expect: Expect[Any]) -> dict[str, int]:
        """Bytes discarded in this attempt, by kind; each kind counts once against the device."""
        seen = {
            kind: count - request.before.get(kind, 0)
            for kind, count in expect.discarded.items()
            if count > request.before.get(kind, 0)
        }
        for kind in seen:
            request.device.count(kind)
        if ECHO in seen:
            self._echo.learn()
        return seen

    async def _drain(self, now: float) -> None:
        """Stay silent after a time-out until the line has been quiet for a while."""
        drain_s = max(self.config.guard_s, self.config.drain_ms / 1000)
        self._silent_until = now + drain_s
        give_up_at = now + BABBLE_MAX_S
        while self._port is not None and now < give_up_at:
            wait_s = max(self._silent_until, self._last_rx + drain_s) - now
            if wait_s <= 0:
                return
            await asyncio.sleep(wait_s)
            now = asyncio.get_running_loop().time()

    def _send_broadcast(self, request: Request) -> None:
        self._write(request.frame)
        now = asyncio.get_running_loop().time()
        pause_s = max(request.pause_s, self._guard_s(request.device))
        self._silent_until = now + len(request.frame) * self.config.character_s + pause_s
        self._meter.busy(now, self._silent_until)
        request.done(None)

    def _write(self, frame: bytes) -> None:
        assert self._port is not None
        self._echo.sent(frame)
        self._port.write(frame)

    async def _reopen_if_dead(self, now: float) -> None:
        """Nobody answers any more: it may be the port or the connection itself."""
        limit_s = self.config.reopen_after_s
        if limit_s is None or self._port is None or self._fails < REOPEN_FAILS or now - self._good_at < limit_s:
            return
        port, self._port = self._port, None
        self._go_down(f"no device has answered for {now - self._good_at:.1f} s; opening it again")
        await port.close()
