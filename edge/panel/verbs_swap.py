"""What the panel can be asked of cabinets: each verb a struct of arguments and a function on the running daemon."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drivers.errors import DeviceError
from edge.daemon_state import Daemon
from edge.panel import verbs, verbs_port, views_swap
from edge.panel.messages import Trouble
from edge.panel.verbs import Declined, NoArgs, Verb
from edge.shop.shop import Shop
from edge.till.ask import Refusal, Refused
from edge.till.swap.ask import SwapAsk
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin
from protocols.trade.records_pack import SwapKind

Slot = Annotated[int, msgspec.Meta(ge=1, le=255)]
Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=64)]


class Swap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who: a card as the reader would say it, or an account. offer: a price, plan or rent term by its name; empty: the
    first that fits. consent: a pack that is not full is taken, too.
    """

    cabinet: str
    kind: SwapKind = "swap"
    card: str = ""
    account: str = ""
    offer: str = ""
    consent: bool = False


class OneCabinet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """cabinet: empty: all."""

    cabinet: str = ""


class SlotAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """because: for the log."""

    cabinet: str
    slot: Slot
    act: Literal["open", "on", "off"]
    because: Reason


class Inspected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pack in a slot has been inspected; because: what was found."""

    cabinet: str
    slot: Slot
    because: Reason


class Explained(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pack that had gone out of sight; because: where it is."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    because: Reason


async def swap(daemon: Daemon, args: Swap, by: str) -> object:
    shop = shop_of(daemon)
    if bool(args.card) == bool(args.account):
        raise Declined(Trouble("bad-request", "expected a card or an account, one of them"))
    credential = hide_credential(shop.site.credential_key, args.card) if args.card else b""
    ask = SwapAsk(
        cabinet=shop.id_of(args.cabinet),
        kind=args.kind,
        origin=Origin("panel", credential, 0, by),
        scanned_ms=shop.swaps.now().mono_ms,
        account=args.account,
        credential=credential,
        offer=args.offer,
        consent=args.consent,
    )
    outcome = await shop.start(ask)
    if isinstance(outcome, Refused):
        raise Declined(verbs.refusal(outcome, _remedy(shop, outcome.refusal, args.kind), ask.cabinet))
    return views_swap.swap(shop, outcome)


async def swaps(daemon: Daemon, args: NoArgs, by: str) -> object:
    shop = verbs.site_of(daemon).shop
    return [] if shop is None else [views_swap.swap(shop, one) for one in shop.swaps.swaps()]


async def cabinets(daemon: Daemon, args: OneCabinet, by: str) -> object:
    shop = verbs.site_of(daemon).shop
    if shop is None:
        return []
    return [views_swap.cabinet(shop, _known(shop, args.cabinet))] if args.cabinet else views_swap.cabinets(shop)


async def packs(daemon: Daemon, args: NoArgs, by: str) -> object:
    shop = verbs.site_of(daemon).shop
    return [] if shop is None else views_swap.packs(shop)


async def slot_act(daemon: Daemon, args: SlotAct, by: str) -> object:
    shop = shop_of(daemon)
    name = _known_slot(shop, args.cabinet, args.slot)
    if args.act != "open":
        await shop.set_slot(name, args.slot, args.act == "on", by, args.because)
        return {"cabinet": name, "slot": args.slot, "done": args.act}
    try:
        why_not = await shop.open_slot(name, args.slot, by, args.because)
    except DeviceError as error:
        raise Declined(Trouble("device", str(error), error.remedy, name)) from error
    if why_not is not None:
        remedy = "`fieldtill swaps` shows it; `fieldtill stop CABINET` ends it."
        raise Declined(Trouble("cabinet-busy", f"slot {args.slot} of {name}: {why_not}", remedy, name))
    return {"cabinet": name, "slot": args.slot, "done": "open"}


async def packs_scan(daemon: Daemon, args: OneCabinet, by: str) -> object:
    """What physically stands in each slot now, into the log."""
    shop = shop_of(daemon)
    names = [_known(shop, args.cabinet)] if args.cabinet else list(shop.loops)
    for name in names:
        await shop.scan(name, by)
    return [views_swap.cabinet(shop, name) for name in names]


async def pack_inspected(daemon: Daemon, args: Inspected, by: str) -> object:
    shop = shop_of(daemon)
    name = _known_slot(shop, args.cabinet, args.slot)
    code = next(one.code for one in views_swap.cabinet(shop, name).slots if one.slot == args.slot)
    if not code:
        what = f"no pack answers in slot {args.slot} of {name}"
        raise Declined(Trouble("no-pack", what, "`fieldtill slots` shows what each slot holds."))
    await shop.inspected(name, args.slot, code, by, args.because)
    return {"cabinet": name, "slot": args.slot, "code": code}


async def pack_explained(daemon: Daemon, args: Explained, by: str) -> object:
    """Where a pack is that had gone out of sight, in a person's words."""
    place = await shop_of(daemon).explained(args.code, by, args.because)
    if place is None:
        what = f"no rider is asked for {args.code}"
        raise Declined(Trouble("no-pack", what, "`fieldtill packs` shows which are unknown, and in whose session."))
    return {"code": args.code, "account": place.account}


