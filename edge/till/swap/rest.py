"""A cabinet without a session: does each slot hold what the log says, and has a door moved that nobody told to?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from edge.till.state import TillState
from edge.till.state_shop import Shop, slot_key
from edge.till.swap.packs import seen
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import View, is_open, is_shut, lately
from protocols.trade.records import Draft, Notice
from protocols.trade.records_pack import PackNoted, PacksScanned, ScannedSlot, ShopDayClosed, SlotSet


def compare(
    shop: Shop,
    view: View,
    policy: SwapPolicy,
    but: Collection[int],
    unseen: Collection[int],
    by_hand: Mapping[int, str],
) -> list[Draft]:
    """What has come, gone or changed behind shut doors.

    but: slots that a session is about, or whose doors have yet to be shut. unseen: not looked at since the daemon
    started, so it came about while nobody looked (F-55); any other slot got or lost its pack by itself (F-54). by_hand:
    who has had a slot opened. A slot that the log has never told of takes what stands in it as its baseline.
    """
    drafts: list[Draft] = []
    for slot, track in view.slots.items():
        if slot in but or not is_shut(track, view.now_ms, policy):
            continue
        said, before = lately(track, view.now_ms, policy), shop.contents.get(slot_key(view.cabinet, slot))
        code = said.code if said.strictly_full else ""
        if code == (before or "") or not (said.strictly_full or said.strictly_empty):
            continue
        if slot in by_hand:
            drafts += _moved_by_hand(view, slot, code, before or "", by_hand[slot])
            continue
        fault = "F-55" if slot in unseen else "F-54"
        what = "vanished" if not code else "changed" if before else "appeared"
        detail = f"{'while nobody looked' if slot in unseen else 'behind a shut door'} ({fault})"
        drafts.append(Draft(PackNoted(what, view.cabinet, slot, code or before or "", before or "", None, "", detail)))
        if before is not None and (before or slot in unseen):
            drafts.append(_lock(view, slot, fault))
    return drafts


def shut_by_hand(view: View, slots: Mapping[int, str]) -> list[Draft]:
    """What people have had opened, each slot with who, is shut again, and its witnesses are plain."""
    return [Draft(PackNoted("shut", view.cabinet, slot, "", "", None, by, "")) for slot, by in sorted(slots.items())]


def is_plain(view: View, slot: int, policy: SwapPolicy) -> bool:
    """Whether its witnesses surely say what it holds."""
    said = lately(view.slots[slot], view.now_ms, policy)
    return said.strictly_full or said.strictly_empty


def forced(view: View, policy: SwapPolicy, may_open: Collection[int]) -> list[int]:
    """Doors that stand open though neither a session nor a person has opened them (F-43)."""
    return [slot for slot, track in view.slots.items() if slot not in may_open and is_open(track, view.now_ms, policy)]


def force_drafts(view: View, slot: int) -> list[Draft]:
    """A forced door: told, and its slot out of use."""
    detail = f"slot {slot} has opened and nobody told it to (F-43)"
    return [Draft(Notice("door-forced", view.cabinet, detail)), _lock(view, slot, "F-43")]


def scan(view: View, policy: SwapPolicy) -> PacksScanned:
    """What physically stands in each slot now. Behind an open door it may yet come or go: nobody can be sure."""
    slots: list[ScannedSlot] = []
    for slot, track in sorted(view.slots.items()):
        said = lately(track, view.now_ms, policy)
        pack = seen(track, view.now_ms - policy.pack_age_s * 1000, policy)
        if track.open_ms is not None:
            slots.append(ScannedSlot(slot, "unsure", pack))
        elif said.strictly_full and pack is not None:
            slots.append(ScannedSlot(slot, "pack", pack))
        elif said.strictly_empty:
            slots.append(ScannedSlot(slot, "empty", None))
        else:
            slots.append(ScannedSlot(slot, "unsure", pack))
    return PacksScanned(view.cabinet, slots, view.now_ms, view.now.wall_ms)


def day_drafts(state: TillState) -> list[Draft]:
    """The shop's sums, right before the day's own record; none at a site that has no cabinet."""
    if not state.shop.cabinets:
        return []
    day = state.shop.day
    return [
        Draft(
            ShopDayClosed(
                state.day.number, day.swapped, day.taken, day.returned, day.cancelled, day.kept, day.amount_fen
            )
        )
    ]


def _moved_by_hand(view: View, slot: int, code: str, before: str, by: str) -> list[Draft]:
    """What a person has taken out, and put in."""
    out = [PackNoted("taken-out", view.cabinet, slot, before, before, None, by, "")] if before else []
    into = [PackNoted("put-in", view.cabinet, slot, code, "", None, by, "")] if code else []
    return [Draft(note) for note in (*out, *into)]


def _lock(view: View, slot: int, fault: str) -> Draft:
    return Draft(SlotSet(view.cabinet, slot, "locked", fault, "", 0))
