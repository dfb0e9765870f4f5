"""What do PACE and Seplos V2 packs say in their ASCII frames?

Each value reads its INFO and writes it, for both roles. (facts: cabinets 1.9; PACE from a driver with many captured
frames, Seplos V2 from another.)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from protocols.fieldbus.pack import Alarm, Flow, PackReading, alarms

KELVIN_PACE_DC: Final = 2730  # the driver of PACE packs; others take 2731, so a tenth of a degree is in doubt
KELVIN_SEPLOS_DC: Final = 2731
ITEMS_MAX: Final = 64  # cells or sensors; more are damage

_SCALE: Final = 10  # mA, mAh and Seplos's mV in one unit of the wire
_PACE: Final = struct.Struct(">hHHBHHH")
_SEPLOS: Final = struct.Struct(">hHHBHHHHHH")
_WARN: Final = struct.Struct(">8BHBB")


class Command(IntEnum):
    """CID2 of a question. INFO of the first two is the number of the pack that is meant."""

    ANALOG = 0x42
    WARN = 0x44
    PACK_COUNT = 0x90
    CHARGE_SWITCH = 0x9A  # see `switch_info`
    DISCHARGE_SWITCH = 0x9B
    HARDWARE = 0xC1  # text, PACE
    SERIAL = 0xC2  # text, PACE


class SwitchOn(Enum):
    """Which byte turns a switch on. The one source says both; so it is configured, and WARN is read after a write."""

    ONE = 1
    ZERO = 0


def switch_info(on: bool, meaning: SwitchOn) -> bytes:
    """What CHARGE_SWITCH and DISCHARGE_SWITCH are written with. A pack refuses to have both off."""
    return bytes((on == bool(meaning.value),))


@dataclass(frozen=True, slots=True)
class Analog:
    """ANALOG of a PACE pack. user: 3, or 9 with fourteen bytes more, which stay in `tail`. temps_raw: tenths of a
    kelvin; the last two are no cells, but which they are differs."""

    pack: int
    cells_mv: tuple[int, ...]
    temps_raw: tuple[int, ...]
    current_ma: int
    voltage_mv: int
    remaining_mah: int
    full_mah: int
    cycles: int
    design_mah: int
    user: int = 3
    tail: bytes = b""

    @classmethod
    def decode(cls, info: bytes) -> Analog | None:
        lists = _take_lists(info, 2)
        if lists is None or len(lists[-1]) < _PACE.size:
            return None
        pack, cells, temps, rest = lists
        current, voltage, remaining, user, full, cycles, design = _PACE.unpack_from(rest)
        amounts = _SCALE * remaining, _SCALE * full, cycles, _SCALE * design
        return cls(pack, cells, temps, _SCALE * current, voltage, *amounts, user, rest[_PACE.size :])

    def encode(self) -> bytes:
        capacities = self.remaining_mah // _SCALE, self.user, self.full_mah // _SCALE
        numbers = _PACE.pack(
            self.current_ma // _SCALE, self.voltage_mv, *capacities, self.cycles, self.design_mah // _SCALE
        )
        return _put_lists(self.pack, self.cells_mv, self.temps_raw, 2) + numbers + self.tail

    def reading(self, kelvin_dc: int = KELVIN_PACE_DC) -> PackReading:
        """It says neither charge nor health: see `charge_permille`. All sensors count as the battery's."""
        return PackReading(
            voltage_mv=self.voltage_mv,
            current_ma=self.current_ma,
            remaining_mah=self.remaining_mah,
            full_mah=self.full_mah,
            design_mah=self.design_mah or None,
            cycles=self.cycles,
            cells_mv=self.cells_mv,
            temps_dc=tuple(raw - kelvin_dc for raw in self.temps_raw),
        )


