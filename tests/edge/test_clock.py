"""The site's clock says how surely it knows the time, and never claims more than somebody vouched for."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import pytest

from edge.clock import BUILD_MS, NARROW_MS, Clock, System, system
from protocols.trade.records import ClockQuality, Stamp

UNKNOWN, INFORMATIVE, SYNCHRONISED = ClockQuality.UNKNOWN, ClockQuality.INFORMATIVE, ClockQuality.SYNCHRONISED

NOON = BUILD_MS + 100 * 86_400_000
SECOND, MINUTE, HOUR, DAY, YEAR = 1_000, 60_000, 3_600_000, 86_400_000, 365 * 86_400_000


@dataclass
class Box:
    """A box whose clocks a test turns. `true_ms` is what the stars say."""

    true_ms: int = NOON
    wall_ms: int = NOON
    mono_ms: int = 5_000
    boot: bytes = b"boot-one"
    synchronised: bool = False

    def system(self) -> System:
        return System(self.boot, lambda: self.mono_ms, lambda: self.wall_ms, lambda: self.synchronised)

    def clock(self, last: Stamp | None = None) -> Clock:
        return Clock(self.system(), last)

    def wait(self, elapsed_ms: int, drift_ppm: int = 0) -> None:
        """Time passes; the box's oscillator runs fast by drift_ppm (slow where negative)."""
        self.true_ms += elapsed_ms
        counted_ms = elapsed_ms + elapsed_ms * drift_ppm // 1_000_000
        self.mono_ms += counted_ms
        self.wall_ms += counted_ms

    def restart(self, wall_ms: int, off_ms: int = MINUTE) -> None:
        """Power goes for off_ms and comes back; without a battery the clock starts where the image left it."""
        self.true_ms += off_ms
        self.boot, self.mono_ms, self.wall_ms = b"boot-two", 3_000, wall_ms


@pytest.mark.parametrize(
    ("wall_ms", "lb_ms", "ub_ms", "synchronised", "quality", "estimate_ms"),
    [
        # wall       lower bound   upper bound        kernel  quality       estimate
        (NOON,       0,            None,              False,  INFORMATIVE,  NOON),
        (NOON,       0,            None,              True,   SYNCHRONISED, NOON),
        (0,          0,            None,              False,  UNKNOWN,      0),
        (0,          NOON,         None,              False,  UNKNOWN,      NOON),
        (0,          NOON,         None,              True,   UNKNOWN,      NOON),
        (BUILD_MS-1, 0,            None,              True,   UNKNOWN,      BUILD_MS - 1),
        (NOON-1,     NOON,         None,              False,  UNKNOWN,      NOON),
        (NOON+DAY,   NOON,         None,              False,  INFORMATIVE,  NOON + DAY),
        (NOON+YEAR,  NOON,         NOON + DAY,        False,  INFORMATIVE,  NOON + DAY),
        (NOON+YEAR,  NOON,         NOON + DAY,        True,   INFORMATIVE,  NOON + DAY),
        (NOON+SECOND, NOON,        NOON + NARROW_MS,  False,  SYNCHRONISED, NOON + SECOND),
        (0,          NOON,         NOON + NARROW_MS,  False,  SYNCHRONISED, NOON),
        (NOON+YEAR,  NOON,         NOON + NARROW_MS,  False,  SYNCHRONISED, NOON + NARROW_MS),
    ],
)  # fmt: skip
def test_quality_and_estimate(
    wall_ms: int, lb_ms: int, ub_ms: int | None, synchronised: bool, quality: ClockQuality, estimate_ms: int
) -> None:
    """What a stamp says for a given wall clock, given bounds, and what the kernel claims."""
    box = Box(wall_ms=wall_ms, synchronised=synchronised)
    clock = box.clock()
    if lb_ms:
        assert clock.learn(lb_ms, ub_ms)
    stamp = clock.stamp()
    assert (stamp.quality, stamp.wall_ms, stamp.lb_ms, stamp.ub_ms) == (quality, estimate_ms, lb_ms, ub_ms)
    assert (stamp.boot, stamp.mono_ms) == (box.boot, box.mono_ms)
    assert clock.wall_ms() == estimate_ms


@pytest.mark.parametrize("drift_ppm", [-499, -100, 0, 100, 499])
def test_the_true_time_stays_within_the_bounds(drift_ppm: int) -> None:
    """However the oscillator drifts within the allowance, and for however long nobody is heard."""
    box = Box()
    clock = box.clock()
    assert clock.learn(box.true_ms - 50, box.true_ms + 50)
    for elapsed_ms in (1, 999, SECOND, HOUR, DAY, 30 * DAY):
        box.wait(elapsed_ms, drift_ppm)
        stamp = clock.stamp()
        assert stamp.ub_ms is not None
        assert stamp.lb_ms <= box.true_ms <= stamp.ub_ms


def test_bounds_widen_until_somebody_is_heard_again() -> None:
    """After about two days without contact the clock is no longer as good as synchronised; one reply restores it."""
    box = Box()
    clock = box.clock()
    clock.learn(box.true_ms, box.true_ms + 40)
    qualities = []
    for _ in range(3):
        box.wait(DAY)
        qualities.append(clock.stamp().quality)
    assert qualities == [SYNCHRONISED, SYNCHRONISED, INFORMATIVE]
    clock.learn(box.true_ms, box.true_ms + 40)
    assert clock.stamp().quality is SYNCHRONISED


