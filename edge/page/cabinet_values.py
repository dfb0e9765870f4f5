"""What is there to see of a cabinet for whoever stands before it? Plain values; no account, and no pack's code."""

from __future__ import annotations

from dataclasses import dataclass

from edge.shop.shop import Shop
from edge.till.state_shop import LastSwap, OpenSwap
from edge.till.swap.choose import Wanted, empty_slots, full_slots
from edge.till.swap.rescan import since_ms
from edge.till.swap.slots import View
from protocols.trade.swap_terms import SwapTerms, model_of


@dataclass(frozen=True, slots=True)
class Serving:
    """A session that is open. step, slot: its newest, as of `records_pack.SwapStepped`; fault: why it was necessary.

    slot_in, slot_out: where the rider's pack goes, and the new one comes from; None: not known yet. is_open: the
    door of `slot` stands open; was_open: it has, in this step. may_cancel: its pack has not been given.
    """

    kind: str
    step: str
    slot: int
    fault: str
    slot_in: int | None
    slot_out: int | None
    is_open: bool
    was_open: bool
    may_cancel: bool
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The newest session that is over. go_on_min: for so long its rider may go on from where it stopped; 0: no more."""

    outcome: str
    fault: str
    go_on_min: int


@dataclass(frozen=True, slots=True)
class CabinetSight:
    """closed: the refusal that everybody would get now, or `cabinet-starting`: nobody knows yet; empty: none. full:
    packs that may be given; lower: those that may with their rider's consent. models: full packs of each model, where
    the fleet has several. terms: as in force. hours: in which swaps begin; none: always.
    """

    id: str
    name: str
    closed: str
    full: int
    lower: int
    empty: int
    models: tuple[tuple[str, int], ...]
    terms: SwapTerms
    serving: Serving | None
    last: Ended | None
    hours: tuple[str, ...] = ()


def cabinet(shop: Shop, name: str) -> CabinetSight:
    """name: the cabinet's id. No I/O."""
    view, papers, policy = shop.loops[name].eye.look(), shop.swaps.papers, shop.swaps.policy
    state = shop.swaps.desk.state.shop
    running = shop.swaps.swap_at(name)
    least = min((one.full_permille for one in papers.terms.swaps), default=policy.full_permille)
    full = full_slots(state, view, papers, Wanted(least), policy)
    any_full = full_slots(state, view, papers, Wanted(papers.terms.consent_permille), policy)
    found = [model.name for _, pack in full if (model := model_of(papers.terms, pack.code)) is not None]
    models = tuple((model.name, found.count(model.name)) for model in papers.terms.models)
    refused = shop.swaps.closed_to_all(view, alone=not shop.site.is_online())
    closed = "" if refused is None else refused.refusal.value
    return CabinetSight(
        id=name,
        name=name_of(shop, name),
        closed="cabinet-starting" if shop.loops[name].eye.unasked else closed,
        full=len(full),
        lower=len(any_full) - len(full),
        empty=len(empty_slots(state, view, policy)),
        models=models if len(models) > 1 else (),
        terms=papers.terms,
        serving=None if running is None else serving(shop, running),
        last=_last(shop, name, view),
        hours=policy.hours,
    )


def name_of(shop: Shop, cabinet: str) -> str:
    """What stands on it: its number, else its id."""
    place = shop.swaps.places.get(cabinet)
    return cabinet if place is None else place.number or cabinet


def serving(shop: Shop, swap: OpenSwap) -> Serving:
    """One open session. No I/O."""
    progress, loop = shop.swaps.progress_of(swap.seq), shop.loops.get(swap.opened.cabinet)
    track = None if loop is None else loop.eye.look().slots.get(swap.slot)
    opened = swap.opened
    puts_in = swap.step in ("open-empty", "reopen-empty")
    return Serving(
        kind=opened.kind,
        step=swap.step,
        slot=swap.slot,
        fault=swap.fault,
        slot_in=swap.slot if puts_in else swap.returned_slot,
        slot_out=swap.offered_slot,
        is_open=track is not None and track.open_ms is not None,
        was_open=progress is not None and progress.opened_ms is not None,
        may_cancel=not swap.given and (progress is None or not progress.cancelled),
        cancelled=progress is not None and progress.cancelled,
    )


def ended(shop: Shop, seq: int) -> Ended | None:
    """How the session of this number ended, if it is its rider's newest; None: it is not, or it is open."""
    found = (last for last in shop.swaps.desk.state.shop.last.values() if last.session == seq)
    last = next(found, None)
    return None if last is None else _ended(shop, last)


def _last(shop: Shop, name: str, view: View) -> Ended | None:
    """The newest session that ended here, for as long as its rider may go on from it."""
    here = (last for last in shop.swaps.desk.state.shop.last.values() if last.cabinet == name)
    last = max(here, key=lambda one: one.ended, default=None)
    found = None if last is None else _ended(shop, last)
    return found if found is not None and found.go_on_min else None


def _ended(shop: Shop, last: LastSwap) -> Ended:
    passed_ms = since_ms(last.stamp, shop.swaps.now())
    left_ms = 0 if passed_ms is None else shop.swaps.policy.rescan_s * 1000 - passed_ms
    return Ended(last.outcome, last.fault, max(0, -(-left_ms // 60_000)))
