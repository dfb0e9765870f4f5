"""What time is it, and how surely? The only module of the site that asks the system clock.

Order is (epoch, seq) and durations are monotonic; wall time is for people, tariffs and proofs, and is always given with
its quality and with the bounds that somebody trusted vouches for:

    learn(lower, upper)          lb grows with the monotonic clock, running slow by the drift allowance
        |-----------|            ub grows with it, running fast by the same
        lb         ub  ------>   a new daemon in the same boot goes on from the last stamp in the log;
                                 a new boot keeps lb as it stood, and has no ub until somebody is heard again
"""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protocols.trade.records import ClockQuality, Stamp

DRIFT_PPM = 500
"""How much faster or slower than time the monotonic clock may run: the kernel steers it by at most 500 ppm, and a
board's crystal is within 100 when nothing steers it."""

BUILD_MS = 1_767_225_600_000
"""2026-01-01: no clock of this software is right that says less."""

NARROW_MS = 180_000
"""Bounds this close make a clock as good as a synchronised one: JJG 1148-2022 allows 3 minutes in use."""

JUMP_MS = 1_000

_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised
_TIMEX_BYTES = 256  # struct timex has 208; `modes` comes first, and 0 only reads


@dataclass(frozen=True, slots=True)
class System:
    """The box's clocks.

    boot: 8 bytes, the same for every process of one boot and another after each start.
    mono_ms: since the boot, suspended time included. wall_ms: Unix time as the system has it, right or not.
    synchronised: whether the kernel says that something keeps its clock right.
    """

    boot: bytes
    mono_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    synchronised: Callable[[], bool]


def system() -> System:
    """The clocks of this box (Linux)."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    adjtimex = ctypes.CDLL(None).adjtimex
    return System(
        boot=hashlib.sha256(b"fieldtill/boot/v1\n" + boot_id).digest()[:8],
        mono_ms=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        wall_ms=lambda: time.time_ns() // 1_000_000,
        synchronised=lambda: _synchronised(adjtimex),
    )


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Unix time was within lower_ms..=upper_ms (None: no upper bound) when the monotonic clock read at_ms."""

    at_ms: int
    lower_ms: int
    upper_ms: int | None

    def at(self, mono_ms: int, drift_ppm: int) -> _Bounds:
        """The same knowledge at a later instant of the same boot."""
        elapsed_ms = max(0, mono_ms - self.at_ms)
        allowance_ms = -(-elapsed_ms * drift_ppm // 1_000_000)
        upper_ms = None if self.upper_ms is None else self.upper_ms + elapsed_ms + allowance_ms
        return _Bounds(mono_ms, self.lower_ms + elapsed_ms - allowance_ms, upper_ms)


class Clock:
    """The site's clock. It never sets the system's."""

    def __init__(self, system: System, last: Stamp | None = None, *, drift_ppm: int = DRIFT_PPM) -> None:
        """last: the newest stamp in the log, None for a log without records."""
        self._system = system
        self._drift_ppm = drift_ppm
        mono_ms = system.mono_ms()
        if last is None:
            self._bounds = _Bounds(mono_ms, 0, None)
        elif last.boot == system.boot:
            self._bounds = _Bounds(last.mono_ms, last.lb_ms, last.ub_ms)
        else:
            self._bounds = _Bounds(mono_ms, last.lb_ms, None)
        self._offset_ms = system.wall_ms() - mono_ms

    @property
    def boot(self) -> bytes:
        return self._system.boot

    def mono_ms(self) -> int:
        """Milliseconds since the box was started; goes on over restarts of the daemon."""
        return self._system.mono_ms()

    def wall_ms(self) -> int:
        """Best estimate of Unix time: the system's, kept within the bounds."""
        return self.stamp().wall_ms

    def stamp(self) -> Stamp:
        """Now, as a record carries it."""
        mono_ms, wall_ms = self._system.mono_ms(), self._system.wall_ms()
        bounds = self._bounds.at(mono_ms, self._drift_ppm)
        quality = self._quality(wall_ms, bounds)
        estimate_ms = max(wall_ms, bounds.lower_ms)
        if bounds.upper_ms is not None:
            estimate_ms = min(estimate_ms, bounds.upper_ms)
        return Stamp(self._system.boot, mono_ms, estimate_ms, quality, bounds.lower_ms, bounds.upper_ms)

    def bounds(self) -> tuple[int, int | None]:
        """Unix ms that it is proven to be within, whatever the system's clock says; None: no upper bound."""
        bounds = self._bounds.at(self._system.mono_ms(), self._drift_ppm)
        return bounds.lower_ms, bounds.upper_ms

    def learn(self, lower_ms: int, upper_ms: int | None = None, *, at_mono_ms: int | None = None) -> bool:
        """Somebody trusted vouches that Unix time is within the bounds; at_mono_ms: when, None for now.

        A headquarters' reply: lower is its time, upper is that plus the time since the request was sent. A cosignature
        or a grant only says that it is later than that. False when it contradicts what was learned before: then the
        lower bound stands, for stamps never go back, and there is no upper one until the two agree again.
        """
        mono_ms = self._system.mono_ms()
        told = _Bounds(mono_ms if at_mono_ms is None else at_mono_ms, lower_ms, upper_ms).at(mono_ms, self._drift_ppm)
        known = self._bounds.at(mono_ms, self._drift_ppm)
        lower_ms = max(told.lower_ms, known.lower_ms)
        uppers = [bound for bound in (told.upper_ms, known.upper_ms) if bound is not None]
        agrees = all(bound >= lower_ms for bound in uppers)
        self._bounds = _Bounds(mono_ms, lower_ms, min(uppers) if uppers and agrees else None)
        return agrees

    def moved(self) -> tuple[int, int] | None:
        """Old and new Unix ms when the wall clock was set by more than a second since the last call; else None.

        Small steps add up; what the kernel's steering does moves both clocks alike and is no jump.
        """
        mono_ms, wall_ms = self._system.mono_ms(), self._system.wall_ms()
        expected_ms = mono_ms + self._offset_ms
        if abs(wall_ms - expected_ms) <= JUMP_MS:
            return None
        self._offset_ms = wall_ms - mono_ms
        return expected_ms, wall_ms

    def _quality(self, wall_ms: int, bounds: _Bounds) -> ClockQuality:
        if bounds.upper_ms is not None and bounds.upper_ms - bounds.lower_ms <= NARROW_MS:
            return ClockQuality.SYNCHRONISED
        if wall_ms < max(bounds.lower_ms, BUILD_MS):
            return ClockQuality.UNKNOWN
        if bounds.upper_ms is not None and wall_ms > bounds.upper_ms:
            return ClockQuality.INFORMATIVE
        return ClockQuality.SYNCHRONISED if self._system.synchronised() else ClockQuality.INFORMATIVE


def _synchronised(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int]) -> bool:
    """What chrony, ntpd and systemd-timesyncd tell the kernel; it forgets it by itself some hours after the last."""
    return 0 <= adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) < _TIME_ERROR
