"""A drive ends when it is told to, whatever else happens in the same moment."""

from __future__ import annotations

import asyncio
import time

import pytest

from drivers.api import ChargerLimits, ChargerStatus, Iec61851, Link, Point, Quality, Reading
from edge.plant.drive import Drive


class Obedient:
    """A charger that is off, and stays so."""

    id = profile_id = "charger"
    limits = ChargerLimits(6_000, 32_000, 7_200, None)

    def status(self) -> Reading[ChargerStatus]:
        off = ChargerStatus(Iec61851.A, "off", None, None, None)
        return Reading(off, Quality.GOOD, time.monotonic_ns() // 1_000_000)

    async def allow(self, current_ma: int) -> None:
        raise AssertionError("nobody wants delivery")

    async def stop(self) -> None:
        return

    def link(self) -> Link:
        raise AssertionError("nobody asks here")

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("turns", range(6))
async def test_woken_and_cancelled_in_one_moment(turns: int) -> None:
    """A wake that comes with the cancellation does not swallow it: the daemon would never end (bpo-37658)."""
    drive = Drive("c1", Obedient(), wanted=lambda: False)
    task = asyncio.create_task(drive.run())
    for _ in range(10):
        await asyncio.sleep(0)
    drive.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    task.cancel()
    assert done
    assert task.cancelled()
