"""Known-bad software at cabinets: production with one thing made wrong, each a design that somebody has built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

from msgspec.structs import replace as changed
from sim_world import Variant

import cloud.packs
import edge.shop.swap_desk
import edge.till.fold_swap
import edge.till.swap.choose
from drivers.errors import DeviceError
from edge.shop.cabinet_loop import CabinetLoop
from edge.shop.shop import Shop
from edge.shop.swap_desk import SwapDesk
from edge.till import fold_swap
from edge.till.ask import Opening, Refused
from edge.till.state_shop import OpenSwap
from edge.till.swap import rest
from edge.till.swap.ask import SwapAsk
from edge.till.swap.next import End, Next, Wait
from edge.till.swap.settle import settle
from edge.till.swap.slots import View, Witness
from protocols.trade.records import Draft
from protocols.trade.records_pack import SwapClosed, SwapOpened, SwapStepped

SHOP: dict[str, Any] = {"shops": 100, "shop_every_s": 60, "shop_answers": 0.1, "ports": 0, "pumps": 0}
"""What worlds need in which cabinets matter."""
CALM: dict[str, Any] = {**SHOP, "shop_every_s": 0, "link_every_s": 0, "odds_of_hq_death": 0.0}
"""The same, where riders get what they came for."""


def _patched(name: str, target: object, attribute: str, new: object, faults: dict[str, Any]) -> Variant:
    patch = mock.patch.object(target, attribute, new)
    return Variant(name, faults=faults, patches=lambda: [patch])


# --- before the record ------------------------------------------------------------------------------------------------


def eager_doors() -> Variant:
    """The door springs open on what has been decided; the record follows."""
    start = Shop._start

    async def eager(self: Shop, loop: CabinetLoop, ask: SwapAsk) -> OpenSwap | Refused:
        decision = self.swaps.rehearse(ask, loop.eye.look())
        if isinstance(decision, Opening):
            body = decision.draft.body
            assert isinstance(body, SwapOpened)
            try:
                await loop.cabinet.open(body.slot)
            except DeviceError:
                pass  # the loop will try again
        return await start(self, loop, ask)

    return _patched("a door opened before the record is durable", Shop, "_start", eager, SHOP)


# --- who pays, and when -----------------------------------------------------------------------------------------------


def charged_at_the_return() -> Variant:
    """Whoever has put a pack in pays for the one that was chosen, taken or not."""

    def prepaid(state: Any, swap: OpenSwap, end: End, *others: Any, **more: Any) -> Any:
        if swap.opened.kind == "swap" and swap.returned is not None and swap.offered is not None:
            end = replace(end, outcome="swapped", taken=True)
        return settle(state, swap, end, *others, **more)

    return _patched("charged at the return, not at the taking", edge.shop.swap_desk, "settle", prepaid, SHOP)


def charged_once_open() -> Variant:
    """A door that has opened is a pack that was sold: left in, it is paid all the same."""

    def sold(state: Any, swap: OpenSwap, end: End, *others: Any, **more: Any) -> Any:
        if swap.given and not end.taken:
            end = replace(end, outcome="swapped", taken=True, notes=())
        return settle(state, swap, end, *others, **more)

    return _patched("charged once the door has opened", edge.shop.swap_desk, "settle", sold, SHOP)


def one_witness_is_enough() -> Variant:
    """One sensor that says "empty" is a pack taken, whatever the others say."""
    often = {**SHOP, "shop_every_s": 8, "shop_packs": True}
    gone = property(lambda self: self.loosely_empty)
    return _patched("a take inferred from a broken sensor", Witness, "gone", gone, often)


def bound_too_soon() -> Variant:
    """The rider's pack is another one as soon as its door has opened, taken or not."""
    stepped = fold_swap.stepped

    def hasty(shop: Any, swap: OpenSwap, seq: int, stamp: Any, body: SwapStepped) -> Any:
        after = stepped(shop, swap, seq, stamp, body)
        if body.step == "given" and body.pack is not None:
            after = changed(after, bound={**after.bound, swap.account: body.pack.code})
        return after

    return _patched("a rider's pack changed before it is taken", edge.till.fold_swap, "stepped", hasty, SHOP)


def closed_again() -> Variant:
    """A session that has its bill stays open for one more look, and is billed once more."""
    closed = fold_swap.closed

    def lingering(shop: Any, swap: OpenSwap, seq: int, stamp: Any, body: SwapClosed) -> Any:
        after = closed(shop, swap, seq, stamp, body)
        return changed(after, swaps={**after.swaps, swap.seq: swap}) if swap.fault != "twice" else after

    async def end_twice(self: SwapDesk, swap: OpenSwap, end: End, more: Sequence[Draft] = ()) -> None:
        await ended(self, swap, end, more)
        if (again := self.desk.state.shop.swaps.get(swap.seq)) is not None:
            shop = self.desk.state.shop
            twice = {**shop.swaps, swap.seq: changed(again, fault="twice", holds=())}
            self.desk.state = changed(self.desk.state, shop=changed(shop, swaps=twice))

    ended = SwapDesk._end
    patches = [
        mock.patch.object(edge.till.fold_swap, "closed", lingering),
        mock.patch.object(SwapDesk, "_end", end_twice),
    ]
    return Variant("a session closed twice", faults=SHOP, patches=lambda: patches)


# --- what is forgotten ------------------------------------------------------------------------------------------------


def forgotten_at_a_start() -> Variant:
    """A daemon that starts knows of no session: each one that was open is called off, wherever its packs are."""
    look = SwapDesk.look

    async def forgetful(self: SwapDesk, swap: OpenSwap, view: View) -> Next:
        if self.progress_of(swap.seq) is None:
            await self._end(swap, End("cancelled"))
            return Wait()
        return await look(self, swap, view)

    often = {**SHOP, "kill_every_s": 60}
    return _patched("sessions forgotten at a start", SwapDesk, "look", forgetful, often)


def moved_by_themselves() -> Variant:
    """Nobody looks at slots without a session: what comes and goes there is in no record."""
    often = {**SHOP, "shop_packs": True, "shop_every_s": 20}
    return _patched("slots that nobody looks at", rest, "compare", lambda *what: [], often)


def list_unread() -> Variant:
    """A pack that is reported stolen goes out like any other."""
    return _patched("a list of packs nobody reads", edge.till.swap.choose, "may_go_out", lambda *what: True, CALM)


def deposit_kept() -> Variant:
    """Headquarters never gives a deposit back."""
    return _patched("a deposit that stays", cloud.packs, "_settle", lambda *what: None, CALM)


SHOP_VARIANTS = (
    eager_doors(),
    charged_at_the_return(),
    charged_once_open(),
    one_witness_is_enough(),
    bound_too_soon(),
    closed_again(),
    forgotten_at_a_start(),
    moved_by_themselves(),
    list_unread(),
    deposit_kept(),
)
