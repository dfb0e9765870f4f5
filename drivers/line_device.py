"""What can be asked of one device on a line?"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from drivers.line_config import DevicePolicy
from drivers.line_queue import Priority
from drivers.line_state import LineState
from drivers.line_turn import Turn
from protocols.fieldbus.expect import Expect

__all__ = ["LineDevice", "Priority"]

R = TypeVar("R")


class Asked(Protocol):
    """The line, as its devices see it. `drivers.line.Line` is the one there is."""

    id: str

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

    async def tell(self, device: LineState, frame: bytes, priority: Priority, pause_s: float | None) -> None:
        """See LineDevice.broadcast."""

    def turn(self, device: LineState, priority: Priority) -> AbstractAsyncContextManager[Turn]:
        """See LineDevice.turn."""

    def detach(self, device: LineState) -> None:
        """Forget a device."""


class LineDevice(LineState):
    """One device on a line. Made by `Line.attach`; owned by one driver."""

    def __init__(self, line: Asked, name: str, policy: DevicePolicy) -> None:
        super().__init__(f"{line.id}:{name}", name, policy)
        self._line = line

    async def exchange(
        self,
        frame: bytes,
        expect: Expect[R],
        *,
        priority: Priority = Priority.POLL,
        timeout_s: float | None = None,
        retries: int | None = None,
    ) -> R:
        """Send `frame` in its turn and give what `expect` finds. timeout_s, retries: instead of the policy's.

        Raises Silent, Garbled or LineDown; Silent at once and without bus time while the device is in its back-off
        pause. Cancelling is clean: a request that is on the wire is seen through for the sake of the bus.
        """
        return await self._line.ask(self, frame, expect, priority, timeout_s, retries)

    async def broadcast(
        self, frame: bytes, *, priority: Priority = Priority.COMMAND, pause_s: float | None = None
    ) -> None:
        """Send `frame`, which nobody answers, and keep the line silent for `pause_s` after its last bit.

        pause_s: None: the line's turnaround time. Returns when the frame is on its way. Raises LineDown.
        """
        await self._line.tell(self, frame, priority, pause_s)

    def turn(self, *, priority: Priority = Priority.POLL) -> AbstractAsyncContextManager[Turn]:
        """Have the line for several frames in a row: `async with device.turn() as turn: await turn.ask(...)`.

        Nobody else is served until the block ends, at the latest after `line_turn.TURN_MAX_S`. Entering raises Silent
        or LineDown as `exchange` does. Nothing may be asked inside but through the turn.
        """
        return self._line.turn(self, priority)

    def detach(self) -> None:
        """Forget this device."""
        self._line.detach(self)
