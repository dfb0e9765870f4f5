"""What have the loops of pumps, cabinets and port boards in common? Turn after turn, over whatever goes wrong."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

import structlog

from drivers.errors import DeviceError
from edge.clock import Clock
from edge.epochs import EpochOver
from edge.journal.errors import JournalFull

TELL_AGAIN_S = 60.0
"""A disk without room is told of so often at most: every turn finds it."""

log = structlog.get_logger()


class DeviceLoop(ABC):
    """One device's loop.

    id: of the device. lock: held by whoever looks at it and acts on it, for a whole look or a whole start. looked_ms:
    when the last turn began, on the box's monotonic clock.
    """

    look_s: ClassVar[float]
    """How often the device is looked at. It costs nothing: what is seen is what its driver has been told."""

    def __init__(self, device_id: str, clock: Clock) -> None:
        self.id = device_id
        self.lock = asyncio.Lock()
        self.looked_ms = clock.mono_ms()
        self._clock = clock
        self._wake = asyncio.Event()
        self._not_before_ms: dict[tuple[str, object], int] = {}

    def wake(self) -> None:
        """What is wanted may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._wake.clear()
            await self.step()
            try:
                async with asyncio.timeout(self.look_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def step(self) -> None:
        """One turn. Survives whatever the device does, a full disk, the epoch's end: the next turn starts from them."""
        try:
            async with self.lock:
                self.looked_ms = self._clock.mono_ms()
                await self.turn()
        except DeviceError as error:
            log.debug("it does not do as told", device=self.id, error=str(error))
        except JournalFull as error:
            self._tell_of_disk(error)
        except EpochOver as error:
            log.info("nothing is written any more", device=self.id, error=str(error))

    @abstractmethod
    async def turn(self) -> None:
        """One look, and what follows from it. Raises DeviceError, JournalFull, EpochOver."""

    def _tell_of_disk(self, error: JournalFull) -> None:
        if not self._must_wait("disk told"):
            self._put_off("disk told", TELL_AGAIN_S)
            log.error("nothing could be saved", device=self.id, error=str(error), remedy=error.remedy)

    def _must_wait(self, what: str, about: object = None) -> bool:
        """Whether this was put off, and its time has not come."""
        return self._clock.mono_ms() < self._not_before_ms.get((what, about), 0)

    def _put_off(self, what: str, seconds: float, about: object = None) -> None:
        """This is not done, or told, before."""
        now_ms = self._clock.mono_ms()
        self._not_before_ms = {key: at_ms for key, at_ms in self._not_before_ms.items() if at_ms > now_ms}
        self._not_before_ms[what, about] = now_ms + int(seconds * 1000)
