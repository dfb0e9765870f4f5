"""What does a board want to know of a card that was shown to it, and what is it told?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum


class Account(Enum):
    """What a board says aloud of a card."""

    OK = "ok"
    UNREGISTERED = "unregistered"
    BUSY = "busy"  # it charges already
    NO_MONEY = "no-money"
    EXPIRED = "expired"
    TOO_OFTEN = "too-often"  # over its count
    PORT_FAULT = "port-fault"
    ELSEWHERE = "elsewhere"  # of another operator


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a card. balance_fen: said aloud, never counted with. With OK, a `start` of the port follows."""

    account: Account
    balance_fen: int = 0


UNREGISTERED = Verdict(Account.UNREGISTERED)

OnCard = Callable[[int | None, str], Awaitable[Verdict]]
"""A card was shown: (port, None where only its balance is asked for; its text, as of `card_number.credential`)."""
