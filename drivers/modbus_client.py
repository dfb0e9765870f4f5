"""How is one point of a Modbus device read or written? One request at a time, with its refusals sorted."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from drivers.api import Link
from drivers.errors import DeviceError, DeviceFault, Garbled, Silent, Transient, Unsupported
from drivers.line import DevicePolicy, Line, Priority
from drivers.profile import Profile
from drivers.profile_decode import Codec, codec
from drivers.profile_plan import Read
from drivers.profile_state import Value, render
from protocols.fieldbus.modbus import (
    Answer,
    ExceptionCode,
    Expectation,
    Framing,
    Pdu,
    ReadBits,
    ReadRegisters,
    Reply,
    Space,
    WriteCoils,
    WriteRegisters,
    request_frame,
)

WAKE_AFTER_S: Final = 1.0  # a device with `wake_twice` sleeps when nothing was asked for so long
WAKE_TIMEOUT_S: Final = 0.1
_SPACES = {1: Space.COIL, 2: Space.DISCRETE, 3: Space.HOLDING, 4: Space.INPUT}


class ModbusClient:
    """Reads and writes of one device on a line, by its profile."""

    def __init__(self, profile: Profile, line: Line, name: str, unit: int) -> None:
        self.profile = profile
        self.codecs: dict[str, Codec] = {name: codec(profile, point) for name, point in profile.points.items()}
        self.where = f"{line.id}:{name}"
        self._unit = unit
        self._line = line
        self._framing = Framing(line.config.modbus_framing)
        limits = profile.limits
        policy = DevicePolicy(
            timeout_s=limits.timeout_ms / 1000,
            request_gap_s=limits.pause_ms / 1000,
            hold_off_s=profile.connection.hold_off_s,
        )
        self._device = line.attach(name, policy)
        self._answered_at = 0.0
        self._writing = asyncio.Lock()
        self._write_at = 0.0

    @property
    def on_return(self) -> asyncio.Event:
        """Set when the device has come back; see LineDevice."""
        return self._device.on_return

    def link(self) -> Link:
        return self._device.link()

    async def read(self, read: Read, priority: Priority = Priority.POLL) -> list[int]:
        """The registers (or bits) of one planned read. Raises DeviceError; Unsupported when it is refused."""
        kind = ReadBits if read.function in (1, 2) else ReadRegisters
        pdu = kind(_SPACES[read.function], read.address, read.count)
        what = f"{pdu.space.value} {read.address:#06x} + {read.count}"
        answer = await self._ask(pdu, read.unit_id, priority, what)
        return list(map(int, answer.bits)) if isinstance(pdu, ReadBits) else list(answer.registers)

    async def write(self, name: str, value: Value, priority: Priority, *, timeout_s: float | None = None) -> None:
        """Write one point, not sooner after the last write than the device bears. Raises DeviceError."""
        point, words = self.profile.points[name], self.codecs[name].encode(value)
        address = self.profile.wire_address(point)
        single = point.write_fc in (5, 6) or (point.write_fc is None and len(words) == 1)
        pdu: Pdu
        if point.space == "coil":
            pdu = WriteCoils(address, tuple(map(bool, words)), single=single)
        else:
            pdu = WriteRegisters(address, words, single=single)
        async with self._writing:
            pause_s = self._write_at + self.profile.limits.write_pause_ms / 1000 - time.monotonic()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            try:
                await self._ask(pdu, point.unit_id, priority, f"{name} = {render(value)}", timeout_s)
            finally:
                self._write_at = time.monotonic()

    async def _ask(
        self, pdu: Pdu, unit_id: int | None, priority: Priority, what: str, timeout_s: float | None = None
    ) -> Answer:
        if self.profile.limits.wake_twice and time.monotonic() - self._answered_at > WAKE_AFTER_S:
            try:
                await self._exchange(pdu, unit_id, priority, WAKE_TIMEOUT_S)
            except (Silent, Garbled):
                pass  # it was asleep; this has woken it
        reply = await self._exchange(pdu, unit_id, priority, timeout_s)
        self._answered_at = time.monotonic()
        if isinstance(reply, Answer):
            return reply
        raise refusal(reply.code, what, self.where)

    async def _exchange(self, pdu: Pdu, unit_id: int | None, priority: Priority, timeout_s: float | None) -> Reply:
        unit = self._unit if unit_id is None else unit_id
        number = self._line.next_transaction_id() if self._framing is Framing.TCP else 0
        frame = request_frame(self._framing, unit, pdu, number)
        expect = Expectation(self._framing, unit, pdu, number)
        return await self._device.exchange(frame, expect, priority=priority, timeout_s=timeout_s)


def refusal(code: int, what: str, where: str) -> DeviceError:
    """The error for a Modbus exception (Application Protocol V1.1b3, section 7), by what the caller does next."""
    match code:
        case ExceptionCode.ILLEGAL_FUNCTION | ExceptionCode.ILLEGAL_ADDRESS | ExceptionCode.ILLEGAL_VALUE:
            return Unsupported(f"{what} is refused with exception {code}", where=where)
        case ExceptionCode.ACKNOWLEDGE | ExceptionCode.BUSY:
            return Transient(f"{what}: busy (exception {code})", where=where)
        case ExceptionCode.GATEWAY_PATH | ExceptionCode.GATEWAY_TARGET:
            return Silent(f"{what}: the gateway cannot reach the device (exception {code})", where=where)
        case _:
            return DeviceFault(f"{what} failed in the device with exception {code}", where=where)
