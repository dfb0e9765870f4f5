"""A VMO RBCS slot board: one slot's presence, its BMS link, emergency stop and charge relay, in one frame."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

import msgspec

from drivers.boards.channels import Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.boards.modbus_ask import ModbusAsk
from drivers.errors import DeviceFault
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.slot_vmo import FIRST, Charge, pdu_of, read_slot, slot_of

POLICY: Final = DevicePolicy(timeout_s=0.1, retries=1)
PRESENT, BMS_SILENT, EMERGENCY_STOP = 1, 2, 3  # inputs
CHARGE = 1  # output


class VmoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """first: where its four registers begin: 72, or 48 in an older firmware."""

    first: Literal[72, 48] = FIRST


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    config.options_as(VmoOptions)
    return Channels(inputs=range(PRESENT, EMERGENCY_STOP + 1), outputs=range(CHARGE, CHARGE + 1))


class VmoTalk:
    """A `channels.Talk`. The lock is another board's."""

    reads_back = "slot"

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.channels = channels_of(config)
        self._first = config.options_as(VmoOptions).first
        self._ask = ModbusAsk(line, config, POLICY)
        self.device = self._ask.device
        self.rounds = {"slot": self._slot}

    async def set_up(self, locks: Collection[int]) -> None:
        pass

    async def open(self, lock: int) -> None:
        raise AssertionError("it has no locks")

    async def switch(self, output: int, on: bool) -> None:
        await self._ask(pdu_of(Charge(on), self._first), "charge relay")

    async def _slot(self, priority: Priority) -> Heard:
        registers = (await self._ask(read_slot(self._first), "slot registers", priority)).registers
        slot = slot_of(registers)
        if slot is None:
            raise DeviceFault(
                f"registers {self._first} to {self._first + 3} are {registers}, and not four flags",
                where=self.device.where,
                remedy="An older firmware has them at 48: `options = { first = 48 }`.",
            )
        return Heard(
            inputs={PRESENT: slot.pack_here, BMS_SILENT: slot.bms_silent, EMERGENCY_STOP: slot.emergency_stop},
            outputs={CHARGE: slot.charge},
        )
