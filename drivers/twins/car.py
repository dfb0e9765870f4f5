"""What flows from an outlet into a car: exact energy from power and time, no I/O and no clock.

Energy is kept in microjoules, which is watts times microseconds, so that adding up never rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from drivers.api import Iec61851

UJ_PER_WH = 3_600_000_000
CURRENT_MA_MIN = 6_000  # IEC 61851-1: an offer below 6 A cannot be signalled
_STEP_US = 1_000_000  # longest time for which the power is taken as constant


class Car(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A car as it arrives. Defaults: a 60 kWh battery, half full, 11 kW on three phases.

    curve: (state of charge, greatest power) in permille, rising in the first; power falls linearly between two points.
    """

    capacity_wh: int = 60_000
    energy_wh: int = 30_000
    power_w_max: int = 11_000
    phases: int = 3
    curve: tuple[tuple[int, int], ...] = ((0, 1000), (800, 1000), (1000, 100))

    def __post_init__(self) -> None:
        if not 0 <= self.energy_wh <= self.capacity_wh or self.capacity_wh <= 0:
            raise ValueError("energy_wh must lie between 0 and capacity_wh")
        if not 1 <= self.phases <= 3:
            raise ValueError("phases must be 1, 2 or 3")
        if self.power_w_max <= 0:
            raise ValueError("power_w_max must be above 0")
        socs = [soc for soc, _ in self.curve]
        if not socs or socs[0] != 0 or socs[-1] < 1000 or socs != sorted(set(socs)):
            raise ValueError("curve must rise from 0 to 1000 permille of charge")
        if any(not 0 < power <= 1000 for _, power in self.curve):
            raise ValueError("curve powers must lie between 1 and 1000 permille")

    def power_w_at(self, charge_uj: int) -> int:
        """Greatest power the battery takes with `charge_uj` in it; 0 when full."""
        capacity_uj = self.capacity_wh * UJ_PER_WH
        if charge_uj >= capacity_uj:
            return 0
        soc = charge_uj * 1000 // capacity_uj
        for (soc_a, power_a), (soc_b, power_b) in zip(self.curve, self.curve[1:], strict=False):
            if soc_a <= soc < soc_b:
                permille = power_a + (power_b - power_a) * (soc - soc_a) // (soc_b - soc_a)
                return max(1, self.power_w_max * permille // 1000)
        return max(1, self.power_w_max * self.curve[-1][1] // 1000)


@dataclass(slots=True)
class Outlet:
    """One place to plug in: what the charger allows, what the car takes, and all that ever flowed.

    A charger twin sets `allow`; charger and meter twins read the rest. Every method that takes `now_us` first brings
    the flow up to that instant, so the order of calls is the order of events. `now_us` never goes back.
    guard: told of every instant first, whoever asks, so that a fail-safe acts on time.
    """

    id: str
    phases: int = 3
    voltage_mv: int = 230_000
    car: Car | None = None
    limit_ma: int = 0  # what the charger offers; below 6 A the relay is open
    fault: Iec61851 | None = None  # E or F while the charger is ill
    stuck: bool = False  # the relay stays as it is, whatever the charger wants
    delivered_uj: int = 0  # since the outlet exists
    session_uj: int = 0  # since the last car was plugged in
    charge_uj: int = 0  # in the car's battery
    guard: Callable[[int], None] | None = None
    _relay_ma: int = 0  # the offer that really stands behind the relay
    _asof_us: int | None = None

    def plug(self, car: Car, now_us: int) -> None:
        """Put a car in. Its charge starts at `car.energy_wh`; the session counter starts at 0."""
        self.advance(now_us)
        if self.car is not None:
            raise ValueError(f"outlet {self.id}: a car is plugged in already")
        self.car, self.charge_uj, self.session_uj = car, car.energy_wh * UJ_PER_WH, 0

    def unplug(self, now_us: int) -> None:
        """Take the car out. A plug that is already out is not an error."""
        self.advance(now_us)
        self.car = None

    def allow(self, limit_ma: int, now_us: int) -> None:
        """Offer the car up to `limit_ma` per phase; below 6 A is an open relay."""
        self.advance(now_us)
        self.limit_ma = limit_ma
        self._settle_relay()

    def set_stuck(self, stuck: bool, now_us: int) -> None:
        """Weld the relay as it stands now, or free it."""
        self.advance(now_us)
        self.stuck = stuck
        self._settle_relay()

    def set_fault(self, fault: Iec61851 | None, now_us: int) -> None:
        """Make the charger show E or F, which opens its relay; None heals it."""
        self.advance(now_us)
        self.fault = fault
        self._settle_relay()

    def advance(self, now_us: int) -> None:
        """Bring the flow up to `now_us`."""
        if self.guard is not None:
            self.guard(now_us)
        if self._asof_us is None:
            self._asof_us = now_us
        left_us = max(0, now_us - self._asof_us)
        while left_us > 0 and (power_w := self.power_w) > 0:
            step_us = min(left_us, _STEP_US)
            self._deliver(power_w * step_us)
            left_us -= step_us
        self._asof_us = max(self._asof_us, now_us)

    @property
    def power_w(self) -> int:
        """Power that flows now."""
        if self.car is None or self._relay_ma < CURRENT_MA_MIN:
            return 0
        offer_w = self._relay_ma * self.voltage_mv * self._used_phases // 1_000_000
        return min(offer_w, self.car.power_w_at(self.charge_uj))

    @property
    def phase_powers_w(self) -> tuple[int, int, int]:
        """Power of L1, L2, L3. Their sum is `power_w`."""
        used, power_w = self._used_phases, self.power_w
        parts = [power_w // used if phase < used else 0 for phase in range(3)]
        parts[0] += power_w - sum(parts)
        return parts[0], parts[1], parts[2]

    @property
    def currents_ma(self) -> tuple[int, int, int]:
        """Current of L1, L2, L3."""
        one, two, three = (power_w * 1_000_000 // self.voltage_mv for power_w in self.phase_powers_w)
        return one, two, three

    @property
    def iec(self) -> Iec61851:
        """What the charger says: A no car, B car but not charging (not allowed, or full), C charging, E or F ill.

        A charger goes by what it offers, so a welded relay delivers in B: only the meter tells.
        """
        if self.fault is not None:
            return self.fault
        if self.car is None:
            return Iec61851.A
        return Iec61851.C if self.limit_ma >= CURRENT_MA_MIN and self.power_w > 0 else Iec61851.B

    @property
    def full(self) -> bool:
        """Whether the car there is has nothing left to take: allowed or not, it stays in B (SuspendedEV)."""
        return self.car is not None and self.car.power_w_at(self.charge_uj) == 0

    @property
    def _used_phases(self) -> int:
        return self.phases if self.car is None else min(self.phases, self.car.phases)

    def _deliver(self, energy_uj: int) -> None:
        assert self.car is not None
        energy_uj = min(energy_uj, self.car.capacity_wh * UJ_PER_WH - self.charge_uj)
        self.delivered_uj += energy_uj
        self.session_uj += energy_uj
        self.charge_uj += energy_uj

    def _settle_relay(self) -> None:
        if not self.stuck:
            self._relay_ma = 0 if self.fault is not None else self.limit_ma
