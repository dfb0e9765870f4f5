"""How are registers read and written on a pack's wire? Modbus with the refusals sorted."""

from __future__ import annotations

from drivers.line import Priority
from drivers.modbus_client import refusal
from drivers.packs.talk import PackTalk
from protocols.fieldbus.modbus import (
    Answer,
    Expectation,
    Framing,
    Pdu,
    ReadRegisters,
    Reply,
    WriteRegisters,
    request_frame,
)


class ModbusTalk:
    """One unit on a pack's wire. Every method but `nudge` raises DeviceError, for refusals too."""

    def __init__(self, talk: PackTalk, unit: int) -> None:
        self._talk = talk
        self._unit = unit
        self._framing = Framing(talk.line.config.modbus_framing)

    async def read(self, pdu: ReadRegisters, what: str) -> tuple[int, ...]:
        """what: in words, for a refusal."""
        frame, expect = self._question(pdu)
        return self._taken(await self._talk.ask(frame, expect), what).registers

    async def write(self, pdu: WriteRegisters, what: str) -> None:
        """Once: whether a write that is not answered was heard, a read tells."""
        frame, expect = self._question(pdu)
        self._taken(await self._talk.ask(frame, expect, tries=1, priority=Priority.COMMAND), what)

    async def nudge(self, pdu: ReadRegisters) -> None:
        await self._talk.nudge(*self._question(pdu))

    def _question(self, pdu: Pdu) -> tuple[bytes, Expectation]:
        number = self._talk.line.next_transaction_id() if self._framing is Framing.TCP else 0
        frame = request_frame(self._framing, self._unit, pdu, number)
        return frame, Expectation(self._framing, self._unit, pdu, number)

    def _taken(self, reply: Reply, what: str) -> Answer:
        if isinstance(reply, Answer):
            return reply
        raise refusal(reply.code, what, self._talk.where)
