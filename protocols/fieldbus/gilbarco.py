"""Gilbarco Two-Wire: what do the words on the wire mean, and how does a block carry a price, a preset or a question?

Every byte is a word: a high nibble that says what it is, a low nibble that says of whom or how much.

    host -> pump   0p .. 7p          a command to pump p; pump 16 is p = 0
    pump -> host   Sp                its status S
    host -> pump   2p  (Dp)  FF DL ... FB L F0     a block of data, once the pump has said that it is ready

    DL  E0 | (16 - N) & F, N = words behind DL up to F0 with it
    L   E0 | -(sum of the low nibbles of FF .. FB) & F
    Ed  one digit; numbers travel with their lowest digit first

There is no acknowledgement: after a block the pump is asked for its status, and 0 says that it refused the block.
(facts: Gilbarco 2.2 and 2.3. Some heads ignore DL, and some hosts always send E3; see `DataLength`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Literal

PUMPS: Final = range(1, 17)
GRADES: Final = range(1, 17)
ALL_STOP: Final = b"\xfc"
BLOCK_MAX: Final = 32  # words; DL cannot count more than 16 behind it, the longest block has 18 in all
READY: Final = 0xD  # the high nibble of the answer to DATA_NEXT

# Control words of blocks and replies.
END: Final = 0xF0
VOLUME: Final = 0xF1
AMOUNT: Final = 0xF2
FILL_UP: Final = 0xF3
GRADE: Final = 0xF6
PRICE: Final = 0xF7
PRESET: Final = 0xF8
VOLUME_DATA: Final = 0xF9
AMOUNT_DATA: Final = 0xFA
LRC: Final = 0xFB
SPECIAL: Final = 0xFE
START: Final = 0xFF
DIGIT: Final = 0xE0


class Command(IntEnum):
    """The high nibble of the host's word. AUTHORISE and STOP have no answer."""

    STATUS = 0x0
    AUTHORISE = 0x1
    DATA_NEXT = 0x2
    STOP = 0x3
    SALE = 0x4  # the last sale; "transaction" in the maker's words
    TOTALS = 0x5
    LIVE_AMOUNT = 0x6
    LIVE_VOLUME = 0x7  # extended mode alone


class Status(IntEnum):
    """The high nibble of the pump's answer to STATUS."""

    DATA_ERROR = 0x0  # it has refused the last block
    OFF = 0x6
    CALL = 0x7  # a nozzle is out and waits
    AUTHORISED = 0x8  # nothing flows yet
    BUSY = 0x9
    PEOT = 0xA  # delivery over, the nozzle still out
    FEOT = 0xB  # delivery over
    STOP = 0xC


class Level(IntEnum):
    """Every grade has two prices."""

    CASH = 0xF4  # level 1
    CREDIT = 0xF5  # level 2


class DataLength(Enum):
    """How the host fills DL."""

    COUNTED = "counted"
    FIXED_E3 = "e3"  # whatever the length, as one fielded host does


@dataclass(frozen=True, slots=True)
class Price:
    """Set the price of a grade, 1..=16, at a level. price: the pump's digits, as many as `digits`."""

    grade: int
    level: Level
    price: int
    digits: Literal[4, 6] = 4


@dataclass(frozen=True, slots=True)
class SelectLevel:
    """Sell at this level's prices."""

    level: Level


@dataclass(frozen=True, slots=True)
class Preset:
    """Where the next delivery ends. value: in the pump's digits; 0 cancels. level, grade: None: not said."""

    kind: Literal["amount", "volume"]
    value: int
    digits: Literal[5, 6, 8] = 5
    level: Level | None = None
    grade: int | None = None


@dataclass(frozen=True, slots=True)
class FillUp:
    """Deliver until the tank is full. One source only knows it; a plain authorisation does the same."""

    level: Level | None = None
    grade: int | None = None


@dataclass(frozen=True, slots=True)
class AskSpecial:
    """A question beyond the words: function 0x000..=0xFFF. Its answer is `gilbarco_special.SpecialReply`."""

    function: int


Block = Price | SelectLevel | Preset | FillUp | AskSpecial


class Bad(Enum):
    """Why bytes are not what they should be."""

    SHAPE = "shape"
    LENGTH = "length"  # DL says another length
    LRC = "lrc"


# Words.


def nibble(pump: int) -> int:
    """Of a pump 1..=16: 16 is 0."""
    if pump not in PUMPS:
        raise ValueError(f"expected a pump 1..=16, got {pump}")
    return pump & 0xF


def pump_of(word: int) -> int:
    """The pump that a word is to or from, 1..=16."""
    return word & 0xF or 16


def word(command: Command, pump: int) -> bytes:
    """The host's word."""
    return bytes([command << 4 | nibble(pump)])


def status_word(status: Status, pump: int) -> bytes:
    """The pump's answer to STATUS."""
    return bytes([status << 4 | nibble(pump)])


def ready_word(pump: int) -> bytes:
    """The pump's answer to DATA_NEXT."""
    return bytes([READY << 4 | nibble(pump)])


# Digits and check sum.


