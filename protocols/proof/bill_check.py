"""Does the bill add up? Every sum on it worked out again, from readings and prices to what was captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256

from protocols.proof.lines import Line, either, failed, open_, proven
from protocols.proof.receipt_story import Story
from protocols.trade import tariff_file
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.documents import TARIFF
from protocols.trade.price import Delivered, bill
from protocols.trade.quantities import largest_remainder, round_half_up
from protocols.trade.records import CNY, ClockQuality, Effect, SessionClosed
from protocols.trade.tariff import Tariff

_FEN_PER: dict[str, Fraction] = {
    "energy": Fraction(1, 1_000_000),  # e3 per kWh times Wh
    "service": Fraction(1, 1_000_000),
    "session": Fraction(1, 1_000),  # e3 each
    "idle": Fraction(1, 60_000),  # e3 per minute times seconds
}


def check_bill(story: Story, documents: Sequence[tuple[str, bytes]]) -> list[Line]:
    """What is proven of a session whose records are. documents: (kind, payload) as handed out beside them."""
    if story.closed is None:
        return [either(not story.moves, "voided"), _clock(story)]
    closed = story.closed
    return [
        _readings(story, closed),
        _sum(closed),
        _captures(story, closed),
        _holds(story),
        *_tariff(story, closed, documents),
        _clock(story),
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


def _captures(story: Story, closed: SessionClosed) -> Line:
    """What was drawn and what was delivered beyond the hold are the bill, no more and no less."""
    drawn_fen, over_fen, others = 0, 0, Counter[str]()
    for move in story.moves:
        if move.effect == Effect.USED and move.asset == CNY:
            drawn_fen += move.amount
        elif move.effect == Effect.OVERRUN and move.asset == CNY:
            over_fen += move.amount
        elif move.effect == Effect.USED:
            others[move.asset] += move.amount
        else:
            return failed("captures", drawn_fen=drawn_fen)
    if over_fen != closed.overrun_fen:
        return failed("captures", drawn_fen=drawn_fen)
    rest_fen = closed.amount_fen - over_fen - drawn_fen
    if others and rest_fen >= 0:
        told = ", ".join(f"{amount} {asset}" for asset, amount in sorted(others.items()))
        return open_("captures", drawn_fen=drawn_fen, rest_fen=rest_fen, others=told)
    return either(rest_fen == 0, "captures", drawn_fen=drawn_fen, overrun_fen=over_fen)


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


def _tariff(story: Story, closed: SessionClosed, documents: Sequence[tuple[str, bytes]]) -> list[Line]:
    """The prices are those that were pinned when the session began, and the whole bill follows from them."""
    pin = next((pin for pin in story.opened.pins if pin.kind == TARIFF), None)
    if pin is None:
        return [failed("tariff")]
    payload = next((payload for kind, payload in documents if kind == TARIFF), None)
    if payload is None:
        return [open_("tariff", version=pin.version)]
    if sha256(payload).digest() != pin.hash:
        return [failed("tariff", version=pin.version)]
    try:
        tariff = decode(payload, Tariff)
        if tariff_file.disorder(tariff):
            return [failed("tariff", version=pin.version)]
        again = bill(tariff, Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms))
    except (NotCanonical, ValueError, OverflowError):
        return [failed("tariff", version=pin.version)]
    same = list(again.lines) == closed.lines and again.amount_fen == closed.amount_fen
    return [proven("tariff", id=tariff.id, version=pin.version), either(same, "priced")]


def _clock(story: Story) -> Line:
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    return (proven if sure else open_)("clock", began_ms=story.began.wall_ms, ended_ms=story.ended.wall_ms)