async def stop(daemon: Daemon, args: verbs.StopSession, by: str) -> object:
    """A swap session, by its cabinet or its number; any other session as ever."""
    shop = verbs.site_of(daemon).shop
    if shop is None or not (args.connector in shop or args.session in shop.swaps):
        return await verbs_port.stop(daemon, args, by)
    at = shop.swaps.swap_at(shop.id_of(args.connector))
    found = at if args.session is None else shop.swaps.swap(args.session)
    remedy = "`fieldtill swaps` lists those that are open."
    if found is None:
        raise Declined(Trouble("no-such-session", f"{args.connector or args.session} has no swap session", remedy))
    if not await shop.cancel(found.seq, by):
        what = f"session {found.seq} cannot be cancelled any more: a pack that is given is given"
        raise Declined(Trouble("no-such-session", what, remedy, found.opened.cabinet))
    return {"session": found.seq, "stopping": True}


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "swap": (Swap, swap),
    "swaps": (NoArgs, swaps),
    "cabinets": (OneCabinet, cabinets),
    "packs": (NoArgs, packs),
    "slot-act": (SlotAct, slot_act),
    "packs-scan": (OneCabinet, packs_scan),
    "pack-inspected": (Inspected, pack_inspected),
    "pack-explained": (Explained, pack_explained),
    "stop": (verbs.StopSession, stop),
}


def shop_of(daemon: Daemon) -> Shop:
    """Raises Declined where the till is not open or has no cabinets."""
    shop = verbs.site_of(daemon).shop
    if shop is None:
        raise Declined(Trouble("no-cabinets", "this site has no cabinets", "Put [[cabinet]] into the config."))
    return shop


def _remedy(shop: Shop, refusal: Refusal, kind: SwapKind) -> str:
    if refusal is Refusal.UNKNOWN_OFFER:
        terms = shop.swaps.papers.terms
        names = [one.name for one in (terms.rents if kind == "rent" else terms.swaps)]
        return f"The terms here have {', '.join(names) or 'none'}; without --offer the first that fits is used."
    return _REMEDIES.get(refusal) or verbs.REMEDIES.get(refusal, "")


def _known(shop: Shop, name: str) -> str:
    if name not in shop:
        known = ", ".join(sorted(shop.loops))
        raise Declined(Trouble("unknown-cabinet", f"no cabinet {name}", f"It is one of {known}.", where=name))
    return shop.id_of(name)


def _known_slot(shop: Shop, cabinet: str, slot: int) -> str:
    name = _known(shop, cabinet)
    if slot not in shop.loops[name].cabinet.slots:
        known = f"It has {len(shop.loops[name].cabinet.slots)} slots; `fieldtill slots {name}` lists them."
        raise Declined(Trouble("unknown-slot", f"no slot {slot} in {name}", known, where=name))
    return name


_REMEDIES = {
    Refusal.UNKNOWN_CABINET: "`fieldtill slots` has them, by id; the number on it will do as well.",
    Refusal.NO_SWAP_TERMS: "Headquarters publishes them (`fieldtill-hq swap-terms`); `fieldtill sync` shows the link.",
    Refusal.SCAN_EXPIRED: "Scan again.",
    Refusal.CABINET_SILENT: "`fieldtill devices` shows which board does not answer.",
    Refusal.CABINET_ALARM: "Look at the cabinet first; business goes on when its input is quiet again.",
    Refusal.MAINS_LOST: "Business goes on when the mains are back.",
    Refusal.CABINET_BUSY: "`fieldtill swaps` shows the session; `fieldtill stop CABINET` ends it.",
    Refusal.DOOR_OPEN: "Shut it; a sensor that is stuck: `fieldtill slot off CABINET SLOT --because ...`.",
    Refusal.CABINET_CLOSED: "`hours` of [swap] say when it is open; a return is always taken.",
    Refusal.PACK_OWED: "It may be put in, by a swap or a return; or say where it is: `fieldtill pack explained CODE`.",
    Refusal.TOO_SOON: "`interval_s` of [swap] and the plan's own say how long apart.",
    Refusal.NO_EMPTY_SLOT: "`fieldtill slots` shows what each slot holds, and which are out of use.",
    Refusal.NO_FULL_PACK: "`fieldtill slots` shows each pack's charge; a slot that is locked gives none.",
    Refusal.CONSENT_NEEDED: "Ask the rider, then repeat with --consent.",
}
