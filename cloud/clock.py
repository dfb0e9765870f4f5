"""What time is it at headquarters? The only module here that asks the system."""

from __future__ import annotations

import secrets
import time
from typing import Protocol

from protocols.trade.records import ClockQuality, Stamp


class Clock(Protocol):
    """What headquarters needs of time. Tests and simulations bring their own."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def stamp(self) -> Stamp:
        """For a record of headquarters' own log, made now."""
        ...


class SystemClock:
    """The machine's clock, kept right by NTP; headquarters does not run on one that is not."""

    def __init__(self) -> None:
        self._boot = secrets.token_bytes(8)
        self._start_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def stamp(self) -> Stamp:
        now_ms = self.now_ms()
        mono_ms = (time.monotonic_ns() - self._start_ns) // 1_000_000
        return Stamp(self._boot, mono_ms, now_ms, ClockQuality.SYNCHRONISED, now_ms, now_ms)


class SetClock:
    """A clock that stands until it is moved: for tests, simulations and replays."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._start_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        self._now_ms += by_ms

    def stamp(self) -> Stamp:
        mono_ms = max(0, self._now_ms - self._start_ms)
        return Stamp(bytes(8), mono_ms, self._now_ms, ClockQuality.SYNCHRONISED, self._now_ms, self._now_ms)