@dataclass(frozen=True, slots=True)
class SeplosAnalog:
    """ANALOG of a Seplos V2 pack. user: 10. port_mv: at its poles, behind the switches. tail: reserved."""

    pack: int
    cells_mv: tuple[int, ...]
    temps_raw: tuple[int, ...]
    current_ma: int
    voltage_mv: int
    remaining_mah: int
    full_mah: int
    soc_permille: int
    rated_mah: int
    cycles: int
    soh_permille: int
    port_mv: int
    user: int = 10
    tail: bytes = bytes(8)

    @classmethod
    def decode(cls, info: bytes) -> SeplosAnalog | None:
        lists = _take_lists(info, 2)
        if lists is None or len(lists[-1]) < _SEPLOS.size:
            return None
        pack, cells, temps, rest = lists
        current, voltage, remaining, user, full, soc, rated, cycles, soh, port = _SEPLOS.unpack_from(rest)
        return cls(
            pack, cells, temps, _SCALE * current, _SCALE * voltage, _SCALE * remaining, _SCALE * full, soc,
            _SCALE * rated, cycles, soh, _SCALE * port, user, rest[_SEPLOS.size :],
        )  # fmt: skip

    def encode(self) -> bytes:
        numbers = _SEPLOS.pack(
            self.current_ma // _SCALE, self.voltage_mv // _SCALE, self.remaining_mah // _SCALE, self.user,
            self.full_mah // _SCALE, self.soc_permille, self.rated_mah // _SCALE, self.cycles, self.soh_permille,
            self.port_mv // _SCALE,
        )  # fmt: skip
        return _put_lists(self.pack, self.cells_mv, self.temps_raw, 2) + numbers + self.tail

    def reading(self, kelvin_dc: int = KELVIN_SEPLOS_DC) -> PackReading:
        """All sensors count as the battery's."""
        return PackReading(
            voltage_mv=self.voltage_mv,
            current_ma=self.current_ma,
            soc_permille=self.soc_permille,
            soh_permille=self.soh_permille,
            remaining_mah=self.remaining_mah,
            full_mah=self.full_mah,
            design_mah=self.rated_mah or None,
            cycles=self.cycles,
            cells_mv=self.cells_mv,
            temps_dc=tuple(raw - kelvin_dc for raw in self.temps_raw),
        )


PROTECT_1: Final[Mapping[int, Alarm]] = {
    0: Alarm.CELL_HIGH, 1: Alarm.CELL_LOW, 2: Alarm.PACK_HIGH, 3: Alarm.PACK_LOW, 4: Alarm.CHARGE_CURRENT,
    5: Alarm.DISCHARGE_CURRENT, 6: Alarm.SHORT,
}  # fmt: skip
PROTECT_2: Final[Mapping[int, Alarm]] = {
    0: Alarm.CHARGE_HOT, 1: Alarm.DISCHARGE_HOT, 2: Alarm.CHARGE_COLD, 3: Alarm.DISCHARGE_COLD, 4: Alarm.MOS_HOT,
    5: Alarm.CASE_HOT, 6: Alarm.CASE_COLD,
}  # fmt: skip
FAULTS: Final[Mapping[int, Alarm]] = {
    0: Alarm.MOS_FAULT, 1: Alarm.MOS_FAULT, 2: Alarm.SENSOR_FAULT, 4: Alarm.CELL_FAULT, 5: Alarm.SENSOR_FAULT,
}  # fmt: skip
_FULL: Final = 0x80  # of PROTECT_2, and no alarm
_CHARGE_ON: Final = 0x02
_DISCHARGE_ON: Final = 0x04
_DISCHARGING: Final = 0x08
_REVERSED: Final = 0x10
_CHARGING: Final = 0x20


