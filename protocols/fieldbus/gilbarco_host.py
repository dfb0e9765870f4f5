"""Gilbarco Two-Wire, the host's role: what to ask of a pump, how long to wait, and which bytes are the answer?

A `Question` is a frame and an `expect.Expect`. Words have neither start nor check sum, so an Expect knows whose answer
it waits for, and an echo of our own word from what the pump says: see `WordExpect`. (facts: Gilbarco 2.2, 2.4, 2.5.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE, Expect, NeedMore
from protocols.fieldbus.gilbarco import (
    DIGIT,
    END,
    READY,
    START,
    AskSpecial,
    Bad,
    Command,
    DataLength,
    Status,
    encode_block,
    nibble,
    word,
)
from protocols.fieldbus.gilbarco_replies import (
    GRADES_MAX,
    LIVE_VOLUME_WORDS,
    NORMAL,
    GradeTotal,
    HoseVolume,
    SaleReply,
    Width,
    decode_live_amount,
    decode_live_volume,
    decode_sale,
    decode_totals,
)
from protocols.fieldbus.gilbarco_special import REPLY_MAX, SpecialReply, decode_special

R = TypeVar("R")

WORD_S: Final = 0.15  # an answer begins within 68 ms; the rest is for adapters that hold bytes
SALE_S: Final = 0.5
TOTALS_S: Final = 1.0
LIVE_FIRST_S: Final = 1.5  # the first answer of a sale
LIVE_S: Final = 0.3
SPECIAL_S: Final = 0.5

UNANSWERED_S: Final = 0.07  # silence after a word or block that nobody answers; the line says 68 ms at least
AFTER_REFUSED_DATA_S: Final = 2.0  # before DATA_NEXT is said again to a pump that did not answer it
BEFORE_AUTHORISE_S: Final = 0.1  # between a preset and AUTHORISE
GUARD_S: Final = 0.005  # t2, silence before the next word
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Question(Generic[R]):
    """frame: to send. expect: what finds the answer. timeout_s: until the first byte of it. Good for several tries."""

    frame: bytes
    expect: Expect[R]
    timeout_s: float


def ask_status(pump: int) -> Question[Status]:
    """What the pump is at."""
    return _ask_word(Command.STATUS, pump, {status.value: status for status in Status})


def ask_ready(pump: int) -> Question[bool]:
    """Whether the pump takes a block now; it says yes or nothing."""
    return _ask_word(Command.DATA_NEXT, pump, {READY: True})


def _ask_word(command: Command, pump: int, answers: Mapping[int, R]) -> Question[R]:
    frame = word(command, pump)
    return Question(frame, WordExpect(frame, pump, answers), WORD_S)


def ask_sale(pump: int, width: Width = NORMAL) -> Question[SaleReply]:
    """The last sale in its memory. Answered in OFF, CALL, PEOT, FEOT and STOP."""
    frame = word(Command.SALE, pump)
    expect = FrameExpect(
        frame,
        ends=(START, END, width.sale),
        decode=partial(decode_sale, width=width),
        mine=lambda sale: sale.pump == pump,
        shape=("gilbarco sale", pump),
    )
    return Question(frame, expect, SALE_S)


def ask_totals(pump: int, width: Width = NORMAL) -> Question[tuple[GradeTotal, ...]]:
    """All totals and prices. The answer does not say whose it is."""
    frame = word(Command.TOTALS, pump)
    expect = FrameExpect(
        frame,
        ends=(START, END, width.totals(GRADES_MAX)),
        decode=partial(decode_totals, width=width),
        mine=lambda _: True,
        shape="gilbarco totals",
    )
    return Question(frame, expect, TOTALS_S)


def ask_live_amount(pump: int, width: Width = NORMAL, *, first: bool = False) -> Question[int]:
    """The money of the sale under way, in the pump's digits. first: of this sale. Answered in BUSY alone."""
    frame = word(Command.LIVE_AMOUNT, pump)
    expect = DigitsExpect(frame, width.live, partial(decode_live_amount, width=width))
    return Question(frame, expect, LIVE_FIRST_S if first else LIVE_S)


def ask_live_volume(pump: int) -> Question[HoseVolume]:
    """The volume of the sale under way. Extended mode alone."""
    frame = word(Command.LIVE_VOLUME, pump)
    return Question(frame, DigitsExpect(frame, LIVE_VOLUME_WORDS, decode_live_volume), LIVE_S)


def ask_special(pump: int, function: int, length: DataLength = DataLength.COUNTED) -> Question[SpecialReply]:
    """The block of a special function, to be sent once the pump is ready; its answer follows at once."""
    frame = encode_block(AskSpecial(function), length)
    expect = FrameExpect(
        frame,
        ends=(0xBA, 0x8A, REPLY_MAX),
        decode=decode_special,
        mine=lambda reply: (reply.pump, reply.function) == (pump, function),
        shape=("gilbarco special", pump, function),
    )
    return Question(frame, expect, SPECIAL_S)


