"""Which slots of a cabinet charge now? Limits first, whatever anybody wants; then what is wanted, in an order.

Pure: sights of a cabinet and the memory of the looks before go in, a plan comes out. The order of what wins: hazards of
the whole cabinet; limits of the pack and its electronics; the door and the till's word on the slot; the operator's
windows and counts. Where a number has no source it is the proposal of `docs/charging.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated

import msgspec

from drivers.cabinet import Hazard, SlotSight
from protocols.fieldbus.pack import Alarm, PackReading

Hour = Annotated[int, msgspec.Meta(ge=0, le=24)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Temp = Annotated[int, msgspec.Meta(ge=-400, le=1200)]


class Charging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[charging]` table. Temperatures in tenths of a degree, charge in thousandths."""

    target_permille: Permille = 980
    """A pack that says so is full, and its charger goes off."""
    restart_permille: Permille = 900
    """It is charged again once it has fallen to this."""
    cold_dc: Temp = 0
    """No charging with a cell colder than this."""
    hot_dc: Temp = 450
    """No charging with a cell hotter than this."""
    danger_dc: Temp = 600
    """A cell as hot as this stops its slot until a person has looked."""
    rise_dc_per_s: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """So does one that becomes hotter by so much in each second."""
    silent_s: Annotated[int, msgspec.Meta(ge=2, le=300)] = 10
    """A pack that has said nothing for longer is not charged."""
    slots_max: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    """How many may charge at once; 0: as many as the power allows."""
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    """What local hours are counted by; China's, if nothing is said."""
    cheap_hours: tuple[tuple[Hour, Hour], ...] = ()
    """Local hours, from and to, in which all is charged. Outside, only what `ready_packs` asks for. None: always."""
    ready_packs: tuple[tuple[Hour, int], ...] = ((0, 255),)
    """From this local hour on, so many packs are kept ready, cheap or not."""
    fan_dc: Temp = 400
    """The cabinet's fan runs while it is hotter than this inside."""
    heater_dc: Temp = 30
    """Its heater while it is colder than this."""
    stray_ma: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 300
    """More current than this with the relay off: the relay is stuck. Less with it on: the charger gives nothing."""
    fault_after_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30
    """Either of them for so long is a fault."""


class Why(Enum):
    """Why a slot does not charge."""

    HAZARD = "hazard in the cabinet"
    BLIND = "a board is silent: smoke might not be seen"
    LOCKED = "stopped until a person has looked"
    FORBIDDEN = "the till needs the slot"
    DOOR_OPEN = "door open, or nobody knows"
    NO_PACK = "no pack"
    NO_CODE = "the pack tells no code"
    SILENT = "the pack is silent"
    COLD = "too cold"
    HOT = "too hot"
    ALARM = "the pack protects itself"
    FULL = "full"
    WAITS = "waits for its turn"


CURED = frozenset(
    {
        Alarm.SOC_LOW,
        Alarm.CELL_LOW,
        Alarm.PACK_LOW,
        Alarm.DISCHARGE_CURRENT,
        Alarm.DISCHARGE_HOT,
        Alarm.DISCHARGE_COLD,
    }
)
"""Protections that charging cures, or that concern riding alone."""
FILLED = frozenset({Alarm.SOC_HIGH, Alarm.CELL_HIGH, Alarm.PACK_HIGH})
"""Protections that say: full."""
GRAVE = frozenset(
    {
        Alarm.SHORT,
        Alarm.BATTERY_HOT,
        Alarm.MOS_HOT,
        Alarm.MOS_FAULT,
        Alarm.SENSOR_FAULT,
        Alarm.CELL_FAULT,
        Alarm.CELLS_APART,
        Alarm.REVERSED,
    }
)
"""Protections after which a person has to look at the pack (F-25, F-51)."""


