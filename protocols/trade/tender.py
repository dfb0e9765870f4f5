"""Who pays which part of a bill? Several holds, in a stated order, each of an asset that may pay some of its lines.

Money pays every line, fen for fen. What any other asset pays, and at which rate, stands in a document that headquarters
signs; a session pins it. `draw` is the only rule: site, headquarters and a stranger work out the same captures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec

from protocols.door import Fault
from protocols.trade.codec import Wire
from protocols.trade.records import CNY, Amount, BillLine, Hold, Name

KIND = "tenders"
"""The document's kind."""
LINES = ("energy", "service", "session", "idle", "fuel", "swap", "rent", "late", "time")
"""Every code that a line of a bill may have."""
HOLDS_MAX = 16
"""Holds of one session, extensions included: more than anybody pays with, few enough to draw at once."""

Whole = Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class Tender(Wire, frozen=True):
    """What one asset may pay.

    lines: codes of bill lines; empty: all of them. One unit is worth fen_num / fen_den fen. divisible: False: a hold of
    it is captured whole or not at all.
    """

    asset: Name
    lines: list[Name]
    fen_num: Whole
    fen_den: Whole
    divisible: bool


class Tenders(Wire, frozen=True):
    """The document: each asset once, by name. Money is not in it: what that pays is not for anybody to say."""

    version: Amount
    tenders: list[Tender]


MONEY = Tender(CNY, [], 1, 1, True)
MONEY_ALONE = Tenders(0, [])
"""What holds before the first document."""


class Payer(NamedTuple):
    """Whose value of which asset."""

    account: str
    asset: str


@dataclass(frozen=True, slots=True)
class Capture:
    """What is taken of one hold: units of its asset, and the fen of the bill that they pay."""

    units: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """captures: one for each hold. Their paid_fen and overrun_fen add up to what is owed."""

    captures: tuple[Capture, ...]
    overrun_fen: int


def draw(owed: Mapping[str, int], holds: Sequence[Hold], tenders: Tenders) -> Drawn:
    """Pay what is owed (fen by line code) from the holds, in their order.

    Each pays all it may of what those before it have left; lines that only some can pay are left to those. A unit that
    has been begun is used. A hold that cannot be divided is taken whole where the bill comes to its worth; below that
    only where the holds after it could not pay the rest. So the overrun is the least that these holds allow.
    """
    offers = [_offer(owed, hold, tenders) for hold in holds]
    payments: list[_Payment] = []
    captures: list[Capture] = []
    for index, offer in enumerate(offers):
        fen = min(_room(owed, payments, offer.codes), offer.worth_fen)
        paid = _Payment(offer.codes, fen)
        if not offer.tender.divisible and 0 < fen < offer.worth_fen:
            rest = offers[index + 1 :]
            if _unpaid(owed, payments, rest) == _unpaid(owed, [*payments, paid], rest):
                paid = _Payment(offer.codes, 0)
        units = units_for(paid.fen, offer.tender) if offer.tender.divisible else offer.hold.amount * (paid.fen > 0)
        payments.append(paid)
        captures.append(Capture(units, paid.fen))
    return Drawn(tuple(captures), sum(owed.values()) - sum(payment.fen for payment in payments))


def covers(
    total_fen: int, least: Mapping[str, int], most: Mapping[str, int], holds: Sequence[Hold], tenders: Tenders
) -> bool:
    """Whether these holds surely pay any bill of at most total_fen whose lines of each code come to at least `least`
    and at most `most` fen: `draw` of it would leave no overrun.

    For each set of codes that some holds are limited to, the others must be able to pay what may lie outside it.
    """
    offers = [_offer(most, hold, tenders) for hold in holds]
    sets = {frozenset[str]()}
    for offer in offers:
        sets |= {codes | offer.codes for codes in sets}
    for codes in sets:
        outside_fen = min(
            total_fen - sum(least.get(code, 0) for code in codes),
            sum(fen for code, fen in most.items() if code not in codes),
        )
        if outside_fen > sum(offer.worth_fen for offer in offers if not offer.codes <= codes):
            return False
    return True


