"""What does a till ask a Sanki (Sanying) pump, and what do the answers mean?

A `Question` and the pump's answers as values, in both directions. Quantities are packed BCD, the greatest digits first,
with two decimals in the source; no frame says so.

Source: one forecourt converter's driver, with four frames of a real pump in it. What it does not say, says so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Self

CHAIN_STEP: Final = 0x11
CHAIN_WRAPS: Final = 0x99  # 88 is followed by 00
PRICE_MIN: Final = 2  # the reciprocal of 0.01 has nine digits


class Command(IntEnum):
    """The byte behind the head."""

    STATUS = 0x80
    DELETE_SALE = 0x82
    TOTALS = 0x83
    PRICE = 0x84
    PRESET_VOLUME = 0x85
    PRESET_AMOUNT = 0x86
    AUTHORISE = 0x87
    CANCEL = 0x88
    HOST_MODE = 0x89
    STOP = 0x8D
    SALE = 0x8F


class State(IntEnum):
    """The state byte of the status answer."""

    HUNG_UP = 0x00
    LIMIT = 0x11  # hung up after its limit was reached
    RESET = 0x22  # after a reset
    AUTHORISED = 0x33
    BUSY = 0x44
    LIFTED = 0x55


class Outcome(Enum):
    """The data byte of a short answer."""

    DONE = 0x99
    REFUSED = 0x66


_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class Shape:
    """Bytes of data in the question and in its answer. tight: its answer may be one byte shorter, see
    `sanki.SankiExpect`."""

    asked: int
    answered: int
    tight: bool = False


SHAPES: Final[Mapping[Command, Shape]] = {
    Command.STATUS: Shape(0, 10),
    Command.DELETE_SALE: Shape(0, 1, tight=True),
    Command.TOTALS: Shape(0, 10),
    Command.PRICE: Shape(6, 1),
    Command.PRESET_VOLUME: Shape(4, 1),
    Command.PRESET_AMOUNT: Shape(4, 1),
    Command.AUTHORISE: Shape(1, 1),
    Command.CANCEL: Shape(0, 1),
    Command.HOST_MODE: Shape(0, 1, tight=True),
    Command.STOP: Shape(0, 1),
    Command.SALE: Shape(0, 25),
}

COMMANDS: Final = frozenset(command.value for command in Command)


@dataclass(frozen=True, slots=True)
class Question:
    """A command with its data. Made by the functions below, or from a command without data."""

    command: Command
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Status:
    """volume, amount: of the sale under way, as displayed. state: a `State`, or a byte that no source knows. rest: a
    byte that no source explains."""

    price: int
    volume: int
    amount: int
    state: int
    rest: int = 0

    def encode(self) -> bytes:
        return bcd(self.price, 2) + bcd(self.volume, 3) + bcd(self.amount, 3) + bytes((self.state, self.rest))

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None: some nibble is no digit."""
        price, volume, amount = digits(data[:2]), digits(data[2:5]), digits(data[5:8])
        if len(data) != 10 or price is None or volume is None or amount is None:
            return None
        return cls(price, volume, amount, data[8], data[9])


@dataclass(frozen=True, slots=True)
class Totals:
    """Totalizers, ten digits each."""

    volume: int
    amount: int

    def encode(self) -> bytes:
        return bcd(self.volume, 5) + bcd(self.amount, 5)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None: some nibble is no digit."""
        volume, amount = digits(data[:5]), digits(data[5:])
        return None if len(data) != 10 or volume is None or amount is None else cls(volume, amount)


@dataclass(frozen=True, slots=True)
class LastSale:
    """The sale record. rest: 17 bytes that no source explains."""

    price: int
    volume: int
    amount: int
    rest: bytes = bytes(17)

    def encode(self) -> bytes:
        return bcd(self.price, 2) + bcd(self.volume, 3) + bcd(self.amount, 3) + self.rest

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """None: some nibble of the part that is known is no digit."""
        price, volume, amount = digits(data[:2]), digits(data[2:5]), digits(data[5:8])
        if len(data) != 25 or price is None or volume is None or amount is None:
            return None
        return cls(price, volume, amount, data[8:])


def price(price_digits: int) -> Question:
    """The price in digits (two decimals), with its reciprocal in millionths, cut off.

    Raises ValueError for one below PRICE_MIN or above 9999, which have no place.
    """
    if price_digits < PRICE_MIN:
        raise ValueError(f"a Sanki price is at least {PRICE_MIN} digits, not {price_digits}")
    return Question(Command.PRICE, bcd(price_digits, 2) + bcd(100_000_000 // price_digits, 4))


def preset(command: Command, limit: int, chain: int) -> Question:
    """command: PRESET_VOLUME or PRESET_AMOUNT. limit: six digits. chain: of `next_chain`."""
    assert command in (Command.PRESET_VOLUME, Command.PRESET_AMOUNT)
    return Question(command, bcd(limit, 3) + bytes((chain,)))


def authorise(chain: int) -> Question:
    """chain: of `next_chain`."""
    return Question(Command.AUTHORISE, bytes((chain,)))


def next_chain(chain: int) -> int:
    """The chain byte after `chain`: every preset and authorisation has a new one. The first comes after 00.

    66 is left out: an authorisation with it could not be told from its own refusal on an adapter that hears itself.
    """
    following = (chain + CHAIN_STEP) % CHAIN_WRAPS
    return following if following != Outcome.REFUSED.value else following + CHAIN_STEP


def bcd(number: int, size: int) -> bytes:
    """Raises ValueError for a number that has no place in `size` bytes."""
    text = f"{number:0{2 * size}d}"
    if number < 0 or len(text) > 2 * size:
        raise ValueError(f"{number} does not fit in {2 * size} digits")
    return bytes.fromhex(text)


def digits(data: bytes) -> int | None:
    """None: some nibble is no digit, or there are none."""
    text = data.hex()
    return int(text) if text.isdecimal() else None


def outcome(data: bytes) -> Outcome | None:
    """What a short answer says. None: neither."""
    return _OUTCOMES.get(data[0]) if len(data) == 1 else None
