"""Gilbarco Two-Wire: what does a pump say of its last sale, its totals, and the sale under way?

    sale, 33 words (39 in extended mode)
        FF F1 F8 EB E(p-1) E_ E_ E_ F6 Eg F4|F5 F7 price F9 volume FA amount FB L F0
    totals, 30 words for each grade (42) and 4 more
        FF { F6 Eg F9 volume FA amount F4 price F5 price }.. FB L F0
    live amount 6 digits (8), live volume of one hose 1 + 8 digits (extended alone): no frame, no check sum

(facts: Gilbarco 2.4; every published frame agrees.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.gilbarco import (
    AMOUNT_DATA,
    DIGIT,
    GRADE,
    PRESET,
    PRICE,
    START,
    VOLUME,
    VOLUME_DATA,
    Bad,
    Level,
    digits,
    grade_words,
    number,
    opened,
    pump_of,
    sealed,
)

GRADES_MAX: Final = 6
_HEAD: Final = bytes([VOLUME, PRESET])


@dataclass(frozen=True, slots=True)
class Width:
    """How many digits a mode has for each number."""

    price: int
    volume: int
    amount: int
    total: int
    live: int

    @property
    def sale(self) -> int:
        """Words of a whole sale."""
        return 17 + self.price + self.volume + self.amount

    @property
    def grade_total(self) -> int:
        """Words of one grade in the totals."""
        return 6 + 2 * self.total + 2 * self.price

    def totals(self, grades: int) -> int:
        """Words of the whole totals."""
        return 4 + grades * self.grade_total


NORMAL: Final = Width(price=4, volume=6, amount=6, total=8, live=6)
EXTENDED: Final = Width(price=6, volume=8, amount=8, total=12, live=8)
LIVE_VOLUME_WORDS: Final = 9


@dataclass(frozen=True, slots=True)
class SaleReply:
    """The last sale in the pump's memory, in its digits. pump: 1..=16. grade: 1..=16.

    error: its error code. mark: the nibble before the id; B on every wire, A in one document. spare, unit: 0 wherever
    they were seen; unit is said to be the type of the head.
    """

    pump: int
    grade: int
    level: Level
    price: int
    volume: int
    amount: int
    error: int = 0
    spare: int = 0
    unit: int = 0
    mark: int = 0xB


@dataclass(frozen=True, slots=True)
class GradeTotal:
    """A grade's totals and its two prices, in the pump's digits."""

    grade: int
    volume: int
    amount: int
    price_cash: int
    price_credit: int


@dataclass(frozen=True, slots=True)
class HoseVolume:
    """What has flowed from one hose, in the pump's digits. hose: 1..=16."""

    hose: int
    volume: int


def encode_sale(sale: SaleReply, width: Width = NORMAL) -> bytes:
    """As a pump sends it."""
    said = (sale.mark, sale.pump - 1, sale.error, sale.spare, sale.unit)
    return sealed(
        bytes([START])
        + _HEAD
        + bytes(DIGIT | one & 0xF for one in said)
        + grade_words(sale.grade)
        + bytes([sale.level, PRICE])
        + digits(sale.price, width.price)
        + bytes([VOLUME_DATA])
        + digits(sale.volume, width.volume)
        + bytes([AMOUNT_DATA])
        + digits(sale.amount, width.amount)
    )


def decode_sale(frame: bytes, width: Width = NORMAL) -> SaleReply | Bad:
    """Never raises. Bad.LENGTH: a frame of another mode."""
    inside = opened(frame)
    if isinstance(inside, Bad):
        return inside
    if len(frame) != width.sale:
        return Bad.LENGTH
    said, choice, rest = inside[2:7], inside[7:11], inside[11:]
    ends = (width.price, width.price + 1 + width.volume, width.price + 2 + width.volume + width.amount)
    price, volume, amount = (
        number(rest[ends[0] - width.price : ends[0]]),
        number(rest[ends[0] + 1 : ends[1]]),
        number(rest[ends[1] + 1 : ends[2]]),
    )
    if (
        inside[:2] != _HEAD
        or any(one & 0xF0 != DIGIT for one in said)
        or (choice[0], choice[3]) != (GRADE, PRICE)
        or choice[1] & 0xF0 != DIGIT
        or choice[2] not in (Level.CASH, Level.CREDIT)
        or (rest[ends[0]], rest[ends[1]]) != (VOLUME_DATA, AMOUNT_DATA)
        or price is None
        or volume is None
        or amount is None
    ):
        return Bad.SHAPE
    mark, pump, error, spare, unit = (one & 0xF for one in said)
    return SaleReply(
        pump=pump_of(pump + 1),
        grade=(choice[1] & 0xF) + 1,
        level=Level(choice[2]),
        price=price,
        volume=volume,
        amount=amount,
        error=error,
        spare=spare,
        unit=unit,
        mark=mark,
    )


