"""A Modbus thermometer: the temperature inside a cabinet, from one signed register."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.channels import Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.boards.modbus_ask import ModbusAsk
from drivers.errors import DeviceFault
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.modbus import ReadRegisters, Space

POLICY: Final = DevicePolicy(timeout_s=0.3, retries=1, late_s=0.1)
LIKELY_DC: Final = range(-600, 1251)  # what a sensor inside a cabinet can measure; others say so when it is torn off


class ThermometerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """register: its address on the wire. space: `input` (function 4) or `holding` (function 3). step_dc: one step of
    it in tenths of a degree.
    """

    register: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 1
    space: Literal["input", "holding"] = "input"
    step_dc: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    config.options_as(ThermometerOptions)
    return Channels(temps=range(1, 2))


class ThermometerTalk:
    """A `channels.Talk`."""

    reads_back = None

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.channels = channels_of(config)
        self._options = config.options_as(ThermometerOptions)
        self._ask = ModbusAsk(line, config, POLICY)
        self.device = self._ask.device
        self.rounds = {"temps": self._temps}

    async def set_up(self, locks: Collection[int]) -> None:
        pass

    async def open(self, lock: int) -> None:
        raise AssertionError("it has no locks")

    async def switch(self, output: int, on: bool) -> None:
        raise AssertionError("it has no outputs")

    async def _temps(self, priority: Priority) -> Heard:
        pdu = ReadRegisters(Space(self._options.space), self._options.register, 1)
        raw = (await self._ask(pdu, "temperature", priority)).registers[0]
        temp_dc = (raw - 0x10000 if raw & 0x8000 else raw) * self._options.step_dc
        if temp_dc not in LIKELY_DC:
            raise DeviceFault(
                f"its register says {raw}, which is {temp_dc / 10:.1f} °C",
                where=self.device.where,
                remedy="Look at the sensor's wire, and at `register` and `step_dc` in its options.",
            )
        return Heard(temps={1: temp_dc})
