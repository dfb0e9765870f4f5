"""What do a gateway and a device say to each other in Modbus?

Both roles, without I/O. The gateway's: a request value becomes a frame (`request_frame`), and an `Expectation` finds
its answer in whatever arrives. The device's: `DeviceSide` finds requests, `answer_frame` and `exception_frame` reply.
PDUs and framers are pymodbus's; finding frames is ours (see `modbus_frames`), because its framers trust the first bytes
they see.

Sources: Modbus Application Protocol V1.1b3, Modbus over Serial Line V1.02, Modbus Messaging on TCP/IP V1.0b.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from pymodbus.pdu.utils import pack_bitstring, unpack_bitstring

from protocols.fieldbus.expect import NEED_MORE, Expect, NeedMore
from protocols.fieldbus.modbus_frames import Framing, Hunt, Wanted, encode_frame, find_request

__all__ = [
    "NEED_MORE", "Answer", "Asked", "DeviceSide", "ExceptionCode", "Expectation", "Framing", "NeedMore", "ReadBits",
    "ReadRegisters", "Refused", "Reply", "Request", "Space", "UnknownRequest", "WriteCoilValue", "WriteCoils",
    "WriteRegisters", "answer_frame", "answer_pdu", "coil_value", "exception_frame", "request_frame",
]  # fmt: skip

REGISTERS_READ_MAX: Final = 125
REGISTERS_WRITTEN_MAX: Final = 123
BITS_READ_MAX: Final = 2000
BITS_WRITTEN_MAX: Final = 1968


class Space(Enum):
    """The four tables of a Modbus device. Addresses count from 0, as on the wire."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"


class ExceptionCode(IntEnum):
    """Why a device refuses (Application Protocol, clause 7). Devices send others too."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6
    MEMORY_PARITY = 8
    GATEWAY_PATH = 10
    GATEWAY_TARGET = 11


@dataclass(frozen=True, slots=True)
class ReadRegisters:
    """Read `count` (1..=125) registers from INPUT or HOLDING."""

    space: Space
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class ReadBits:
    """Read `count` (1..=2000) bits from COIL or DISCRETE."""

    space: Space
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteRegisters:
    """Write 1..=123 holding registers (each 0..=65535). single: by function 6, which takes exactly one."""

    address: int
    values: tuple[int, ...]
    single: bool = False


@dataclass(frozen=True, slots=True)
class WriteCoils:
    """Write 1..=1968 coils. single: by function 5, which takes exactly one."""

    address: int
    values: tuple[bool, ...]
    single: bool = False


@dataclass(frozen=True, slots=True)
class WriteCoilValue:
    """Function 5 with any value, 0..=65535. Modbus allows 0 and FF00 only; lock and relay boards take a time in it."""

    address: int
    value: int


@dataclass(frozen=True, slots=True)
class UnknownRequest:
    """A well-framed request that a device of ours does not serve; answer ILLEGAL_FUNCTION (or ILLEGAL_VALUE)."""

    function: int
    data: bytes


Pdu = ReadRegisters | ReadBits | WriteRegisters | WriteCoils
Asked = Pdu | WriteCoilValue


@dataclass(frozen=True, slots=True)
class Answer:
    """The device did as asked. A read fills `registers` or `bits`, exactly as many as asked for; a write neither."""

    registers: tuple[int, ...] = ()
    bits: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The device refused. code: an ExceptionCode, or whatever else it sent."""

    code: int


Reply = Answer | Refused


def request_frame(framing: Framing, unit: int, pdu: Asked, transaction_id: int = 0) -> bytes:
    """The bytes that ask `unit` (0 is broadcast) for `pdu`. Raises ValueError when `pdu` is outside Modbus's limits."""
    return encode_frame(framing, unit, _request_pdu(pdu), transaction_id)


