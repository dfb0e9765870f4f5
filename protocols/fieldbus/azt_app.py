"""What does AZT 2.0 ask, and what do the answers mean?

A till's `Question` and a pump's answer as values, in both directions. Numbers are decimal digits in ASCII, of a width
that the pump's type says. No frame says how many decimals they have.

Sources: two host programs of one author (Delphi, Java), a Go host, a C pump. They agree unless a comment says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from protocols.fieldbus.azt_frames import Short


class State(IntEnum):
    """The first digit of the status answer."""

    IDLE = 0  # off, nozzle in
    LIFTED = 1  # off, nozzle out
    AUTHORISED = 2  # off, may be started
    DISPENSING = 3
    ENDED = 4  # off, waits for the confirmation of its sale
    LOCAL_DOSE = 8  # somebody set a dose at the pump's own panel


class Command(IntEnum):
    """The byte behind the address."""

    STATUS = 0x31
    AUTHORISE = 0x32
    STOP = 0x33
    VOLUME = 0x34
    FULL_SALE = 0x35
    TOTALS = 0x36
    TYPE = 0x37
    CONFIRM = 0x38
    MORE_STATUS = 0x39
    READ_PARAMETERS = 0x4E
    WRITE_PARAMETERS = 0x4F
    VERSION = 0x50
    PRICE = 0x51
    VALVE = 0x52
    DOSE_MONEY = 0x53
    DOSE_VOLUME = 0x54
    TOP_UP = 0x55
    START = 0x56
    BROADCAST = 0x57
    READ_DOSE = 0x58
    SALE_NUMBER = 0x59
    SHOW_ERROR = 0x5B
    ERROR = 0x5C
    NET_NUMBER = 0x5D


EXTENDED: Final = 0x5E  # the first extended parameter, and the marker before such codes
EXTENDED_LAST: Final = 0x8B
EXTENDED_SHIFT: Final = 0x2E

ANY: Final = frozenset(State)
_OFF: Final = frozenset({State.IDLE, State.LIFTED})
_OFF_OR_LOCAL: Final = _OFF | {State.LOCAL_DOSE}


@dataclass(frozen=True, slots=True)
class Rule:
    """How a command goes. long: it is answered with data, of one of `sizes` bytes where they are known. states: where
    a pump does it; elsewhere it says CAN."""

    long: bool
    states: frozenset[State] = ANY
    sizes: frozenset[int] | None = None


_EVEN_FROM_16: Final = frozenset(range(16, 65, 2))
RULES: Final[Mapping[Command, Rule]] = {
    Command.STATUS: Rule(True, sizes=frozenset({1, 2, 3})),
    Command.AUTHORISE: Rule(False, _OFF_OR_LOCAL),
    Command.STOP: Rule(False, frozenset({State.AUTHORISED, State.DISPENSING, State.LOCAL_DOSE})),
    Command.VOLUME: Rule(True, sizes=frozenset({6})),
    Command.FULL_SALE: Rule(True, sizes=frozenset({16, 20})),
    Command.TOTALS: Rule(True, sizes=_EVEN_FROM_16),
    Command.TYPE: Rule(True, sizes=frozenset({1})),
    Command.CONFIRM: Rule(False, frozenset({State.ENDED})),
    Command.MORE_STATUS: Rule(True),
    Command.READ_PARAMETERS: Rule(True),
    Command.WRITE_PARAMETERS: Rule(False, _OFF),
    Command.VERSION: Rule(True, sizes=frozenset({8})),
    Command.PRICE: Rule(False, _OFF_OR_LOCAL),  # it erases the data of the sale before
    Command.VALVE: Rule(False, _OFF),
    Command.DOSE_MONEY: Rule(False, _OFF),
    Command.DOSE_VOLUME: Rule(False, _OFF),
    Command.TOP_UP: Rule(False, _OFF),
    Command.START: Rule(False, frozenset({State.AUTHORISED})),
    Command.READ_DOSE: Rule(True, _OFF_OR_LOCAL),
    Command.SALE_NUMBER: Rule(True),
    Command.SHOW_ERROR: Rule(False, _OFF),
    Command.ERROR: Rule(True, sizes=frozenset({3, 5, 7})),  # CAN: no error
    Command.NET_NUMBER: Rule(True),
}
"""All commands but BROADCAST, which nobody answers."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How many digits a pump's type has in `FULL_SALE`."""

    volume: int
    amount: int
    price: int

    @property
    def total(self) -> int:
        return self.volume + self.amount + self.price


