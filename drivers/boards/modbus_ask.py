"""How is one Modbus board asked? One PDU at a time, refusals sorted, any value in function 5."""

from __future__ import annotations

from drivers.boards.config import BoardConfig
from drivers.line import DevicePolicy, Line, Priority
from drivers.modbus_client import refusal
from protocols.fieldbus.modbus import Answer, Asked, Expectation, Framing, request_frame


class ModbusAsk:
    """One unit on a line that other Modbus units may share."""

    def __init__(self, line: Line, config: BoardConfig, policy: DevicePolicy) -> None:
        self.device = line.attach(config.id, policy)
        self._line = line
        self._unit = config.address
        self._framing = Framing(line.config.modbus_framing)

    async def __call__(
        self, pdu: Asked, what: str, priority: Priority = Priority.COMMAND, *, retries: int | None = None
    ) -> Answer:
        """what: the request in words, for a refusal. Raises DeviceError; Unsupported when the board refuses."""
        number = self._line.next_transaction_id() if self._framing is Framing.TCP else 0
        reply = await self.device.exchange(
            request_frame(self._framing, self._unit, pdu, number),
            Expectation(self._framing, self._unit, pdu, number),
            priority=priority,
            retries=retries,
        )
        if isinstance(reply, Answer):
            return reply
        raise refusal(reply.code, what, self.device.where)
