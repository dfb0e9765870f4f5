"""How do a gateway and a JK pack hear each other on its GPS port?

    4E 57  length(2)  terminal(4)  command  source  kind  body...  record(4)  68  00 00  sum(2)

Big-endian, 115200 8N1. length: of everything behind 4E 57, itself included. The sum runs from 4E to 68. The body of a
question is one item number, and what is written to it; the body of an answer is items, see `jk4e57_app`. Leave 100 ms
between frames; a sleeping pack wants to be activated first. (facts: cabinets 1.5.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.fieldbus.expect import FOREIGN
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, damaged

GAP_S: Final = 0.1
REPLY_S: Final = 0.5
TRIES: Final = 3

BODY_MAX: Final = 480  # everything that a pack of 32 cells says is 310 bytes

_MAGIC: Final = b"NW"
_HEAD: Final = re.compile(rb"NW|N\Z")  # the last byte of a damaged frame may be the first of the next
_AROUND: Final = 18  # what length counts besides the body
_BEFORE: Final = 11  # bytes before the body
_END: Final = b"\x68\0\0"


class Command(IntEnum):
    """What is asked."""

    ACTIVATE = 1
    WRITE = 2
    READ = 3
    PASSWORD = 5
    READ_ALL = 6


class Source(IntEnum):
    """Who says it."""

    PACK = 0
    BLUETOOTH = 1
    GPS = 2
    PC = 3


class Kind(IntEnum):
    """PUSH: said by the pack unasked."""

    REQUEST = 0
    REPLY = 1
    PUSH = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One frame. command, source and kind are those of the enums, or other numbers. record: a counter of the sender."""

    command: int
    source: int
    kind: int
    body: bytes
    terminal: int = 0
    record: int = 0

    def encode(self) -> bytes:
        """Raises ValueError when the body is longer than any."""
        if len(self.body) > BODY_MAX:
            raise ValueError(f"a body of at most {BODY_MAX} bytes, not {len(self.body)}")
        kinds = bytes((self.command, self.source, self.kind))
        inner = self.terminal.to_bytes(4, "big") + kinds + self.body + self.record.to_bytes(4, "big")
        frame = _MAGIC + (len(self.body) + _AROUND).to_bytes(2, "big") + inner + _END[:1]
        return frame + _END[1:] + (sum(frame) & 0xFFFF).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Question:
    """item: its number, 0 where none is meant. data: what is written."""

    command: Command
    item: int = 0
    data: bytes = b""


def request_frame(question: Question, source: Source = Source.GPS) -> bytes:
    """source: GPS, as whose port the line is wired."""
    return Message(question.command, source, Kind.REQUEST, bytes((question.item,)) + question.data).encode()


def answer_frame(question: Question, body: bytes) -> bytes:
    """A pack's answer. body: items; for a write the number of the item that was written."""
    return Message(question.command, Source.PACK, Kind.REPLY, body).encode()


def expect(question: Question, source: Source = Source.GPS) -> FrameExpect[Message, bytes]:
    """Finds the answer's body. One to a question about one item begins with its number, unless it is empty.

    An empty one could be for any item; so all answers to one command have one shape.
    """

    def judge(message: Message) -> bytes | Wrong:
        mine = message.kind == Kind.REPLY and message.command == question.command
        if question.command in (Command.READ, Command.WRITE):
            mine = mine and message.body[:1] in (b"", bytes((question.item,)))
        return message.body if mine else Wrong(FOREIGN)

    return FrameExpect(cut, judge, ("jk4e57", question.command), request_frame(question, source))


def ear() -> Ear[Message, Question]:
    """A pack's ear. There are no addresses that matter: one pack on a line."""

    def mine(message: Message) -> Question | None:
        if message.kind != Kind.REQUEST or message.command not in tuple(Command) or not message.body:
            return None
        return Question(Command(message.command), message.body[0], message.body[1:])

    return Ear(cut, mine)


def cut(buffer: bytearray) -> Sound[Message] | Bad | None:
    """A `hunt.Cut`."""
    start = buffer.find(_MAGIC)
    if start != 0:
        noise = start if start > 0 else len(buffer) - buffer.endswith(_MAGIC[:1])
        return Bad(noise) if noise else None
    if len(buffer) < 4:
        return None
    length = int.from_bytes(buffer[2:4], "big")
    if not _AROUND <= length <= BODY_MAX + _AROUND:
        return Bad(2)
    size = length + 2
    if len(buffer) < size:
        return None
    raw = bytes(buffer[:size])
    if raw[-5:-2] != _END or sum(raw[:-4]) & 0xFFFF != int.from_bytes(raw[-2:], "big"):
        return damaged(buffer, size, _HEAD)
    return Sound(raw, _message(raw))


def _message(raw: bytes) -> Message:
    terminal, record = int.from_bytes(raw[4:8], "big"), int.from_bytes(raw[-9:-5], "big")
    return Message(raw[8], raw[9], raw[10], raw[_BEFORE:-9], terminal, record)
