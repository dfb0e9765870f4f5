"""The site's power at work: asks the connection's meter and all loads, and remembers who was given what.

Decisions are `edge.plant.budget`'s. Every instant here is a driver's own, monotonic ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from drivers.api import Charger, ChargerLimits, Meter, Quality
from drivers.cabinet import Cabinet, SlotSight, SlotTraits
from edge.plant.budget import SETTLE_MS, Budget, Load, Seen, Shares, room_w, share, unknown
from edge.plant.drive import Drive

TICK_S = 0.5
STEP_MA = 1_000
"""Between set-points of a charger: what all of them take."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Car:
    """A charger with the loop that drives it. meter: of its outlet."""

    charger: Charger
    meter: Meter
    drive: Drive


class Power:
    """Who may draw how much. Whoever drives a load asks here, and does what it says within the second."""

    def __init__(self, budget: Budget, meter: Meter | None) -> None:
        """meter: the one that the budget names."""
        self.budget = budget
        self._meter = meter
        self._cars: dict[str, Car] = {}
        self._cabinets: dict[str, Cabinet] = {}
        self._wanted: dict[str, frozenset[int]] = {}
        self._loads: dict[str, Load] = {}
        self.shares = Shares()
        self._blind: bool | None = None

    def add_car(self, connector: str, car: Car) -> None:
        self._cars[connector] = car
        self._add([car_load(connector, car.charger.limits, self.budget)])

    def add_cabinet(self, cabinet: Cabinet) -> None:
        self._cabinets[cabinet.id] = cabinet
        self._add(slot_loads(cabinet.id, cabinet.slots, self.budget))

    def limit_ma(self, connector: str) -> int:
        """What the car may draw now; 0: it has to wait."""
        return limit_of(self._cars[connector].charger.limits, self.shares.power_w(connector))

    def want_slots(self, cabinet: str, slots: Iterable[int]) -> None:
        """These should charge; whether they may is `may_charge`."""
        self._wanted[cabinet] = frozenset(slots)

    def may_charge(self, cabinet: str, slot: int) -> bool:
        return self.shares.power_w(slot_id(cabinet, slot)) > 0

    def available_w(self, now_ms: int) -> int:
        """What chargers and cabinets may draw together, by the meter's newest word."""
        reading = None if self._meter is None else self._meter.reading()
        if reading is None or reading.value is None or reading.at_ms is None:
            return room_w(self.budget, None, None, 0)
        return room_w(self.budget, reading.value.power_w, now_ms - reading.at_ms, self._drawn_w(now_ms))

    async def run(self) -> None:
        while True:
            self.tick(_now_ms())
            await asyncio.sleep(TICK_S)

    def tick(self, now_ms: int) -> None:
        """Share anew, and wake whoever was given more or less."""
        before, available_w = self.shares, self.available_w(now_ms)
        self.shares = share(
            before, list(self._loads.values()), self._seen(now_ms), available_w, now_ms, self.budget.turn_s
        )
        for connector, car in self._cars.items():
            if self.shares.power_w(connector) != before.power_w(connector):
                car.drive.wake()
        self._tell(now_ms)

    # --- how ---------------------------------------------------------------------------------------------------------

    def _add(self, loads: Iterable[Load]) -> None:
        self._loads |= {load.id: load for load in loads}
        self.shares = unknown(self._loads.values(), _now_ms())

    def _seen(self, now_ms: int) -> dict[str, Seen]:
        seen = {name: see_car(car, now_ms, self.shares.power_w(name)) for name, car in self._cars.items()}
        for name, cabinet in self._cabinets.items():
            wanted, sights = self._wanted.get(name, frozenset()), cabinet.sight().slots
            for slot, traits in cabinet.slots.items():
                if traits.charger:
                    given = self.shares.power_w(slot_id(name, slot)) > 0
                    sight = sights.get(slot, SlotSight())
                    seen[slot_id(name, slot)] = see_slot(sight, traits, wanted=slot in wanted, given=given)
        return seen

    def _drawn_w(self, now_ms: int) -> int:
        """What is seen to be drawn by our own loads; an old word counts for nothing, so as to err to the safe side."""
        fresh = (one for one in self._seen(now_ms).values() if one.seen_ms is not None)
        limit_ms = self.budget.silence_s * 1_000
        return sum(one.drawn_w or 0 for one in fresh if now_ms - (one.seen_ms or 0) <= limit_ms)

    def _tell(self, now_ms: int) -> None:
        """A silent meter is news once, and so is its return."""
        if self._meter is None:
            return
        at_ms = self._meter.reading().at_ms
        blind = at_ms is None or now_ms - at_ms > self.budget.silence_s * 1_000
        if blind and not self._blind:
            log.error(
                "the connection's meter is silent",
                meter=self.budget.meter,
                left_w=self.budget.blind_w,
                remedy="`fieldtill devices`; charging goes on within [budget] blind_w",
            )
        if self._blind and not blind:
            log.info("the connection's meter answers again", meter=self.budget.meter)
        self._blind = blind


