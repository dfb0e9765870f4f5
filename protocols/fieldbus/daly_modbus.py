"""What do the registers of a Daly pack say that speaks Modbus (H, K, M and S series)?

Slave D2h, RTU, 9600 8N1, functions 3, 6 and 16. This file knows the registers; frames are those of `modbus`. Newer
packs (slave 81h) have their registers in other places and are not these. (facts: cabinets 1.8.)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.daly_app import DEGREES_ZERO, FLOWS, Sign, current_ma, current_raw
from protocols.fieldbus.modbus import ReadRegisters, Space, WriteRegisters
from protocols.fieldbus.pack import Alarm, PackReading, text

UNIT: Final = 0xD2  # every pack's; so there is never more than one on a line
REPLY_S: Final = 0.5

STATE: Final = 0x00  # the first of what `State` reads
STATE_COUNT: Final = 0x3E
STATE_COUNT_LONG: Final = 0x50  # what some boards are asked for; the rest is not read here
CHARGE_SWITCH: Final = 0xA5  # 1 on, 0 off; read the state again after a write
DISCHARGE_SWITCH: Final = 0xA6
SOFTWARE: Final = 0xA9
HARDWARE: Final = 0xB1
CODE: Final = 0xB9
TEXT_COUNT: Final = 8  # registers of SOFTWARE and HARDWARE
CODE_COUNT: Final = 16
CELLS_MAX: Final = 32
SENSORS_MAX: Final = 8

_VOLTAGE: Final = 0x28
_CURRENT: Final = 0x29
_SOC: Final = 0x2A
_CELL_MAX: Final = 0x2B
_CELL_MIN: Final = 0x2C
_TEMP_MAX: Final = 0x2D
_TEMP_MIN: Final = 0x2E
_FLOW: Final = 0x2F
_REMAINING: Final = 0x30
_CELLS: Final = 0x31
_SENSORS: Final = 0x32
_CYCLES: Final = 0x33
_BALANCING: Final = 0x34
_CHARGE_ON: Final = 0x35
_DISCHARGE_ON: Final = 0x36
_MEAN: Final = 0x37
_SPREAD: Final = 0x38
_POWER: Final = 0x39
_FAULTS: Final = 0x3A
_FAULT_COUNT: Final = 4
_SCALE: Final = 100  # mV, mA and mAh in one unit of the wire


def read_state() -> ReadRegisters:
    """Everything that changes, in one question."""
    return ReadRegisters(Space.HOLDING, STATE, STATE_COUNT)


def read_code() -> ReadRegisters:
    return ReadRegisters(Space.HOLDING, CODE, CODE_COUNT)


def write_switch(switch: int, on: bool) -> WriteRegisters:
    """switch: CHARGE_SWITCH or DISCHARGE_SWITCH."""
    return WriteRegisters(switch, (int(on),), single=True)


@dataclass(frozen=True, slots=True)
class State:
    """The registers from STATE on. current_raw: see `daly_app.current_ma`. flow: see `daly_app.FLOWS`. faults: four
    registers of bits, whose meanings are not public."""

    cells_mv: tuple[int, ...]
    temps_dc: tuple[int, ...]
    voltage_mv: int
    current_raw: int
    soc_permille: int
    flow: int
    remaining_mah: int
    cycles: int
    balancing: int
    charge_on: bool
    discharge_on: bool
    power_w: int
    faults: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def decode(cls, registers: Sequence[int]) -> State | None:
        """registers: at least STATE_COUNT, as answered. None: fewer, or counts of cells that do not fit."""
        if len(registers) < STATE_COUNT or registers[_CELLS] > CELLS_MAX or registers[_SENSORS] > SENSORS_MAX:
            return None
        temps = registers[CELLS_MAX : CELLS_MAX + registers[_SENSORS]]
        one, two, three, four = registers[_FAULTS : _FAULTS + _FAULT_COUNT]
        return cls(
            cells_mv=tuple(registers[: registers[_CELLS]]),
            temps_dc=tuple(10 * (raw - DEGREES_ZERO) for raw in temps),
            voltage_mv=_SCALE * registers[_VOLTAGE],
            current_raw=registers[_CURRENT],
            soc_permille=registers[_SOC],
            flow=registers[_FLOW],
            remaining_mah=_SCALE * registers[_REMAINING],
            cycles=registers[_CYCLES],
            balancing=registers[_BALANCING],
            charge_on=bool(registers[_CHARGE_ON]),
            discharge_on=bool(registers[_DISCHARGE_ON]),
            power_w=registers[_POWER],
            faults=(one, two, three, four),
        )

    def encode(self, count: int = STATE_COUNT) -> tuple[int, ...]:
        """count: of registers, at least STATE_COUNT; those behind are 0."""
        registers = [0] * count
        registers[: len(self.cells_mv)] = self.cells_mv
        degrees = [temp // 10 + DEGREES_ZERO for temp in self.temps_dc]
        registers[CELLS_MAX : CELLS_MAX + len(degrees)] = degrees
        most, least = max(self.cells_mv, default=0), min(self.cells_mv, default=0)
        mean = sum(self.cells_mv) // len(self.cells_mv) if self.cells_mv else 0
        hottest, coldest = max(degrees, default=0), min(degrees, default=0)
        registers[_VOLTAGE : _FAULTS + _FAULT_COUNT] = (
            self.voltage_mv // _SCALE, self.current_raw, self.soc_permille, most, least, hottest, coldest, self.flow,
            self.remaining_mah // _SCALE, len(self.cells_mv), len(degrees), self.cycles, self.balancing,
            self.charge_on, self.discharge_on, mean, most - least, self.power_w, *self.faults,
        )  # fmt: skip
        return tuple(registers)

    def reading(self, sign: Sign = Sign.ABOVE_CHARGES) -> PackReading:
        """sign: ABOVE_CHARGES, for in nine captures of nine the packs that discharge say less than 30000."""
        ill = frozenset({Alarm.OTHER}) if any(self.faults) else frozenset[Alarm]()
        return PackReading(
            voltage_mv=self.voltage_mv,
            current_ma=current_ma(self.current_raw, sign),
            soc_permille=self.soc_permille,
            remaining_mah=self.remaining_mah,
            cycles=self.cycles,
            cells_mv=self.cells_mv,
            temps_dc=self.temps_dc,
            charge_on=self.charge_on,
            discharge_on=self.discharge_on,
            flow=FLOWS.get(self.flow),
            warnings=None if any(self.faults) else ill,
            protections=ill,
        )


def state_of(pack: PackReading, sign: Sign = Sign.ABOVE_CHARGES) -> State:
    """The state of a pack, from its side. What it does not know is 0."""
    flows = {flow: number for number, flow in FLOWS.items()}
    return State(
        cells_mv=pack.cells_mv or (),
        temps_dc=pack.temps_dc or (),
        voltage_mv=pack.voltage_mv or 0,
        current_raw=current_raw(pack.current_ma or 0, sign),
        soc_permille=pack.charge_permille or 0,
        flow=0 if pack.flow is None else flows[pack.flow],
        remaining_mah=pack.remaining_mah or 0,
        cycles=pack.cycles or 0,
        balancing=0,
        charge_on=bool(pack.charge_on),
        discharge_on=bool(pack.discharge_on),
        power_w=abs((pack.voltage_mv or 0) * (pack.current_ma or 0)) // 1_000_000,
        faults=(int(bool(pack.protections)), 0, 0, 0),
    )


def decode_text(registers: Sequence[int]) -> str | None:
    """CODE, SOFTWARE, HARDWARE: two characters in a register, the first one above."""
    return text(struct.pack(f">{len(registers)}H", *registers))


def encode_text(value: str, count: int) -> tuple[int, ...]:
    """count: of registers. Raises ValueError when it is too long or not ASCII."""
    data = value.encode("ascii")
    if len(data) > 2 * count:
        raise ValueError(f"{value!r} does not fit into {count} registers")
    return struct.unpack(f">{count}H", data.ljust(2 * count, b"\0"))
