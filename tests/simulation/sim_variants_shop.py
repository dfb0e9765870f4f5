"""Known-bad software at cabinets: production with one thing made wrong, each a design that somebody has built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from sim_world import Variant

import edge.shop.swap_desk
from drivers.errors import DeviceError
from edge.shop.cabinet_loop import CabinetLoop
from edge.shop.shop import Shop
from edge.till.ask import Opening, Refused
from edge.till.state_shop import OpenSwap
from edge.till.swap.ask import SwapAsk
from edge.till.swap.next import End
from edge.till.swap.settle import settle
from edge.till.swap.slots import Witness
from protocols.trade.records_pack import SwapOpened

SHOP: dict[str, Any] = {"shops": 100, "shop_every_s": 60, "shop_answers": 0.1}
"""What worlds need in which cabinets matter."""


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

    patch = mock.patch.object(Shop, "_start", eager)
    return Variant("a door opened before the record is durable", faults=SHOP, patches=lambda: [patch])


def charged_at_the_return() -> Variant:
    """Whoever has put a pack in pays for the one that was chosen, taken or not."""

    def prepaid(state: Any, swap: OpenSwap, end: End, *rest: Any, **more: Any) -> Any:
        if swap.opened.kind == "swap" and swap.returned is not None and swap.offered is not None:
            end = replace(end, outcome="swapped", taken=True)
        return settle(state, swap, end, *rest, **more)

    patch = mock.patch.object(edge.shop.swap_desk, "settle", prepaid)
    return Variant("charged at the return, not at the taking", faults=SHOP, patches=lambda: [patch])


def one_witness_is_enough() -> Variant:
    """One sensor that says "empty" is a pack taken, whatever the others say."""
    patch = mock.patch.object(Witness, "gone", property(lambda self: self.loosely_empty))
    often = {**SHOP, "shop_every_s": 10}
    return Variant("a take inferred from a broken sensor", faults=often, patches=lambda: [patch])


SHOP_VARIANTS = (eager_doors(), charged_at_the_return(), one_witness_is_enough())
