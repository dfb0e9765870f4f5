"""What the panel shows of cabinets, as plain values. Looks, never touches."""

from __future__ import annotations

from edge.panel.messages_swap import CabinetView, PackView, SlotView, SwapView
from edge.shop.shop import Shop
from edge.till.state_shop import OpenSwap, slot_key
from edge.till.swap.slots import Track, View, lately
from protocols.trade.records import session_id
from protocols.trade.value_words import amount_text


def swap(shop: Shop, opened: OpenSwap) -> SwapView:
    """An open session."""
    state, now = shop.swaps.desk.state, shop.swaps.now()
    same_boot = now.boot == opened.stamp.boot
    holds = [amount_text(one.amount, one.asset) for one in opened.holds]
    return SwapView(
        id=session_id(state.site, state.epoch, opened.seq),
        seq=opened.seq,
        cabinet=opened.opened.cabinet,
        kind=opened.opened.kind,
        account=opened.account,
        offer=opened.opened.offer,
        step=opened.step,
        slot=opened.slot,
        fault=opened.fault,
        said=shop.swaps.said(opened.seq),
        holds=", ".join(holds),
        since_s=(now.mono_ms - opened.stamp.mono_ms) // 1000 if same_boot else None,
    )


def cabinets(shop: Shop) -> list[CabinetView]:
    return [cabinet(shop, name) for name in shop.loops]


def cabinet(shop: Shop, name: str) -> CabinetView:
    loop, running = shop.loops[name], shop.swaps.swap_at(name)
    view, link, forbidden = loop.eye.look(), loop.cabinet.link(), loop.forbidden()
    errors = [*([] if link.error is None else [link.error]), *loop.troubles()]
    return CabinetView(
        id=name,
        link=link.state.value,
        hazards=sorted(hazard.value for hazard in view.hazards),
        mains=view.mains,
        slots=[_slot(shop, view, slot, track, slot not in forbidden) for slot, track in sorted(view.slots.items())],
        swap=None if running is None else swap(shop, running),
        errors=list(dict.fromkeys(errors)),
    )


def packs(shop: Shop) -> list[PackView]:
    """All that this site's log has ever seen, by code."""
    found = shop.swaps.desk.state.shop.packs
    return [
        PackView(code, place.where, place.cabinet, place.slot, place.account, place.seq)
        for code, place in sorted(found.items())
    ]


def _slot(shop: Shop, view: View, slot: int, track: Track, may_charge: bool) -> SlotView:
    word = shop.swaps.desk.state.shop.slots.get(slot_key(view.cabinet, slot))
    said, pack = lately(track, view.now_ms, shop.swaps.policy), track.sight.pack
    return SlotView(
        cabinet=view.cabinet,
        slot=slot,
        door="open" if track.open_ms is not None else "shut" if track.shut_ms is not None else "unknown",
        holds="pack" if said.strictly_full else "empty" if said.strictly_empty else "unsure",
        present=said.present,
        code=said.code,
        soc_permille=None if pack is None else pack.charge_permille,
        voltage_mv=said.voltage_mv,
        state="on" if word is None else word.state,
        why="" if word is None else word.why,
        charging=track.sight.relay_on,
        may_charge=may_charge,
    )
