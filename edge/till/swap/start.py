"""Whether a swap, a rent or a return may start, and the record that does it. No door moves here."""

from __future__ import annotations

from dataclasses import dataclass

from edge.till.ask import Opening, Refusal, Refused, Source
from edge.till.hours import open_now
from edge.till.start import may_not_start, opening_bounds
from edge.till.state import TillState
from edge.till.state_shop import bound_to
from edge.till.swap.ask import SwapAsk
from edge.till.swap.choose import Papers, Wanted, doors_open, doors_unheard, empty_slots, full_slots, packs_unheard
from edge.till.swap.packs import owed_by
from edge.till.swap.pay import Paid, pay_rent, pay_swap, rent_of, rider_of, rights_of, unknown_rider
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.rescan import Again, again, since_ms
from edge.till.swap.slots import View
from protocols.trade.hotlist import HotList
from protocols.trade.pack_list import is_hot
from protocols.trade.records import Draft, Notice
from protocols.trade.records_pack import PackSeen, SwapOpened
from protocols.trade.swap_terms import SwapOffer
from protocols.trade.tender import MONEY_ALONE, Tenders

RETURN_NEEDS = 2
"""Empty slots that a return needs, so that one is left for whoever swaps next (facts: cabinets 5.1)."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The session as it would be opened."""

    slot: int
    pack: PackSeen | None
    resumes: int | None = None


