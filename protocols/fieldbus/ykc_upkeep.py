"""YKC 1.6: how does a platform look after its piles: limits, restarts, software, QR codes, cards, bay locks, two guns?

Each class is one message; what it answers stands in `ykc.ANSWERS`. (facts: chargers_meters 6.2; the document's tables.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

from protocols.fieldbus.ykc_fields import (
    Card,
    Choice,
    Flag,
    Gun,
    Hex,
    LongText,
    Many,
    Order,
    Part,
    Pile,
    Raw,
    Rest,
    Text,
    Uint,
)
from protocols.fieldbus.ykc_session import BalanceFen, NoStart, StartBy, StartFault


class When(IntEnum):
    NOW = 1
    IDLE = 2


class Model(IntEnum):
    """What a pile gives, in an update. `ykc_session.Supply` counts otherwise."""

    DC = 1
    AC = 2


class UpdateResult(IntEnum):
    DONE = 0
    WRONG_PILE = 1
    WRONG_MODEL = 2
    TIME_OUT = 3


@dataclass(frozen=True, slots=True)
class SetLimits:
    """0x52. may_work: False locks the pile. power_pct: 30..=100 of what it can."""

    pile: Pile
    may_work: Annotated[bool, Flag(yes=0)]
    power_pct: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class SetLimitsAnswer:
    """0x51."""

    pile: Pile
    done: Annotated[bool, Flag(yes=1)]


@dataclass(frozen=True, slots=True)
class Reboot:
    """0x92."""

    pile: Pile
    when: Annotated[int, Choice(When)]


@dataclass(frozen=True, slots=True)
class RebootAnswer:
    """0x91."""

    pile: Pile
    done: Annotated[bool, Flag(yes=1)]


@dataclass(frozen=True, slots=True)
class Update:
    """0x94: fetch software by FTP. The password travels as it is. power: no source names its unit."""

    pile: Pile
    model: Annotated[int, Choice(Model)]
    power: Annotated[int, Uint(2)]
    host: Annotated[str, Text(16)]
    port: Annotated[int, Uint(2)]
    user: Annotated[str, Text(16)]
    password: Annotated[str, Text(16)] = field(repr=False)
    path: Annotated[str, Text(32)]
    when: Annotated[int, Choice(When)]
    timeout_min: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class UpdateAnswer:
    """0x93."""

    pile: Pile
    result: Annotated[int, Choice(UpdateResult)]


class QrForm(IntEnum):
    """What a pile puts behind the prefix."""

    PILE = 0
    ORGANISATION_AND_PILE = 1


@dataclass(frozen=True, slots=True)
class SetQrPrefix:
    """0xF0."""

    pile: Pile
    form: Annotated[int, Choice(QrForm)]
    prefix: Annotated[str, LongText()]


@dataclass(frozen=True, slots=True)
class SetQrPrefixAnswer:
    """0xF1. Done does not promise that the pile shows it."""

    pile: Pile
    done: Annotated[bool, Flag(yes=1)]


@dataclass(frozen=True, slots=True)
class CardPair:
    """shown: printed on the card. card: read by the pile."""

    shown: Card
    card: Card


class CardFault(IntEnum):
    NONE = 0
    FORM = 1
    NO_ROOM = 2


@dataclass(frozen=True, slots=True)
class AddCards:
    """0x44: cards that charge without the platform. The document allows 15, but a frame has room for 12."""

    pile: Pile
    cards: Annotated[tuple[CardPair, ...], Many(Part(CardPair), 15)]


@dataclass(frozen=True, slots=True)
class AddCardsAnswer:
    """0x43."""

    pile: Pile
    done: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(CardFault)]


@dataclass(frozen=True, slots=True)
class RemoveCards:
    """0x46."""

    pile: Pile
    cards: Annotated[tuple[str, ...], Many(Hex(8), 24)]


@dataclass(frozen=True, slots=True)
class CardRemoved:
    card: Card
    done: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(CardFault)]


@dataclass(frozen=True, slots=True)
class RemoveCardsAnswer:
    """0x45."""

    pile: Pile
    cards: Annotated[tuple[CardRemoved, ...], Many(Part(CardRemoved), 24, counted=False)]


@dataclass(frozen=True, slots=True)
class FindCards:
    """0x48."""

    pile: Pile
    cards: Annotated[tuple[str, ...], Many(Hex(8), 26)]


@dataclass(frozen=True, slots=True)
class CardFound:
    card: Card
    there: Annotated[bool, Flag(yes=1)]


@dataclass(frozen=True, slots=True)
class FindCardsAnswer:
    """0x47."""

    pile: Pile
    cards: Annotated[tuple[CardFound, ...], Many(Part(CardFound), 26, counted=False)]


class BayLock(IntEnum):
    """A bay lock's arm, where it is and where it is sent."""

    BETWEEN = 0x00
    UP = 0x55  # the bay is closed
    DOWN = 0xFF


class BayAlarm(IntEnum):
    NONE = 0x00
    STUCK = 0x55
    BROKEN = 0xFF


@dataclass(frozen=True, slots=True)
class BayState:
    """0x61: at once when it changes, else every five minutes. occupied: 0x00 no, 0xFF yes. battery_pct: the lock's."""

    pile: Pile
    gun: Gun
    lock: Annotated[int, Choice(BayLock)]
    occupied: Annotated[int, Uint(1)]
    battery_pct: Annotated[int, Uint(1)]
    alarm: Annotated[int, Choice(BayAlarm)]
    rest: Annotated[bytes, Raw(4)] = bytes(4)


@dataclass(frozen=True, slots=True)
class MoveBayLock:
    """0x62. rest: the document's table has four bytes, its sample's length none; so has its answer."""

    pile: Pile
    gun: Gun
    to: Annotated[int, Choice(BayLock)]
    rest: Annotated[bytes, Rest(4)] = bytes(4)


@dataclass(frozen=True, slots=True)
class MoveBayLockAnswer:
    """0x63. allowed: the order was taken; `BayState` shows what came of it."""

    pile: Pile
    gun: Gun
    allowed: Annotated[bool, Flag(yes=1)]
    rest: Annotated[bytes, Rest(4)] = bytes(4)


class GunRole(IntEnum):
    """Of two guns in one vehicle."""

    MAIN = 0
    SECOND = 1


Together = Annotated[str, Hex(6)]
"""yyMMddHHmmss, the same for all guns that charge one vehicle."""


@dataclass(frozen=True, slots=True)
class PairRequest:
    """0xA1: `StartRequest` for two guns in one vehicle; each gun sends its own."""

    pile: Pile
    gun: Gun
    by: Annotated[int, Choice(StartBy)]
    with_password: Annotated[bool, Flag(yes=1)]
    card: Card
    digest: Annotated[bytes, Raw(16)] = field(repr=False)
    vin: Annotated[str, Text(17, backwards=True)]
    role: Annotated[int, Choice(GunRole)]
    together: Together


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """0xA2. One refusal, and none of the guns starts."""

    order: Order
    pile: Pile
    gun: Gun
    shown_card: Card
    balance_fen: BalanceFen
    granted: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(NoStart)]
    together: Together


@dataclass(frozen=True, slots=True)
class PairStart:
    """0xA4."""

    order: Order
    pile: Pile
    gun: Gun
    shown_card: Card
    card: Card
    balance_fen: BalanceFen
    together: Together


@dataclass(frozen=True, slots=True)
class PairStartResult:
    """0xA3."""

    order: Order
    pile: Pile
    gun: Gun
    started: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(StartFault)]
    role: Annotated[int, Choice(GunRole)]
    together: Together