def slot_id(cabinet: str, slot: int) -> str:
    """A slot as a load."""
    return f"{cabinet}/{slot}"


def car_load(connector: str, limits: ChargerLimits, budget: Budget) -> Load:
    """A charger as a load: its power grows with its current, in steps of an ampere."""
    least_w, step_w = _least_w(limits), _step_w(limits)
    steps = (limits.current_ma_max - limits.current_ma_min) // STEP_MA
    return Load(connector, least_w, least_w + steps * step_w, step_w, int(budget.first != "cars"))


def slot_loads(cabinet: str, slots: Mapping[int, SlotTraits], budget: Budget) -> list[Load]:
    """Slots with a charger as loads: on or off."""
    return [
        Load(
            slot_id(cabinet, slot), traits.charge_power_w_max, traits.charge_power_w_max, 1, int(budget.first == "cars")
        )
        for slot, traits in slots.items()
        if traits.charger
    ]


def limit_of(limits: ChargerLimits, power_w: int) -> int:
    """The current that a set-point of `car_load` stands for; 0: too little to charge at all."""
    least_w = _least_w(limits)
    if power_w < least_w:
        return 0
    return min(limits.current_ma_max, limits.current_ma_min + (power_w - least_w) // _step_w(limits) * STEP_MA)


def see_car(car: Car, now_ms: int, set_w: int) -> Seen:
    """What is known of a car's charger. One that has been silent for longer than its fail-safe has stopped."""
    status, reading = car.charger.status(), car.meter.reading()
    failsafe_s = car.charger.limits.failsafe_s
    if failsafe_s is not None and status.at_ms is not None and now_ms - status.at_ms > failsafe_s * 1_000 + SETTLE_MS:
        return Seen(car.drive.wants, now_ms - SETTLE_MS, 0, now_ms)
    obeyed, obeyed_ms = car.drive.obeyed(), None
    if obeyed is not None and obeyed[0] == limit_of(car.charger.limits, set_w):
        obeyed_ms = now_ms - int(obeyed[1] * 1_000)
    if reading.value is not None and reading.value.power_w is not None and reading.quality is Quality.GOOD:
        return Seen(car.drive.wants, obeyed_ms, reading.value.power_w, reading.at_ms)
    if status.value is not None and status.value.power_w is not None:
        return Seen(car.drive.wants, obeyed_ms, status.value.power_w, status.at_ms)
    return Seen(car.drive.wants, obeyed_ms)


def see_slot(sight: SlotSight, traits: SlotTraits, *, wanted: bool, given: bool) -> Seen:
    """What is known of a slot's charger: by its meter, else its relay says all or nothing."""
    if sight.relay_on is None or sight.at_ms is None:
        return Seen(wanted)
    drawn_w = sight.charge_power_w
    if drawn_w is None:
        drawn_w = traits.charge_power_w_max if sight.relay_on else 0
    return Seen(wanted, sight.at_ms - SETTLE_MS if sight.relay_on == given else None, drawn_w, sight.at_ms)


def _least_w(limits: ChargerLimits) -> int:
    """What flows at the smallest current. Rounded up, as is a step: set-points must never say less than flows."""
    return -(-limits.power_w_max * limits.current_ma_min // limits.current_ma_max)


def _step_w(limits: ChargerLimits) -> int:
    return max(1, -(-limits.power_w_max * STEP_MA // limits.current_ma_max))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