def open_swap(
    state: TillState,
    ask: SwapAsk,
    view: View | None,
    papers: Papers,
    policy: SwapPolicy,
    *,
    hot_list: HotList | None = None,
    tenders: Tenders = MONEY_ALONE,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the cabinet. Refusals carry their case (F-..)."""
    if view is None:
        return Refused(Refusal.UNKNOWN_CABINET, f"no cabinet {ask.cabinet} at this site")
    if not papers.terms.models:
        return Refused(Refusal.NO_SWAP_TERMS, "no terms of swaps from headquarters yet")
    refused = _unfit(state, ask, view, policy)
    if refused is None:
        refused = may_not_start(state, ask.origin, (Source(ask.account, ask.credential),), view.now, hot_list)
    if refused is not None:
        return refused
    account = rider_of(state, ask)
    closed = not open_now(policy.hours, policy.utc_offset_min, view.now)
    if closed and not _may_at_night(state, ask, account, view, policy):
        return Refused(Refusal.CABINET_CLOSED, f"open {', '.join(policy.hours)}; a return is always taken (F-01)")
    if account is None or (ask.kind != "return" and not rights_of(state, account)):
        return unknown_rider(ask, papers.terms)
    if ask.origin.via == "qr" and ask.origin.number <= state.numbers.get(account, 0):
        return Refused(Refusal.OLD_NUMBER, f"start number {ask.origin.number} was used")
    if any(swap.account == account for swap in state.shop.swaps.values()):
        return Refused(Refusal.CABINET_BUSY, f"{account} has a session that is not over (F-02)")
    owed = owed_by(state.shop, papers.packs, account)
    if owed and ask.kind == "rent":
        detail = f"{', '.join(sorted(owed))} went out of sight in a session of {account} (F-44)"
        return Refused(Refusal.PACK_OWED, detail)
    return _open(state, ask, account, view, papers, policy, tenders)


def _may_at_night(state: TillState, ask: SwapAsk, account: str | None, view: View, policy: SwapPolicy) -> bool:
    """A return, and whoever goes on from a session that ended a moment ago."""
    if ask.kind == "return":
        return True
    return account is not None and again(state.shop, account, ask.kind, view, policy) is not None


def _unfit(state: TillState, ask: SwapAsk, view: View, policy: SwapPolicy) -> Refused | None:
    """What keeps everybody from starting here now."""
    shop = state.shop
    if view.now_ms - ask.scanned_ms > policy.scan_valid_s * 1000:
        return Refused(Refusal.SCAN_EXPIRED, f"scanned more than {policy.scan_valid_s} s ago (F-03)")
    unheard = doors_unheard(shop, view)
    if unheard:
        silent = ", ".join(view.silent) or "door sensors"
        return Refused(Refusal.CABINET_SILENT, f"slots {_list(unheard)}: {silent} do not answer (F-01)")
    if packs_unheard(view, policy):
        silent = ", ".join(view.silent) or "their links"
        return Refused(Refusal.CABINET_SILENT, f"no pack can be asked, {silent} do not answer (F-60)")
    if view.hazards:
        said = ", ".join(sorted(hazard.value for hazard in view.hazards))
        return Refused(Refusal.CABINET_ALARM, f"the cabinet reports {said} (F-50)")
    if view.mains is False:
        return Refused(Refusal.MAINS_LOST, "the cabinet has no mains (F-08)")
    running = [one.seq for one in shop.swaps.values() if one.opened.cabinet == view.cabinet]
    if running:
        return Refused(Refusal.CABINET_BUSY, f"session {running[0]} is under way (F-02)")
    open_doors = doors_open(shop, view)
    if open_doors:
        return Refused(Refusal.DOOR_OPEN, f"slot {_list(open_doors)} is open: shut it first (F-04)")
    return None


def _open(
    state: TillState,
    ask: SwapAsk,
    account: str,
    view: View,
    papers: Papers,
    policy: SwapPolicy,
    tenders: Tenders,
) -> Opening | Refused:
    nothing = Paid(account, "", [])
    second = again(state.shop, account, ask.kind, view, policy)
    if second is not None and second.free:
        return _opening(state, ask, view, _Plan(second.slot, second.pack, second.session), nothing)
    if second is not None and second.pack is not None and is_hot(papers.packs, second.pack.code):
        second = None  # it stays in, and nothing is given for it
    if ask.kind == "return":
        empty = empty_slots(state.shop, view, policy)
        if len(empty) < RETURN_NEEDS and second is None:
            detail = f"{len(empty)} empty, a return needs {RETURN_NEEDS} so that one stays free (F-05)"
            return Refused(Refusal.NO_EMPTY_SLOT, detail)
        plan = _Plan(empty[0], None) if second is None else _Plan(second.slot, None, second.session)
        return _opening(state, ask, view, plan, nothing)
    if ask.kind == "rent":
        return _rent(state, ask, account, view, papers, policy, tenders)
    found = pay_swap(state, ask, account, papers.terms, tenders, view.now.lb_ms)
    if isinstance(found, Refused):
        return found
    offer, paid = found
    soon = _too_soon(state, account, view, offer, policy)
    if soon is not None:
        return soon
    swap = _plan_swap(state, ask, account, view, papers, policy, offer, second)
    if isinstance(swap, Refused):
        return swap
    if isinstance(paid, Refused):
        return paid
    return _opening(state, ask, view, swap, paid, _least(offer.full_permille, ask, papers))


def _plan_swap(
    state: TillState,
    ask: SwapAsk,
    account: str,
    view: View,
    papers: Papers,
    policy: SwapPolicy,
    offer: SwapOffer,
    second: Again | None,
) -> _Plan | Refused:
    """The slot that opens first, once there is a pack to be had for the one that comes in."""
    shop = state.shop
    returned = second.pack.code if second is not None and second.pack is not None else ""
    wanted = Wanted(_least(offer.full_permille, ask, papers), returned or shop.bound.get(account, ""))
    own = (None if second is None else second.slot,)
    full = full_slots(shop, view, papers, wanted, policy, but=own)
    if not full:
        lower = Wanted(papers.terms.consent_permille, wanted.fits)
        if not ask.consent and full_slots(shop, view, papers, lower, policy, but=own):
            detail = f"only packs below {offer.full_permille / 10:.0f} % are left; they need consent (F-06)"
            return Refused(Refusal.CONSENT_NEEDED, detail)
        return Refused(Refusal.NO_FULL_PACK, "no pack that could be given (F-06)")
    if second is not None and second.pack is not None:  # the rider's own is in already
        preferred = next((one for one in full if one[0] == second.offered_slot), full[0])
        return _Plan(preferred[0], preferred[1], second.session)
    if second is not None:
        return _Plan(second.slot, None, second.session)
    empty = empty_slots(shop, view, policy)
    if not empty:
        return Refused(Refusal.NO_EMPTY_SLOT, "no slot that is surely empty (F-05)")
    return _Plan(empty[0], None)


def _rent(
    state: TillState,
    ask: SwapAsk,
    account: str,
    view: View,
    papers: Papers,
    policy: SwapPolicy,
    tenders: Tenders,
) -> Opening | Refused:
    wanted = Wanted(_least(policy.full_permille, ask, papers))
    for slot, pack in full_slots(state.shop, view, papers, wanted, policy):
        offer = rent_of(ask, pack.code, papers.terms)
        if isinstance(offer, Refused):
            continue
        paid = pay_rent(state, ask, account, offer, pack.code, papers.terms, tenders, view.now.lb_ms)
        if isinstance(paid, Refused):
            return paid
        return _opening(state, ask, view, _Plan(slot, pack), paid, wanted.permille)
    return Refused(Refusal.NO_FULL_PACK, f"no pack to be rented {f'as {ask.offer} ' if ask.offer else ''}(F-06)")


def _too_soon(state: TillState, account: str, view: View, offer: SwapOffer, policy: SwapPolicy) -> Refused | None:
    """The least time between two swaps of a rider at this site; a clock that nobody knows keeps nobody waiting."""
    last = state.shop.last.get(account)
    if last is None or last.swapped is None:
        return None
    least_s, passed_ms = max(policy.interval_s, offer.interval_s), since_ms(last.swapped, view.now)
    if passed_ms is None or passed_ms >= least_s * 1000:
        return None
    return Refused(Refusal.TOO_SOON, f"swapped {passed_ms // 1000} s ago, at least {least_s} s apart (F-07)")


def untimed(state: TillState, opening: Draft, view: View) -> list[Draft]:
    """A notice where a swap begins and nobody can tell how long after the rider's last one: nobody waits for a clock,
    and the two sessions are named for whoever looks at intervals.
    """
    body = opening.body
    last = state.shop.last.get(body.account) if isinstance(body, SwapOpened) and body.kind == "swap" else None
    if last is None or last.swapped is None or since_ms(last.swapped, view.now) is not None:
        return []
    detail = f"sessions {last.session} and {state.size}: the clock was set back, or not known (F-64)"
    return [Draft(Notice("interval-unknown", view.cabinet, detail))]


def _opening(state: TillState, ask: SwapAsk, view: View, plan: _Plan, paid: Paid, least_permille: int = 0) -> Opening:
    bounds = opening_bounds(view.now)
    return Opening(
        Draft(
            SwapOpened(
                cabinet=view.cabinet,
                kind=ask.kind,
                account=paid.account,
                holds=paid.holds,
                offer=paid.offer,
                bound=bound_to(state.shop, paid.account),
                slot=plan.slot,
                pack=plan.pack,
                consent_permille=least_permille,
                resumes=plan.resumes,
                origin=ask.origin,
                pins=[state.pins[kind] for kind in sorted(state.pins)],
                clock_lb_ms=bounds[0],
                clock_ub_ms=bounds[1],
            )
        ),
        () if ask.origin.via == "qr" else paid.wants,  # a code brings all that its rider wanted to spend
    )


def _least(full_permille: int, ask: SwapAsk, papers: Papers) -> int:
    """The least charge of a pack that may be given."""
    return min(papers.terms.consent_permille, full_permille) if ask.consent else full_permille


def _list(slots: list[int]) -> str:
    return ", ".join(str(slot) for slot in slots)