class Expectation(Expect[Reply]):
    """Finds the answer to one request in whatever arrives.

    It accepts only a frame of the asked unit and function whose length fits the count, or whose content mirrors the
    write; over TCP also only the asked transaction. Everything else is skipped, sorted and counted in bytes.
    """

    def __init__(self, framing: Framing, unit: int, pdu: Asked, transaction_id: int = 0) -> None:
        asked = _request_pdu(pdu)
        self._pdu = pdu
        self._hunt = Hunt(
            framing, Wanted(unit, asked[0], _answer_head(pdu, asked), _answer_size(pdu)), asked, transaction_id
        )
        self._shape = None if framing is Framing.TCP else ("modbus", unit, asked[0])

    @property
    def shape(self) -> tuple[str, int, int] | None:
        """Unit and function, since RTU and ASCII say neither which address nor, in a refusal, which count is meant."""
        return self._shape

    @property
    def discarded(self) -> dict[str, int]:
        """Bytes thrown away so far: noise, crc, foreign, echo, length, late."""
        return self._hunt.discarded

    def feed(self, data: bytes) -> Reply | NeedMore:
        """Take what arrived."""
        return self._reply(self._hunt.feed(data))

    def give_up(self) -> Reply | NeedMore:
        """No more will come: sort what is left, and be ready for the same request again."""
        return self._reply(self._hunt.give_up())

    def _reply(self, pdu: bytes | None) -> Reply | NeedMore:
        if pdu is None:
            return NEED_MORE
        if pdu[0] & 0x80:
            return Refused(pdu[1])
        match self._pdu:
            case ReadRegisters(count=count):
                return Answer(registers=struct.unpack(f">{count}H", pdu[2:]))
            case ReadBits(count=count):
                return Answer(bits=tuple(unpack_bitstring(pdu[2:])[:count]))
            case _:
                return Answer()


@dataclass(frozen=True, slots=True)
class Request:
    """What a gateway asks of a device. `unit` may be any; a device serves its own and stays silent on the rest."""

    unit: int
    pdu: Pdu | UnknownRequest
    transaction_id: int = 0

    @property
    def function(self) -> int:
        return self.pdu.function if isinstance(self.pdu, UnknownRequest) else _request_pdu(self.pdu)[0]


class DeviceSide:
    """The device's ear: bytes in, requests out. What is no request is dropped and counted in `noise_bytes`."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.noise_bytes = 0
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def next_event(self) -> Request | NeedMore:
        """The next whole request."""
        found, noise = find_request(self.framing, self._buffer)
        self.noise_bytes += noise
        if found is None:
            return NEED_MORE
        unit, pdu, transaction_id = found
        return Request(unit, _parse_request(pdu), transaction_id)

    def silence(self) -> None:
        """The line was quiet for 3.5 characters: a frame begun is a frame lost (Serial Line V1.02, clause 2.5.1.1)."""
        self.noise_bytes += len(self._buffer)
        self._buffer.clear()


def coil_value(request: Request) -> WriteCoilValue | None:
    """What function 5 writes, whatever the value. None: it is another function. For devices that take any value."""
    match request.pdu:
        case UnknownRequest(function=5, data=data) if len(data) == 4:
            return WriteCoilValue(*struct.unpack(">HH", data))
        case WriteCoils(address=address, values=(value,), single=True):
            return WriteCoilValue(address, 0xFF00 if value else 0)
        case _:
            return None


def answer_frame(framing: Framing, request: Request, answer: Answer = Answer()) -> bytes:
    """The device's consent. `answer` holds as many registers or bits as were asked for; a write needs none."""
    return encode_frame(framing, request.unit, answer_pdu(request, answer), request.transaction_id)


def answer_pdu(request: Request, answer: Answer) -> bytes:
    """What `answer_frame` frames: function code and data."""
    pdu = request.pdu
    match pdu:
        case ReadRegisters(count=count):
            if len(answer.registers) != count:
                raise ValueError(f"{count} registers were asked for, {len(answer.registers)} given")
            return struct.pack(f">BB{count}H", request.function, 2 * count, *answer.registers)
        case ReadBits(count=count):
            if len(answer.bits) != count:
                raise ValueError(f"{count} bits were asked for, {len(answer.bits)} given")
            packed = pack_bitstring(answer.bits)
            return bytes((request.function, len(packed))) + packed
        case WriteRegisters() | WriteCoils():
            return _request_pdu(pdu)[:5]
        case UnknownRequest(function=5, data=data) if len(data) == 4:  # a device that took it, see `coil_value`
            return bytes((5,)) + data
        case UnknownRequest():
            raise ValueError(f"function {pdu.function} is not served; answer it with exception_frame")


