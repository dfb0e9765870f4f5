"""What do a gateway and an "8A/80" lock board say to each other? Both roles. 9600 8N1.

    open       8A bb ll 11 BCC   or, for SS seconds, 8A bb ll 11 SS BCC        answer  8A bb ll st BCC
    open all   8A bb 00 11 BCC                                                 one such answer for each lock
    read       80 bb ll 33 BCC                                                 answer  80 bb ll st BCC
    read all   80 bb 00 33 BCC                                                 answer  80 bb S... 33 BCC
    open some  90 bb S1 S2 S3 BCC              hold on, off  9A, 9B bb ll 11 BCC         answers: no source says
    address    80 01 00 99 18                                                            answer: no source says

BCC is the XOR of all before it. S... are 3 bytes for 24 locks or 4 for 32; the last one has locks 1 to 8, lock 1 in
bit 0 (in "open some" that order is only assumed). The frames share their beginnings and have no length: how long an
answer is follows from the question.

st mirrors the lock's feedback contact, 11 or 00, and vendors wire it both ways. So nothing here says open or shut: a
`Contact` is what the board saw, and configuration, learnt at commissioning, says what it means. The answer to "open"
proves nothing by itself: the state is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE, NeedMore
from protocols.fieldbus.hunt import Bad, Cut, Ear, FrameExpect, Sound, Wrong

BOARD_MAX: Final = 32
LOCK_MAX: Final = 32
SOME_MAX: Final = 24  # "open some" has three bytes
HOLD_S_MAX: Final = 9

_OPEN, _READ, _SOME, _HOLD, _LET_GO = 0x8A, 0x80, 0x90, 0x9A, 0x9B
_DO, _TELL, _WHO = 0x11, 0x33, 0x99
_QUESTION: Final = re.compile(rb"[\x80\x8a\x90\x9a\x9b]")
_CONTACTS: Final = {0x11: True, 0x00: False}


@dataclass(frozen=True, slots=True)
class Open:
    """Pulse lock 1..=32. hold_s: 1..=9; None: as long as the board does by itself."""

    board: int
    lock: int
    hold_s: int | None = None


@dataclass(frozen=True, slots=True)
class OpenAll:
    """Pulse every lock, one after the other."""

    board: int


@dataclass(frozen=True, slots=True)
class OpenSome:
    """Pulse these of the locks 1..=24."""

    board: int
    locks: frozenset[int]


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep lock 1..=32 energised, or let it go."""

    board: int
    lock: int
    on: bool


@dataclass(frozen=True, slots=True)
class Read:
    """The contact of lock 1..=32."""

    board: int
    lock: int


@dataclass(frozen=True, slots=True)
class ReadAll:
    """The contacts of all locks."""

    board: int


@dataclass(frozen=True, slots=True)
class AskAddress:
    """Which board is there? For one board alone on its line."""


Question = Open | OpenAll | OpenSome | Hold | Read | ReadAll | AskAddress


@dataclass(frozen=True, slots=True)
class Contact:
    """closed: the board's own 11 or 00, or bit; not yet open or shut. None: it sent something else."""

    lock: int
    closed: bool | None


Contacts = tuple[Contact, ...]


def request_frame(question: Question) -> bytes:
    """Raises ValueError for a board, lock or time that the protocol cannot name."""
    body: tuple[int, ...]
    match question:
        case Open(board, lock, None):
            body = (_OPEN, board, _lock(lock), _DO)
        case Open(board, lock, hold_s) if hold_s is not None and 1 <= hold_s <= HOLD_S_MAX:
            body = (_OPEN, board, _lock(lock), _DO, hold_s)
        case OpenAll(board):
            body = (_OPEN, board, 0, _DO)
        case OpenSome(board, locks) if locks and all(1 <= lock <= SOME_MAX for lock in locks):
            body = (_SOME, board, *_bits([lock in locks for lock in range(1, SOME_MAX + 1)]))
        case Hold(board, lock, on):
            body = (_HOLD if on else _LET_GO, board, _lock(lock), _DO)
        case Read(board, lock):
            body = (_READ, board, _lock(lock), _TELL)
        case ReadAll(board):
            body = (_READ, board, 0, _TELL)
        case AskAddress():
            body = (_READ, 1, 0, _WHO)
        case _:
            raise ValueError(f"an 8A/80 board holds 1..={HOLD_S_MAX} s and opens some of 1..={SOME_MAX}: {question}")
    if not 1 <= body[1] <= BOARD_MAX:
        raise ValueError(f"an 8A/80 board is 1..={BOARD_MAX}, not {body[1]}")
    return _closed(body)


def answer_one(question: Question, lock: int, closed: bool) -> bytes:
    """A board's answer to Open, Read, or, once for each lock, OpenAll."""
    assert isinstance(question, Open | OpenAll | Read)
    return _closed((_READ if isinstance(question, Read) else _OPEN, question.board, lock, _DO if closed else 0))


def answer_all(board: int, closed: Sequence[bool]) -> bytes:
    """A board's answer to ReadAll. closed: of its 24 or 32 locks, lock 1 first."""
    assert len(closed) in (24, 32)
    return _closed((_READ, board, *_bits(closed), _TELL))


