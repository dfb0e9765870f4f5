"""Can this record of a cabinet follow those before it? The part of `audit` for packs, apart from the till's fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from protocols.trade import swap_steps, swap_terms, tender
from protocols.trade.audit_bill import Fault, Pinned
from protocols.trade.audit_meter import check_measurement
from protocols.trade.audit_trail import Auditor, EndedSwap, RunningSwap
from protocols.trade.records import Effect, Hold, Move, Record, Stamp
from protocols.trade.records_pack import ShopDayClosed, SwapClosed, SwapOpened, SwapStepped
from protocols.trade.swap_bill import (
    bill_of,
    energy_between,
    is_paid_until,
    paid_until_s,
    priced_by_energy,
    units_of,
)
from protocols.trade.swap_steps import FOLLOWS, at_opening, end_faults
from protocols.trade.swap_terms import SwapTerms, rent_named
from protocols.trade.tender import MONEY_ALONE, Tenders

SUMS = ("swapped", "taken", "returned", "cancelled", "kept")


def swap_faults(
    running: RunningSwap, ended: Stamp, moves: Sequence[Move], closed: SwapClosed, pinned: Pinned
) -> Iterator[Fault]:
    """Everything of an end that does not add up: what went in and out, the bill, to when it is paid, the captures."""
    opened, hands, took = running.opened, running.hands, closed.taken is not None
    yield from (("session", *fault) for fault in end_faults(opened.kind, hands, closed))
    terms = pinned.read(opened.pins, swap_terms.KIND, SwapTerms)
    if terms is None:
        yield "document", "the terms that the session pins", "their content", "nothing that hashes to it"
        return
    by_energy = took and priced_by_energy(terms, opened.offer)
    energy_wh = energy_between(hands.returned, hands.offered) if by_energy else None
    if energy_wh != closed.energy_wh:
        yield "energy", "Wh by which the taken pack is fuller", energy_wh, closed.energy_wh
    bill = bill_of(terms, opened.kind, opened.offer, took=took, energy_wh=energy_wh)
    if bill is None:
        yield "document", "the offer that the session names", f"one of terms {terms.version}", opened.offer
        return
    said = (closed.lines, closed.amount_fen, closed.exact_num, closed.exact_den)
    meant = (list(bill.lines), bill.amount_fen, bill.exact.numerator, bill.exact.denominator)
    if said != meant:
        yield "bill", f"the bill, by terms version {terms.version}", meant, said
    rent = rent_named(terms, opened.offer) if took and opened.kind == "rent" else None
    if not is_paid_until(closed.until_s, rent, ended):
        meant_s = None if rent is None else paid_until_s(ended, rent)
        yield "bill", "Unix time to which the rent is paid", meant_s, closed.until_s
    tenders = pinned.read(opened.pins, tender.KIND, Tenders) or MONEY_ALONE
    units, overrun_fen = units_of(terms, opened.offer, running.holds, bill, tenders, took=took)
    yield from _capture_faults(running.holds, moves, units)
    if overrun_fen != closed.overrun_fen:
        yield "capture", "given beyond the holds, in fen", overrun_fen, closed.overrun_fen


def _capture_faults(holds: Sequence[Hold], moves: Sequence[Move], units: Sequence[int]) -> Iterator[Fault]:
    moved, held, meant = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for move in moves:
        if move.effect == Effect.USED:
            moved[move.account, move.asset] += move.amount
    for hold, captured in zip(holds, units, strict=True):
        held[hold.account, hold.asset] += hold.amount
        meant[hold.account, hold.asset] += captured
    for key in sorted(moved.keys() | meant.keys()):
        if moved[key] > held[key]:
            yield "capture", f"captured from {key[0]} in {key[1]}", f"at most {held[key]}, as was held", moved[key]
        elif moved[key] != meant[key]:
            yield "capture", f"captured from {key[0]} in {key[1]}", meant[key], moved[key]


def _opened(audit: Auditor, record: Record, body: SwapOpened) -> None:
    trail = audit.trail
    audit.tally.sessions += 1
    for seq, running in trail.swaps.sessions.items():
        if running.opened.cabinet == body.cabinet:
            audit.find("session", f"cabinet {body.cabinet}", "no session", f"session {seq} is open there")
    audit.begun(record, body.origin, body.clock_lb_ms, body.clock_ub_ms)
    audit.hold(body.holds)
    running = RunningSwap(body, list(body.holds), record.stamp, [trail.size], at_opening(body))
    before = trail.swaps.ended.get(body.account)
    if body.resumes is not None:
        if before is None or before.session != body.resumes:
            audit.find("session", "the session that it goes on from", f"the last one of {body.account}", body.resumes)
        elif body.offer:
            running.hands = replace(running.hands, returned=before.returned, returned_slot=before.returned_slot)
        elif before.taken != (None if body.pack is None else body.pack.code):
            audit.find("session", "a pack to be taken for nothing", f"{before.taken}, as was paid", body.pack)
    elif not body.offer and body.kind != "return":
        audit.find("bill", "the offer of a session that begins anew", "a name", "none")
    trail.swaps.sessions[trail.size] = running


def _stepped(audit: Auditor, record: Record, body: SwapStepped) -> None:
    running = audit.trail.swaps.sessions.get(body.session)
    if running is None:
        audit.find("session", "the session it is about", "an open one", body.session)
        return
    running.records.append(audit.trail.size)
    if body.step not in FOLLOWS[running.hands.step]:
        after, meant = running.hands.step, sorted(FOLLOWS[running.hands.step])
        audit.find("session", f"the step after {after}", meant, body.step)
    running.hands = swap_steps.after(running.hands, body)


def _closed(audit: Auditor, record: Record, body: SwapClosed) -> None:
    day, sums = audit.trail.day, audit.trail.swaps.sums
    day.sessions += 1
    day.amount_fen += body.amount_fen
    day.overrun_fen += body.overrun_fen
    sums[SUMS.index(body.outcome)] += 1
    sums[-1] += body.amount_fen
    running = audit.ended(body.session)
    check_measurement(audit, record, body, running)
    if not isinstance(running, RunningSwap):
        return
    for fault in swap_faults(running, record.stamp, record.moves, body, audit.pinned):
        audit.find(*fault)
    audit.tally.bills += 1
    opened, taken = running.opened, None if body.taken is None else body.taken.code
    free = opened.resumes is not None and not opened.offer and opened.kind != "return"
    if not (free and taken is None):  # a door opened once more in vain: what was paid for is still to be taken
        ended = EndedSwap(body.session, body.returned, body.returned_slot, taken)
        audit.trail.swaps.ended[opened.account] = ended
    audit.within_rights((move.account, move.asset) for move in record.moves)


def _day(audit: Auditor, record: Record, body: ShopDayClosed) -> None:
    meant = [audit.trail.day.number, *audit.trail.swaps.sums]
    said = [body.day, body.swapped, body.taken, body.returned, body.cancelled, body.kept, body.amount_fen]
    if meant != said:
        audit.find("day", f"swap sessions of day {audit.trail.day.number}", meant, said)
    audit.trail.swaps.sums = [0] * len(audit.trail.swaps.sums)


CHECKS: Mapping[type | None, Callable[[Auditor, Record, Any], None]] = {
    SwapOpened: _opened,
    SwapStepped: _stepped,
    SwapClosed: _closed,
    ShopDayClosed: _day,
}
