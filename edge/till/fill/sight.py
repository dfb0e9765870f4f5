"""What is seen at a pump at one instant: the input of every decision about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from drivers.pump import PumpStatus
from protocols.trade.records import Stamp
from protocols.trade.records_fuel import PumpTotals


class SaleSeen(msgspec.Struct, frozen=True):
    """The last sale in the pump's memory, and when that was read, on the box's monotonic clock.

    nozzle, price_e3: None: the pump does not tell. number: the pump's own; None: it counts none. empty: it has no sale,
    or cannot show it; the numbers are then 0.
    """

    nozzle: int | None
    volume_ml: int
    amount_fen: int
    price_e3: int | None
    number: int | None
    mono_ms: int
    empty: bool = False


@dataclass(frozen=True, slots=True)
class FillSight:
    """now: the box's clocks. status with status_ms, sale, totals, prices: last good answers, however old; None: never.

    prices: what a litre costs at each nozzle by the pump's own word, thousandths of a fen.
    """

    now: Stamp
    status: PumpStatus | None = None
    status_ms: int | None = None
    sale: SaleSeen | None = None
    totals: PumpTotals | None = None
    prices: Mapping[int, int] | None = None

    def status_within(self, age_ms: int) -> PumpStatus | None:
        """The pump's word if it is not older than this."""
        if self.status is None or self.status_ms is None:
            return None
        return self.status if self.now.mono_ms - self.status_ms <= age_ms else None