def encode_totals(totals: tuple[GradeTotal, ...], width: Width = NORMAL) -> bytes:
    """As a pump sends them: 1 to 6 grades."""
    if not 1 <= len(totals) <= GRADES_MAX:
        raise ValueError(f"expected totals of 1..=6 grades, got {len(totals)}")
    return sealed(bytes([START]) + b"".join(_grade_total(total, width) for total in totals))


def _grade_total(total: GradeTotal, width: Width) -> bytes:
    return (
        grade_words(total.grade)
        + bytes([VOLUME_DATA])
        + digits(total.volume, width.total)
        + bytes([AMOUNT_DATA])
        + digits(total.amount, width.total)
        + bytes([Level.CASH])
        + digits(total.price_cash, width.price)
        + bytes([Level.CREDIT])
        + digits(total.price_credit, width.price)
    )


def decode_totals(frame: bytes, width: Width = NORMAL) -> tuple[GradeTotal, ...] | Bad:
    """Never raises. Bad.LENGTH: a frame of another mode. A grade is never told twice."""
    inside = opened(frame)
    if isinstance(inside, Bad):
        return inside
    grades, rest = divmod(len(inside), width.grade_total)
    if rest or not 1 <= grades <= GRADES_MAX:
        return Bad.LENGTH
    totals: list[GradeTotal] = []
    for index in range(grades):
        total = _read_grade_total(inside[index * width.grade_total : (index + 1) * width.grade_total], width)
        if total is None or total.grade in [known.grade for known in totals]:
            return Bad.SHAPE
        totals.append(total)
    return tuple(totals)


def _read_grade_total(words: bytes, width: Width) -> GradeTotal | None:
    if words[0] != GRADE or words[1] & 0xF0 != DIGIT:
        return None
    values, at = [], 2
    for control, count in (
        (VOLUME_DATA, width.total),
        (AMOUNT_DATA, width.total),
        (Level.CASH, width.price),
        (Level.CREDIT, width.price),
    ):
        value = number(words[at + 1 : at + 1 + count])
        if words[at] != control or value is None:
            return None
        values.append(value)
        at += 1 + count
    return GradeTotal((words[1] & 0xF) + 1, *values)


def encode_live_amount(amount: int, width: Width = NORMAL) -> bytes:
    """The money of the sale under way."""
    return digits(amount, width.live)


def decode_live_amount(words: bytes, width: Width = NORMAL) -> int | Bad:
    """Never raises."""
    if len(words) != width.live:
        return Bad.LENGTH
    amount = number(words)
    return Bad.SHAPE if amount is None else amount


def encode_live_volume(live: HoseVolume) -> bytes:
    """The volume of the sale under way. Extended mode alone."""
    if not 1 <= live.hose <= 16:
        raise ValueError(f"expected a hose 1..=16, got {live.hose}")
    return bytes([DIGIT | live.hose - 1]) + digits(live.volume, LIVE_VOLUME_WORDS - 1)


def decode_live_volume(words: bytes) -> HoseVolume | Bad:
    """Never raises. That the hose comes first rests on one source; the driver does without it."""
    if len(words) != LIVE_VOLUME_WORDS:
        return Bad.LENGTH
    volume = number(words[1:])
    if words[0] & 0xF0 != DIGIT or volume is None:
        return Bad.SHAPE
    return HoseVolume((words[0] & 0xF) + 1, volume)