class LockExpect(FrameExpect[bytes, Contacts]):
    """Finds the answer to Open, OpenAll, Read or ReadAll; an `expect.Expect`.

    channels: the board's locks, 24 or 32; the length of its answer to ReadAll. echo: this port hears what it sends.
    Only then is a frame that equals an Open thrown away, once; else it is the answer of a board whose contact is
    closed. Opening all ends with the last lock's answer, or at silence with whatever came.
    """

    def __init__(self, question: Open | OpenAll | Read | ReadAll, *, channels: int = 24, echo: bool = False) -> None:
        assert channels in (24, 32)
        asked = request_frame(question)
        size = 4 + channels // 8 if isinstance(question, ReadAll) else 5
        # A late answer to OpenAll looks like one to Open, and a part of one to ReadAll may look like one to Read.
        super().__init__(_answers(asked, size), self._judge, ("lock-xor", question.board, asked[0]))
        self._question, self._wire, self._channels = question, asked, channels
        self._has_echo, self._echo_due = echo, echo
        self._came: dict[int, Contact] = {}

    def give_up(self) -> Contacts | NeedMore:
        answer = super().give_up()
        came, self._came, self._echo_due = tuple(self._came.values()), {}, self._has_echo
        return came if answer is NEED_MORE and came else answer

    def _judge(self, frame: bytes) -> Contacts | NeedMore | Wrong:
        if frame == self._wire and (self._echo_due or not isinstance(self._question, Open | OpenAll)):
            self._echo_due = False
            return Wrong(ECHO)
        match self._question:
            case ReadAll():
                bits = int.from_bytes(frame[2:-2], "big")
                return tuple(Contact(n + 1, bool(bits >> n & 1)) for n in range(self._channels))
            case OpenAll() if 1 <= frame[2] <= self._channels:
                self._came[frame[2]] = Contact(frame[2], _CONTACTS.get(frame[3]))
                return NEED_MORE if len(self._came) < self._channels else tuple(self._came.values())
            case Open(_, lock) | Read(_, lock) if frame[2] == lock:
                return (Contact(lock, _CONTACTS.get(frame[3])),)
            case _:
                return Wrong(FOREIGN)


def board_ear(board: int) -> Ear[bytes, Question]:
    """A board's ear: questions to it, or for its address."""

    def mine(frame: bytes) -> Question | None:
        question = parse(frame)
        return question if isinstance(question, AskAddress) or frame[1] == board else None

    return Ear(_questions, mine)


def parse(frame: bytes) -> Question | None:
    """The question in a frame whose BCC is right. None: there is none in it."""
    match tuple(frame[:-1]):
        case (0x80, 1, 0, 0x99):
            return AskAddress()
        case (0x80, board, 0, 0x33):
            question: Question = ReadAll(board)
        case (0x80, board, lock, 0x33):
            question = Read(board, lock)
        case (0x8A, board, 0, 0x11):
            question = OpenAll(board)
        case (0x8A, board, lock, 0x11):
            question = Open(board, lock)
        case (0x8A, board, lock, 0x11, hold_s):
            question = Open(board, lock, hold_s)
        case (0x90, board, _, _, _):
            bits = int.from_bytes(frame[2:5], "big")
            question = OpenSome(board, frozenset(n + 1 for n in range(SOME_MAX) if bits >> n & 1))
        case (0x9A | 0x9B as head, board, lock, 0x11):
            question = Hold(board, lock, head == _HOLD)
        case _:
            return None
    try:
        return question if request_frame(question) == frame else None
    except ValueError:
        return None


def _answers(asked: bytes, size: int) -> Cut[bytes]:
    """Frames of `size` that may answer `asked`, and `asked` itself."""

    def cut(buffer: bytearray) -> Sound[bytes] | Bad | None:
        if not asked.startswith(buffer[:2]):
            return _noise(buffer, asked[:1])
        if len(buffer) < size:
            return None
        frame = bytes(buffer[:size])
        if frame == _closed(frame[:-1]) and (size == 5 or frame[-2] == _TELL):  # first: it may begin like the echo
            return Sound(frame, frame)
        if asked.startswith(buffer[: len(asked)]):
            return Sound(asked, asked) if len(buffer) >= len(asked) else None
        again = buffer.find(asked[:2], 1, size)
        return Bad(again if again > 0 else 1, CRC)

    return cut


def _questions(buffer: bytearray) -> Sound[bytes] | Bad | None:
    """Whatever a gateway may send."""
    if buffer[0] not in (_OPEN, _READ, _SOME, _HOLD, _LET_GO):
        again = _QUESTION.search(buffer)
        return Bad(again.start() if again else len(buffer))
    for size in (6,) if buffer[0] == _SOME else (5, 6) if buffer[0] == _OPEN else (5,):
        if len(buffer) < size:
            return None
        frame = bytes(buffer[:size])
        if frame == _closed(frame[:-1]):
            return Sound(frame, frame)
    return Bad(1)


def _noise(buffer: bytearray, head: bytes) -> Bad:
    again = buffer.find(head, 1)
    return Bad(again if again > 0 else len(buffer), NOISE)


def _lock(lock: int) -> int:
    if not 1 <= lock <= LOCK_MAX:
        raise ValueError(f"an 8A/80 board's lock is 1..={LOCK_MAX}, not {lock}")
    return lock


def _bits(values: Sequence[bool]) -> bytes:
    """The first value is bit 0 of the last byte."""
    return sum(1 << n for n, value in enumerate(values) if value).to_bytes(len(values) // 8, "big")


def _closed(body: Sequence[int]) -> bytes:
    """`body` with its BCC."""
    bcc = 0
    for byte in body:
        bcc ^= byte
    return bytes((*body, bcc))
