"""A rider who scans again within minutes: where did the session before end, and what do the slots say now?

| session before | physical truth now | what follows |
| --- | --- | --- |
| kept (not opened, not taken, cut off) | what the rider put in still stands there, shut | resume: a full slot opens |
| cancelled in putting in | the slot holds something, or nothing | the same slot opens once more |
| swapped or taken | the pack that was given still stands in its slot | that slot opens once more; nothing is charged |

Refused where anybody else has opened that slot since, by a session or by hand (facts: cabinets 5.2); and no full slot
opens once more where a pack has gone from the cabinet that nobody paid for: this rider may have it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.till.state_shop import LastSwap, Shop, slot_key
from edge.till.swap.packs import seen
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import View, lately
from protocols.trade.records import ClockQuality, Stamp
from protocols.trade.records_pack import PackSeen, SwapKind


@dataclass(frozen=True, slots=True)
class Again:
    """session: that is gone on from. slot: that opens, or that holds the rider's own. pack: in it; None: the rider's
    own is yet to be put in. offered_slot: whose pack was to be taken before. free: it was paid for then.
    """

    session: int
    slot: int
    pack: PackSeen | None
    offered_slot: int | None = None
    free: bool = False


def again(shop: Shop, account: str, kind: SwapKind, view: View, policy: SwapPolicy) -> Again | None:
    """None: a session begins anew."""
    last = shop.last.get(account)
    if last is None or last.cabinet != view.cabinet or last.kind != kind or not _just_now(last, view, policy):
        return None
    if last.outcome in ("swapped", "taken"):
        return _left_behind(shop, last, view, policy)
    if last.returned is None:
        putting_in = last.step in ("open-empty", "reopen-empty") and _own(shop, last, last.slot, view)
        filled = putting_in and lately(view.slots[last.slot], view.now_ms, policy).loosely_full
        return Again(last.session, last.slot, None) if filled else None
    if last.outcome != "kept" or last.returned_slot is None or not _own(shop, last, last.returned_slot, view):
        return None
    pack = _in(view, last.returned_slot, policy)
    if pack is None or pack.code != last.returned.code or _one_may_be_out(shop, last, view):
        return None
    return Again(last.session, last.returned_slot, pack, last.offered_slot)


def since_ms(then: Stamp, now: Stamp) -> int | None:
    """How long ago, at least. None: it was before the box was started, and nobody can tell how long.

    Over a restart of the box the log knows that it was before: so it is at least as long as the box has been up, and as
    the proven bounds of both say. By the clocks it is longer, where both can be trusted; one that has been set back in
    between contradicts the log, and says nothing.
    """
    if then.boot == now.boot:
        return now.mono_ms - then.mono_ms
    if ClockQuality.UNKNOWN in (then.quality, now.quality) or now.wall_ms < then.wall_ms:
        return None
    proven_ms = 0 if then.ub_ms is None else now.lb_ms - then.ub_ms
    return max(now.wall_ms - then.wall_ms, now.mono_ms, proven_ms)


def _left_behind(shop: Shop, last: LastSwap, view: View, policy: SwapPolicy) -> Again | None:
    """The pack that was given still stands in its slot: its rider may open that once more."""
    slot, offered = last.offered_slot, last.offered
    if slot is None or offered is None or not _own(shop, last, slot, view):
        return None
    pack = _in(view, slot, policy)
    return Again(last.session, slot, pack, free=True) if pack is not None and pack.code == offered.code else None


def _just_now(last: LastSwap, view: View, policy: SwapPolicy) -> bool:
    passed_ms = since_ms(last.stamp, view.now)
    if passed_ms is None:  # what stands there is still the rider's: the box has been up for so long, at least
        passed_ms = view.now.mono_ms
    return passed_ms <= policy.rescan_s * 1000


def _own(shop: Shop, last: LastSwap, slot: int, view: View) -> bool:
    """Nobody else has opened it since, by a session or by hand, and it is shut."""
    newest = shop.touched.get(slot_key(view.cabinet, slot), -1)
    track = view.slots.get(slot)
    return newest <= last.ended and track is not None and track.shut_ms is not None


def _one_may_be_out(shop: Shop, last: LastSwap, view: View) -> bool:
    """Whether a pack has vanished here since that session began, or stands behind an open door just now."""
    gone = (place for place in shop.packs.values() if place.where == "unknown" and place.cabinet == view.cabinet)
    ajar = (slot for slot, track in view.slots.items() if track.open_ms is not None)
    return any(place.seq > last.session for place in gone) or any(
        shop.contents.get(slot_key(view.cabinet, slot)) for slot in ajar
    )


def _in(view: View, slot: int, policy: SwapPolicy) -> PackSeen | None:
    track = view.slots[slot]
    if not lately(track, view.now_ms, policy).strictly_full:
        return None
    return seen(track, view.now_ms - policy.pack_age_s * 1000, policy)
