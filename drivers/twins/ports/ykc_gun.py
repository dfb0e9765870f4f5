"""What flows through one gun of a simulated pile, and what does the pile reckon of it? No I/O, no clock.

Energy is exact (`drivers.twins.car.Outlet`); the meter shows it in tenths of a Wh, rounded down, and everything that
the pile says of energy is the difference of two readings of the meter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from drivers.twins.car import UJ_PER_WH, Car, Outlet
from protocols.fieldbus.ykc_money import PriceModel

UJ_PER_DWH: Final = UJ_PER_WH // 10
FULL_MS: Final = 10_000  # a car that draws nothing for so long is full
SLOTS: Final = range(4)


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge as it was, whatever the pile says of it. Times are the world's, in ms."""

    order: str
    gun: int
    energy_uj: int
    began_ms: int
    ended_ms: int
    stop_reason: int

    @property
    def energy_wh(self) -> int:
        return self.energy_uj // UJ_PER_WH


@dataclass(slots=True)
class Running:
    """A charge under way. slot_dwh: by the meter; started_by: as `ykc_money.StartedBy`."""

    order: str
    began_ms: int
    began_uj: int
    meter_start_dwh: int
    prices: PriceModel
    balance_fen: int
    started_by: int
    card: str
    slot_dwh: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    no_flow_since_ms: int | None = None

    @property
    def energy_dwh(self) -> int:
        return sum(self.slot_dwh)

    def part_e2(self, slot: int) -> int:
        """By this charge's prices, half a digit up."""
        return (self.prices.prices[slot].price_e3 * self.slot_dwh[slot] + 50_000) // 100_000

    @property
    def amount_e2(self) -> int:
        return sum(self.part_e2(slot) for slot in SLOTS)


class TwinGun:
    """One gun, its meter and whoever is plugged into it."""

    def __init__(
        self, number: int, *, current_ma: int, meter_dwh: int, slot_at: Callable[[int, PriceModel], int]
    ) -> None:
        """current_ma: what it offers. slot_at: of an instant of the world by the pile's clock."""
        self.number = number
        self.current_ma = current_ma
        self.running: Running | None = None
        self._outlet = Outlet(f"gun-{number}", phases=1)
        self._meter_dwh = meter_dwh
        self._slot_at = slot_at

    @property
    def plugged(self) -> bool:
        return self._outlet.car is not None

    @property
    def power_w(self) -> int:
        return self._outlet.power_w

    @property
    def out_ma(self) -> int:
        return self._outlet.currents_ma[0]

    @property
    def voltage_mv(self) -> int:
        return self._outlet.voltage_mv

    @property
    def meter_dwh(self) -> int:
        """What the meter shows."""
        return self._meter_dwh + self._outlet.delivered_uj // UJ_PER_DWH

    def plug(self, car: Car, now_ms: int) -> None:
        self._outlet.plug(car, now_ms * 1000)

    def unplug(self, now_ms: int) -> None:
        self._outlet.unplug(now_ms * 1000)

    def begin(self, running: Running, now_ms: int) -> None:
        assert self.running is None
        self.running = running
        self._outlet.allow(self.current_ma, now_ms * 1000)

    def begins(self, order: str, prices: PriceModel, balance_fen: int, by: int, card: str, now_ms: int) -> None:
        """Close the contactor."""
        self._outlet.advance(now_ms * 1000)
        self.begin(
            Running(order, now_ms, self._outlet.delivered_uj, self.meter_dwh, prices, balance_fen, by, card), now_ms
        )

    def advance(self, now_ms: int) -> None:
        """Bring the flow up to this instant, which is within the half-hour of the last one."""
        before_dwh = self.meter_dwh
        self._outlet.advance(now_ms * 1000)
        if (running := self.running) is not None:
            running.slot_dwh[self._slot_at(now_ms - 1, running.prices)] += self.meter_dwh - before_dwh
            if self._outlet.power_w:
                running.no_flow_since_ms = None
            elif running.no_flow_since_ms is None:
                running.no_flow_since_ms = now_ms

    def over(self, now_ms: int, *, minds_balance: bool) -> int | None:
        """The stop reason, when the charge has to end now."""
        running = self.running
        assert running is not None
        if not self.plugged:
            return 0x6B
        if minds_balance and running.amount_e2 >= running.balance_fen * 100:
            return 0x43
        if self._outlet.full and running.no_flow_since_ms is not None and now_ms - running.no_flow_since_ms >= FULL_MS:
            return 0x41
        return None

    def end(self, stop_reason: int, now_ms: int) -> tuple[Running, Charge]:
        """Open the contactor."""
        running = self.running
        assert running is not None
        self._outlet.allow(0, now_ms * 1000)
        self.running = None
        energy_uj = self._outlet.delivered_uj - running.began_uj
        return running, Charge(running.order, self.number, energy_uj, running.began_ms, now_ms, stop_reason)
