"""What does a record of cabinets and packs say in a few words?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.trade import records_pack as packs
from protocols.trade.quantities import yuan
from protocols.trade.value_words import amount_text


def _opened(body: packs.SwapOpened) -> str:
    holds = [amount_text(one.amount, one.asset) for one in body.holds]
    held = f", holds {' + '.join(holds)}" if holds else ""
    again = "" if body.resumes is None else f", goes on from {body.resumes}"
    return f"{body.cabinet} slot {body.slot}: {body.kind} of {body.account}, by {body.origin.via}{held}{again}"


def _stepped(body: packs.SwapStepped) -> str:
    return f"session {body.session}: {body.step} slot {body.slot}{_code(body.pack)}{_case(body.fault)}"


def _closed(body: packs.SwapClosed) -> str:
    into = "" if body.returned is None else f", in {body.returned.code}"
    out = "" if body.taken is None else f", out {body.taken.code}"
    return f"session {body.session}: {body.outcome}{into}{out}, ¥{yuan(body.amount_fen)}{_case(body.fault)}"


def _noted(body: packs.PackNoted) -> str:
    session = "" if body.session is None else f", session {body.session}"
    by = f", by {body.by}" if body.by else ""
    detail = f": {body.detail}" if body.detail else ""
    return f"{body.cabinet} slot {body.slot}: {body.code or 'a pack'} {body.what}{session}{by}{detail}"


def _slot(body: packs.SlotSet) -> str:
    by = f", by {body.by}" if body.by else ""
    return f"{body.cabinet} slot {body.slot}: {body.state}{_case(body.why)}{by}"


def _scanned(body: packs.PacksScanned) -> str:
    counts = {state: sum(one.state == state for one in body.slots) for state in ("pack", "empty", "unsure")}
    return f"{body.cabinet}: {', '.join(f'{count} {state}' for state, count in counts.items() if count)}"


def _day(body: packs.ShopDayClosed) -> str:
    names = ("swapped", "taken", "returned", "cancelled", "kept")
    return f"day {body.day}: {', '.join(f'{getattr(body, name)} {name}' for name in names)}, ¥{yuan(body.amount_fen)}"


def _code(pack: packs.PackSeen | None) -> str:
    return "" if pack is None or not pack.code else f" {pack.code}"


def _case(fault: str) -> str:
    return f" ({fault})" if fault else ""


GISTS: dict[type, Callable[[Any], str]] = {
    packs.SwapOpened: _opened,
    packs.SwapStepped: _stepped,
    packs.SwapClosed: _closed,
    packs.PackNoted: _noted,
    packs.SlotSet: _slot,
    packs.PacksScanned: _scanned,
    packs.ShopDayClosed: _day,
}
