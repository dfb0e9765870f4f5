"""How does one device keep the line for several frames in a row?

A DART pump must hear an ACK right after its DATA, before anybody else is asked; a Gilbarco pump takes a block of data
only straight after the word that announces it. Meanwhile the line serves nobody else, so a turn has a limit.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

from drivers.errors import DeviceError, Transient
from drivers.line_queue import Priority, Request
from drivers.line_state import LineState
from protocols.fieldbus.expect import Expect

R = TypeVar("R")

TURN_MAX_S: Final = 3.0  # one device must not take the line from all others, whatever its driver does


class Turn:
    """What a driver says while it has the line: one frame after another. Made by `LineDevice.turn`."""

    def __init__(self, device: LineState, priority: Priority) -> None:
        self._device = device
        self._priority = priority
        self._step: Request | None = None
        self._over: DeviceError | None = None
        self._waker: asyncio.Future[None] | None = None

    async def ask(self, frame: bytes, expect: Expect[R], *, timeout_s: float | None = None) -> R:
        """Send `frame`, once, and give what `expect` finds. timeout_s: instead of the policy's.

        Raises Silent, Garbled or LineDown; Transient when the turn has lasted too long.
        """
        timeout_s = self._device.policy.timeout_s if timeout_s is None else timeout_s
        return await self._do(frame, expect, timeout_s, 0.0)  # type: ignore[no-any-return]  # whatever expect gave

    async def tell(self, frame: bytes, *, pause_s: float = 0.0) -> None:
        """Send `frame`, which nobody answers. The line then stays silent for `pause_s`, and the guard time at least.

        Returns when the frame is on its way. Raises LineDown; Transient when the turn has lasted too long.
        """
        await self._do(frame, None, 0.0, pause_s)

    async def _do(self, frame: bytes, expect: Expect[Any] | None, timeout_s: float, pause_s: float) -> Any:
        assert self._step is None, "a turn takes one step at a time"
        if self._over is not None:
            raise self._over
        future = asyncio.get_running_loop().create_future()
        self._step = Request(
            self._device, frame, expect, timeout_s, self._priority, 0, future, probe=True, pause_s=pause_s
        )
        self._wake()
        return await future

    # What the line asks and tells.

    async def next_step(self, until: float) -> Request | None:
        """The next frame; None when the driver is done, or when it has not been by `until`, loop time."""
        loop = asyncio.get_running_loop()
        timer = loop.call_at(until, self._time_is_up)
        try:
            while self._step is None and self._over is None:
                self._waker = loop.create_future()
                await self._waker
        finally:
            timer.cancel()
            self._waker = None
        step, self._step = self._step, None
        if step is not None and loop.time() >= until:
            self._time_is_up()
        if step is not None and self._over is not None:
            step.fail(self._over)
            return None
        return step

    def end(self, error: DeviceError | None = None) -> None:
        """Nothing more is sent in this turn; who tries to gets `error`."""
        if self._over is None:
            self._over = error or Transient("this turn on the line is over", where=self._device.where)
        if self._step is not None:
            self._step.fail(self._over)
        self._wake()

    def _time_is_up(self) -> None:
        self.end(Transient(f"the turn on the line has taken {TURN_MAX_S:g} s already", where=self._device.where))

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)