def test_a_restarted_daemon_goes_on_in_the_same_boot() -> None:
    """The last stamp in the log carries both bounds over the daemon's death, grown by the time it was dead."""
    box = Box()
    clock = box.clock()
    clock.learn(box.true_ms, box.true_ms + 40)
    last = clock.stamp()
    box.wait(HOUR)
    stamp = box.clock(last).stamp()
    assert stamp == clock.stamp()
    assert stamp.quality is SYNCHRONISED


def test_a_box_without_a_battery_wakes_up_in_1970() -> None:
    """Only the lower bound outlives a power cut: the estimate stands there, is called unknown, and counts on."""
    box = Box()
    clock = box.clock()
    clock.learn(box.true_ms, box.true_ms + 40)
    box.wait(MINUTE)
    last = clock.stamp()
    box.restart(wall_ms=0, off_ms=10 * DAY)
    clock = box.clock(last)
    first = clock.stamp()
    assert (first.quality, first.wall_ms, first.lb_ms, first.ub_ms) == (UNKNOWN, last.lb_ms, last.lb_ms, None)
    box.wait(HOUR)
    later = clock.stamp()
    assert later.quality is UNKNOWN
    assert HOUR - 2 * SECOND <= later.wall_ms - first.wall_ms <= HOUR
    assert later.lb_ms <= box.true_ms
    clock.learn(box.true_ms, box.true_ms + 40)
    assert clock.stamp().quality is SYNCHRONISED
    assert clock.moved() is None


def test_a_grant_from_a_phone_bounds_from_below_alone() -> None:
    """A signed issue time is not in the future; how long ago it was nobody knows."""
    box = Box(wall_ms=0)
    clock = box.clock()
    assert clock.learn(NOON - DAY)
    stamp = clock.stamp()
    assert (stamp.lb_ms, stamp.ub_ms, stamp.quality) == (NOON - DAY, None, UNKNOWN)
    assert clock.learn(NOON - YEAR)
    assert clock.stamp().lb_ms == NOON - DAY


def test_a_reply_counts_from_when_it_came() -> None:
    """Work between the reply and its taking in does not make the bounds wrong."""
    box = Box()
    clock = box.clock()
    came_ms = box.mono_ms
    time_ms = box.true_ms
    box.wait(10 * SECOND)
    clock.learn(time_ms, time_ms + 40, at_mono_ms=came_ms)
    stamp = clock.stamp()
    assert stamp.ub_ms is not None
    assert stamp.lb_ms <= box.true_ms <= stamp.ub_ms
    assert stamp.ub_ms - stamp.lb_ms < 100


def test_a_contradiction_is_told_and_never_goes_back() -> None:
    """Headquarters a year ahead, then right again: the lower bound stands, the upper one is given up."""
    box = Box()
    clock = box.clock()
    assert clock.learn(NOON + YEAR, NOON + YEAR + 40)
    assert not clock.learn(NOON, NOON + 40)
    stamp = clock.stamp()
    assert (stamp.lb_ms, stamp.ub_ms, stamp.quality) == (NOON + YEAR, None, UNKNOWN)


def test_lower_bounds_in_a_log_never_fall() -> None:
    """Whatever the wall clock does and whoever is heard, stamp after stamp."""
    box = Box()
    clock = box.clock()
    bounds = []
    for turn in range(50):
        box.wait(MINUTE * turn)
        box.wall_ms += (-1) ** turn * turn * HOUR
        if turn % 7 == 3:
            clock.learn(box.true_ms, box.true_ms + 100)
        if turn % 11 == 5:
            last = clock.stamp()
            box.restart(wall_ms=turn)
            clock = box.clock(last)
        bounds.append(clock.stamp().lb_ms)
    assert bounds == sorted(bounds)
    assert bounds[-1] <= box.true_ms


def test_a_wall_clock_that_was_set_is_told_once() -> None:
    """Old and new at one instant, for jumps of more than a second; a year is a jump, drift is none."""
    box = Box()
    clock = box.clock()
    box.wait(30 * DAY, drift_ppm=400)
    assert clock.moved() is None
    box.wall_ms += SECOND
    assert clock.moved() is None
    old_ms = box.wall_ms - SECOND
    box.wall_ms += 1
    assert clock.moved() == (old_ms, box.wall_ms)
    assert clock.moved() is None
    box.wall_ms -= YEAR
    assert clock.moved() == (box.wall_ms + YEAR, box.wall_ms)


def test_small_steps_add_up() -> None:
    """A clock that is set by half a second three times has moved."""
    box = Box()
    clock = box.clock()
    seen = []
    for _ in range(3):
        box.wait(MINUTE)
        box.wall_ms += 500
        seen.append(clock.moved())
    assert seen[:2] == [None, None]
    assert seen[2] == (box.wall_ms - 1_500, box.wall_ms)


def test_the_clocks_of_this_box() -> None:
    """One boot id for every process of a boot; milliseconds that do not go back."""
    first, second = system(), system()
    assert first.boot == second.boot
    assert len(first.boot) == 8
    assert 0 < first.mono_ms() <= second.mono_ms()
    assert first.wall_ms() > BUILD_MS
    assert first.synchronised() in (True, False)
    assert Clock(first).moved() is None


def test_the_kernel_is_asked_without_loading_anything_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at ten times a second and more."""
    clocks, before = system(), system().synchronised()
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert clocks.synchronised() == before
