"""What was last heard of a pump: as readings that say how old they are, and as points for a technician."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from drivers.api import Point, Quality, Reading
from drivers.pump import NozzleTotal, PumpStatus

STALE_PERIODS: Final = 4
STALE_MS_MIN: Final = 2_000  # a pump that misses a poll or two while it changes state is no riddle


class Seen:
    """The last status and totals of one pump. Makes readings; never asks."""

    def __init__(self, poll_s: float) -> None:
        self._stale_ms = max(STALE_MS_MIN, int(STALE_PERIODS * poll_s * 1000))
        self._status: PumpStatus | None = None
        self._at_ms: int | None = None
        self._took_ms: float | None = None
        self._totals: Mapping[int, NozzleTotal] = {}
        self._totals_at_ms: int | None = None

    def status(self) -> Reading[PumpStatus]:
        """As last heard: a stale one says so, and keeps its instant."""
        if self._status is None or self._at_ms is None:
            return Reading(None, Quality.NONE, None)
        old = now_ms() - self._at_ms > self._stale_ms
        return Reading(self._status, Quality.STALE if old else Quality.GOOD, self._at_ms)

    def heard(self, status: PumpStatus, took_ms: float | None) -> Reading[PumpStatus]:
        """A status came just now."""
        self._status, self._at_ms, self._took_ms = status, now_ms(), took_ms
        return Reading(status, Quality.GOOD, self._at_ms)

    def heard_totals(self, totals: Mapping[int, NozzleTotal]) -> None:
        """Totals came just now."""
        self._totals, self._totals_at_ms = totals, now_ms()

    def points(self, where: str) -> list[Point]:
        """where: of the status, in the protocol's word."""
        reading = self.status()
        status = reading.value
        shown = {
            "state": None if status is None else f"{status.state.value} ({status.reason})",
            "nozzle": _nozzle(status),
            "volume": None if status is None or status.volume_ml is None else f"{status.volume_ml} mL",
            "amount": None if status is None or status.amount_fen is None else f"{status.amount_fen} fen",
            "price": None if status is None or status.price_e3 is None else f"{status.price_e3} fen/1000 per L",
            "alarm": None if status is None else status.alarm or "none",
        }
        points = [
            Point(name, text or "-", reading.quality if text else Quality.NONE, self._at_ms, self._took_ms, where)
            for name, text in shown.items()
        ]
        for number, total in self._totals.items():
            amount = "-" if total.amount_fen is None else f"{total.amount_fen} fen"
            text = f"{total.volume_ml} mL, {amount}"
            points.append(Point(f"total {number}", text, Quality.GOOD, self._totals_at_ms, None, "totals"))
        return points


def _nozzle(status: PumpStatus | None) -> str | None:
    if status is None or (status.nozzle is None and status.nozzle_out is None):
        return None
    place = {True: " out", False: " in", None: ""}[status.nozzle_out]
    return f"{'' if status.nozzle is None else status.nozzle}{place}".strip() or None


def now_ms() -> int:
    """The box's monotonic clock."""
    return int(time.monotonic() * 1000)
