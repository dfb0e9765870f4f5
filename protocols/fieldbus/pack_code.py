"""What does the code printed on a swap battery say, and is it a code at all?

    BT  t  vvv  ccc  ll  mmmm  yy mm dd  nnn         24 characters of 0-9 and A-Z
        |   |    |    |    |       |      number of that day
        |   |    |    |    maker   made on
        |   |    |    cycle life, hundreds
        |   |    capacity grade, Ah
        |   nominal voltage, V
        chemistry

There is no check digit: a code is checked by its form and by what its parts may be. Codes of 16 characters exist too
(maker XC), which name a model instead; see `SHORT_MODELS`. Other lengths are refused, never guessed at.
(facts: cabinets 1.2, the same in three sources.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Final

from protocols.fieldbus.pack import day


class Chemistry(Enum):
    """The value is the character in the code."""

    IRON_PHOSPHATE = "1"
    MANGANESE = "2"
    TERNARY = "3"


class Refusal(Enum):
    """Why a text is no code that a cabinet can go by."""

    UNKNOWN = "the pack does not know its code"  # it begins with UNKNOW; one platform refuses to swap those
    CHARACTERS = "characters other than 0-9 and A-Z"
    LENGTH = "neither 24 nor 16 characters"
    PRODUCT = "not a battery's code"
    CHEMISTRY = "no known chemistry"
    DIGITS = "letters where a number belongs"
    RATING = "no voltage or no capacity"
    DATE = "no such day"
    MODEL = "no known model"


@dataclass(frozen=True, slots=True)
class PackCode:
    """A code of 24 characters. cycle_life: promised charge cycles. number: 0..=999, of that day."""

    chemistry: Chemistry
    voltage_v: int
    capacity_ah: int
    cycle_life: int
    maker: str
    made_on: date
    number: int

    def __str__(self) -> str:
        made = f"{self.made_on.year % 100:02}{self.made_on.month:02}{self.made_on.day:02}"
        return (
            f"BT{self.chemistry.value}{self.voltage_v:03}{self.capacity_ah:03}{self.cycle_life // 100:02}"
            f"{self.maker}{made}{self.number:03}"
        )


@dataclass(frozen=True, slots=True)
class ShortCode:
    """A code of 16 characters: only what its model says."""

    code: str
    voltage_v: int
    capacity_ah: int

    def __str__(self) -> str:
        return self.code


SHORT_MODELS: Final = {"08": (72, 30), "11": (72, 35), "12": (60, 30), "16": (72, 35), "17": (60, 45)}
"""Third and fourth character: nominal voltage in V and capacity in Ah."""

_ALLOWED: Final = re.compile(r"[0-9A-Z]+")
_LONG: Final = re.compile(r"BT(.)(\d{3})(\d{3})(\d\d)(.{4})(\d\d)(\d\d)(\d\d)(\d{3})")


def parse(text: str) -> PackCode | ShortCode | Refusal:
    """Read a code, in whatever case, with NULs or blanks around it. Refusals in order of precedence."""
    code = text.strip(" \0\r\n\t").upper()
    if code.startswith("UNKNOW"):
        return Refusal.UNKNOWN
    if not text.isascii() or _ALLOWED.fullmatch(code) is None:
        return Refusal.CHARACTERS
    if len(code) == 16:
        model = SHORT_MODELS.get(code[2:4])
        return Refusal.MODEL if model is None else ShortCode(code, *model)
    return _parse_long(code) if len(code) == 24 else Refusal.LENGTH


def _parse_long(code: str) -> PackCode | Refusal:
    if not code.startswith("BT"):
        return Refusal.PRODUCT
    if code[2] not in {chemistry.value for chemistry in Chemistry}:
        return Refusal.CHEMISTRY
    found = _LONG.fullmatch(code)
    if found is None:
        return Refusal.DIGITS
    kind, volts, capacity, hundreds, maker, year, month, of_month, number = found.groups()
    if not int(volts) or not int(capacity):
        return Refusal.RATING
    made_on = day(2000 + int(year), int(month), int(of_month))
    if made_on is None:
        return Refusal.DATE
    return PackCode(Chemistry(kind), int(volts), int(capacity), 100 * int(hundreds), maker, made_on, int(number))
