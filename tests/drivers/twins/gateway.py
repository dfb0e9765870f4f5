"""The other end of a twin's wire: asks over a real pty or TCP, and keeps every byte that came back."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from contextlib import suppress
from fractions import Fraction
from types import TracebackType

from drivers.modbus_device import literal
from drivers.profile import Profile, Write
from drivers.profile_decode import codec
from drivers.profile_plan import plan
from drivers.profile_state import Value, kinds_of, parse, rules_of
from protocols.fieldbus.modbus import (
    Answer,
    Expectation,
    Framing,
    NeedMore,
    Pdu,
    ReadBits,
    ReadRegisters,
    Refused,
    Reply,
    Space,
    WriteCoils,
    WriteRegisters,
    request_frame,
)

SPACE = {1: Space.COIL, 2: Space.DISCRETE, 3: Space.HOLDING, 4: Space.INPUT}


class Gateway:
    """`async with Gateway(site.port("line")) as gateway:`; `raw` holds what the last `ask` brought."""

    def __init__(self, where: str, framing: Framing | None = None) -> None:
        self.where = where
        self.framing = framing or (Framing.RTU if where.startswith("/") else Framing.TCP)
        self.raw = b""
        self._transaction_id = 0
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._fd = -1
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Gateway:
        if self.where.startswith("/"):
            self._fd = os.open(self.where, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._fd)
            termios.tcflush(self._fd, termios.TCIOFLUSH)
            asyncio.get_running_loop().add_reader(self._fd, lambda: self._arrived.put_nowait(os.read(self._fd, 4096)))
        else:
            host, _, port = self.where.rpartition(":")
            reader, self._writer = await asyncio.open_connection(host, int(port))
            self._reading = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
        if self._writer is not None and self._reading is not None:
            self._writer.close()
            self._reading.cancel()
            await asyncio.gather(self._reading, self._writer.wait_closed(), return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                self._arrived.put_nowait(data)
        self._arrived.put_nowait(b"")

    async def ask(self, unit: int, pdu: Pdu, timeout_s: float = 5.0, bytes_least: int = 0) -> Reply | None:
        """The answer; None when none came in time or the peer hung up. bytes_least: go on until `raw` has them."""
        self._transaction_id += 1
        frame = request_frame(self.framing, unit, pdu, self._transaction_id)
        hunt = Expectation(self.framing, unit, pdu, self._transaction_id)
        self.raw = b""
        self.send(frame)
        reply: Reply | NeedMore | None = hunt.feed(b"")
        while isinstance(reply, NeedMore):
            data = await self._next(timeout_s)
            self.raw += data
            reply = hunt.feed(data) if data else None
        while len(self.raw) < bytes_least and (data := await self._next(5.0)):
            self.raw += data
        return reply

    async def _next(self, timeout_s: float) -> bytes:
        """What comes next; empty when nothing comes in time or the peer has hung up."""
        try:
            return await asyncio.wait_for(self._arrived.get(), timeout_s)
        except TimeoutError:
            return b""

    def send(self, frame: bytes) -> None:
        if self._writer is None:
            os.write(self._fd, frame)
        else:
            self._writer.write(frame)

    async def unasked(self, count: int) -> bytes:
        """The next `count` bytes, or what of them came within five seconds."""
        data = b""
        while len(data) < count and (more := await self._next(5.0)):
            data += more
        return data

    async def read_all(self, unit: int, profile: Profile) -> dict[str, Value]:
        """Every readable point that exists, by the profile's own plan. AssertionError when the device refuses one."""
        values: dict[str, Value] = {}
        kinds = kinds_of(profile)
        readable = [name for name, point in profile.points.items() if point.access != "w"]
        plain = [name for name in readable if not profile.points[name].when]
        for names in (plain, [name for name in readable if name not in plain]):
            names = [n for n in names if n in plain or parse(profile.points[n].when, kinds).holds(values) is True]
            for read in plan(profile, names).reads:
                space, at = SPACE[read.function], read.unit_id or unit
                pdu: Pdu = (ReadBits if read.function < 3 else ReadRegisters)(space, read.address, read.count)
                reply = await self.ask(at, pdu)
                assert isinstance(reply, Answer), (read, reply)
                words = list(reply.registers) or [int(bit) for bit in reply.bits]
                for name, part in read.slices(words):
                    value = codec(profile, profile.points[name]).decode(part)
                    values[name] = value if isinstance(value, int | str | Fraction) else None
        return values

    async def write(self, unit: int, profile: Profile, write: Write, limit: Fraction = Fraction(0)) -> Reply | None:
        """One write of a profile's sequence."""
        point = profile.points[write.point]
        words = codec(profile, point).encode(limit if write.value == "$limit" else literal(write.value))
        address = profile.wire_address(point)
        single = point.write_fc in (5, 6) or (point.write_fc is None and len(words) == 1)
        pdu: Pdu = (
            WriteCoils(address, tuple(bool(word) for word in words), single)
            if point.space == "coil"
            else WriteRegisters(address, words, single)
        )
        return await self.ask(unit if point.unit_id is None else point.unit_id, pdu)

    async def command(self, unit: int, profile: Profile, what: str, amps: int, known: dict[str, Value]) -> None:
        """Run `start`, `set_limit` or `stop`. AssertionError when the device refuses a write."""
        command = profile.command
        assert command is not None
        limit = Fraction(amps)
        if command.dimension == "power":
            limit *= command.phases * command.voltage_v
        for write in getattr(command, what):
            if not write.when or parse(write.when, kinds_of(profile)).holds(known) is True:
                reply = await self.write(unit, profile, write, limit)
                assert reply is not None, write
                assert not isinstance(reply, Refused), (write, reply)


def state_of(profile: Profile, values: dict[str, Value]) -> str:
    """The letter that the profile's rules make of these values."""
    return rules_of(profile).decide(values)[0].value
