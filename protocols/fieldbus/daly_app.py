"""What does a Daly pack say on UART or RS-485?

`reading_of` is the gateway's side; the values of the everyday answers write themselves, for the pack's.
(facts: cabinets 1.7.)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from protocols.fieldbus.pack import Alarm, Flow, PackReading, day, text

CURRENT_ZERO: Final = 30_000
DEGREES_ZERO: Final = 40
_SCALE: Final = 100  # mV and mA in one unit of the wire
_CELLS_A_FRAME: Final = 3
_SENSORS_A_FRAME: Final = 7
CODE_FRAMES: Final = 5

FLOWS: Final[Mapping[int, Flow]] = {0: Flow.IDLE, 1: Flow.CHARGING, 2: Flow.DISCHARGING}


class Command(IntEnum):
    """What is asked."""

    RATED = 0x50
    MADE_ON = 0x53
    CODE = 0x57  # five frames
    TOTAL = 0x90
    CELL_EXTREMES = 0x91
    TEMP_EXTREMES = 0x92
    SWITCHES = 0x93
    COUNTS = 0x94
    CELLS = 0x95  # a frame for every three cells
    TEMPS = 0x96  # a frame for every seven sensors
    BALANCING = 0x97
    ALARMS = 0x98
    DISCHARGE_SWITCH = 0xD9
    CHARGE_SWITCH = 0xDA


class Sign(Enum):
    """Which way current flows that reads above 30000. Check it against the pack's state: `contradicts_itself`."""

    ABOVE_DISCHARGES = "above discharges"  # on UART, so two drivers
    ABOVE_CHARGES = "above charges"  # on Modbus, so nine captures of nine


class SwitchOn(Enum):
    """Which byte turns a switch on. After every write ask for SWITCHES again."""

    ONE = 1  # two drivers, on UART
    ZERO = 0  # an article of the vendor, on CAN


def current_ma(raw: int, sign: Sign) -> int:
    """Positive charges."""
    above = _SCALE * (raw - CURRENT_ZERO)
    return above if sign is Sign.ABOVE_CHARGES else -above


def current_raw(current: int, sign: Sign) -> int:
    return CURRENT_ZERO + (current if sign is Sign.ABOVE_CHARGES else -current) // _SCALE


def switch_data(on: bool, meaning: SwitchOn = SwitchOn.ONE) -> bytes:
    """What CHARGE_SWITCH and DISCHARGE_SWITCH are written with. meaning: ONE, as programs that switch real packs do."""
    return bytes((on == bool(meaning.value), 0, 0, 0, 0, 0, 0, 0))