def payers(text: str) -> tuple[Payer, ...]:
    """Who pays, in order, as a person or a command names them: `ACCOUNT` or `ACCOUNT:ASSET`, joined by `+`.

    "ann:POINTS+ann+guest-7" are ann's points, then her money, then the guest's. Raises ValueError.
    """
    parts = text.split("+")
    found = [Payer(account, asset or CNY) for account, colon, asset in (part.partition(":") for part in parts)]
    if not all(payer.account for payer in found) or any(part.endswith(":") for part in parts):
        raise ValueError(f"expected ACCOUNT or ACCOUNT:ASSET, several joined by +, got {text!r}")
    if len(set(found)) != len(found) or len(found) > HOLDS_MAX:
        raise ValueError(f"expected each payer once, and at most {HOLDS_MAX}, got {text!r}")
    return tuple(found)


def owed_by(lines: Iterable[BillLine]) -> dict[str, int]:
    """The fen of a bill by line code."""
    owed: dict[str, int] = {}
    for line in lines:
        owed[line.code] = owed.get(line.code, 0) + line.amount_fen
    return owed


def tender_of(asset: str, tenders: Tenders) -> Tender | None:
    """None: this asset pays nothing here."""
    return MONEY if asset == CNY else next((one for one in tenders.tenders if one.asset == asset), None)


def worth_fen(units: int, tender: Tender) -> int:
    """The most that so many units pay; a part of a fen is nothing."""
    return units * tender.fen_num // tender.fen_den


def units_for(fen: int, tender: Tender) -> int:
    """The fewest units that are worth so much."""
    return -(-fen * tender.fen_den // tender.fen_num)


def all_worth_fen(holds: Iterable[Hold], tenders: Tenders) -> int:
    """What all these holds are worth, whatever lines they may pay."""
    found = ((hold, tender_of(hold.asset, tenders)) for hold in holds)
    return sum(worth_fen(hold.amount, tender) for hold, tender in found if tender is not None)


def disorder(tenders: Tenders) -> list[Fault]:
    """What the types do not hold against it; empty for a document that may be put in force."""
    assets = [one.asset for one in tenders.tenders]
    faults: list[Fault] = []
    if assets != sorted(set(assets)):
        faults.append(Fault("tenders", "each asset once, by name", ", ".join(assets)))
    for index, one in enumerate(tenders.tenders):
        where = f"tenders[{index}]"
        if one.asset == CNY:
            faults.append(Fault(f"{where}.asset", "anything but CNY, which pays every line", CNY))
        unknown = [code for code in one.lines if code not in LINES]
        if unknown or len(set(one.lines)) != len(one.lines):
            faults.append(Fault(f"{where}.lines", f"some of {', '.join(LINES)}, each once", ", ".join(one.lines)))
    return faults


@dataclass(frozen=True, slots=True)
class _Offer:
    """A hold, what it may pay of what is owed, and what it is worth."""

    hold: Hold
    tender: Tender
    codes: frozenset[str]
    worth_fen: int


@dataclass(frozen=True, slots=True)
class _Payment:
    codes: frozenset[str]
    fen: int


def _offer(owed: Mapping[str, int], hold: Hold, tenders: Tenders) -> _Offer:
    tender = tender_of(hold.asset, tenders)
    if tender is None:
        return _Offer(hold, MONEY, frozenset(), 0)
    codes = frozenset(owed) & frozenset(tender.lines) if tender.lines else frozenset(owed)
    return _Offer(hold, tender, codes, worth_fen(hold.amount, tender))


def _room(owed: Mapping[str, int], payments: Iterable[_Payment], codes: frozenset[str]) -> int:
    """The most that can still be paid by somebody who is limited to these codes.

    Nothing has been laid on a particular line yet; the payments only must fit: in every set of codes, what is paid by
    those limited to it may not be more than is owed there (Hall's condition).
    """
    sets = {codes}
    for payment in payments:
        sets |= {inside | payment.codes for inside in sets}
    return min(
        sum(owed[code] for code in inside) - sum(payment.fen for payment in payments if payment.codes <= inside)
        for inside in sets
    )


def _unpaid(owed: Mapping[str, int], payments: Sequence[_Payment], offers: Iterable[_Offer]) -> int:
    """What would be left if all these offers were taken as well, as far as they go."""
    made = list(payments)
    for offer in offers:
        made.append(_Payment(offer.codes, min(_room(owed, made, offer.codes), offer.worth_fen)))
    return sum(owed.values()) - sum(payment.fen for payment in made)
