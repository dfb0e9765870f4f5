"""Drives each charger from what is seen to what the committed state wants. Below the till, above the drivers.

Nothing is remembered that matters: after any crash the loop compares again, and repeating an act is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

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


class Act(StrEnum):
    """What to tell a charger."""

    ALLOW = "allow"
    STOP = "stop"


def decide(*, wanted: bool, status: ChargerStatus | None, told: Act | None, told_s_ago: float) -> Act | None:
    """The act that brings a charger from `status` (None: unknown) to what is wanted. None: nothing to do.

    `told`: the last act that it acknowledged since this daemon started.
    """
    act = Act.ALLOW if wanted else Act.STOP
    if told is not act:
        return act
    obeys = status is not None and (status.delivering == wanted or (wanted and not status.plugged))
    return None if obeys or told_s_ago < INSIST_S else act


class Drive:
    """One charger's loop."""

    def __init__(self, connector: str, charger: Charger, wanted: Callable[[], bool]) -> None:
        self._connector = connector
        self._charger = charger
        self._wanted = wanted
        self._wake = asyncio.Event()
        self._told: Act | None = None
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

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            act = decide(
                wanted=self._wanted(),
                status=self._charger.status().value,
                told=self._told,
                told_s_ago=loop.time() - self._told_at_s,
            )
            if act is not None:
                await self._tell(act)
            try:
                async with asyncio.timeout(LOOK_S):  # wait_for of Python 3.11 swallows a cancellation now and then
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _tell(self, act: Act) -> None:
        self._ordering = True
        try:
            if act is Act.ALLOW:
                await self._charger.allow(self._charger.limits.current_ma_max)
            else:
                await self._charger.stop()
        except DeviceError as error:
            self._failed(act, error)
            return
        finally:
            self._ordering, self._ordered_s = False, asyncio.get_running_loop().time()
        if self._told is not act:
            log.debug("charger told", connector=self._connector, act=act.value)
        if self._complained:
            log.info("charger obeys again", connector=self._connector, act=act.value)
        self.error, self._complained, self._told = None, False, act
        self._told_at_s = self._ordered_s

    def _failed(self, act: Act, error: DeviceError) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.error is None:
            self._failing_since_s = now_s
        self.error = error
        if not self._complained and now_s - self._failing_since_s >= COMPLAIN_S:
            self._complained = True
            log.warning("charger does not obey", connector=self._connector, act=act.value, error=str(error))
