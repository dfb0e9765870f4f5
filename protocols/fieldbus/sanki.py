"""How do a till and a Sanki (Sanying) pump hear each other?

The till's side: `request_frame`, and a `SankiExpect` that finds the answer in whatever arrives. The pump's side:
`PumpEar`, `answer` and `short_answer`. What is said stands in `sanki_app`.

    FC FC FC  cmd  fp  data...  CRC-lo CRC-hi

fp is the fuelling point. The CRC is CRC-16/ARC over cmd to the last byte of data. There is no byte stuffing and no
length: a frame is known by its command and believed by its CRC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.crc16 import crc16_arc
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE, NeedMore
from protocols.fieldbus.sanki_app import COMMANDS, SHAPES, Command, Outcome, Question

HEAD: Final = b"\xfc\xfc\xfc"
BUFFER_MAX: Final = 128  # four times the longest frame


def frame(command: int, point: int, data: bytes = b"") -> bytes:
    """point: 0..=255."""
    body = bytes((command, point)) + data
    return HEAD + body + crc16_arc(body).to_bytes(2, "little")


def request_frame(point: int, question: Question) -> bytes:
    return frame(question.command, point, question.data)


def answer(command: int, point: int, data: bytes) -> bytes:
    """A pump's answer with data."""
    return frame(command, point, data)


def short_answer(command: int, point: int, outcome: Outcome) -> bytes:
    return frame(command, point, bytes((outcome.value,)))


class SankiExpect:
    """Finds the answer to one question; an `expect.Expect`. Never raises on anything that comes off a wire.

    It gives the data bytes; where more than one is wanted, a short refusal is taken too. The source expects the answers
    to DELETE_SALE and HOST_MODE to be one byte shorter than other short answers, and does not say which byte is
    missing: both lengths are taken, and a frame that only repeats the fuelling point, or whose one byte is no REFUSED,
    counts as DONE.
    """

    def __init__(self, point: int, question: Question) -> None:
        self.discarded: dict[str, int] = {}
        self._command = question.command
        self._point = point
        self._asked = request_frame(point, question)
        self._buffer = bytearray()

    @property
    def shape(self) -> tuple[str, int, int]:
        """Answers name their command and fuelling point."""
        return "sanki", self._point, self._command

    def feed(self, data: bytes) -> bytes | NeedMore:
        self._buffer += data
        while (at := self._buffer.find(HEAD)) >= 0:
            while self._buffer[at + 3 : at + 4] == HEAD[:1]:  # noise that looks like a head
                at += 1
            self._throw_away(at, NOISE)
            found = self._look()
            if found is not None:
                return found
            if not self._skip():
                return NEED_MORE
        self._throw_away(max(0, len(self._buffer) - 2), NOISE)
        return NEED_MORE

    def give_up(self) -> bytes | NeedMore:
        self._throw_away(len(self._buffer), CRC if self._buffer.startswith(HEAD) else NOISE)
        return NEED_MORE

    def _look(self) -> bytes | None:
        """The answer, if it stands at the beginning of the buffer."""
        body, shape = bytes(self._buffer[3:]), SHAPES[self._command]
        if body[:1] != bytes((self._command,)) or (self._is_echo() and not shape.tight):
            return None
        if body[1:2] == bytes((self._point,)) and _sound(body, 2 + shape.answered):
            return self._take(shape.answered, body[2 : 2 + shape.answered])
        if shape.answered > 1 and body[1:3] == bytes((self._point, Outcome.REFUSED.value)) and _sound(body, 3):
            return self._take(1, body[2:3])
        if shape.tight and _sound(body, 2):
            refused = body[1] == Outcome.REFUSED.value and body[1] != self._point
            return self._take(0, bytes(((Outcome.REFUSED if refused else Outcome.DONE).value,)))
        return None

    def _skip(self) -> bool:
        """Throw away what stands at the beginning and is no answer. False: it may become one."""
        body = bytes(self._buffer[3:])
        if self._is_echo():
            self._throw_away(len(self._asked), ECHO)
            return True
        for size in _sizes(body):
            if _sound(body, size):
                self._throw_away(3 + size + 2, FOREIGN)
                return True
        again = self._buffer.find(HEAD, 3)
        if again > 0:
            self._throw_away(again, CRC)
            return True
        if len(self._buffer) > BUFFER_MAX:
            self._throw_away(3, NOISE)
            return True
        return False

    def _is_echo(self) -> bool:
        return self._buffer.startswith(self._asked)

    def _take(self, size: int, data: bytes) -> bytes:
        del self._buffer[: 3 + 2 + size + 2]
        return data

    def _throw_away(self, count: int, kind: str) -> None:
        if count:
            self.discarded[kind] = self.discarded.get(kind, 0) + count
            del self._buffer[:count]


@dataclass(frozen=True, slots=True)
class Request:
    """What a pump hears."""

    command: Command
    data: bytes


class PumpEar:
    """A pump's ear: questions to its own fuelling point."""

    def __init__(self, point: int) -> None:
        self.noise_bytes = 0
        self._point = point
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def next_event(self) -> Request | NeedMore:
        """The next whole question."""
        while (at := self._buffer.find(HEAD)) >= 0:
            self._drop(at)
            body = bytes(self._buffer[3:])
            if len(body) < 2:
                return NEED_MORE
            shape = SHAPES.get(Command(body[0])) if body[0] in COMMANDS else None
            if shape is None:
                self._drop(1)
            elif len(body) < 2 + shape.asked + 2:
                return NEED_MORE
            elif not _sound(body, 2 + shape.asked):
                self._drop(1)
            else:
                del self._buffer[: 3 + 2 + shape.asked + 2]
                if body[1] == self._point:
                    return Request(Command(body[0]), body[2 : 2 + shape.asked])
        self._drop(max(0, len(self._buffer) - 2))
        return NEED_MORE

    def silence(self) -> None:
        """The line was quiet: a frame begun is a frame lost."""
        self._drop(len(self._buffer))

    def _drop(self, count: int) -> None:
        self.noise_bytes += count
        del self._buffer[:count]


def _sizes(body: bytes) -> set[int]:
    """How long a frame that begins with `body` may be, from command to data."""
    shape = SHAPES.get(Command(body[0])) if body and body[0] in COMMANDS else None
    return set() if shape is None else {2, 2 + shape.asked, 2 + shape.answered}


def _sound(body: bytes, size: int) -> bool:
    """Whether `size` bytes of `body` are followed by their CRC."""
    return len(body) >= size + 2 and crc16_arc(body[:size]) == int.from_bytes(body[size : size + 2], "little")