_NARROW: Final = Widths(6, 6, 4)
_WIDE: Final = Widths(6, 8, 6)
TYPES: Final[Mapping[str, Widths]] = {
    "A": _NARROW, "B": _WIDE, "C": _NARROW, "D": _NARROW, "E": _NARROW, "F": _WIDE, "G": _WIDE, "H": Widths(5, 7, 4),
    ";": _WIDE,  # of the C pump only
}  # fmt: skip
"""By the letter that TYPE is answered with. A Topaz-106K always says H."""

ERRORS: Final[Mapping[int, str]] = {
    1: "memory", 2: "every hose is switched off", 3: "two hoses have one address", 4: "wrong use of hose mode 3",
    5: "hoses 3 and 4 do not go with the mode of the second side", 6: "a hydraulic branch", 7: "a pulser channel",
    8: "the electromechanical totalizer", 9: "the fuel thermometer", 10: "fuel temperature out of range",
    11: "the inner thermometer", 12: "no contact with the expansion module", 13: "no contact with the host",
    14: "too few expansion modules", 15: "the display",
}  # fmt: skip
"""The first number of an ERROR answer in words."""


@dataclass(frozen=True, slots=True)
class Status:
    """reason: of ENDED: 0 as ordered or less, 1 an overrun, or flow that nobody authorised. flags: bit 0: an error."""

    state: State
    reason: int = 0
    flags: int = 0

    def encode(self) -> bytes:
        digits = [self.state.value]
        if self.reason or self.flags or self.state is State.ENDED:
            digits.append(self.reason)
        if self.flags:
            digits.append(self.flags)
        return bytes(0x30 + digit for digit in digits)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None: it is no status."""
        digits = [byte - 0x30 for byte in data]
        if not 1 <= len(digits) <= 3 or any(not 0 <= digit <= 15 for digit in digits):
            return None
        try:
            state = State(digits[0])
        except ValueError:
            return None
        return cls(state, *digits[1:])


@dataclass(frozen=True, slots=True)
class FullSale:
    """The pump's register of its last sale, in its own digits. It is zeroed by an authorisation and by a price."""

    volume: int
    amount: int
    price: int

    def encode(self, widths: Widths) -> bytes:
        return (
            number(self.volume, widths.volume) + number(self.amount, widths.amount) + number(self.price, widths.price)
        )

    @classmethod
    def decode(cls, data: bytes, widths: Widths) -> Self | None:
        """None: it is no sale of these widths."""
        ends = widths.volume, widths.volume + widths.amount
        parts = [value(part) for part in (data[: ends[0]], data[ends[0] : ends[1]], data[ends[1] :])]
        if len(data) != widths.total or None in parts:
            return None
        return cls(*(part for part in parts if part is not None))


