"""The records that end a swap session: the bill, captures, what goes back. Nothing is charged without a take."""

from __future__ import annotations

from edge.till import purse
from edge.till.settle import OPERATOR, fold_drafts
from edge.till.state import TillState, lease_key
from edge.till.state_shop import OpenSwap
from edge.till.swap.next import End
from protocols.trade.records import CNY, Draft, Effect, Move, Stamp
from protocols.trade.records_pack import SwapClosed, SwapOutcome
from protocols.trade.swap_bill import bill_of, energy_between, paid_until_s, priced_by_energy, units_of
from protocols.trade.swap_terms import FREE, SwapTerms, rent_named
from protocols.trade.tender import MONEY_ALONE, Tenders


def settle(
    state: TillState,
    swap: OpenSwap,
    end: End,
    now: Stamp,
    terms: SwapTerms,
    tenders: Tenders = MONEY_ALONE,
) -> tuple[Draft, ...]:
    """The closing record, what goes with it, and value returned. terms, tenders: as the session pins them."""
    opened = swap.opened
    energy_wh = energy_between(swap.returned, swap.offered) if priced_by_energy(terms, opened.offer) else None
    bill = bill_of(terms, opened.kind, opened.offer, took=end.taken, energy_wh=energy_wh if end.taken else None) or FREE
    captured, overrun_fen = units_of(terms, opened.offer, swap.holds, bill, tenders, took=end.taken)
    moves = _moves(state, swap, captured)
    if overrun_fen:
        moves.append(Move(Effect.OVERRUN, OPERATOR, CNY, "", overrun_fen, state.overrun_fen + overrun_fen))
    given_back = end.outcome == "cancelled"
    rent = rent_named(terms, opened.offer) if opened.kind == "rent" and end.taken else None
    closed = SwapClosed(
        session=swap.seq,
        outcome=_outcome(swap, end),
        fault=end.fault,
        returned=None if given_back else swap.returned,
        returned_slot=None if given_back else swap.returned_slot,
        taken=swap.offered if end.taken else None,
        taken_slot=swap.offered_slot if end.taken else None,
        until_s=None if rent is None else paid_until_s(now, rent),
        energy_wh=energy_wh if end.taken else None,
        lines=list(bill.lines),
        amount_fen=bill.amount_fen,
        exact_num=bill.exact.numerator,
        exact_den=bill.exact.denominator,
        overrun_fen=overrun_fen,
        meter_record=None,
    )
    drafts = [Draft(closed, tuple(moves)), *end.notes]
    after = fold_drafts(state, drafts, now)
    return (*drafts, *purse.returns(after, [lease_key(hold.account, hold.asset) for hold in swap.holds]))


def _outcome(swap: OpenSwap, end: End) -> SwapOutcome:
    return "taken" if end.taken and swap.opened.kind == "rent" else end.outcome


def _moves(state: TillState, swap: OpenSwap, captured: list[int]) -> list[Move]:
    moves: list[Move] = []
    used: dict[str, int] = {}
    for hold, units in zip(swap.holds, captured, strict=True):
        if units:
            key = lease_key(hold.account, hold.asset)
            used[key] = used.get(key, state.leases[key].used) + units
            moves.append(Move(Effect.USED, hold.account, hold.asset, "", units, used[key]))
    return moves
