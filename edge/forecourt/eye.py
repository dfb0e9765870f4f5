"""What has one pump said last, and when, on the box's own clock? All that the till sees of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

from drivers.errors import DeviceError, Transient
from drivers.pump import Pump, PumpState, PumpStatus
from edge.clock import Clock
from edge.till.fill.sight import FillSight, SaleSeen
from protocols.trade.records_fuel import NozzleTotals, PumpTotals

T = TypeVar("T")

STILL = (PumpState.IDLE, PumpState.CALLING)
"""Nothing can flow in these without an authorisation that would be seen."""
GAP_MS = 3_000
"""Looked at with longer pauses, a pump may have sold something unseen."""


class Eye:
    """Looks at one pump. A failed read leaves the last good answer as it was, with its own time."""

    def __init__(self, pump: Pump, clock: Clock) -> None:
        self.pump = pump
        self._clock = clock
        self._sale: SaleSeen | None = None
        self._totals: PumpTotals | None = None
        self._prices: dict[int, int] | None = None
        self._status: PumpStatus | None = None
        self._status_ms: int | None = None
        self._still_ms: int | None = None  # since when it has been seen in nothing but STILL, without a gap
        self.error: DeviceError | None = None
        """Why the last read failed; None: it did not."""

    def sight(self) -> FillSight:
        """As last polled and read. No I/O."""
        reading = self.pump.status()
        if reading.value is not None and reading.at_ms is not None:
            self._see(reading.value, self._on_our_clock(reading.at_ms))
        return FillSight(self._clock.stamp(), self._status, self._status_ms, self._sale, self._totals, self._prices)

    async def read_status(self) -> None:
        """Ask now. Raises DeviceError."""
        await self._noted(self.pump.read_status())
        self.sight()

    async def read_totals(self) -> PumpTotals:
        """All totalizers as they are now.

        A pump that does not give them while a nozzle is out has them where they stood when they were read last, if it
        has been seen still ever since. Raises DeviceError.
        """
        began_ms = self._clock.mono_ms()
        try:
            totals = await self._noted(self.pump.read_totals())
        except Transient:
            known = self._totals
            if known is None or not self._stood_still_since(known.mono_ms):
                raise
            self._totals = PumpTotals(known.pump, known.nozzles, began_ms, self._clock.wall_ms())
            return self._totals
        nozzles = [NozzleTotals(number, one.volume_ml, one.amount_fen) for number, one in sorted(totals.items())]
        self._totals = PumpTotals(self.pump.id, nozzles, began_ms, self._clock.wall_ms())
        return self._totals

    async def read_sale(self) -> SaleSeen:
        """The pump's memory as it is now. Raises DeviceError."""
        began_ms = self._clock.mono_ms()
        sale = await self._noted(self.pump.read_sale())
        if sale is None:
            self._sale = SaleSeen(None, 0, 0, None, None, began_ms, empty=True)
        else:
            self._sale = SaleSeen(sale.nozzle, sale.volume_ml, sale.amount_fen, sale.price_e3, sale.number, began_ms)
        return self._sale

    async def read_prices(self) -> dict[int, int]:
        """What it shows now, by its own word. Raises DeviceError."""
        self._prices = dict(await self._noted(self.pump.read_prices()))
        return self._prices

    def forget(self) -> None:
        """It has been away: what it said before tells nothing of now."""
        self._sale = self._totals = self._prices = self._still_ms = None

    async def _noted(self, asked: Awaitable[T]) -> T:
        try:
            answer = await asked
        except DeviceError as error:
            self.error = error
            raise
        self.error = None
        return answer

    def _see(self, status: PumpStatus, at_ms: int) -> None:
        gap = self._status_ms is None or at_ms - self._status_ms > GAP_MS
        if status.state not in STILL:
            self._still_ms = None
        elif self._still_ms is None or gap:
            self._still_ms = at_ms
        self._status, self._status_ms = status, at_ms

    def _stood_still_since(self, mono_ms: int) -> bool:
        """Whether a nozzle is out now and nothing can have flowed since then."""
        status = self.sight().status_within(GAP_MS)
        calls = status is not None and status.state is PumpState.CALLING
        return calls and self._still_ms is not None and self._still_ms <= mono_ms

    def _on_our_clock(self, monotonic_ms: int) -> int:
        """Drivers count from CLOCK_MONOTONIC; the box's clock goes on while the box sleeps."""
        return max(0, self._clock.mono_ms() - (time.monotonic_ns() // 1_000_000 - monotonic_ms))