def exception_frame(framing: Framing, request: Request, code: int) -> bytes:
    """The device's refusal."""
    refusal = ExceptionResponse(request.function, code)
    return encode_frame(framing, request.unit, _bytes(refusal), request.transaction_id)


def _request_pdu(pdu: Asked) -> bytes:
    """Function code and data, checked against Modbus's limits by pymodbus where it does, by us where it does not."""
    request: ModbusPDU
    match pdu:
        case ReadRegisters(space=Space.HOLDING):
            request = ReadHoldingRegistersRequest(address=pdu.address, count=pdu.count)
        case ReadRegisters(space=Space.INPUT):
            request = ReadInputRegistersRequest(address=pdu.address, count=pdu.count)
        case ReadBits(space=Space.COIL):
            request = ReadCoilsRequest(address=pdu.address, count=pdu.count)
        case ReadBits(space=Space.DISCRETE):
            request = ReadDiscreteInputsRequest(address=pdu.address, count=pdu.count)
        case WriteRegisters(single=True, values=(_,)):
            request = WriteSingleRegisterRequest(address=pdu.address, registers=list(pdu.values))
        case WriteRegisters(single=False) if 1 <= len(pdu.values) <= REGISTERS_WRITTEN_MAX:
            request = WriteMultipleRegistersRequest(address=pdu.address, registers=list(pdu.values))
        case WriteCoilValue(address=address, value=value) if 0 <= address <= 0xFFFF and 0 <= value <= 0xFFFF:
            return struct.pack(">BHH", 5, address, value)  # pymodbus has no such request
        case WriteCoils(single=True, values=(_,)):
            request = WriteSingleCoilRequest(address=pdu.address, bits=list(pdu.values))
        case WriteCoils(single=False) if 1 <= len(pdu.values) <= BITS_WRITTEN_MAX:
            request = WriteMultipleCoilsRequest(pdu.address, list(pdu.values))
        case _:
            raise ValueError(f"Modbus has no request for {pdu}")
    try:
        return _bytes(request)
    except struct.error as error:
        raise ValueError(f"a register holds 0..=65535: {pdu}") from error


def _bytes(pdu: ModbusPDU) -> bytes:
    return bytes((pdu.function_code,)) + pdu.encode()


def _answer_head(pdu: Asked, asked: bytes) -> bytes:
    """What every right answer begins with after its function code."""
    match pdu:
        case ReadRegisters(count=count):
            return bytes((2 * count,))
        case ReadBits(count=count):
            return bytes(((count + 7) // 8,))
        case _:
            return asked[1:5]  # a write is answered with its address and its value or count


def _answer_size(pdu: Asked) -> int:
    """Bytes of the right answer's PDU."""
    match pdu:
        case ReadRegisters(count=count):
            return 2 + 2 * count
        case ReadBits(count=count):
            return 2 + (count + 7) // 8
        case _:
            return 5


def _parse_request(pdu: bytes) -> Pdu | UnknownRequest:
    """The request in function code and data. Whatever breaks Modbus's limits is an UnknownRequest."""
    function, data = pdu[0], pdu[1:]
    unknown = UnknownRequest(function, bytes(data))
    if len(data) < 4:
        return unknown
    address, number = struct.unpack(">HH", data[:4])
    if function in (3, 4) and len(data) == 4 and 1 <= number <= REGISTERS_READ_MAX:
        return ReadRegisters(Space.HOLDING if function == 3 else Space.INPUT, address, number)
    if function in (1, 2) and len(data) == 4 and 1 <= number <= BITS_READ_MAX:
        return ReadBits(Space.COIL if function == 1 else Space.DISCRETE, address, number)
    if function == 6 and len(data) == 4:
        return WriteRegisters(address, (number,), single=True)
    if function == 5 and len(data) == 4 and number in (0, 0xFF00):
        return WriteCoils(address, (number == 0xFF00,), single=True)
    if function == 16 and 1 <= number <= REGISTERS_WRITTEN_MAX and len(data) == 5 + 2 * number == 5 + data[4]:
        return WriteRegisters(address, struct.unpack(f">{number}H", data[5:]))
    if function == 15 and 1 <= number <= BITS_WRITTEN_MAX and len(data) == 5 + (number + 7) // 8 == 5 + data[4]:
        return WriteCoils(address, tuple(unpack_bitstring(data[5:])[:number]))
    return unknown
