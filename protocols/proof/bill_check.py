"""Does the bill add up? Every sum on it worked out again, from readings and prices to what was captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256
from typing import TypeAlias

from protocols.proof import keys, ocmf
from protocols.proof.errors import Unproven
from protocols.proof.lines import Fact, Line, either, failed, open_, proven
from protocols.proof.ocmf_session import Session, disagreements
from protocols.proof.receipt_story import Story
from protocols.trade import tariff_file, tender
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import TARIFF
from protocols.trade.price import Delivered, bill
from protocols.trade.quantities import largest_remainder, round_half_up
from protocols.trade.records import CNY, ClockQuality, Effect, Pin, SessionClosed
from protocols.trade.tariff import Tariff

_FEN_PER: dict[str, Fraction] = {
    "energy": Fraction(1, 1_000_000),  # e3 per kWh times Wh
    "service": Fraction(1, 1_000_000),
    "session": Fraction(1, 1_000),  # e3 each
    "idle": Fraction(1, 60_000),  # e3 per minute times seconds
}


Documents: TypeAlias = Sequence[tuple[str, bytes]]
"""(kind, payload), as handed out beside the records."""


def check_bill(story: Story, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a session whose records are. device_key: SubjectPublicKeyInfo of the box."""
    if story.closed is None:
        return [either(not story.moves, "voided"), _clock(story)]
    closed = story.closed
    return [
        _readings(story, closed),
        _sum(closed),
        _captures(story, closed, documents),
        _holds(story),
        *_tariff(story, closed, documents),
        _clock(story),
        _meter_record(story, closed, device_key),
    ]


def _readings(story: Story, closed: SessionClosed) -> Line:
    """Energy is the register at the end less that at the begin, on one meter, and every part of it has its time."""
    begin, end = story.opened.begin, closed.end
    gained_wh = end.energy_wh - begin.energy_wh
    in_slices_wh = sum(piece.energy_wh for piece in closed.slices)
    holds = begin.meter == end.meter and gained_wh == closed.energy_wh == in_slices_wh
    return either(
        holds, "readings", meter=begin.meter, begin_wh=begin.energy_wh, end_wh=end.energy_wh, energy_wh=closed.energy_wh
    )


def _sum(closed: SessionClosed) -> Line:
    """Quantities times prices, exact, rounded once; the fen of the lines are its parts by largest remainder."""
    if any(line.code not in _FEN_PER for line in closed.lines):
        return failed("sum", amount_fen=closed.amount_fen)
    exact = [line.quantity * line.price_e3 * _FEN_PER[line.code] for line in closed.lines]
    total = sum(exact, Fraction(0))
    amount_fen = round_half_up(total)
    parts = largest_remainder(amount_fen, exact) if total else [0] * len(exact)
    quantities = Counter[str]()
    for line in closed.lines:
        quantities[line.code] += line.quantity
    holds = (
        (closed.exact_num, closed.exact_den) == (total.numerator, total.denominator)
        and amount_fen == closed.amount_fen
        and parts == [line.amount_fen for line in closed.lines]
        and quantities["energy"] == closed.energy_wh
        and quantities["idle"] in (0, closed.idle_s)  # blocking the place may cost nothing
    )
    return either(holds, "sum", amount_fen=closed.amount_fen, lines=len(closed.lines))


def _captures(story: Story, closed: SessionClosed, documents: Documents) -> Line:
    """What was drawn and what was delivered beyond the hold are the bill, no more and no less."""
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
    payload = _payload(documents, tender.KIND)
    if payload is None and rest_fen >= 0:
        return open_("captures", **facts)
    due = None if payload is None else _due(story, closed, payload)
    return either(due == (+used, over_fen), "tendered", **facts)


def _due(story: Story, closed: SessionClosed, payload: bytes) -> tuple[Counter[tuple[str, str]], int] | None:
    """What each account owes of each asset, and the overrun, by the pinned tenders; None when these are not they."""
    pin = _pin(story, tender.KIND)
    if pin is None or sha256(payload).digest() != pin.hash:
        return None
    try:
        tenders = decode(payload, tender.Tenders)
    except NotCanonical:
        return None
    known = all(tender.tender_of(hold.asset, tenders) is not None for hold in story.holds)
    if tender.disorder(tenders) or not known or len(story.holds) > tender.HOLDS_MAX:
        return None
    drawn = tender.draw(tender.owed_by(closed.lines), story.holds, tenders)
    due = Counter[tuple[str, str]]()
    for hold, capture in zip(story.holds, drawn.captures, strict=True):
        due[hold.account, hold.asset] += capture.units
    return +due, drawn.overrun_fen


def _holds(story: Story) -> Line:
    """No account paid more of an asset than it had set aside."""
    held, used = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for hold in story.holds:
        held[hold.account, hold.asset] += hold.amount
    for move in story.moves:
        if move.effect == Effect.USED:
            used[move.account, move.asset] += move.amount
    held_fen = sum(amount for (_, asset), amount in held.items() if asset == CNY)
    return either(all(used[key] <= held[key] for key in used), "holds", held_fen=held_fen)


def _tariff(story: Story, closed: SessionClosed, documents: Documents) -> list[Line]:
    """The prices are those that were pinned when the session began, and the whole bill follows from them."""
    pin, payload = _pin(story, TARIFF), _payload(documents, TARIFF)
    if pin is None:
        return [failed("tariff")]
    if payload is None:
        return [open_("tariff", version=pin.version)]
    tariff = _read_tariff(payload) if sha256(payload).digest() == pin.hash else None
    if tariff is None:
        return [failed("tariff", version=pin.version)]
    return [proven("tariff", id=tariff.id, version=pin.version), either(_costs(tariff, closed), "priced")]


def _read_tariff(payload: bytes) -> Tariff | None:
    try:
        tariff = decode(payload, Tariff)
    except NotCanonical:
        return None
    return None if tariff_file.disorder(tariff) else tariff


def _costs(tariff: Tariff, closed: SessionClosed) -> bool:
    try:
        again = bill(tariff, Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms))
    except ValueError:  # slices or bounds that no session can have
        return False
    return list(again.lines) == closed.lines and again.amount_fen == closed.amount_fen


def _meter_record(story: Story, closed: SessionClosed, device_key: bytes) -> Line:
    """What the box signed for the eyes of meter tools says the same as the log; a doubtful reading says so itself."""
    if closed.meter_record is None:
        return open_("meter-record")
    try:
        record = ocmf.verify(closed.meter_record, keys.device_public_from_spki(device_key))
    except Unproven:
        return failed("meter-record")
    session = Session(story.site, story.epoch, story.seq, story.began, story.opened, closed, story.ended)
    if disagreements(record, session, record.page):
        return failed("meter-record")
    status = str(record.readings[-1].get("ST"))
    return proven("meter-record", page=record.page) if status == "G" else open_("meter-doubt", status=status)


def _pin(story: Story, kind: str) -> Pin | None:
    return next((pin for pin in story.opened.pins if pin.kind == kind), None)


def _payload(documents: Documents, kind: str) -> bytes | None:
    return next((payload for its, payload in documents if its == kind), None)


def _clock(story: Story) -> Line:
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    return (proven if sure else open_)("clock", began_ms=story.began.wall_ms, ended_ms=story.ended.wall_ms)
