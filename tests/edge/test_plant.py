"""What is seen, and what a charger is told: the drive compares again and again, the watch makes no reading younger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from drivers.api import ChargerStatus, Iec61851, Meter, Quality, Reading
from drivers.errors import Silent
from edge.clock import Clock
from edge.plant import drive as drives
from edge.plant.drive import Drive, decide
from edge.plant.watch import Outlet, Watch
from tests.edge.desk_rig import Bay, Time, until

A, B, C, F = Iec61851.A, Iec61851.B, Iec61851.C, Iec61851.F
ALL, LESS, STOP = 32_000, 10_000, 0


@pytest.mark.parametrize(
    ("wanted_ma", "seen", "told_ma", "ago_s", "tells"),
    [
        # A daemon that has just started tells once, whatever it sees: a session may have ended while it was dead.
        (STOP, B, None, 0, STOP),
        (STOP, C, None, 0, STOP),
        (STOP, None, None, 0, STOP),
        (ALL, C, None, 0, ALL),
        (ALL, None, None, 0, ALL),
        # Told and done: quiet.
        (STOP, B, STOP, 60, None),
        (STOP, A, STOP, 60, None),
        (ALL, C, ALL, 60, None),
        (ALL, A, ALL, 60, None),  # no car, nothing to let draw
        # What is wanted has changed: at once.
        (ALL, B, STOP, 0, ALL),
        (STOP, C, ALL, 0, STOP),
        (LESS, C, ALL, 0, LESS),
        (ALL, C, LESS, 0, ALL),
        # Told and not done: again, but not at every look.
        (STOP, C, STOP, 1, None),
        (STOP, C, STOP, 5, STOP),
        (ALL, B, ALL, 1, None),
        (ALL, B, ALL, 5, ALL),
        (ALL, F, ALL, 5, None),  # a fault is the till's to end
        # Silent: what it does cannot be seen, so it is told again.
        (STOP, None, STOP, 5, STOP),
        (ALL, None, ALL, 5, ALL),
    ],
)
def test_what_a_charger_is_told(
    wanted_ma: int, seen: Iec61851 | None, told_ma: int | None, ago_s: float, tells: int | None
) -> None:
    """The whole decision, as a table."""
    status = None if seen is None else ChargerStatus(seen, "as told", None, None, None)
    assert decide(wanted_ma=wanted_ma, status=status, told_ma=told_ma, told_s_ago=ago_s) == tells


@asynccontextmanager
async def driven(bay: Bay, wanted: list[bool]) -> AsyncIterator[Drive]:
    drive = Drive("c1", bay, lambda: wanted[0])
    running = asyncio.create_task(drive.run())
    try:
        yield drive
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_drive_is_woken_rather_than_waited_for() -> None:
    """What changes is told at once, both ways."""
    bay, wanted = Bay("c1"), [True]
    async with driven(bay, wanted) as drive:
        await until(lambda: bay.asked == ["allow"])
        wanted[0] = False
        drive.wake()
        await until(lambda: bay.asked == ["allow", "stop"])
        assert not bay.delivering


async def test_a_charger_that_does_not_answer_is_told_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is shown meanwhile, and gone once it obeys; what it is told is what is wanted then, not before."""
    monkeypatch.setattr(drives, "LOOK_S", 0.01)
    bay, wanted, tries = Bay("c1"), [True], 0

    async def deaf(current_ma: int) -> None:
        nonlocal tries
        tries += 1
        raise Silent("no answer", where="rtu1:c1")

    monkeypatch.setattr(bay, "allow", deaf)
    async with driven(bay, wanted) as drive:
        await until(lambda: tries >= 3)
        assert drive.error is not None
        wanted[0] = False
        await until(lambda: drive.error is None)
        assert bay.asked == ["stop"]


async def test_a_charger_that_does_not_obey_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It acknowledges and does nothing: the drive insists."""
    monkeypatch.setattr(drives, "LOOK_S", 0.01)
    monkeypatch.setattr(drives, "INSIST_S", 0.02)
    bay = Bay("c1")
    bay.delivering = True
    told = 0

    async def stubborn() -> None:
        nonlocal told
        told += 1
        bay.delivering = told < 3

    monkeypatch.setattr(bay, "stop", stubborn)
    async with driven(bay, [False]):
        await until(lambda: not bay.delivering)
    assert told == 3


# --- the watch --------------------------------------------------------------------------------------------------------


def watch_on(bay: Bay, now: Time) -> Watch:
    return Watch(Clock(now.system()), {"c1": Outlet("c1", bay, bay, "m1")})


def test_everest_2673_an_old_reading_stays_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its instant is that of the answer, on the box's own clock; looking again does not make it younger."""
    bay, now = Bay("c1"), Time(mono_ms=60_000)
    watch, answered_ms = watch_on(bay, now), time.monotonic_ns() // 1_000_000 - 4_000
    reading = Reading(bay.reading().value, Quality.STALE, answered_ms)
    monkeypatch.setattr(bay, "reading", lambda: reading)
    for _ in range(3):
        register = watch.sight("c1").register
        assert register is not None
        assert 55_000 <= register.mono_ms <= 56_000
        assert now.wall_ms - register.wall_ms == now.mono_ms - register.mono_ms


def test_never_read_is_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter that has not answered, or says that it does not know, has no register, and none at the close of day."""
    bay = Bay("c1")
    watch = watch_on(bay, Time())
    bay.meter_answers = bay.charger_answers = False
    sight = watch.sight("c1")
    assert (sight.register, sight.status, sight.meter_power_w) == (None, None, None)
    assert watch.registers() == []


async def test_a_meter_asked_now_answers_now_or_not_at_all() -> None:
    """`read_now` raises rather than give what was polled."""
    bay = Bay("c1")
    watch = watch_on(bay, Time())
    bay.register_wh = 1_000_500
    sight = await watch.read_now("c1")
    assert sight.register is not None
    assert sight.register.energy_wh == 1_000_500
    bay.meter_answers = False
    with pytest.raises(Silent):
        await watch.read_now("c1")


def test_one_meter_of_two_connectors_is_read_once_for_the_day() -> None:
    """Registers go by meter, not by connector."""
    bay = Bay("c1")
    assert isinstance(bay, Meter)
    outlets = {name: Outlet(name, bay, bay, "m1") for name in ("c1", "c2")}
    watch = Watch(Clock(Time().system()), outlets)
    assert [register.meter for register in watch.registers()] == ["m1"]


@pytest.mark.parametrize(("iec", "plugged", "faulted"), [(A, False, False), (B, True, False), (F, False, True)])
def test_the_pilot_as_the_till_sees_it(
    monkeypatch: pytest.MonkeyPatch, iec: Iec61851, plugged: bool, faulted: bool
) -> None:
    """E and F are faults, A is nobody."""
    bay = Bay("c1")
    status = Reading(ChargerStatus(iec, "7", None, None, None), Quality.GOOD, time.monotonic_ns() // 1_000_000)
    monkeypatch.setattr(bay, "status", lambda: status)
    seen = watch_on(bay, Time()).sight("c1").status
    assert seen is not None
    assert (seen.plugged, seen.faulted, seen.delivering, seen.reason) == (plugged, faulted, False, "7")
