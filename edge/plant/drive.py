"""Drives each charger from what is seen to what the committed state wants. Below the till, above the drivers.

Nothing is remembered that matters: after any crash the loop compares again, and repeating an act is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from drivers.api import Charger, ChargerStatus
from drivers.errors import DeviceError

LOOK_S = 0.5
"""How often seen and wanted are compared when nothing else wakes the loop."""
INSIST_S = 5.0
"""A charger that does not do as told is told again after this."""
COMPLAIN_S = 10.0
"""A charger takes a moment to be set up, and several to come back; only one that fails for so long is news."""

log = structlog.get_logger()


def decide(*, wanted_ma: int, status: ChargerStatus | None, told_ma: int | None, told_s_ago: float) -> int | None:
    """The limit to tell a charger now, so that it comes from `status` (None: unknown) to what is wanted; 0: stop.

    None: nothing to tell. told_ma: the last that it acknowledged since this daemon started.
    """
    if told_ma != wanted_ma:
        return wanted_ma
    obeys = status is not None and (status.delivering == bool(wanted_ma) or (wanted_ma and not status.plugged))
    return None if obeys or told_s_ago < INSIST_S else wanted_ma


class Drive:
    """One charger's loop."""

    def __init__(
        self,
        connector: str,
        charger: Charger,
        wanted: Callable[[], bool],
        limit_ma: Callable[[], int] | None = None,
    ) -> None:
        """wanted: whether it should deliver. limit_ma: at most how much, now; 0: it has to wait; None: all it can."""
        self._connector = connector
        self._charger = charger
        self._wanted = wanted
        self._limit_ma = limit_ma
        self._wake = asyncio.Event()
        self._told_ma: int | None = None
        self._told_at_s = 0.0
        self._ordering = False
        self._ordered_s: float | None = None
        self._failing_since_s = 0.0
        self._complained = False
        self.error: DeviceError | None = None

    def wake(self) -> None:
        """What is wanted may have changed."""
        self._wake.set()

    def quiet_ms(self) -> int | None:
        """How long ago the last order ended, well or not; below 0 while one is under way; None before the first."""
        if self._ordering:
            return -1
        return None if self._ordered_s is None else int((asyncio.get_running_loop().time() - self._ordered_s) * 1000)

    @property
    def wants(self) -> bool:
        """It should deliver, as far as there is power for it."""
        return self._wanted()

    @property
    def paused(self) -> bool:
        """It should deliver, and there is no power for it."""
        return self._wanted() and self.wanted_ma() == 0

    def wanted_ma(self) -> int:
        """What it should be told now; 0: stop."""
        if not self._wanted():
            return 0
        return self._charger.limits.current_ma_max if self._limit_ma is None else self._limit_ma()

    def obeyed(self) -> tuple[int, float] | None:
        """The last limit that it acknowledged, in mA, and how many seconds ago. None: none yet."""
        if self._told_ma is None:
            return None
        return self._told_ma, asyncio.get_running_loop().time() - self._told_at_s

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            limit_ma = decide(
                wanted_ma=self.wanted_ma(),
                status=self._charger.status().value,
                told_ma=self._told_ma,
                told_s_ago=loop.time() - self._told_at_s,
            )
            if limit_ma is not None:
                await self._tell(limit_ma)
            try:
                async with asyncio.timeout(LOOK_S):  # wait_for of Python 3.11 swallows a cancellation now and then
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _tell(self, limit_ma: int) -> None:
        self._ordering = True
        try:
            if limit_ma:
                await self._charger.allow(limit_ma)
            else:
                await self._charger.stop()
        except DeviceError as error:
            self._failed(limit_ma, error)
            return
        finally:
            self._ordering, self._ordered_s = False, asyncio.get_running_loop().time()
        if self._told_ma != limit_ma:
            log.debug("charger told", connector=self._connector, limit_ma=limit_ma)
        if self._complained:
            log.info("charger obeys again", connector=self._connector, limit_ma=limit_ma)
        self.error, self._complained, self._told_ma = None, False, limit_ma
        self._told_at_s = self._ordered_s

    def _failed(self, limit_ma: int, error: DeviceError) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.error is None:
            self._failing_since_s = now_s
        self.error = error
        if not self._complained and now_s - self._failing_since_s >= COMPLAIN_S:
            self._complained = True
            log.warning("charger does not obey", connector=self._connector, limit_ma=limit_ma, error=str(error))
