"""What does a record say of packs? Each saying is a fact: which pack, what became of it, where, whose, and when.

Facts are what headquarters keeps of records to fold custody from (`custody`); a record gives the same facts for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from protocols.trade.books import DEPOSITS
from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, Effect, Pin, Record, Stamp
from protocols.trade.records_fleet import PackMarked
from protocols.trade.records_pack import PackNoted, PackSeen, PacksScanned, SwapClosed, SwapOpened
from protocols.trade.swap_terms import KIND, SwapTerms, rent_named

CODE_MAX = 64
"""Longest code: what a pack says of itself may be anything, and some letters become two in upper case."""


class What(StrEnum):
    """What became of a pack."""

    PUT_IN = "put-in"  # by a rider, into a slot
    TAKEN = "taken"  # by a rider, out of a slot
    STANDS = "stands"  # it is in this slot, whoever put it there
    GONE = "gone"  # it stood in this slot, and nobody knows where it is
    STAFF = "staff"  # staff of the site has it
    LOST = "lost"
    HOT = "hot"
    CLEAR = "clear"
    INSPECTED = "inspected"
    NUMBERED = "numbered"
    EXTENDED = "extended"


class Deposit(Wire, frozen=True):
    """What was used of the account's deposits for one rented pack."""

    account: str
    asset: str
    amount: Amount


class Rent(Wire, frozen=True):
    """The terms of one rental as its session pinned them. until_s: Unix time to which it is paid; None: not told."""

    offer: str
    until_s: Amount | None
    grace_s: Amount
    late_e3: Amount
    deposits: list[Deposit]


class Fact(Wire, frozen=True):
    """One saying. Where it stands: site ("" for headquarters), epoch, seq and position in the record.

    at_ms: Unix time as estimated, not before lb_ms and not after ub_ms (None: nothing bounds it). cabinet, slot: "" and
    0 for none; of headquarters' word that staff has it, cabinet is the site. account: the rider; empty: nobody.
    session: its opening record, of a pack that was left behind the one in which it was paid; None: none. begun_lb_ms:
    that session began not before. scan: seen by a scan of the whole cabinet. late_fen: billed for being late. value: of
    `inspected`, `numbered` and `extended`. detail: for people.
    """

    code: str
    what: What
    site: str
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    seq: Amount
    position: Amount
    at_ms: int
    lb_ms: int
    ub_ms: int | None
    cabinet: str
    slot: int
    account: str
    session: Amount | None
    begun_lb_ms: int
    pack: PackSeen | None
    scan: bool
    rent: Rent | None
    late_fen: Amount
    value: Amount
    detail: str

    @property
    def record_key(self) -> tuple[int, int]:
        """Where its record stands among those of its site."""
        return self.epoch, self.seq

    @property
    def record(self) -> str:
        """The record's name for people."""
        return f"{self.site or 'headquarters'}/{self.epoch}/{self.seq}"


OpenedBy = Callable[[int], SwapOpened | None]
"""The opening record of a session of the same log."""
TermsOf = Callable[[Pin], SwapTerms | None]
"""The terms that a session of the same site pinned."""


def facts_of(
    site: str, epoch: int, seq: int, record: Record, body: Wire | None, opened: OpenedBy, terms: TermsOf
) -> list[Fact]:
    """What this record says of packs, in order; nothing for most. body: as `records.body_of` gives it."""
    made = _Maker(site, epoch, seq, record.stamp)
    match body:
        case SwapClosed():
            begun = opened(body.session)
            return [] if begun is None else list(_of_session(made, record, begun, body, opened, terms))
        case PackNoted():
            return list(_of_note(made, body, opened))
        case PacksScanned():
            seen = ((one.slot, one.pack) for one in body.slots if one.state == "pack" and one.pack is not None)
            return [
                made.fact(What.STANDS, pack.code, cabinet=body.cabinet, slot=slot, pack=pack, scan=True)
                for slot, pack in seen
                if pack.code
            ]
        case PackMarked() if not site:
            return list(_of_word(made, body))
    return []


