"""Which slot opens? The one that surely holds nothing, or the fullest pack that may go out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from edge.till.start import opening_bounds
from edge.till.state_shop import Shop, SlotWord, slot_key
from edge.till.swap.packs import as_seen, may_go_out
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import Track, View, lately
from protocols.trade.pack_list import PackList
from protocols.trade.records_pack import PackSeen
from protocols.trade.swap_terms import SwapTerms, is_fleet, may_follow, model_of


@dataclass(frozen=True, slots=True)
class Papers:
    """What headquarters says of packs, as the session pins it or as it is in force."""

    terms: SwapTerms
    packs: PackList


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may be given. permille: at least so full. fits: it must do for a rider who has this pack; empty: for any.
    models: of these alone; empty: of any.
    """

    permille: int
    fits: str = ""
    models: tuple[str, ...] = ()


def usable(shop: Shop, view: View, slot: int) -> bool:
    """Healthy as far as the log says, on, and its door shut. A resting slot is, too: see `_rested`."""
    word = shop.slots.get(slot_key(view.cabinet, slot))
    return (word is None or word.state == "resting") and view.slots[slot].shut_ms is not None


def empty_slots(shop: Shop, view: View, policy: SwapPolicy, but: Collection[int] = ()) -> list[int]:
    """Those that surely hold nothing, best first: by number, those that rest last."""
    found = [
        slot
        for slot, track in view.slots.items()
        if slot not in but and usable(shop, view, slot) and not track.mute  # nobody could tell what is put in
        if lately(track, view.now_ms, policy).strictly_empty
        if _as_logged(shop, view, slot, "")
    ]
    return sorted(found, key=lambda slot: (_rests(shop, view, slot), slot))


def full_slots(
    shop: Shop, view: View, papers: Papers, wanted: Wanted, policy: SwapPolicy, but: Collection[int | None] = ()
) -> list[tuple[int, PackSeen]]:
    """Those with a pack that may go out, best first: the fullest, then by voltage; those that rest last."""
    found = [
        (slot, pack)
        for slot, track in view.slots.items()
        if slot not in but and usable(shop, view, slot)
        if (pack := fit(shop, view, track, papers, wanted, policy)) is not None
        if _as_logged(shop, view, slot, pack.code)
    ]
    return sorted(found, key=lambda one: (_rests(shop, view, one[0]), *_best(one[1]), one[0]))


def fit(shop: Shop, view: View, track: Track, papers: Papers, wanted: Wanted, policy: SwapPolicy) -> PackSeen | None:
    """The pack in a slot, if it surely is one that may be given now."""
    pack = track.sight.pack
    if pack is None or not lately(track, view.now_ms, policy).strictly_full:
        return None
    seen = as_seen(pack)
    model = model_of(papers.terms, seen.code)
    if model is None or not is_fleet(papers.terms, seen.code) or (wanted.models and model.name not in wanted.models):
        return None
    if seen.soc_permille is None or seen.soc_permille < wanted.permille:
        return None
    if wanted.fits and is_fleet(papers.terms, wanted.fits) and not may_follow(papers.terms, wanted.fits, seen.code):
        return None
    return seen if may_go_out(shop, pack, papers.packs, opening_bounds(view.now)[0] // 1000) else None


def doors_open(shop: Shop, view: View) -> list[int]:
    """Slots whose door stands open, but for those that are off or locked: their sensors are not to be trusted."""
    blocked = [slot for slot in view.slots if _out(shop.slots.get(slot_key(view.cabinet, slot)))]
    return [slot for slot, track in view.slots.items() if track.open_ms is not None and slot not in blocked]


def doors_unheard(shop: Shop, view: View) -> list[int]:
    """Slots of which nobody can say whether they are shut."""
    return [
        slot
        for slot, track in view.slots.items()
        if track.open_ms is None and track.shut_ms is None and not _out(shop.slots.get(slot_key(view.cabinet, slot)))
    ]


def packs_unheard(view: View, policy: SwapPolicy) -> bool:
    """Whether no pack of the whole cabinet could be asked: nobody could tell what is put in, or what goes out."""
    linked = [track for track in view.slots.values() if track.traits.pack_link]
    return bool(linked) and all(track.mute or lately(track, view.now_ms, policy).dead for track in linked)


def _as_logged(shop: Shop, view: View, slot: int, code: str) -> bool:
    """Whether the log knows what stands there. A pack that staff has just put in is told of first: a session that took
    it before that would leave the one that stood there unaccounted for.
    """
    return shop.contents.get(slot_key(view.cabinet, slot), "") == code


def _out(word: SlotWord | None) -> bool:
    return word is not None and word.state in ("off", "locked")


def _rests(shop: Shop, view: View, slot: int) -> bool:
    word = shop.slots.get(slot_key(view.cabinet, slot))
    return word is not None and word.state == "resting" and view.now.wall_ms < word.until_s * 1000


def _best(pack: PackSeen) -> tuple[int, int]:
    return -(pack.soc_permille or 0), -(pack.voltage_mv or 0)
