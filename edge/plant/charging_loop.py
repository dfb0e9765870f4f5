"""Charges the packs of a cabinet: looks every second, lets the rules decide, switches what differs.

Switching off comes first, and is tried again until it reads back. Nothing is remembered over a restart but what the
till's log says of slots: after one, every relay is compared anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

import structlog

from drivers.cabinet import Cabinet, CabinetSight, Hazard, SlotSight
from drivers.errors import DeviceError, Unsupported
from edge.plant.power import Power
from edge.plant.slot_charging import Charging, Judged, SlotMemory, Why, choose, cleared, judge, signals

LOOK_S = 1.0
INSIST_S = 5.0
"""A relay that did not do as told is told again after this; one that should be off, at every look."""

log = structlog.get_logger()


class ChargingLoop:
    """One cabinet's charging."""

    def __init__(
        self,
        cabinet: Cabinet,
        policy: Charging,
        power: Power | None,
        forbidden: Callable[[], Collection[int]],
        locked: Callable[[], Collection[int]],
        found: Callable[[int, str, str], Awaitable[bool]],
        local_hour: Callable[[], int | None],
    ) -> None:
        """power: None: there is no budget. forbidden: slots that the till uses now or has shut.

        found: told of a slot that a person has to look at: fault case and what was seen; whether it is locked in the
        log now, until that person unlocks it. locked: those. local_hour: None: the time is not known, so it is cheap.
        """
        self.cabinet = cabinet
        self.policy = policy
        self.judged: dict[int, Judged] = {}
        self._power = power
        self._forbidden = forbidden
        self._locked = locked
        self._found = found
        self._local_hour = local_hour
        self._memory: dict[int, SlotMemory] = {}
        self._hazards: frozenset[Hazard] = frozenset()
        self._told: dict[int, tuple[bool, float]] = {}
        self._signals: dict[str, bool] = {}
        self._to_unlock: set[int] = set()

    async def run(self) -> None:
        while True:
            await self.look(time.monotonic_ns() // 1_000_000)
            await asyncio.sleep(LOOK_S)

    async def look(self, now_ms: int) -> None:
        """One look at the whole cabinet. Survives whatever devices do."""
        sight, forbidden = self.cabinet.sight(), self._forbidden()
        for slot in self._to_unlock - set(self._locked()):  # a person has looked
            self._memory[slot] = cleared(self._memory[slot])
            self._to_unlock.discard(slot)
        slots = [slot for slot, traits in self.cabinet.slots.items() if traits.charger]
        for slot in slots:
            memory = self._memory.get(slot, SlotMemory())
            seen = sight.slots.get(slot, SlotSight())
            self.judged[slot] = judge(
                seen,
                memory,
                sight.hazards,
                forbidden=slot in forbidden,
                policy=self.policy,
                now_ms=now_ms,
                blind=bool(sight.silent),
            )
            self._memory[slot] = self.judged[slot].memory
        on = self._granted(sight)
        await self._switch((slot for slot in slots if slot not in on), sight, on=False)
        await self._report(sight)
        await self._signal(sight)
        await self._switch((slot for slot in slots if slot in on), sight, on=True)

    def why(self, slot: int) -> str:
        """Why the slot does not charge, in words; empty: it does."""
        one = self.judged.get(slot)
        if one is None:
            return "not looked at yet"
        if one.memory.stopped is not None:
            return one.memory.stopped
        if one.why is not None:
            return one.why.value
        return "" if self._told.get(slot, (False, 0.0))[0] else Why.WAITS.value

    def _granted(self, sight: CabinetSight) -> frozenset[int]:
        hour = self._local_hour()
        policy = self.policy if hour is not None else _always(self.policy)
        chosen = choose(self.judged, sight.slots, policy, hour or 0, self._ready(sight))
        if self._power is None:
            return frozenset(chosen)
        self._power.want_slots(self.cabinet.id, chosen)
        return frozenset(slot for slot in chosen if self._power.may_charge(self.cabinet.id, slot))

    def _ready(self, sight: CabinetSight) -> int:
        """Packs that could be given out now."""
        charges = (
            seen.pack.charge_permille
            for slot, seen in sight.slots.items()
            if seen.pack is not None and self._memory.get(slot, SlotMemory()).stopped is None
        )
        return sum(charge is not None and charge >= self.policy.restart_permille for charge in charges)

    async def _switch(self, slots: Iterable[int], sight: CabinetSight, *, on: bool) -> None:
        """All at once: one silent board must not keep the others on."""
        due = (slot for slot in slots if self._is_due(slot, sight.slots.get(slot, SlotSight()).relay_on, on=on))
        await asyncio.gather(*(self._tell(slot, on=on) for slot in due))

    def _is_due(self, slot: int, reads: bool | None, *, on: bool) -> bool:
        told, at_s = self._told.get(slot, (None, 0.0))
        if told is not on:
            return True
        if reads is on:
            return False
        return (reads is not None and not on) or time.monotonic() - at_s >= INSIST_S

    async def _tell(self, slot: int, *, on: bool) -> None:
        try:
            await self.cabinet.charge(slot, on)
        except DeviceError as error:
            log.warning("relay does not obey", cabinet=self.cabinet.id, slot=slot, on=on, error=str(error))
        self._told[slot] = on, time.monotonic()

    async def _report(self, sight: CabinetSight) -> None:
        """Every finding once, and every hazard when it begins."""
        for hazard in sorted(sight.hazards - self._hazards, key=lambda one: one.value):
            log.error(
                "hazard", cabinet=self.cabinet.id, hazard=hazard.value, remedy="All charging there is off. Go and look."
            )
        for hazard in self._hazards - sight.hazards:
            log.warning("hazard over", cabinet=self.cabinet.id, hazard=hazard.value)
        self._hazards = sight.hazards
        for slot, one in self.judged.items():
            if one.finding is not None:
                log.error("slot stopped", cabinet=self.cabinet.id, slot=slot, case=one.finding[0], what=one.finding[1])
                if await self._found(slot, *one.finding):
                    self._to_unlock.add(slot)

    async def _signal(self, sight: CabinetSight) -> None:
        for name, on in signals(self.policy, sight.inner_dc, sight.hazards).items():
            if self._signals.get(name) is on:
                continue
            try:
                await self.cabinet.signal(name, on)
            except Unsupported:
                pass  # the cabinet has none
            except DeviceError as error:
                log.info("no signal", cabinet=self.cabinet.id, signal=name, error=str(error))
                continue
            self._signals[name] = on


def _always(policy: Charging) -> Charging:
    """Without a clock there are no cheap hours to wait for."""
    return Charging(**{name: getattr(policy, name) for name in policy.__struct_fields__} | {"cheap_hours": ()})