@dataclass(frozen=True, slots=True)
class Totals:
    """Totalizers in their own digits. width: digits of each; they begin again at 0 after all nines."""

    volume: int
    amount: int
    width: int = 8

    def encode(self) -> bytes:
        return number(self.volume, self.width) + number(self.amount, self.width)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Two equal halves. None: they are not."""
        half = len(data) // 2
        volume, amount = value(data[:half]), value(data[half:])
        if len(data) % 2 or volume is None or amount is None:
            return None
        return cls(volume, amount, half)


@dataclass(frozen=True, slots=True)
class PumpError:
    """What an ERROR answer says: a key of `ERRORS`, and up to two numbers of the part that is ill."""

    code: int
    parts: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return number(self.code, 3) + b"".join(number(part, 2) for part in self.parts)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None: it is no error."""
        code = value(data[:3])
        parts = [value(data[at : at + 2]) for at in range(3, len(data), 2)]
        if code is None or len(data) not in (3, 5, 7) or None in parts:
            return None
        return cls(code, tuple(part for part in parts if part is not None))

    def __str__(self) -> str:
        parts = "".join(f", {part}" for part in self.parts)
        return f"error {self.code}: {ERRORS.get(self.code, 'unknown')}{parts}"


def number(digits: int, width: int) -> bytes:
    """Raises ValueError for a number that has no place in `width` digits."""
    text = f"{digits:0{width}d}"
    if digits < 0 or len(text) > width:
        raise ValueError(f"{digits} does not fit in {width} digits")
    return text.encode()


def value(data: bytes) -> int | None:
    """None: these are not digits only, or there are none."""
    return int(data) if data and all(0x30 <= byte <= 0x39 for byte in data) else None


@dataclass(frozen=True, slots=True)
class Question:
    """A command with its data. Made by the functions below."""

    command: Command
    data: bytes = b""

    @property
    def rule(self) -> Rule:
        return RULES[self.command]

    def fits(self, reply: Reply) -> bool:
        """Whether `reply` can be the answer. CAN and NAK always can."""
        if isinstance(reply, Short):
            return reply is not Short.ACK or not self.rule.long
        return self.rule.long and (self.rule.sizes is None or len(reply) in self.rule.sizes)


Reply = Short | bytes
"""A short answer, or the data of a long one."""


def dose_volume(digits: int, *, full: bool | None = None) -> Question:
    """Volume digits, 5 of them. full: whether the tank is to be filled, the dose being the limit; None: not said."""
    return Question(Command.DOSE_VOLUME, number(digits, 5) + (b"" if full is None else b"1" if full else b"0"))


def dose_money(digits: int, width: int = 6) -> Question:
    """Amount digits. width: one source only, so that it is an option."""
    return Question(Command.DOSE_MONEY, number(digits, width))


def price(digits: int, width: int = 4) -> Question:
    """Price digits. It erases the data of the sale before."""
    return Question(Command.PRICE, number(digits, width))


def parameters(*codes: int) -> Question:
    """The values of parameters, 30h..=5Dh, or extended ones, 5Eh..=8Bh; none named: which there are.

    Raises ValueError for both kinds in one question.
    """
    return Question(Command.READ_PARAMETERS, _codes(codes))


def write_parameter(code: int, digits: bytes) -> Question:
    """digits: 30h..=3Fh each."""
    return Question(Command.WRITE_PARAMETERS, _codes((code,)) + digits)


def parameter(data: bytes, code: int) -> bytes | None:
    """The digits of parameter `code` in the answer to a question for it alone. None: they are not there."""
    head = _codes((code,))
    return data[len(head) :] if data.startswith(head) and len(data) > len(head) else None


def _codes(codes: tuple[int, ...]) -> bytes:
    """Extended codes travel less 2Eh, behind one marker."""
    extended = [code >= EXTENDED for code in codes]
    if len(set(extended)) > 1 or any(not 0x30 <= code <= EXTENDED_LAST for code in codes):
        raise ValueError(f"parameters are 30h..=5Dh or 5Eh..=8Bh, not both: {[f'{code:02X}' for code in codes]}")
    if not any(extended):
        return bytes(codes)
    return bytes((EXTENDED, *(code - EXTENDED_SHIFT for code in codes)))


def show_error(code: int, seconds: int) -> Question:
    """Let the pump show an error, 1..=999, for 1..=99 s; 0 s: until the next command, code 0: no more."""
    return Question(Command.SHOW_ERROR, number(code, 3) + number(seconds, 2))