def digits(value: int, count: int) -> bytes:
    """`value` as `count` digit words, the lowest first. Raises ValueError where it does not fit."""
    if not 0 <= value < 10**count:
        raise ValueError(f"expected a number of at most {count} digits, got {value}")
    return bytes(DIGIT | value // 10**place % 10 for place in range(count))


def number(words: bytes) -> int | None:
    """The number that digit words carry; None: one of them is no digit."""
    value = 0
    for place, one in enumerate(words):
        if one & 0xF0 != DIGIT or one & 0xF > 9:
            return None
        value += (one & 0xF) * 10**place
    return value


def lrc(words: bytes) -> int:
    """Over everything from START up to the control word LRC, both with it."""
    return DIGIT | -sum(one & 0xF for one in words) & 0xF


def sealed(body: bytes) -> bytes:
    """`body`, which begins with START, closed with LRC and END."""
    covered = body + bytes([LRC])
    return covered + bytes([lrc(covered), END])


def opened(frame: bytes) -> bytes | Bad:
    """What stands between START and LRC in a whole frame."""
    if len(frame) < 4 or frame[0] != START or frame[-1] != END or frame[-3] != LRC:
        return Bad.SHAPE
    return frame[1:-3] if frame[-2] == lrc(frame[:-2]) else Bad.LRC


# Blocks.


def encode_block(block: Block, length: DataLength = DataLength.COUNTED) -> bytes:
    """START .. END. Raises ValueError for a value that its digits cannot carry."""
    body = _body(block)
    count = len(body) + 3  # LRC, its value, END
    data_length = 0xE3 if length is DataLength.FIXED_E3 else DIGIT | (16 - count) & 0xF
    return sealed(bytes([START, data_length]) + body)


def decode_block(frame: bytes, length: DataLength | None = None) -> Block | Bad:
    """A whole block as a pump reads it. length: None: any DL will do, as with heads that ignore it. Never raises."""
    inside = opened(frame)
    if isinstance(inside, Bad):
        return inside
    if not inside:
        return Bad.SHAPE
    block = _parse(inside[1:])
    if block is None:
        return Bad.SHAPE
    return block if length is None or encode_block(block, length) == frame else Bad.LENGTH


def _body(block: Block) -> bytes:
    if isinstance(block, Price):
        return _choice(block.level, block.grade) + bytes([PRICE]) + digits(block.price, block.digits)
    if isinstance(block, SelectLevel):
        return bytes([block.level])
    if isinstance(block, Preset):
        kind = AMOUNT if block.kind == "amount" else VOLUME
        value = bytes([PRESET]) + digits(block.value, block.digits)
        return bytes([kind]) + _choice(block.level, block.grade) + value
    if isinstance(block, FillUp):
        return bytes([FILL_UP]) + _choice(block.level, block.grade)
    if not 0 <= block.function <= 0xFFF:
        raise ValueError(f"expected a special function 0x000..=0xFFF, got {block.function:#x}")
    return bytes([SPECIAL, *(DIGIT | block.function >> shift & 0xF for shift in (0, 4, 8))])


def _choice(level: Level | None, grade: int | None) -> bytes:
    said = b"" if level is None else bytes([level])
    return said if grade is None else said + grade_words(grade)


def grade_words(grade: int) -> bytes:
    """GRADE and its nibble, one less than the number."""
    if grade not in GRADES:
        raise ValueError(f"expected a grade 1..=16, got {grade}")
    return bytes([GRADE, DIGIT | grade - 1])


def _parse(body: bytes) -> Block | None:
    """What stands between DL and LRC."""
    kind, rest = body[:1], body[1:]
    if kind == bytes([SPECIAL]):
        if len(rest) != 3 or any(one & 0xF0 != DIGIT for one in rest):
            return None
        return AskSpecial(sum((one & 0xF) << 4 * place for place, one in enumerate(rest)))
    if kind in (bytes([AMOUNT]), bytes([VOLUME]), bytes([FILL_UP])):
        level, grade, value = _take_choice(rest)
        if kind == bytes([FILL_UP]):
            return FillUp(level, grade) if not value else None
        return _parse_preset("amount" if kind == bytes([AMOUNT]) else "volume", level, grade, value)
    level, grade, value = _take_choice(body)
    if level is None:
        return None
    if grade is None:
        return SelectLevel(level) if not value else None
    price = number(value[1:])
    if value[:1] != bytes([PRICE]) or price is None:
        return None
    if len(value) == 5:
        return Price(grade, level, price, 4)
    return Price(grade, level, price, 6) if len(value) == 7 else None


def _parse_preset(
    kind: Literal["amount", "volume"], level: Level | None, grade: int | None, words: bytes
) -> Preset | None:
    value = number(words[1:])
    if words[:1] != bytes([PRESET]) or value is None:
        return None
    match len(words) - 1:
        case 5:
            return Preset(kind, value, 5, level, grade)
        case 6:
            return Preset(kind, value, 6, level, grade)
        case 8:
            return Preset(kind, value, 8, level, grade)
    return None


def _take_choice(words: bytes) -> tuple[Level | None, int | None, bytes]:
    """Level and grade where they are said, and what follows."""
    level = grade = None
    if words and words[0] in (Level.CASH, Level.CREDIT):
        level, words = Level(words[0]), words[1:]
    if len(words) >= 2 and words[0] == GRADE and words[1] & 0xF0 == DIGIT:
        grade, words = (words[1] & 0xF) + 1, words[2:]
    return level, grade, words
