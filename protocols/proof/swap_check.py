"""Does a swap, a rent or a return add up? Steps, packs, terms and what was captured, worked out again.

The same rules as the audit's of a whole log, as far as the records of one session reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from msgspec.structs import replace as with_

from protocols.proof.capture_check import adds_up, check_captures, check_clock, check_holds, check_order
from protocols.proof.lines import Fact, Line, either, open_, proven
from protocols.proof.measurement_check import check_measurement
from protocols.proof.pinned import Documents, read_pinned
from protocols.proof.receipt_story import SwapStory
from protocols.proof.receipt_view import pack
from protocols.trade import swap_terms
from protocols.trade.records import Effect
from protocols.trade.records_pack import DEPOSIT, SwapClosed
from protocols.trade.swap_bill import WHOLE, bill_of, energy_between, is_paid_until, priced_by_energy
from protocols.trade.swap_steps import FOLLOWS, Hands, after, at_opening, end_faults
from protocols.trade.swap_terms import RentOffer, SwapTerms, rent_named, swap_named
from protocols.trade.tender import owed_by


def check_swap(story: SwapStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a session at a cabinet whose records are. device_key: SubjectPublicKeyInfo of the box."""
    closed = story.closed
    assert closed is not None, "nothing else ends it"
    lines = [_steps(story, closed), *_packs(story, closed)]
    if closed.taken is None:
        free = not (story.moves or closed.lines or closed.amount_fen or closed.overrun_fen)
        lines.append(either(free, "not-charged"))
    else:
        lines += _charged(story, closed, documents)
    lines.append(check_clock(story, "swap-clock"))
    if closed.returned is not None or closed.taken is not None:
        lines.append(check_measurement(story, device_key))
    return lines


def _steps(story: SwapStory, closed: SwapClosed) -> Line:
    """Each step may follow the one before, and the end says of packs what the steps have said."""
    hands, in_order = _before(story, closed), True
    for step in story.steps:
        in_order = in_order and step.step in FOLLOWS[hands.step]
        hands = after(hands, step)
    faults = list(end_faults(story.opened.kind, hands, closed))
    return either(in_order and not faults, "steps", steps=len(story.steps))


def _before(story: SwapStory, closed: SwapClosed) -> Hands:
    """At the opening. What was put in during the session that this one goes on from, the end alone says."""
    hands = at_opening(story.opened)
    if not _came_before(story):
        return hands
    return with_(hands, returned=closed.returned, returned_slot=closed.returned_slot)


def _came_before(story: SwapStory) -> bool:
    """Whether what is returned was put in during another session."""
    put_in = any(step.step in ("accepted", "reopen-empty") for step in story.steps)
    return story.opened.resumes is not None and bool(story.opened.offer) and not put_in


def _packs(story: SwapStory, closed: SwapClosed) -> list[Line]:
    lines: list[Line] = []
    if closed.returned is not None:
        facts: dict[str, Fact] = {"pack": pack(closed.returned), "slot": _slot(closed.returned_slot)}
        before = story.opened.resumes if _came_before(story) else None
        lines.append(proven("put-in", **facts) if before is None else open_("put-in", **facts, session=before))
    if closed.taken is not None:
        lines.append(proven("taken-out", pack=pack(closed.taken), slot=_slot(closed.taken_slot)))
    return lines


def _slot(slot: int | None) -> Fact:
    return "?" if slot is None else slot


def _charged(story: SwapStory, closed: SwapClosed, documents: Documents) -> list[Line]:
    """A pack was taken: the terms that were pinned when the session began, the bill by them, and who paid it."""
    lines = [either(adds_up(closed), "sum", amount_fen=closed.amount_fen, lines=len(closed.lines)), check_holds(story)]
    terms, line = read_pinned(story, documents, swap_terms.KIND, SwapTerms, swap_terms.disorder, "swap-terms")
    lines.append(line)
    if terms is None:
        return lines
    lines.append(either(_costs(terms, story, closed), "offered-so", offer=story.opened.offer or "-"))
    rent = rent_named(terms, story.opened.offer) if story.opened.kind == "rent" else None
    if closed.until_s is not None or rent is not None:
        lines.append(_until(story, closed, rent))
    return [*lines, *_paid(story, closed, documents, terms)]


def _costs(terms: SwapTerms, story: SwapStory, closed: SwapClosed) -> bool:
    opened = story.opened
    by_energy = priced_by_energy(terms, opened.offer)
    energy_wh = energy_between(closed.returned, closed.taken) if by_energy else None
    bill = bill_of(terms, opened.kind, opened.offer, took=True, energy_wh=energy_wh)
    return (
        bill is not None
        and energy_wh == closed.energy_wh
        and (list(bill.lines), bill.amount_fen) == (closed.lines, closed.amount_fen)
        and (bill.exact.numerator, bill.exact.denominator) == (closed.exact_num, closed.exact_den)
    )


def _until(story: SwapStory, closed: SwapClosed, rent: RentOffer | None) -> Line:
    """To when the term is paid, by the closing record's own time."""
    return either(is_paid_until(closed.until_s, rent, story.ended), "paid-until", until_s=closed.until_s or 0)


def _paid(story: SwapStory, closed: SwapClosed, documents: Documents, terms: SwapTerms) -> list[Line]:
    """A plan's units and a deposit are taken whole, the rest as any bill is paid."""
    swap = swap_named(terms, story.opened.offer)
    whole = WHOLE | ({swap.asset} if swap is not None and swap.kind == "plan" else set())
    holds = tuple(hold for hold in story.holds if hold.asset not in whole)
    moves = tuple(move for move in story.moves if move.asset not in whole)
    money = replace(story, holds=holds, moves=moves)
    return [
        *_whole(story, whole),
        check_captures(money, closed, documents, holds),
        *check_order(money, owed_by(closed.lines), documents, holds),
    ]


def _whole(story: SwapStory, whole: frozenset[str]) -> Iterator[Line]:
    held, used = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for hold in story.holds:
        if hold.asset in whole:
            held[hold.account, hold.asset] += hold.amount
    for move in story.moves:
        if move.asset in whole:
            used[move.account, move.asset] += move.amount if move.effect == Effect.USED else -move.amount
    deposits = {key for key in held | used if key[1] == DEPOSIT}
    others = sorted(key for key in held | used if key[1] != DEPOSIT)
    if deposits:
        deposit_fen = sum(held[key] for key in deposits)
        yield either(all(used[key] == held[key] for key in deposits), "deposit", deposit_fen=deposit_fen)
    if others:
        units = ", ".join(f"{held[key]} {key[1]}" for key in others)
        yield either(all(used[key] == held[key] for key in others), "units", units=units)