def frames_for(command: int, cells: int, sensors: int) -> int:
    """How many frames answer `command` over a wire. cells, sensors: as COUNTS says."""
    if command == Command.CODE:
        return CODE_FRAMES
    counts: dict[int, int] = {
        Command.CELLS: -(-cells // _CELLS_A_FRAME),
        Command.TEMPS: -(-sensors // _SENSORS_A_FRAME),
    }
    return max(1, counts.get(command, 1))


@dataclass(frozen=True, slots=True)
class Total:
    """TOTAL. gathered_mv: a second measurement, 0 in many packs. current_raw: see `current_ma`."""

    voltage_mv: int
    gathered_mv: int
    current_raw: int
    soc_permille: int

    @classmethod
    def decode(cls, data: bytes) -> Total | None:
        if len(data) != 8:
            return None
        voltage, gathered, current, soc = struct.unpack(">4H", data)
        return cls(_SCALE * voltage, _SCALE * gathered, current, soc)

    def encode(self) -> bytes:
        voltages = self.voltage_mv // _SCALE, self.gathered_mv // _SCALE
        return struct.pack(">4H", *voltages, self.current_raw, self.soc_permille)

    def reading(self, sign: Sign) -> PackReading:
        current = current_ma(self.current_raw, sign)
        return PackReading(voltage_mv=self.voltage_mv, current_ma=current, soc_permille=self.soc_permille)


@dataclass(frozen=True, slots=True)
class Switches:
    """SWITCHES. state: see `FLOWS`. life: counts up while it lives."""

    state: int
    charge_on: bool
    discharge_on: bool
    life: int
    remaining_mah: int

    @classmethod
    def decode(cls, data: bytes) -> Switches | None:
        if len(data) != 8:
            return None
        state, charge, discharge, life, remaining = struct.unpack(">4BI", data)
        return cls(state, bool(charge), bool(discharge), life, remaining)

    def encode(self) -> bytes:
        return struct.pack(">4BI", self.state, self.charge_on, self.discharge_on, self.life, self.remaining_mah)

    def reading(self) -> PackReading:
        return PackReading(
            flow=FLOWS.get(self.state),
            charge_on=self.charge_on,
            discharge_on=self.discharge_on,
            remaining_mah=self.remaining_mah,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """COUNTS. inputs: bits of its digital inputs and outputs."""

    cells: int
    sensors: int
    charger: bool
    load: bool
    inputs: int
    cycles: int
    spare: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Counts | None:
        if len(data) != 8:
            return None
        cells, sensors, charger, load, inputs, cycles, spare = struct.unpack(">5BHB", data)
        return cls(cells, sensors, bool(charger), bool(load), inputs, cycles, spare)

    def encode(self) -> bytes:
        fields = self.cells, self.sensors, self.charger, self.load, self.inputs, self.cycles, self.spare
        return struct.pack(">5BHB", *fields)


_LEVELS: Final[tuple[tuple[Alarm, ...], ...]] = (
    (Alarm.CELL_HIGH, Alarm.CELL_LOW, Alarm.PACK_HIGH, Alarm.PACK_LOW),
    (Alarm.CHARGE_HOT, Alarm.CHARGE_COLD, Alarm.DISCHARGE_HOT, Alarm.DISCHARGE_COLD),
    (Alarm.CHARGE_CURRENT, Alarm.DISCHARGE_CURRENT, Alarm.SOC_HIGH, Alarm.SOC_LOW),
    (Alarm.CELLS_APART, Alarm.TEMPS_APART),
)
"""ALARMS, bytes 0-3: two bits for each, the warning and then the protection. One list of errors calls the second pair
of byte 0 high as well; the pattern of the others says low."""

_FAULTS: Final[tuple[tuple[Alarm, ...], ...]] = (
    (
        Alarm.MOS_HOT, Alarm.MOS_HOT, Alarm.SENSOR_FAULT, Alarm.SENSOR_FAULT, Alarm.MOS_FAULT, Alarm.MOS_FAULT,
        Alarm.MOS_FAULT, Alarm.MOS_FAULT,
    ),
    (
        Alarm.BOARD_FAULT, Alarm.SENSOR_FAULT, Alarm.SENSOR_FAULT, Alarm.BOARD_FAULT, Alarm.BOARD_FAULT,
        Alarm.BOARD_FAULT, Alarm.LINK_FAULT, Alarm.LINK_FAULT,
    ),
    (Alarm.SENSOR_FAULT, Alarm.SENSOR_FAULT, Alarm.SHORT, Alarm.CHARGE_FORBIDDEN),
)  # fmt: skip
"""ALARMS, bytes 4-6: a bit for each."""


def decode_alarms(data: bytes) -> PackReading | None:
    """ALARMS. The last byte is a fault code of the vendor's; whatever is set beyond the tables is OTHER."""
    if len(data) != 8:
        return None
    warnings, protections = set[Alarm](), set[Alarm]()
    for byte, pairs in zip(data, _LEVELS, strict=False):
        for place, alarm in enumerate(pairs):
            level = byte >> 2 * place & 3
            if level & 1:
                warnings.add(alarm)
            if level & 2:
                protections.add(alarm)
        if byte >> 2 * len(pairs):
            protections.add(Alarm.OTHER)
    for byte, faults in zip(data[len(_LEVELS) :], _FAULTS, strict=False):
        protections |= {alarm for place, alarm in enumerate(faults) if byte >> place & 1}
        if byte >> len(faults):
            protections.add(Alarm.OTHER)
    if data[7]:
        protections.add(Alarm.OTHER)
    return PackReading(warnings=frozenset(warnings), protections=frozenset(protections))


def encode_alarms(warnings: frozenset[Alarm], protections: frozenset[Alarm]) -> bytes:
    """ALARMS of the pack's side. Alarms without a place of their own are left out."""
    levels = [
        sum(
            ((alarm in warnings) | (alarm in protections) << 1) << 2 * place
            for place, alarm in enumerate(pairs)
        )
        for pairs in _LEVELS
    ]  # fmt: skip
    faults = [sum(1 << faults.index(alarm) for alarm in {*faults} & protections) for faults in _FAULTS]
    return bytes((*levels, *faults, 0))


def decode_cells(data: bytes, cells: int) -> tuple[int, ...] | None:
    """CELLS: mV of the first `cells`. None when there are fewer."""
    parts = [data[at + 1 : at + 7] for at in range(0, len(data) - 7, 8)]
    found = tuple(mv for part in parts for (mv,) in struct.iter_unpack(">H", part))
    return found[:cells] if len(found) >= cells else None


def decode_temps(data: bytes, sensors: int) -> tuple[int, ...] | None:
    """TEMPS: tenths of a degree of the first `sensors`. None when there are fewer."""
    found = [10 * (raw - DEGREES_ZERO) for at in range(0, len(data) - 7, 8) for raw in data[at + 1 : at + 8]]
    return tuple(found[:sensors]) if len(found) >= sensors else None


def decode_code(data: bytes) -> str | None:
    """CODE: the text of its five frames."""
    if len(data) != 8 * CODE_FRAMES:
        return None
    return text(b"".join(data[at + 1 : at + 8] for at in range(0, len(data), 8)))


def numbered(content: bytes, size: int) -> list[bytes]:
    """The frames' data of an answer of several frames: `size` bytes of content in each. CELLS 6, TEMPS and CODE 7."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return [bytes((number,)) + part.ljust(7, b"\0") for number, part in enumerate(parts, 1)]


def reading_of(
    command: int, data: bytes, *, cells: int = 0, sensors: int = 0, sign: Sign = Sign.ABOVE_DISCHARGES
) -> PackReading | None:
    """What an answer says of the pack. None: nothing, or not in this form. cells, sensors: as COUNTS says.

    sign: ABOVE_DISCHARGES, as the drivers have it that read real packs by UART.
    """
    match command:
        case Command.TOTAL:
            total = Total.decode(data)
            return None if total is None else total.reading(sign)
        case Command.SWITCHES:
            switches = Switches.decode(data)
            return None if switches is None else switches.reading()
        case Command.COUNTS:
            counts = Counts.decode(data)
            return None if counts is None else PackReading(cycles=counts.cycles)
        case Command.CELLS:
            found = decode_cells(data, cells)
            return None if found is None else PackReading(cells_mv=found)
        case Command.TEMPS:
            temps = decode_temps(data, sensors)
            return None if temps is None else PackReading(temps_dc=temps)
        case Command.CODE:
            return PackReading(serial=decode_code(data))
        case Command.ALARMS:
            return decode_alarms(data)
        case _:
            return _reading_of_rare(command, data) if len(data) == 8 else None


def _reading_of_rare(command: int, data: bytes) -> PackReading | None:
    match command:
        case Command.CELL_EXTREMES:
            most, _, least, _ = struct.unpack_from(">HBHB", data)
            return PackReading(cell_mv_max=most, cell_mv_min=least)
        case Command.TEMP_EXTREMES:
            most, least = 10 * (data[0] - DEGREES_ZERO), 10 * (data[2] - DEGREES_ZERO)
            return PackReading(temp_dc_max=most, temp_dc_min=least)
        case Command.RATED:
            return PackReading(design_mah=int.from_bytes(data[:4], "big") or None)
        case Command.MADE_ON:  # the third to the fifth byte, so one driver
            return PackReading(made_on=day(2000 + data[2], data[3], data[4]))
        case _:
            return None
