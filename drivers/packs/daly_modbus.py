"""How is a Daly pack read that speaks Modbus? One question for all that changes, one for its code.

(facts: cabinets 1.8.)
"""

from __future__ import annotations

from drivers.errors import Unsupported
from drivers.packs.bms import no_switch
from drivers.packs.modbus_talk import ModbusTalk
from drivers.packs.options import SIGNS, DalyModbusOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.daly_modbus import CHARGE_SWITCH, CODE, STATE, State, decode_text, read_code, write_switch
from protocols.fieldbus.modbus import ReadRegisters, Space
from protocols.fieldbus.pack import PackReading


class DalyModbusTongue:
    """A `bms.Tongue`."""

    sign_remedy = "Set `options.sign` of its pack link to the other of above-charges and above-discharges."

    def __init__(self, talk: PackTalk, unit: int, options: DalyModbusOptions) -> None:
        self._talk = talk
        self._modbus = ModbusTalk(talk, unit)
        self._options = options
        self._state = ReadRegisters(Space.HOLDING, STATE, options.registers)
        self._spared = Spared(self.fast)

    async def fast(self) -> PackReading:
        registers = await self._modbus.read(self._state, "its state")
        state = State.decode(registers)
        if state is None:
            raise self._talk.garbled("its state", b"".join(value.to_bytes(2, "big") for value in registers))
        return state.reading(SIGNS[self._options.sign])

    async def slow(self) -> PackReading:
        registers = await self._spared.ask(CODE, self._code)
        return PackReading(serial=None if registers is None else decode_text(registers))

    async def wake(self) -> None:
        await self._modbus.nudge(self._state)

    async def switch_charge(self, on: bool) -> None:
        if not self._options.charge_switch:
            raise no_switch(self._talk.where, allowed=False)
        await self._modbus.write(write_switch(CHARGE_SWITCH, on), "its charge switch")

    def forget(self) -> None:
        self._spared.forget()

    async def _code(self) -> tuple[int, ...] | None:
        """None: it refuses these registers."""
        try:
            return await self._modbus.read(read_code(), "its code")
        except Unsupported:
            return None
