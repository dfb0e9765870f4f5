"""How is a Daly pack read that speaks Modbus? One question for all that changes, one for its code.

(facts: cabinets 1.8.)
"""

from __future__ import annotations

from typing import Final

from drivers.line import Priority
from drivers.modbus_client import refusal
from drivers.packs.bms import no_switch
from drivers.packs.options import SIGNS, DalyModbusOptions
from drivers.packs.talk import PackTalk, Spared
from protocols.fieldbus.daly_modbus import CHARGE_SWITCH, CODE, STATE, State, decode_text, read_code, write_switch
from protocols.fieldbus.modbus import (
    Answer,
    Expectation,
    Framing,
    Pdu,
    ReadRegisters,
    Reply,
    Space,
    request_frame,
)
from protocols.fieldbus.pack import PackReading

SIGN_REMEDY: Final = "Set `options.sign` of its pack link to the other of above-charges and above-discharges."


class DalyModbusTongue:
    """A `bms.Tongue`."""

    sign_remedy = SIGN_REMEDY

    def __init__(self, talk: PackTalk, unit: int, options: DalyModbusOptions) -> None:
        self._talk = talk
        self._unit = unit
        self._options = options
        self._state = ReadRegisters(Space.HOLDING, STATE, options.registers)
        self._framing = Framing(talk.line.config.modbus_framing)
        self._spared = Spared(self.fast)

    async def fast(self) -> PackReading:
        registers = self._taken(await self._ask(self._state), "its state").registers
        state = State.decode(registers)
        if state is None:
            raise self._talk.garbled("its state", b"".join(value.to_bytes(2, "big") for value in registers))
        return state.reading(SIGNS[self._options.sign])

    async def slow(self) -> PackReading:
        reply = await self._spared.ask(CODE, self._code)
        return PackReading(serial=decode_text(reply.registers)) if isinstance(reply, Answer) else PackReading()

    async def wake(self) -> None:
        frame, expect = self._question(self._state)
        await self._talk.nudge(frame, expect)

    async def switch_charge(self, on: bool) -> None:
        if not self._options.charge_switch:
            raise no_switch(self._talk.where, allowed=False)
        frame, expect = self._question(write_switch(CHARGE_SWITCH, on))
        self._taken(await self._talk.ask(frame, expect, tries=1, priority=Priority.COMMAND), "its charge switch")

    def forget(self) -> None:
        self._spared.forget()

    async def _code(self) -> Reply:
        return await self._ask(read_code())

    async def _ask(self, pdu: Pdu) -> Reply:
        frame, expect = self._question(pdu)
        return await self._talk.ask(frame, expect)

    def _question(self, pdu: Pdu) -> tuple[bytes, Expectation]:
        number = self._talk.line.next_transaction_id() if self._framing is Framing.TCP else 0
        frame = request_frame(self._framing, self._unit, pdu, number)
        return frame, Expectation(self._framing, self._unit, pdu, number)

    def _taken(self, reply: Reply, what: str) -> Answer:
        if isinstance(reply, Answer):
            return reply
        raise refusal(reply.code, what, self._talk.where)