@dataclass(frozen=True, slots=True)
class SlotMemory:
    """What has to be known of a slot from look to look. Instants are monotonic ms.

    charges: its pack is being filled, from `restart` up to `target`. temp_dc at temp_ms: the hottest cell at the last
    new answer of the pack. odd_ms: since when current and relay have disagreed. stopped: the finding that a person has
    to look at; it goes when the pack goes, or by `cleared`.
    """

    charges: bool = False
    temp_dc: int | None = None
    temp_ms: int | None = None
    odd_ms: int | None = None
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One slot after a look. why: None: it may charge, and wants to. finding: new now: (fault case, what was seen)."""

    memory: SlotMemory
    why: Why | None
    finding: tuple[str, str] | None = None


def judge(
    sight: SlotSight,
    memory: SlotMemory,
    hazards: Collection[Hazard],
    *,
    forbidden: bool,
    policy: Charging,
    now_ms: int,
    blind: bool = False,
) -> Judged:
    """Whether the slot may charge. hazards: of its cabinet. forbidden: the till uses the slot, or has shut it.

    blind: a board of the cabinet does not answer, so that hazards may go unseen.
    """
    memory = _forget(sight, memory)
    memory, finding = _find(sight, memory, policy, now_ms)
    why = _why_not(sight, memory, forbidden=forbidden, policy=policy, now_ms=now_ms)
    if hazards:
        why = Why.HAZARD
    elif blind:
        why = Why.BLIND
    if why in (None, Why.FULL):
        memory = replace(memory, charges=why is None)
    return Judged(memory, why, finding)


def cleared(memory: SlotMemory) -> SlotMemory:
    """A person has looked."""
    return replace(memory, stopped=None, odd_ms=None, temp_dc=None, temp_ms=None)


def choose(
    judged: Mapping[int, Judged], sights: Mapping[int, SlotSight], policy: Charging, local_hour: int, ready: int
) -> list[int]:
    """The slots that should charge, most urgent first: those nearest to full while packs are wanted, so that one is
    ready soon; outside of cheap hours no more than are wanted. ready: packs that can be given out now.
    """
    may = [slot for slot, one in judged.items() if one.why is None]
    may.sort(key=lambda slot: (-_charge_of(sights[slot]), slot))
    wanted = max(0, wanted_ready(policy, local_hour) - ready)
    chosen = may if _cheap(policy, local_hour) else may[:wanted]
    return chosen[: policy.slots_max or len(chosen)]


def wanted_ready(policy: Charging, local_hour: int) -> int:
    """How many packs should be ready at this hour."""
    steps = sorted(policy.ready_packs)
    before = [count for hour, count in steps if hour <= local_hour]
    return before[-1] if before else steps[-1][1] if steps else 0


def signals(policy: Charging, inner_dc: int | None, hazards: Collection[Hazard]) -> dict[str, bool]:
    """What fan, heater and siren should do. A fan feeds a fire: it stops for smoke too. Unknown inside: both off."""
    burning = bool({Hazard.SMOKE, Hazard.FIRE} & set(hazards))
    return {
        "fan": inner_dc is not None and inner_dc > policy.fan_dc and not burning,
        "heater": inner_dc is not None and inner_dc < policy.heater_dc and not hazards,
        "siren": burning,
    }


def _cheap(policy: Charging, local_hour: int) -> bool:
    """An hour range may pass midnight."""
    if not policy.cheap_hours:
        return True
    return any(
        start <= local_hour < end if start <= end else local_hour >= start or local_hour < end
        for start, end in policy.cheap_hours
    )


def _forget(sight: SlotSight, memory: SlotMemory) -> SlotMemory:
    """A slot that is surely empty begins anew, but a relay that is stuck stays so."""
    if sight.present is False and sight.pack is None and sight.door_open is False:
        return SlotMemory(odd_ms=memory.odd_ms, stopped=memory.stopped if memory.odd_ms is not None else None)
    return memory


def _find(
    sight: SlotSight, memory: SlotMemory, policy: Charging, now_ms: int
) -> tuple[SlotMemory, tuple[str, str] | None]:
    """What stops the slot until a person has looked. The first finding stands."""
    found: tuple[str, str] | None = None
    temp_dc = sight.pack.hottest_dc if sight.pack is not None else None
    if temp_dc is not None and temp_dc >= policy.danger_dc:
        found = ("F-51", f"a cell of {temp_dc / 10:.1f} degrees")
    if temp_dc is not None and sight.pack_at_ms is not None and sight.pack_at_ms != memory.temp_ms:
        if memory.temp_dc is not None and memory.temp_ms is not None and sight.pack_at_ms - memory.temp_ms >= 1_000:
            rise, elapsed_ms = temp_dc - memory.temp_dc, sight.pack_at_ms - memory.temp_ms
            if rise > 10 and rise * 1_000 >= policy.rise_dc_per_s * elapsed_ms:
                found = found or ("F-51", f"a cell became {rise / 10:.1f} degrees hotter in {elapsed_ms} ms")
        memory = replace(memory, temp_dc=temp_dc, temp_ms=sight.pack_at_ms)
    grave = sorted(alarm.value for alarm in (_protections(sight.pack) & GRAVE))
    if grave:
        found = found or ("F-51", "the pack protects itself: " + ", ".join(grave))
    memory, odd = _compare_current(sight, memory, policy, now_ms)
    found = found or odd
    if found is None or memory.stopped is not None:
        return memory, None
    return replace(memory, stopped=f"{found[0]} {found[1]}", charges=False), found


def _compare_current(
    sight: SlotSight, memory: SlotMemory, policy: Charging, now_ms: int
) -> tuple[SlotMemory, tuple[str, str] | None]:
    """F-52: current with the relay off, or none with it on into a pack that has room."""
    if sight.charge_ma is None or sight.relay_on is None:
        return replace(memory, odd_ms=None), None
    flows = sight.charge_ma > policy.stray_ma
    filling = memory.charges and _charge_of(sight) < policy.restart_permille
    if flows == sight.relay_on or (sight.relay_on and not filling):
        return replace(memory, odd_ms=None), None
    since_ms = now_ms if memory.odd_ms is None else memory.odd_ms
    memory = replace(memory, odd_ms=since_ms)
    if now_ms - since_ms < policy.fault_after_s * 1_000:
        return memory, None
    what = "no current with the relay on" if sight.relay_on else f"{sight.charge_ma} mA with the relay off"
    return memory, ("F-52", what)


def _why_not(
    sight: SlotSight,
    memory: SlotMemory,
    *,
    forbidden: bool,
    policy: Charging,
    now_ms: int,
) -> Why | None:
    pack = sight.pack
    if memory.stopped is not None or sight.faults:
        return Why.LOCKED
    if forbidden:
        return Why.FORBIDDEN
    if sight.door_open is not False:
        return Why.DOOR_OPEN
    if sight.present is False:
        return Why.NO_PACK
    if pack is None or sight.pack_at_ms is None or now_ms - sight.pack_at_ms > policy.silent_s * 1_000:
        return Why.SILENT
    if not pack.serial:
        return Why.NO_CODE
    return _limit(pack, memory, policy)


def _limit(pack: PackReading, memory: SlotMemory, policy: Charging) -> Why | None:
    """What the pack itself bears. Unknown temperatures do not charge: nothing would tell of a fire."""
    hottest, coldest = pack.hottest_dc, pack.coldest_dc
    if hottest is None or hottest > policy.hot_dc:
        return Why.HOT
    if coldest is None or coldest < policy.cold_dc:
        return Why.COLD
    protections = _protections(pack)
    if protections & FILLED and not protections - FILLED - CURED:
        return Why.FULL
    if protections - CURED or pack.charge_on is False:
        return Why.ALARM
    charge = pack.charge_permille
    if charge is None:
        return None
    full = charge >= policy.target_permille if memory.charges else charge > policy.restart_permille
    return Why.FULL if full else None


def _protections(pack: PackReading | None) -> frozenset[Alarm]:
    return frozenset() if pack is None or pack.protections is None else pack.protections


def _charge_of(sight: SlotSight) -> int:
    """How full, as far as it says; a pack that does not say counts as empty."""
    charge = sight.pack.charge_permille if sight.pack is not None else None
    return 0 if charge is None else charge
