"""Who comes to the cabinets of a simulation: swaps, rents, returns, forgets, robs; and its staff."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from sim_box import Box
from sim_hq import OFFSETS, ZONE
from sim_shop import CABINET, CODES, ShopStand

from drivers.errors import DeviceError
from drivers.twins.cabinets.pack import Pack
from drivers.twins.cabinets.rider import Rider, Step
from drivers.twins.cabinets.rider_words import SCRIPTS, Manners
from edge.till.state_shop import OpenSwap
from edge.till.swap.ask import SwapAsk
from protocols.trade import swap_terms
from protocols.trade.codec import encode
from protocols.trade.documents import Document, pin
from protocols.trade.grants import hide_credential
from protocols.trade.records import CNY, Origin, Preset
from protocols.trade.records_pack import DEPOSIT, SwapKind
from protocols.trade.swap_terms import Model, RentOffer, SwapOffer, SwapTerms

if TYPE_CHECKING:
    from sim_world import World

PLAN = "SWAPS"
DEPOSIT_FEN = 500
ODD = [kind for kind in SCRIPTS if kind not in ("swaps", "rents", "returns", "forces")]
FULL_PERMILLE = 850
PATIENCE_S = 420
IDLE_S = 15
ROUND_S = 60
"""How often staff comes to a cabinet."""


class Riders:
    """Riders, thieves and staff; what they do is drawn by the world's chance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self._terms_version = 0
        self._visits = 0
        self._hot: list[str] = []

    def open(self) -> None:
        """Terms are published, plans and deposits sold, and people have packs."""
        boxes = [box for box in self.world.boxes if box.shop is not None]
        if not boxes:
            return
        random, world = self.random, self.world
        for box in boxes:
            self.publish(box)
        for account in sorted(world.accounts.values()):
            world.people.pay(account, random.randrange(1_000, 4_000))
            if random.random() < 0.6:
                swaps, daily = random.randint(2, 12), random.randint(1, 6)
                world.auditor.books.paid_in[f"{account} {PLAN}"] += swaps
                sites = [box.name for box in boxes]
                world.hq.sell_plan(account, PLAN, swaps, daily, sites, f"plan-{account}")
            if random.random() < 0.6:
                fen = DEPOSIT_FEN * random.randint(1, 2)
                world.auditor.books.paid_in[f"{account} {DEPOSIT}"] += fen
                world.hq.top_up(account, fen, f"deposit-{account}", asset=DEPOSIT)
            for box in boxes:
                if box.shop is not None and random.random() < 0.7:
                    box.shop.shop.bring(box.shop.new_pack(random.randrange(50, 600)), account)

    def unleash(self) -> None:
        """Let terms change and lists of packs be made."""
        shops = [box for box in self.world.boxes if box.shop is not None]
        for box in shops:
            self.world.often(300, lambda box=box: self.publish(box))
        if shops:
            self.world.often(100, self.world.hq.list_packs)
            self.world.often(120, self.report_pack)

    def publish(self, box: Box) -> None:
        random = self.random
        self._terms_version += 1
        swaps = [SwapOffer("plan", "plan", PLAN, random.choice((1, 1, 2)), 0, 0, 0, 0, random.choice((600, 850)))]
        swaps += random.sample(
            [
                SwapOffer("single", "single", CNY, 0, random.randrange(100, 600) * 1_000, 0, 0, 0, 850),
                SwapOffer("energy", "energy", CNY, 0, random.randrange(5_000) * 1_000, 20, 400, 0, 850),
            ],
            random.choice((1, 2)),
        )
        rents = [RentOffer("day", [], 1, random.randrange(100, 500) * 1_000, 3_600, 1_000_000)]
        models = [Model("72V2", [CODES], [], random.choice((0, DEPOSIT_FEN, DEPOSIT_FEN)))]
        terms = SwapTerms(self._terms_version, ZONE, OFFSETS, swaps, rents, models, 400)
        document = Document(swap_terms.KIND, box.name, terms.version, encode(terms), b"")
        self.world.auditor.packs.terms[pin(document).hash] = terms
        self.world.hq.publish_fuel(swap_terms.KIND, terms.version, terms, box.name)

    def report_pack(self) -> None:
        """A pack is reported stolen, or found to be in order; some are hot at a time."""
        if len(self._hot) > 2:
            self.world.hq.report_pack(self._hot.pop(0), hot=False)
            return
        stands = [box.shop for box in self.world.boxes if box.shop is not None]
        packs = [thing for thing in self.random.choice(stands).shop.things.values() if isinstance(thing, Pack)]
        if not packs:  # the box lives on at a cabinet that was empty when its disk was copied
            return
        code = self.random.choice(packs).code
        if code.startswith(CODES[:-1]) and code not in self._hot:
            self._hot.append(code)
            self.world.hq.report_pack(code, hot=True)

    # --- at a cabinet ------------------------------------------------------------------------------------------------

    async def queue(self, box: Box, stand: ShopStand) -> None:
        """One rider after the other, as a cabinet serves them."""
        random = self.random
        while True:
            await asyncio.sleep(random.uniform(2, 20))
            if random.random() < 0.05:
                await self._at_it(box, stand, "thief", SCRIPTS["forces"](self._manners(), "thief"))
                continue
            card = self.world.people.rush or random.choice(list(self.world.accounts))
            who = self.world.accounts[card]
            stand.settle()
            packs = stand.packs_of(who)
            for pack in packs:
                pack.drain(pack.full_mj * random.randrange(50, 700) // 1_000)
            kind, steps = self._errand(who, packs)
            started = await self._ask(box, stand, card, kind)
            if started or random.random() < 0.1:
                await self._at_it(box, stand, who, steps)
            for thing in stand.shop.hands(who):
                if not isinstance(thing, Pack) or not thing.name.startswith(CODES[:-1]):
                    stand.drop(who, thing)

    async def look_after(self, box: Box, stand: ShopStand) -> None:
        """Staff takes locks off, takes out what should not be there, puts packs in, and shuts doors."""
        random = self.random
        while True:
            await asyncio.sleep(random.expovariate(1 / ROUND_S))
            if box.site is None or box.site.shop is None or stand.busy:
                continue
            for number, slot in stand.cabinet.slots.items():
                if slot.door_open and not stand.busy:
                    slot.shut("staff")
                name = f"{CABINET}/{number}"
                if box.site is not None and name in box.site.desk.state.shop.slots and random.random() < 0.7:
                    await self.world.ask(box, self._unlock(box, number))
            await self._by_hand(box, stand)

    async def _by_hand(self, box: Box, stand: ShopStand) -> None:
        random, slots = self.random, stand.cabinet.slots
        spent = [n for n, slot in slots.items() if slot.pack is None or slot.pack.soc_permille < FULL_PERMILLE]
        number = random.choice(spent if spent and random.random() < 0.8 else list(slots))
        slot = slots[number]
        empty = [one for one in slots.values() if one.thing is None]
        if (slot.thing is None and len(empty) <= 2) or not await self.world.ask(box, self._open(box, number)):
            return
        await asyncio.sleep(random.uniform(1, 4))
        stand.settle()
        if not slot.door_open:
            return
        if slot.thing is not None:
            stand.shop.take(CABINET, number, "staff")
        if random.random() < 0.8:
            stand.shop.bring(pack := stand.new_pack(random.randrange(850, 1_000)), "staff")
            stand.shop.put(CABINET, number, pack, "staff")
        await asyncio.sleep(random.uniform(0.5, 3))
        stand.settle()
        slot.shut("staff")

    async def _unlock(self, box: Box, slot: int) -> None:
        assert box.site is not None
        assert box.site.shop is not None
        await box.site.shop.set_slot(CABINET, slot, True, "ann", "looked at")

    async def _open(self, box: Box, slot: int) -> bool:
        assert box.site is not None
        assert box.site.shop is not None
        try:
            return await box.site.shop.open_slot(CABINET, slot, "ann", "round") is None
        except DeviceError:
            return False

    def _errand(self, who: str, packs: Sequence[Pack]) -> tuple[SwapKind, Sequence[Step]]:
        """What somebody who has these packs wants, and how it is gone about."""
        random, manners = self.random, self._manners()
        self._visits += 1
        name = f"{who}-{self._visits}"
        if not packs:  # scans once more what was left behind, or rents
            again = random.random() < 0.4
            return ("swap", SCRIPTS["rents"](manners, name)) if again else ("rent", SCRIPTS["rents"](manners, name))
        if len(packs) > 1 or random.random() < 0.15:
            return "return", SCRIPTS["returns"](manners, name)
        if random.random() < 0.65:
            return "swap", SCRIPTS["swaps"](manners, name)
        return "swap", SCRIPTS[random.choice(ODD)](manners, name)

    async def _at_it(self, box: Box, stand: ShopStand, who: str, steps: Sequence[Step]) -> None:
        """Somebody acts, until the last step is done, patience is at its end, or nothing happens there any more."""
        rider, idle_s = Rider(who, CABINET, steps), 0
        stand.come(rider)
        for _ in range(PATIENCE_S):
            await asyncio.sleep(1)
            if not stand.busy:
                return
            over = box.site is not None and not box.site.desk.state.shop.swaps and not stand.cabinet.doors_open
            idle_s = idle_s + 1 if over else 0
            if idle_s > IDLE_S:
                break
        stand.leave(rider)

    def _manners(self) -> Manners:
        return Manners(self.random.randint(300, 4_000), self.random.randint(500, 6_000))

    async def _ask(self, box: Box, stand: ShopStand, card: str, kind: SwapKind) -> bool:
        random, far = self.random, self.random.random()
        if far < 0.15:
            return await self.world.phones.start(box, stand, card, Preset(kind, 0))
        if far < 0.25:
            return await self._from_afar(box, card, kind)
        for _ in range(random.randint(1, 3)):
            if await self.world.ask(box, self._start(box, card, kind)):
                if random.random() < 0.05:
                    await self.world.ask(box, self._cancel(box))
                return True
            await asyncio.sleep(random.uniform(1, 10))
        return False

    async def _from_afar(self, box: Box, card: str, kind: SwapKind) -> bool:
        """Headquarters is asked for a start; it comes with the answer to the site's next batch."""
        if box.name not in self.world.people.heard():
            return False
        preset, account = Preset(kind, 0), self.world.accounts[card]
        self.world.people.orders.append((box.name, self.world.hq.order(box.name, "start", CABINET, account, preset, 0)))
        for _ in range(60):
            await asyncio.sleep(1)
            site = box.site
            if site is not None and any(swap.account == account for swap in site.desk.state.shop.swaps.values()):
                return True
        return False

    async def _start(self, box: Box, card: str, kind: SwapKind) -> bool:
        """By card at the reader, by card for something else than a swap, or from the panel for an account."""
        random, site = self.random, box.site
        if site is None or site.shop is None:
            return False
        if kind == "swap" and random.random() < 0.5:
            return isinstance(await site.shop.tap(CABINET, card), OpenSwap)
        credential, account = hide_credential(site.credential_key, card), self.world.accounts[card]
        consent = random.random() < 0.5
        scanned_ms = box.clock.mono_ms()
        if random.random() < 0.3:
            origin = Origin("panel", b"", 0, "ann")
            ask = SwapAsk(CABINET, kind, origin, scanned_ms, account=account, consent=consent)
        else:
            origin = Origin("card", credential, 0, "")
            ask = SwapAsk(CABINET, kind, origin, scanned_ms, credential=credential, consent=consent)
        return isinstance(await site.shop.start(ask), OpenSwap)

    async def _cancel(self, box: Box) -> None:
        assert box.site is not None
        assert box.site.shop is not None
        found = box.site.shop.swaps.swap_at(CABINET)
        if found is not None:
            await box.site.shop.cancel(found.seq, self.random.choice(("", "ann")))