@dataclass(frozen=True, slots=True)
class Warn:
    """WARN of a PACE pack. States: 0 good, 1 low, 2 high, others something else. The rest are bits."""

    pack: int
    cell_states: tuple[int, ...]
    temp_states: tuple[int, ...]
    charge_current: int
    voltage: int
    discharge_current: int
    protect_1: int
    protect_2: int
    system: int
    config: int
    fault: int
    balancing: int
    warn_1: int
    warn_2: int
    tail: bytes = b""

    @classmethod
    def decode(cls, info: bytes) -> Warn | None:
        lists = _take_lists(info, 1)
        if lists is None or len(lists[-1]) < _WARN.size:
            return None
        pack, cells, temps, rest = lists
        numbers: list[int] = list(_WARN.unpack_from(rest))
        charge, voltage, discharge, one, two, system, config, fault, balancing, warn_1, warn_2 = numbers
        limits = charge, voltage, discharge, one, two
        bits = system, config, fault, balancing, warn_1, warn_2
        return cls(pack, cells, temps, *limits, *bits, rest[_WARN.size :])

    def encode(self) -> bytes:
        numbers = _WARN.pack(
            self.charge_current, self.voltage, self.discharge_current, self.protect_1, self.protect_2, self.system,
            self.config, self.fault, self.balancing, self.warn_1, self.warn_2,
        )  # fmt: skip
        return _put_lists(self.pack, self.cell_states, self.temp_states, 1) + numbers + self.tail

    def reading(self) -> PackReading:
        reverse = {Alarm.REVERSED} if self.system & _REVERSED else set[Alarm]()
        protections = alarms(self.protect_1, PROTECT_1) | alarms(self.protect_2, PROTECT_2, ignored=_FULL)
        return PackReading(
            charge_on=bool(self.system & _CHARGE_ON),
            discharge_on=bool(self.system & _DISCHARGE_ON),
            flow=_flow(self.system),
            warnings=self._warnings(),
            protections=protections | alarms(self.fault, FAULTS) | reverse,
        )

    def _warnings(self) -> frozenset[Alarm]:
        """From the states. What the bits of warn_1 and warn_2 say beyond them is OTHER."""
        found = {
            *(_of_state(state, Alarm.CELL_LOW, Alarm.CELL_HIGH) for state in self.cell_states),
            *(_of_state(state, Alarm.BATTERY_COLD, Alarm.BATTERY_HOT) for state in self.temp_states),
            _of_state(self.voltage, Alarm.PACK_LOW, Alarm.PACK_HIGH),
            _of_state(self.charge_current, Alarm.OTHER, Alarm.CHARGE_CURRENT),
            _of_state(self.discharge_current, Alarm.OTHER, Alarm.DISCHARGE_CURRENT),
        }
        known = frozenset(alarm for alarm in found if alarm is not None)
        return known or (frozenset({Alarm.OTHER}) if self.warn_1 or self.warn_2 else known)


def _of_state(state: int, low: Alarm, high: Alarm) -> Alarm | None:
    return None if state == 0 else {1: low, 2: high}.get(state, Alarm.OTHER)


def _flow(system: int) -> Flow | None:
    """None: it says both."""
    match bool(system & _CHARGING), bool(system & _DISCHARGING):
        case True, False:
            return Flow.CHARGING
        case False, True:
            return Flow.DISCHARGING
        case False, False:
            return Flow.IDLE
        case _:
            return None


def system_bits(pack: PackReading) -> int:
    """`Warn.system` of a pack, from its side."""
    return (
        _CHARGE_ON * bool(pack.charge_on)
        | _DISCHARGE_ON * bool(pack.discharge_on)
        | _CHARGING * (pack.flow is Flow.CHARGING)
        | _DISCHARGING * (pack.flow is Flow.DISCHARGING)
        | _REVERSED * (Alarm.REVERSED in (pack.protections or ()))
    )


def _take_lists(info: bytes, size: int) -> tuple[int, tuple[int, ...], tuple[int, ...], bytes] | None:
    """A flag, the pack's number, two counted lists of `size` bytes each, and the rest."""
    if len(info) < 2:
        return None
    found, at = [], 2
    for _ in range(2):
        count = info[at] if at < len(info) else ITEMS_MAX + 1
        end = at + 1 + count * size
        if count > ITEMS_MAX or end > len(info):
            return None
        found.append(struct.unpack_from(f">{count}{'BH'[size - 1]}", info, at + 1))
        at = end
    return info[1], found[0], found[1], info[at:]


def _put_lists(pack: int, first: tuple[int, ...], second: tuple[int, ...], size: int) -> bytes:
    code = "BH"[size - 1]
    return struct.pack(f">BBB{len(first)}{code}B{len(second)}{code}", 0, pack, len(first), *first, len(second), *second)