class _Discards:
    """What every Expect here counts."""

    def __init__(self, frame: bytes, shape: Hashable) -> None:
        self.discarded: dict[str, int] = {}
        self.shape = shape
        self._frame = frame

    def _discard(self, kind: str, count: int = 1) -> None:
        if count:
            self.discarded[kind] = self.discarded.get(kind, 0) + count


class WordExpect(_Discards, Generic[R]):
    """One word of this pump whose high nibble is in `answers`.

    The echo of a status question, 0p, looks like the answer DATA_ERROR. So that word is held back: if another answer
    follows, it was the echo; if none does, it stands for itself, and `give_up` gives it.
    """

    def __init__(self, frame: bytes, pump: int, answers: Mapping[int, R]) -> None:
        super().__init__(frame, ("gilbarco word", frame[0]))
        self._nibble = nibble(pump)
        self._answers = answers
        self._held: R | None = None

    def feed(self, data: bytes) -> R | NeedMore:
        for index, byte in enumerate(data):
            found = self._one(byte)
            if found is not None:
                self._held = None
                self._discard(NOISE, len(data) - index - 1)
                return found
        return NEED_MORE

    def give_up(self) -> R | NeedMore:
        held, self._held = self._held, None
        return NEED_MORE if held is None else held

    def _one(self, byte: int) -> R | None:
        answer = self._answers.get(byte >> 4)
        if byte == self._frame[0] and self._held is None:
            if answer is None:
                self._discard(ECHO)
            self._held = answer
            return None
        if answer is None:
            self._discard(NOISE)
            return None
        if byte & 0xF != self._nibble:
            self._discard(FOREIGN)
            return None
        if self._held is not None:
            self._discard(ECHO)
        return answer


class FrameExpect(_Discards, Generic[R]):
    """Everything from one start byte to one end byte, neither of which occurs in between.

    ends: start, end, and the most bytes from one to the other. mine: whether a sound frame answers this question.
    """

    def __init__(
        self,
        frame: bytes,
        *,
        ends: tuple[int, int, int],
        decode: Callable[[bytes], R | Bad],
        mine: Callable[[R], bool],
        shape: Hashable,
    ) -> None:
        super().__init__(frame, shape)
        self._start, self._end, self._longest = ends
        self._decode = decode
        self._mine = mine
        self._buffer = bytearray()

    def feed(self, data: bytes) -> R | NeedMore:
        self._buffer += data
        if self._buffer.startswith(self._frame):
            self._drop(ECHO, len(self._frame))
        elif self._frame.startswith(self._buffer):
            return NEED_MORE  # may become our echo
        while True:
            end = self._buffer.find(self._end) + 1
            start = self._buffer.rfind(self._start, 0, end or None)
            if start < 0:
                self._drop(NOISE, end or len(self._buffer))
                if not end:
                    return NEED_MORE
                continue
            self._drop(NOISE, start)
            if not end:
                if len(self._buffer) >= self._longest:
                    self._drop(NOISE, len(self._buffer))
                return NEED_MORE
            found = self._decode(bytes(self._buffer[: end - start]))
            if isinstance(found, Bad):
                self._drop(_KINDS[found], end - start)
            elif not self._mine(found):
                self._drop(FOREIGN, end - start)
            else:
                del self._buffer[: end - start]
                self._drop(NOISE, len(self._buffer))
                return found

    def give_up(self) -> R | NeedMore:
        self._drop(NOISE, len(self._buffer))
        return NEED_MORE

    def _drop(self, kind: str, count: int) -> None:
        self._discard(kind, count)
        del self._buffer[:count]


_KINDS: Final = {Bad.SHAPE: NOISE, Bad.LENGTH: LENGTH, Bad.LRC: CRC}


class DigitsExpect(_Discards, Generic[R]):
    """So many digit words in a row, no more and no less; they bear neither frame nor check sum."""

    def __init__(self, frame: bytes, count: int, decode: Callable[[bytes], R | Bad]) -> None:
        super().__init__(frame, "gilbarco live")
        self._count = count
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> R | NeedMore:
        for byte in data:
            if byte & 0xF0 == DIGIT and byte & 0xF <= 9:
                self._buffer.append(byte)
            else:
                self._discard(ECHO if byte == self._frame[0] else NOISE)
                self._clear(NOISE)
        if len(self._buffer) > self._count:
            self._clear(LENGTH)
        if len(self._buffer) < self._count:
            return NEED_MORE
        found = self._decode(bytes(self._buffer))
        if isinstance(found, Bad):
            self._clear(_KINDS[found])
            return NEED_MORE
        self._buffer.clear()
        return found

    def give_up(self) -> R | NeedMore:
        self._clear(NOISE)
        return NEED_MORE

    def _clear(self, kind: str) -> None:
        self._discard(kind, len(self._buffer))
        self._buffer.clear()