def _of_session(
    made: _Maker, record: Record, begun: SwapOpened, closed: SwapClosed, opened: OpenedBy, terms: TermsOf
) -> Iterator[Fact]:
    session = _paid_in(begun, closed.session, opened)
    who = {"account": begun.account, "session": session, "begun_lb_ms": begun.clock_lb_ms}
    if closed.returned is not None and closed.returned.code:
        slot, late_fen = closed.returned_slot or 0, sum(it.amount_fen for it in closed.lines if it.code == "late")
        at = {"cabinet": begun.cabinet, "slot": slot, "pack": closed.returned, "late_fen": late_fen}
        yield made.fact(What.PUT_IN, closed.returned.code, **at, **who)
    if closed.taken is not None and closed.taken.code:
        rent = _rent(record, begun, closed, terms) if begun.kind == "rent" and begun.offer else None
        at = {"cabinet": begun.cabinet, "slot": closed.taken_slot or 0, "pack": closed.taken, "rent": rent}
        yield made.fact(What.TAKEN, closed.taken.code, **at, **who)


def _paid_in(begun: SwapOpened, session: int, opened: OpenedBy) -> int:
    """The session in which the pack was paid for: an earlier one, where this one opened its door once more."""
    before: SwapOpened | None = begun
    while before is not None and before.kind != "return" and before.resumes is not None and not before.offer:
        session, before = before.resumes, (opened(before.resumes) if before.resumes < session else None)
    return session


def _rent(record: Record, begun: SwapOpened, closed: SwapClosed, terms: TermsOf) -> Rent:
    pinned = next((pin for pin in begun.pins if pin.kind == KIND), None)
    document = None if pinned is None else terms(pinned)
    offer = None if document is None else rent_named(document, begun.offer)
    deposits = [
        Deposit(move.account, move.asset, move.amount)
        for move in record.moves
        if move.effect == Effect.USED and move.asset in DEPOSITS and move.amount
    ]
    grace_s, late_e3 = (0, 0) if offer is None else (offer.grace_s, offer.late_e3)
    return Rent(begun.offer, closed.until_s, grace_s, late_e3, deposits)


def _of_note(made: _Maker, note: PackNoted, opened: OpenedBy) -> Iterator[Fact]:
    """`stray` says nothing of where a pack is, and a foreign one is nobody's business. What went out of sight in a
    session is asked of its rider.
    """
    at = {"cabinet": note.cabinet, "slot": note.slot, "session": note.session, "detail": note.detail or note.what}
    gone = note.before if note.before != note.code else ""
    match note.what:
        case "appeared" | "changed" | "quarantined" | "put-in" | "found":
            if gone:
                yield made.fact(What.GONE, gone, **at)
            if note.code:
                yield made.fact(What.STANDS, note.code, **at)
        case "vanished" if note.before or note.code:
            begun = None if note.session is None else opened(note.session)
            account = "" if begun is None else begun.account
            yield made.fact(What.GONE, note.before or note.code, **at, account=account)
        case "taken-out" if note.before or note.code:
            yield made.fact(What.STAFF, note.before or note.code, **at)
        case "lost" if note.code:
            yield made.fact(What.GONE, note.code, **at)  # that a deposit is kept is headquarters' word alone
        case "inspected" if note.code:
            yield made.fact(What.INSPECTED, note.code, **at)


def _of_word(made: _Maker, word: PackMarked) -> Iterator[Fact]:
    if word.what == "found":
        yield made.fact(What.STAFF, word.code, detail=word.why, cabinet=word.site)
        yield made.fact(What.CLEAR, word.code, detail=word.why)
    else:
        yield made.fact(What(word.what), word.code, value=word.value, detail=word.why)


class _Maker:
    """Facts of one record, counted."""

    def __init__(self, site: str, epoch: int, seq: int, stamp: Stamp) -> None:
        self._count = 0
        self._blank = Fact(
            code="",
            what=What.GONE,
            site=site,
            epoch=epoch,
            seq=seq,
            position=0,
            at_ms=stamp.wall_ms,
            lb_ms=stamp.lb_ms,
            ub_ms=stamp.ub_ms,
            cabinet="",
            slot=0,
            account="",
            session=None,
            begun_lb_ms=stamp.lb_ms,
            pack=None,
            scan=False,
            rent=None,
            late_fen=0,
            value=0,
            detail="",
        )

    def fact(self, what: What, code: str, **more: Any) -> Fact:
        """more: fields that are not blank."""
        position = self._count
        self._count += 1
        return msgspec.structs.replace(self._blank, what=what, code=code.upper()[:CODE_MAX], position=position, **more)
