"""What a swap cabinet is: its slots, its meter, its warmth, and what its boards sense and drive. No I/O and no clock.

Energy is conserved: what the meter counts is what packs kept, what became heat, and what the cabinet's own electronics
used. `account` says so, in millijoules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drivers.cabinet import Hazard
from drivers.twins.cabinets.faults import ONCE, CabinetFaultKind, CabinetFaults
from drivers.twins.cabinets.ledger import Cause, DoorMoved, Ledger, Place, Pulsed
from drivers.twins.cabinets.pack import MJ_PER_WH, Pack
from drivers.twins.cabinets.slot import Slot, SlotMake
from drivers.twins.cabinets.wiring import HAZARDS, SIGNALS, Point
from protocols.fieldbus.pack import Alarm

STEP_MS: Final = 20  # how finely doors and hands act
CHARGING_STEP_MS: Final = 10_000  # how finely charge follows its curve
_IDLE_STEP_MS: Final = 60_000  # and warmth its surroundings
_WARMING_MS: Final = 600_000
_RISE_MC_PER_W: Final = 40  # thousandths of a degree inside for a watt of loss
_FAN_DIVIDES: Final = 4
_HEATER_W: Final = 300

_K = CabinetFaultKind
_HAZARD_KINDS: Final = {
    Hazard.SMOKE: _K.SMOKE,
    Hazard.FIRE: _K.FIRE,
    Hazard.WATER: _K.WATER,
    Hazard.HEAT: _K.HEAT,
    Hazard.EMERGENCY_STOP: _K.EMERGENCY_STOP,
}


@dataclass(frozen=True, slots=True)
class Account:
    """Where all energy went since the beginning, in mJ; `metered` is the sum of the others."""

    metered_mj: int
    kept_mj: int
    lost_mj: int
    own_mj: int


class Cabinet:
    """One cabinet, its slots by number, rising. Read its attributes freely.

    What boards do goes through `pulse` and `drive`; what hands do through `Shop`, which knows who has what.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  (the word of the config)
        slots: Mapping[int, SlotMake],
        ledger: Ledger,
        *,
        faults: CabinetFaults | None = None,
        standby_w: int = 15,
        ambient_dc: int = 250,
    ) -> None:
        self.id = id
        self.ledger = ledger
        self.faults = CabinetFaults() if faults is None else faults
        self.slots = {n: Slot(n, make, self.faults, self._on_door) for n, make in sorted(slots.items())}
        self.standby_w = standby_w
        self.ambient_dc = ambient_dc
        self.inner_mc = 100 * ambient_dc
        self.outputs = dict.fromkeys(SIGNALS, False)
        self.mux: set[int] = set()  # slots whose packs are on the one pack line
        self.now_ms = 0
        self.dark_at: list[Callable[[], None]] = []  # told when the boards lose power
        self.lose: Callable[[Slot], object] | None = None  # takes what is in a slot out of this world
        self._metered_mj = self._kept_mj = self._own_mj = self._temp_rest = 0
        self._powered = True
        self._stray = False

    # What is seen.

    @property
    def powered(self) -> bool:
        """Boards live."""
        return self.faults.on(_K.POWER_CUT) is None

    @property
    def mains(self) -> bool:
        return self.powered and self.faults.on(_K.MAINS_LOST) is None

    @property
    def hazards(self) -> frozenset[Hazard]:
        return frozenset(hazard for hazard, kind in _HAZARD_KINDS.items() if self.faults.on(kind) is not None)

    @property
    def inner_dc(self) -> int:
        return self.inner_mc // 100

    @property
    def power_w(self) -> int:
        """What it draws now."""
        if not self.mains:
            return 0
        return self.standby_w + self._heater_w + sum(slot.power_w for slot in self.slots.values())

    @property
    def energy_wh(self) -> int:
        """What its meter shows."""
        return self._metered_mj // MJ_PER_WH

    @property
    def account(self) -> Account:
        lost_mj = self._metered_mj - self._kept_mj - self._own_mj
        return Account(self._metered_mj, self._kept_mj, lost_mj, self._own_mj)

    @property
    def doors_open(self) -> list[int]:
        """As they truly are."""
        return [number for number, slot in self.slots.items() if slot.door_open]

    def senses(self, point: Point) -> bool:
        """Whether the contact of an input is closed."""
        return self._is_so(point) != point.inverted

    def state(self) -> dict[str, Any]:
        """Where it stands, for a person or a test."""
        return {
            "cabinet": self.id,
            "powered": self.powered,
            "mains": self.mains,
            "inner_dc": self.inner_dc,
            "power_w": self.power_w,
            "energy_wh": self.energy_wh,
            "hazards": sorted(hazard.value for hazard in self.hazards),
            "outputs": sorted(name for name, on in self.outputs.items() if on),
            "faults": [fault.kind.value for fault in self.faults.active()],
            "slots": {str(number): _slot_state(slot) for number, slot in self.slots.items()},
        }

    # What boards do.

    def pulse(self, number: int, ms: int | None = None, *, via: str = "") -> None:
        """Energise a lock; None: for its usual time. A slot that is not there: nothing."""
        slot = self.slots.get(number)
        if slot is None or not self.powered:
            return
        self.ledger.note(Pulsed(self.now_ms, self.id, number, via))
        if (fault := self.faults.take(_K.WRONG_DOOR, number)) is not None:
            other = fault.amount_or_usual or self.beside(number, 1)
            slot, self._stray = self.slots.get(other, slot), True
        slot.energise(slot.make.pulse_ms if ms is None else ms)
        self._stray = False

    def drive(self, point: Point, on: bool) -> None:
        """Switch an output."""
        on = on != point.inverted
        slot = None if point.slot is None else self.slots.get(point.slot)
        if not self.powered:
            return
        if slot is None:
            self.outputs[point.name] = on
        elif point.name == "charger":
            slot.switch(on)
        else:
            (self.mux.add if on else self.mux.discard)(slot.number)

    # What time does.

    @property
    def step_ms(self) -> int:
        """How long a step may be now without missing what happens by itself."""
        if not all(slot.still for slot in self.slots.values()):
            return STEP_MS
        charging = any(slot.power_w or slot.relay_on for slot in self.slots.values())
        return CHARGING_STEP_MS if charging or self.faults.active() else _IDLE_STEP_MS

    def befall(self) -> None:
        """What comes over it at this instant: faults that happen once, power that goes."""
        if self._powered and not self.powered:
            self._go_dark()
        self._powered = self.powered
        if not self.faults.active():
            return
        for slot in self.slots.values():
            for kind in ONCE:
                hits = self.faults.on(kind, slot.number) is not None and self._can_happen(kind, slot)
                if hits and (fault := self.faults.take(kind, slot.number)) is not None:
                    self._happen(kind, slot, fault.amount_or_usual)

    def advance(self, ms: int) -> None:
        """Let time pass, at most `step_ms`."""
        self.now_ms += ms
        self.faults.advance(ms)
        mains = self.mains
        before_mj = self._metered_mj - self._kept_mj
        if mains:
            own_mj = (self.standby_w + self._heater_w) * ms
            self._own_mj += own_mj
            self._metered_mj += own_mj
        for slot in self.slots.values():
            slot.advance(ms)
            drawn_mj, kept_mj = slot.charge(ms, mains=mains)
            self._metered_mj += drawn_mj
            self._kept_mj += kept_mj
            if slot.pack is not None:
                slot.pack.advance(ms, self.inner_dc)
        self._warm(ms, (self._metered_mj - self._kept_mj - before_mj) // ms if ms else 0)

    # Below: how.

    @property
    def _heater_w(self) -> int:
        return _HEATER_W if self.outputs["heater"] else 0

    def _warm(self, ms: int, heat_w: int) -> None:
        fan = self.outputs["fan"] and self.faults.on(_K.FAN_DEAD) is None
        rise_mc = heat_w * _RISE_MC_PER_W // (_FAN_DIVIDES if fan else 1)
        target = 100 * self.ambient_dc + rise_mc
        if Hazard.FIRE in self.hazards or Hazard.HEAT in self.hazards:
            target += 60_000
        moved, self._temp_rest = divmod((target - self.inner_mc) * min(ms, _WARMING_MS) + self._temp_rest, _WARMING_MS)
        self.inner_mc += moved

    def _is_so(self, point: Point) -> bool:
        if point.slot is None:
            if point.name in HAZARDS:
                return HAZARDS[point.name] in self.hazards
            says = {
                "mains": self.mains,
                "fan-fault": self.faults.on(_K.FAN_DEAD) is not None,
                "charger-fault": any(slot.charger_ill for slot in self.slots.values()),
            }
            return says.get(point.name, False)
        slot = self.slots[point.slot]
        return slot.seen_open if point.name == "door" else slot.seen_there

    def _go_dark(self) -> None:
        self.mux.clear()
        self.outputs = dict.fromkeys(self.outputs, False)
        for slot in self.slots.values():
            slot.switch(False)
            slot.release()
        for told in self.dark_at:
            told()

    def _can_happen(self, kind: CabinetFaultKind, slot: Slot) -> bool:
        return not slot.door_open if kind is _K.POPS else slot.pack is not None

    def _happen(self, kind: CabinetFaultKind, slot: Slot, amount: int) -> None:
        pack = slot.pack
        if kind is _K.POPS:
            slot.open(Cause.POPPED, "")
            return
        assert pack is not None
        match kind:
            case _K.PACK_ASLEEP:
                pack.fall_asleep()
            case _K.PACK_HOT:
                pack.heat_to(amount)
            case _K.PACK_ILL:
                pack.says.warnings.add(Alarm.CELLS_APART)
                pack.says.protections.add(Alarm.SHORT)
            case _K.SWITCH_BROKEN:
                pack.says.protections.add(Alarm.MOS_FAULT)
            case _K.PACK_EMPTY:
                pack.drain(pack.stored_mj)
            case _K.SOC_DROPS:
                pack.drain(pack.full_mj * amount // 1_000)
            case _:
                if self.lose is not None:
                    self.lose(slot)

    def _on_door(self, slot: Slot, is_open: bool, cause: Cause, by: str) -> None:
        if cause is Cause.PULSE and self._stray:
            cause = Cause.STRAY_PULSE
        self.ledger.note(DoorMoved(self.now_ms, self.id, slot.number, is_open, cause, by))

    def beside(self, number: int, by: int) -> int:
        """The slot so many further on; behind the last comes the first."""
        numbers = list(self.slots)
        return numbers[(numbers.index(number) + by) % len(numbers)]

    def place(self, number: int) -> Place:
        """A slot in the ledger's words."""
        return Place(self.id, number)


def _slot_state(slot: Slot) -> dict[str, Any]:
    thing = slot.thing
    pack = {"soc_permille": thing.soc_permille, "sleep": thing.sleep.value} if isinstance(thing, Pack) else {}
    return {
        "open": slot.door_open,
        "locked": slot.latched,
        "in": None if thing is None else thing.name,
        "relay": slot.relay_on,
        "power_w": slot.power_w,
        **pack,
    }
