"""Does what was drawn make the bill? Sums, rates, holds and their order; the same of a charge and of a filling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TypeAlias

from protocols.proof.lines import Fact, Line, either, failed, open_, proven
from protocols.proof.receipt_story import Story
from protocols.trade import tender
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.records import CNY, Effect, Hold, Pin, SessionClosed
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.tender import MONEY_ALONE, Tenders

Documents: TypeAlias = Sequence[tuple[str, bytes]]
"""(kind, payload), as handed out beside the records."""

_Due: TypeAlias = tuple[Counter[tuple[str, str]], int]
"""What is taken by (account, asset), and the overrun in fen."""


def check_captures(
    story: Story, closed: SessionClosed | FillingClosed, documents: Documents, drawing: Sequence[Hold]
) -> Line:
    """What was drawn and what was delivered beyond the hold are the bill, no more and no less.

    drawing: the holds as they are drawn on.
    """
    used = Counter[tuple[str, str]]()
    over_fen = 0
    for move in story.moves:
        if move.effect == Effect.USED:
            used[move.account, move.asset] += move.amount
        elif move.effect == Effect.OVERRUN and move.asset == CNY:
            over_fen += move.amount
        else:
            return failed("captures")
    drawn_fen = sum(amount for (_, asset), amount in used.items() if asset == CNY)
    rest_fen = closed.amount_fen - over_fen - drawn_fen
    if over_fen != closed.overrun_fen:
        return failed("captures")
    if all(asset == CNY for _, asset in used):
        if rest_fen == 0 and over_fen:
            return proven("overrun", drawn_fen=drawn_fen, overrun_fen=over_fen)
        return either(rest_fen == 0, "captures", drawn_fen=drawn_fen)
    others = ", ".join(f"{amount} {asset}" for (_, asset), amount in sorted(used.items()) if asset != CNY)
    facts: dict[str, Fact] = {"drawn_fen": drawn_fen, "rest_fen": rest_fen, "others": others}
    payload = payload_of(documents, tender.KIND)
    if payload is None and rest_fen >= 0:
        return open_("captures", **facts)
    tenders = None if payload is None else _pinned_tenders(story, payload)
    due = None if tenders is None else _due(tender.owed_by(closed.lines), drawing, tenders)
    return either(due == (+used, over_fen), "tendered", **facts)


def check_order(story: Story, owed: Mapping[str, int], documents: Documents, drawing: Sequence[Hold]) -> list[Line]:
    """Each hold paid what those before it had left, a guarantor's what all had left. Of one hold nothing is said.

    owed: fen by line code.
    """
    if len(drawing) < 2:
        return []
    tenders: Tenders | None = MONEY_ALONE
    if any(hold.asset != CNY for hold in drawing):
        payload = payload_of(documents, tender.KIND)
        if payload is None:
            return [open_("order")]
        tenders = _pinned_tenders(story, payload)
    used, over_fen = Counter[tuple[str, str]](), 0
    for move in story.moves:
        if move.effect == Effect.USED:
            used[move.account, move.asset] += move.amount
        else:
            over_fen += move.amount
    due = None if tenders is None else _due(owed, drawing, tenders)
    return [either(due == (+used, over_fen), "order")]


def check_holds(story: Story) -> Line:
    """No account paid more of an asset than it had set aside."""
    held, used = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for hold in story.holds:
        held[hold.account, hold.asset] += hold.amount
    for move in story.moves:
        if move.effect == Effect.USED:
            used[move.account, move.asset] += move.amount
    held_fen = sum(amount for (_, asset), amount in held.items() if asset == CNY)
    return either(all(used[key] <= held[key] for key in used), "holds", held_fen=held_fen)


def pin_of(story: Story, kind: str) -> Pin | None:
    """The document of that kind that was in force when the session began."""
    return next((pin for pin in story.opened.pins if pin.kind == kind), None)


def payload_of(documents: Documents, kind: str) -> bytes | None:
    """The first of that kind among those handed out."""
    return next((payload for its, payload in documents if its == kind), None)


def _pinned_tenders(story: Story, payload: bytes) -> Tenders | None:
    """None where these are not the pinned ones, or may not be in force."""
    pin = pin_of(story, tender.KIND)
    if pin is None or sha256(payload).digest() != pin.hash:
        return None
    try:
        tenders = decode(payload, Tenders)
    except NotCanonical:
        return None
    return None if tender.disorder(tenders) else tenders


def _due(owed: Mapping[str, int], drawing: Sequence[Hold], tenders: Tenders) -> _Due | None:
    """What each account owes of each asset, and the overrun; None where these holds cannot be of one session."""
    known = all(tender.tender_of(hold.asset, tenders) is not None for hold in drawing)
    if not known or len(drawing) > tender.HOLDS_MAX:
        return None
    drawn = tender.draw(owed, drawing, tenders)
    due = Counter[tuple[str, str]]()
    for hold, capture in zip(drawing, drawn.captures, strict=True):
        due[hold.account, hold.asset] += capture.units
    return +due, drawn.overrun_fen
