"""How busy is a line, and how often did it fail?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 10.0  # bus use is the share of the newest whole window


@dataclass(frozen=True, slots=True)
class LineStats:
    """How the line itself does.

    bus_use: share of the time, 0..1, in which a request was on its way or awaited; of the last 10 s or so.
    opened: how often the port was opened; overruns: requests turned away because the queue was full.
    stray_bytes: bytes that came while nobody waited for any.
    """

    up: bool
    error: str | None
    bus_use: float
    queue_depth: int
    overruns: int
    opened: int
    exchanges: int
    stray_bytes: int


class LineMeter:
    """Counts for one line."""

    def __init__(self) -> None:
        self.overruns = 0
        self.opened = 0
        self.exchanges = 0
        self.stray_bytes = 0
        self._window_start = time.monotonic()
        self._busy_s = 0.0
        self._last_use: float | None = None

    def busy(self, start: float, end: float) -> None:
        """An exchange took the line from `start` to `end`, monotonic seconds."""
        self.exchanges += 1
        self._busy_s += end - start
        if end - self._window_start >= WINDOW_S:
            self._last_use = self._use(end)
            self._window_start, self._busy_s = end, 0.0

    def stats(self, *, up: bool, error: str | None, queue_depth: int) -> LineStats:
        now = time.monotonic()
        use = self._last_use if self._last_use is not None and now - self._window_start < WINDOW_S else self._use(now)
        return LineStats(
            up=up,
            error=error,
            bus_use=round(use, 4),
            queue_depth=queue_depth,
            overruns=self.overruns,
            opened=self.opened,
            exchanges=self.exchanges,
            stray_bytes=self.stray_bytes,
        )

    def _use(self, now: float) -> float:
        elapsed_s = now - self._window_start
        return min(1.0, self._busy_s / elapsed_s) if elapsed_s > 0 else 0.0
