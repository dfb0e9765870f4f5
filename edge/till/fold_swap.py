"""What a record of swap sessions and packs changes in the shop front's part of the till's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from edge.till.state_shop import LastSwap, OpenSwap, PackPlace, Shop, ShopSums, SlotWord, slot_key
from edge.till.tables import Own, drop, put
from protocols.trade.records import Record, Stamp
from protocols.trade.records_pack import (
    PackNoted,
    PacksScanned,
    ShopDayClosed,
    SlotSet,
    SwapClosed,
    SwapOpened,
    SwapStepped,
)

DID_NOT_OPEN = frozenset({"F-10", "F-11", "F-32"})
"""Cases for which a slot rests: its door did not open."""
OPENING = frozenset({"open-empty", "reopen-empty", "open-full", "reopen-full", "give-back"})
"""Steps that open a door."""


def opened(shop: Shop, seq: int, stamp: Stamp, body: SwapOpened) -> Shop:
    """A session has begun; one that goes on from another begins with what was put in there."""
    returned, returned_slot = None, None
    before = shop.last.get(body.account)
    if body.resumes is not None and before is not None and before.session == body.resumes and body.offer:
        returned, returned_slot = before.returned, before.returned_slot
    swap = OpenSwap(
        seq=seq,
        stamp=stamp,
        opened=body,
        holds=tuple(body.holds),
        step="open-empty" if body.pack is None else "open-full",
        slot=body.slot,
        stepped=stamp,
        returned=returned,
        returned_slot=returned_slot,
        offered=body.pack,
        offered_slot=None if body.pack is None else body.slot,
    )
    cabinets = shop.cabinets if body.cabinet in shop.cabinets else tuple(sorted({*shop.cabinets, body.cabinet}))
    shop = replace(shop, swaps={**shop.swaps, seq: swap}, cabinets=cabinets)
    return _touched(shop, body.cabinet, body.slot, seq)


def stepped(shop: Shop, swap: OpenSwap, seq: int, stamp: Stamp, body: SwapStepped) -> Shop:
    """The session goes on by one step; custody passes with `accepted` and `given`."""
    cabinet, account = swap.opened.cabinet, swap.account
    failed, reopened = swap.failed, swap.reopened
    if body.step in ("open-empty", "open-full") and swap.step == body.step and body.slot != swap.slot:
        failed = (*failed, swap.slot)
    if body.step in ("reopen-empty", "reopen-full"):
        reopened = {**reopened, body.step: reopened.get(body.step, 0) + 1}
    swap = replace(
        swap, step=body.step, slot=body.slot, stepped=stamp, fault=body.fault, failed=failed, reopened=reopened
    )
    if body.step in OPENING:
        shop = _touched(shop, cabinet, body.slot, seq)
    match body.step:
        case "accepted":
            swap = replace(swap, returned=body.pack, returned_slot=body.slot)
            shop = _stands(shop, cabinet, body.slot, "" if body.pack is None else body.pack.code, seq)
            shop = _opens_again(shop, cabinet, body.slot)
        case "reopen-empty":
            if swap.returned is not None and swap.returned_slot is not None:  # its rider has taken it out again
                place = PackPlace("rider", cabinet, swap.returned_slot, account, seq)
                shop = _gone(shop, cabinet, swap.returned_slot, swap.returned.code, place)
            swap = replace(swap, returned=None, returned_slot=None)
        case "open-full":
            swap = replace(swap, offered=body.pack, offered_slot=body.slot)
        case "given":
            swap = replace(swap, given=True)
            if body.pack is not None and body.pack.code:
                place = PackPlace("rider", cabinet, body.slot, account, seq)
                shop = replace(shop, packs=put(shop.packs, body.pack.code, place))
            shop = _opens_again(shop, cabinet, body.slot)
    return replace(shop, swaps={**shop.swaps, swap.seq: swap})


def closed(shop: Shop, swap: OpenSwap, seq: int, stamp: Stamp, body: SwapClosed) -> Shop:
    """The end. The binding changes only where a pack was taken or returned for good."""
    cabinet, account = swap.opened.cabinet, swap.account
    shop = replace(shop, swaps={key: one for key, one in shop.swaps.items() if key != swap.seq})
    if body.taken is not None and body.taken_slot is not None:
        place = PackPlace("rider", cabinet, body.taken_slot, account, seq)
        shop = _gone(shop, cabinet, body.taken_slot, body.taken.code, place)
        shop = replace(shop, bound=put(shop.bound, account, body.taken.code))
        if body.outcome == "taken":
            shop = replace(shop, rented=put(shop.rented, body.taken.code, (account, stamp.wall_ms // 1000)))
    elif swap.given and swap.offered is not None and swap.offered_slot is not None:  # left in its slot after all
        shop = _stands(shop, cabinet, swap.offered_slot, swap.offered.code, seq)
    if body.outcome == "cancelled" and swap.returned is not None and swap.returned_slot is not None:
        place = PackPlace("rider", cabinet, swap.returned_slot, account, seq)  # the rider has taken it again
        shop = _gone(shop, cabinet, swap.returned_slot, swap.returned.code, place)
    if body.outcome == "returned":
        if body.returned is None or body.returned.code == shop.bound.get(account):
            shop = replace(shop, bound=drop(shop.bound, account))  # another's: the rider still has the own one
        if body.returned is not None:
            shop = replace(shop, rented=put(shop.rented, body.returned.code, ("", stamp.wall_ms // 1000)))
    before = shop.last.get(account)
    swapped = stamp if body.taken is not None else None if before is None else before.swapped
    last = LastSwap(
        session=swap.seq,
        cabinet=cabinet,
        kind=swap.opened.kind,
        outcome=body.outcome,
        fault=body.fault,
        stamp=stamp,
        ended=seq,
        step=swap.step,
        slot=swap.slot,
        returned=body.returned,
        returned_slot=body.returned_slot,
        offered=swap.offered,
        offered_slot=swap.offered_slot,
        swapped=swapped,
    )
    paid_before = before is not None and before.outcome in ("swapped", "taken")
    if before is not None and paid_before and swap.opened.resumes == before.session and body.taken is None:
        last = replace(before, ended=seq)  # its door was opened once more, and the pack still stands there
    day = replace(
        shop.day,
        **{body.outcome: getattr(shop.day, body.outcome) + 1},
        amount_fen=shop.day.amount_fen + body.amount_fen,
    )
    return replace(shop, last=put(shop.last, account, last), day=day)


def _noted(shop: Shop, seq: int, record: Record, body: PackNoted) -> Shop:
    swap = shop.swaps.get(body.session) if body.session is not None else None
    account = "" if swap is None else swap.account
    if not account and body.session is not None:
        account = next((who for who, one in shop.last.items() if one.session == body.session), "")
    match body.what:
        case "appeared" | "put-in" | "changed" | "found":
            if body.before and body.what == "changed":
                shop = _lost_sight(shop, body.cabinet, body.slot, body.before, account, seq)
            return _stands(shop, body.cabinet, body.slot, body.code, seq)
        case "vanished":
            shop = _lost_sight(shop, body.cabinet, body.slot, body.before or body.code, account, seq)
            return replace(shop, contents=put(shop.contents, slot_key(body.cabinet, body.slot), ""))
        case "taken-out":
            return _gone(shop, body.cabinet, body.slot, body.code, PackPlace("staff", body.cabinet, body.slot, "", seq))
        case "opened":
            shop = replace(shop, by_hand=put(shop.by_hand, slot_key(body.cabinet, body.slot), body.by))
            return _touched(shop, body.cabinet, body.slot, seq)
        case "shut":
            return replace(shop, by_hand=drop(shop.by_hand, slot_key(body.cabinet, body.slot)))
        case "explained":
            place = shop.packs.get(body.code)
            if place is not None and place.where == "unknown":
                return replace(shop, packs=put(shop.packs, body.code, replace(place, account="")))
    return shop


def _slot_set(shop: Shop, seq: int, record: Record, body: SlotSet) -> Shop:
    key = slot_key(body.cabinet, body.slot)
    if body.state == "on":
        return replace(shop, slots=drop(shop.slots, key), failures=drop(shop.failures, key))
    if body.why in DID_NOT_OPEN:
        shop = replace(shop, failures=put(shop.failures, key, shop.failures.get(key, 0) + 1))
    word = SlotWord(body.state, body.why, body.by, body.until_s)
    return replace(shop, slots=put(shop.slots, key, word))


def _scanned(shop: Shop, seq: int, record: Record, body: PacksScanned) -> Shop:
    """What stands there counts; a slot whose witnesses disagree stays as it was."""
    for one in body.slots:
        code = "" if one.pack is None else one.pack.code
        before = shop.contents.get(slot_key(body.cabinet, one.slot))
        if one.state == "unsure" or code == before:
            continue
        if before:
            shop = _lost_sight(shop, body.cabinet, one.slot, before, "", seq)
        shop = _stands(shop, body.cabinet, one.slot, code, seq)
    return shop


def _day(shop: Shop, seq: int, record: Record, body: ShopDayClosed) -> Shop:
    return replace(shop, day=ShopSums())


def owned(shop: Shop) -> Shop:
    """With tables of its own, for a fold of many records."""
    return replace(shop, **{name: Own(getattr(shop, name)) for name in _TABLES})


def released(shop: Shop) -> Shop:
    """Like any other again."""
    return replace(shop, **{name: dict(getattr(shop, name)) for name in _TABLES})


def _touched(shop: Shop, cabinet: str, slot: int, seq: int) -> Shop:
    return replace(shop, touched=put(shop.touched, slot_key(cabinet, slot), seq))


def _opens_again(shop: Shop, cabinet: str, slot: int) -> Shop:
    """It has opened: its failures are forgotten, and so is a rest for their sake."""
    key = slot_key(cabinet, slot)
    shop = replace(shop, failures=drop(shop.failures, key))
    word = shop.slots.get(key)
    rests = word is not None and word.state == "resting" and word.why in DID_NOT_OPEN
    return replace(shop, slots=drop(shop.slots, key)) if rests else shop


def _stands(shop: Shop, cabinet: str, slot: int, code: str, seq: int) -> Shop:
    contents = put(shop.contents, slot_key(cabinet, slot), code)
    packs = put(shop.packs, code, PackPlace("slot", cabinet, slot, "", seq)) if code else shop.packs
    return replace(shop, contents=contents, packs=packs)


def _gone(shop: Shop, cabinet: str, slot: int, code: str, place: PackPlace) -> Shop:
    """What stood in the slot is somewhere else, and where is known."""
    key = slot_key(cabinet, slot)
    packs = put(shop.packs, code, place) if code else shop.packs
    return replace(shop, contents=put(shop.contents, key, ""), packs=packs)


def _lost_sight(shop: Shop, cabinet: str, slot: int, code: str, account: str, seq: int) -> Shop:
    """It stood there and does not: unless the log has seen it elsewhere since, nobody knows where it is."""
    place = shop.packs.get(code)
    if not code or (place is not None and (place.where, place.cabinet, place.slot) != ("slot", cabinet, slot)):
        return shop
    return replace(shop, packs=put(shop.packs, code, PackPlace("unknown", cabinet, slot, account, seq)))


_TABLES = ("slots", "contents", "packs", "bound", "last", "touched", "by_hand", "failures", "rented")

FOLDS: Mapping[type, Callable[[Shop, int, Record, Any], Shop]] = {
    PackNoted: _noted,
    SlotSet: _slot_set,
    PacksScanned: _scanned,
    ShopDayClosed: _day,
}
"""Those that need nothing but the shop; sessions are folded with their holds, in `fold`."""
