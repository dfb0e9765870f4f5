"""Does what was drawn make the bill? Sums, rates, holds and their order; the same of every session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from typing import TypeAlias

from protocols.proof.lines import Fact, Line, either, failed, open_, proven
from protocols.proof.pinned import Documents, payload_of, pin_of
from protocols.proof.receipt_story import AnyClosed, Story
from protocols.trade import tender
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.quantities import largest_remainder, round_half_up
from protocols.trade.records import CNY, ClockQuality, Effect, Hold
from protocols.trade.tender import MONEY_ALONE, Tenders

_Due: TypeAlias = tuple[Counter[tuple[str, str]], int]
"""What is taken by (account, asset), and the overrun in fen."""


_FEN_PER: dict[str, Fraction] = {
    "energy": Fraction(1, 1_000_000),  # e3 per kWh times Wh
    "service": Fraction(1, 1_000_000),
    "session": Fraction(1, 1_000),  # e3 each
    "swap": Fraction(1, 1_000),
    "rent": Fraction(1, 1_000),
    "late": Fraction(1, 1_000),
    "idle": Fraction(1, 60_000),  # e3 per minute times seconds
    "time": Fraction(1, 3_600_000),  # e3 per hour times seconds
}


def adds_up(closed: AnyClosed) -> bool:
    """Quantities times prices, exact, rounded once; the fen of the lines are its parts by largest remainder."""
    if any(line.code not in _FEN_PER for line in closed.lines):
        return False
    exact = [line.quantity * line.price_e3 * _FEN_PER[line.code] for line in closed.lines]
    total = sum(exact, Fraction(0))
    parts = largest_remainder(round_half_up(total), exact) if total else [0] * len(exact)
    return (
        (closed.exact_num, closed.exact_den) == (total.numerator, total.denominator)
        and round_half_up(total) == closed.amount_fen
        and [line.amount_fen for line in closed.lines] == parts
    )


def check_clock(story: Story, unsure: str) -> Line:
    """unsure: what is said in place of `clock` where it was not known to be right."""
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    instants = {"began_ms": story.began.wall_ms, "ended_ms": story.ended.wall_ms}
    return proven("clock", **instants) if sure else open_(unsure, **instants)


def check_captures(story: Story, closed: AnyClosed, documents: Documents, drawing: Sequence[Hold]) -> Line:
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
