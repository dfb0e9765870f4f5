"""How do a till and a pump hear each other on an AZT 2.0 line?

The till's side: `request_frame`, and an `AztExpect` that finds the answer in whatever arrives. The pump's side:
`PumpEar`, and `encode_long` and `encode_short` of `azt_frames`. What is said stands in `azt_app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.azt_app import Command, Question, Reply
from protocols.fieldbus.azt_frames import (
    STX,
    Above15,
    Bad,
    FrameReader,
    Long,
    Short,
    encode_long,
    encode_request,
    is_request,
    wire_address,
)
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE, NeedMore


def request_frame(address: int, question: Question, above_15: Above15 = Above15.BLOCKS) -> bytes:
    """address: 1..=225. Raises ValueError outside of that."""
    start, byte = wire_address(address, above_15)
    return encode_request(start, byte, question.command, question.data)


def broadcast_frame(parameter: int, digits: bytes = b"") -> bytes:
    """For every pump on the line; nobody answers. parameter: 0..=15."""
    return encode_request(STX, None, Command.BROADCAST, bytes((0x30 | parameter,)) + digits)


class AztExpect:
    """Finds the answer to one question; an `expect.Expect`. Never raises on anything that comes off a wire.

    Answers name no pump. So a late one cannot be told from a timely one of another pump, and `shape` is one for all.
    """

    shape: Final = "azt"

    def __init__(self, question: Question, asked: bytes = b"") -> None:
        """asked: the request as sent, so that its echo is known."""
        self.discarded: dict[str, int] = {}
        self._question = question
        self._asked = asked
        self._reader = FrameReader()

    def feed(self, data: bytes) -> Reply | NeedMore:
        self._reader.receive_data(data)
        while (frame := self._reader.next_frame()) is not None:
            match frame:
                case Bad(size=size, damaged=damaged):
                    self._count(CRC if damaged else NOISE, size)
                case Long(start=start, payload=payload):
                    if start == STX and not is_request(payload) and self._question.fits(payload):
                        return payload
                    self._count(self._kind(frame), 5 + 2 * len(payload))
                case Short() if self._question.fits(frame):
                    return frame
                case Short():
                    self._count(LENGTH, 2)
        return NEED_MORE

    def give_up(self) -> Reply | NeedMore:
        if (rest := self._reader.silence()) is not None:
            self._count(CRC if rest.damaged else NOISE, rest.size)
        return NEED_MORE

    def _kind(self, frame: Long) -> str:
        if encode_long(frame.payload, frame.start) == self._asked:
            return ECHO
        return FOREIGN if frame.start != STX or is_request(frame.payload) else LENGTH

    def _count(self, kind: str, count: int) -> None:
        self.discarded[kind] = self.discarded.get(kind, 0) + count


@dataclass(frozen=True, slots=True)
class Request:
    """What a pump hears. command: a `Command`, or a byte that a pump answers with NAK."""

    command: int
    data: bytes


class PumpEar:
    """A pump's ear on a shared line: questions to its own address, and broadcasts."""

    def __init__(self, address: int, above_15: Above15 = Above15.BLOCKS) -> None:
        self.noise_bytes = 0
        self._address = wire_address(address, above_15)
        self._reader = FrameReader()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._reader.receive_data(data)

    def next_event(self) -> Request | NeedMore:
        """The next whole question to this pump."""
        start, address = self._address
        while (frame := self._reader.next_frame()) is not None:
            if isinstance(frame, Bad):
                self.noise_bytes += frame.size
            elif isinstance(frame, Long):
                payload = frame.payload
                if frame.start == start and len(payload) >= 2 and payload[0] == address:
                    return Request(payload[1], payload[2:])
                if frame.start == STX and payload[:1] == bytes((Command.BROADCAST,)):
                    return Request(Command.BROADCAST, payload[1:])
        return NEED_MORE

    def silence(self) -> None:
        """The line was quiet: a frame begun is a frame lost."""
        if (rest := self._reader.silence()) is not None:
            self.noise_bytes += rest.size
