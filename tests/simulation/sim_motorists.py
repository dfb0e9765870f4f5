"""Who comes to the pumps of a simulation: fills up, prepays, tops up, takes the wrong nozzle first, drives off."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from sim_box import Box, Work
from sim_hq import OFFSETS, ZONE
from sim_people import START_UTC_MS
from sim_pump import GRADES, FuelStand

from drivers.twins.pumps.parts import Phase
from edge.forecourt.taps import tap
from edge.till.ask import Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.progress import FillEnd, FillPhase
from edge.till.state import OpenFilling
from protocols.trade import fuel_prices, fuel_terms
from protocols.trade.codec import encode
from protocols.trade.documents import Document, pin
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset

if TYPE_CHECKING:
    from sim_world import World

MAY_FLOW = (Phase.AUTHORISED, Phase.DELIVERING)
UNDER_WAY = (*MAY_FLOW, Phase.SUSPENDED)


class Motorists:
    """Drivers, cashiers and fleets; what they do is drawn by the world's chance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self._list_version = 0

    def open(self) -> None:
        """Price lists and fleet terms are published."""
        boxes = [box for box in self.world.boxes if box.pumps]
        if not boxes:
            return
        random, accounts = self.random, sorted(self.world.accounts.values())
        fleets = [
            Terms(account, b"", random.choice(([], [], ["92"], ["0"])), random.choice((0, 0, 4_000, 9_000)), "")
            for account in accounts
            if random.random() < 0.4
        ]
        terms = self.world.auditor.fuel.terms = FuelTerms(1, fleets)
        for box in boxes:
            self.publish(box)
            self.world.hq.publish_fuel(fuel_terms.KIND, 1, terms, box.name)
        for account in accounts:
            self.world.people.pay(account, random.randrange(2_000, 9_000))  # a litre costs as much as ten kWh

    def unleash(self) -> None:
        """Let prices change."""
        for box in self.world.boxes:
            if box.pumps:
                self.world.often(300, lambda box=box: self.publish(box))

    def publish(self, box: Box) -> None:
        """A list with its own future: prices change while this world lives."""
        random = self.random
        self._list_version += 1
        now_s = (START_UTC_MS + self.world.loop.now_ms()) // 1000
        starts = [0, *sorted(random.sample(range(now_s - 600, now_s + 1_500), random.randint(0, 4)))]
        steps = [
            PriceStep(start, [GradePrice(grade, random.randrange(500, 900) * 1_000) for grade in GRADES])
            for start in starts
        ]
        grades = [Grade(code, f"{code}#") for code in GRADES]
        prices = PriceList("sim", self._list_version, ZONE, OFFSETS, grades, steps)
        document = Document(fuel_prices.KIND, box.name, prices.version, encode(prices), b"")
        self.world.auditor.fuel.lists[pin(document).hash] = prices
        self.world.hq.publish_fuel(fuel_prices.KIND, prices.version, prices, box.name)

    # --- at a pump ---------------------------------------------------------------------------------------------------

    async def queue(self, box: Box, pump: FuelStand) -> None:
        """One car after the other."""
        random = self.random
        while True:
            await asyncio.sleep(random.uniform(5, 40))
            pump.settle()
            pump.pump.park(random.choice((None, random.randrange(500, 8_000))))
            nozzle = random.choice(list(pump.pump.nozzles))
            first = random.random() < 0.5  # lifts the nozzle before he asks
            if first:
                await self._lift(pump, nozzle)
            started = await self._ask(box, pump, nozzle)
            if not first:
                await asyncio.sleep(random.uniform(0.1, 8))
                await self._lift(pump, nozzle)
            if started or random.random() < 0.2:
                await self._fill(box, pump)
            if random.random() < 0.05:  # drives off with the nozzle in the tank
                await asyncio.sleep(random.uniform(20, 100))
            pump.hang_up()
            for other in pump.pump.blocked:
                pump.hang_up(other)
            if started is not None and random.random() < 0.6:
                await self._pay_afterwards(box, pump)

    async def _lift(self, pump: FuelStand, nozzle: int) -> None:
        """Mostly the right one at once."""
        random = self.random
        if random.random() < 0.1 and len(pump.pump.nozzles) > 1:
            wrong = 3 - nozzle
            pump.lift(wrong)
            await asyncio.sleep(random.uniform(0.5, 3))
            if random.random() < 0.7:
                pump.hang_up(wrong)
                await asyncio.sleep(random.uniform(0.2, 2))
        pump.lift(nozzle)

    async def _fill(self, box: Box, pump: FuelStand) -> None:
        """Wait to be allowed; squeeze, once or more; perhaps never."""
        random = self.random
        for _ in range(random.choice((4, 20, 20, 50))):
            pump.settle()
            if pump.pump.phase in MAY_FLOW:
                break
            await asyncio.sleep(0.5)
        else:
            return
        if random.random() < 0.1:  # has thought better of it, or is called away
            await asyncio.sleep(random.choice((0.2, 2, 70)))
            return
        for _ in range(random.choice((1, 1, 2, 4))):
            await asyncio.sleep(random.uniform(0.1, 4))
            pump.squeeze(random.randrange(40, 800), random.choice((random.randrange(20, 500), random.randrange(9_000))))
            for _ in range(60):
                await asyncio.sleep(1)
                pump.settle()
                if pump.pump.trigger_ml_s == 0 or pump.pump.phase not in UNDER_WAY:
                    break
            pump.pump.release_trigger()
        if random.random() < 0.1:
            await self._stop(box, pump)
        await asyncio.sleep(random.uniform(0.1, 5))

    async def _ask(self, box: Box, pump: FuelStand, nozzle: int) -> bool | None:
        """Whether somebody has opened a filling here; None: nobody has even asked."""
        random, card = self.random, self.world.people.rush or random_card(self.world)
        way = random.random()
        if way < 0.05:
            return None
        if way < 0.12:
            return await self.world.phones.guest(box, pump)
        if way < 0.2:
            return await self.world.phones.start(box, pump, card)
        for _ in range(random.randint(1, 3)):
            if await self.world.ask(box, self._start(box, pump, nozzle, card)):
                return True
            await asyncio.sleep(random.uniform(1, 10))
        return False

    async def _start(self, box: Box, pump: FuelStand, nozzle: int, card: str) -> bool:
        random, site = self.random, box.site
        assert site is not None
        assert site.islands is not None
        if random.random() < 0.3:
            tapped = await tap(site.islands, [pump.name], card)
            return tapped.filling is not None
        credential = hide_credential(site.credential_key, card)
        preset = random.choice(
            (Preset("full", 0), Preset("money", random.randrange(50, 3_000)),
             Preset("volume", random.randrange(100, 5_000)))
        )  # fmt: skip
        account = self.world.accounts[card]
        guaranteed = random.random() < 0.25
        sources: tuple[Source, ...] = (Source("", credential),)
        if guaranteed:
            others = sorted(self.world.accounts.values())
            sources = (Source(random.choice(others)),)
        elif random.random() < 0.2:
            sources = (Source("", credential), Source(random.choice(sorted(self.world.accounts.values()))))
        named = guaranteed or random.random() < 0.3
        if named and not guaranteed:
            sources = (Source(account), *sources[1:])
        origin = Origin("panel" if named else "card", b"" if named else credential, 0, "ann" if named else "")
        ask = FillAsk(
            pump.name, preset, origin, sources, b"" if named else credential,
            nozzle=random.choice((None, nozzle)), guaranteed=guaranteed,
        )  # fmt: skip
        return isinstance(await site.islands.start(ask), OpenFilling)

    async def _stop(self, box: Box, pump: FuelStand) -> None:
        """The attendant ends it."""
        if box.site is not None and box.site.islands is not None:
            await self.world.ask(box, self._tell_stop(box, pump))

    async def _tell_stop(self, box: Box, pump: FuelStand) -> None:
        assert box.site is not None
        assert box.site.islands is not None
        found = box.site.islands.fills.filling_at(pump.name)
        if found is not None:
            await box.site.islands.stop(found[0].seq, FillEnd.LOCAL)

    async def _pay_afterwards(self, box: Box, pump: FuelStand) -> None:
        """At the till, for what another has guaranteed; twice by mistake, now and then."""
        random = self.random
        for _ in range(random.choice((1, 1, 2))):
            await asyncio.sleep(random.uniform(0.5, 20))
            if box.site is None or box.site.islands is None:
                continue
            found = box.site.islands.fills.filling_at(pump.name)
            if found is None or found[1].phase is not FillPhase.PAYING:
                continue
            if random.random() < 0.5:
                work: Work = tap(box.site.islands, [pump.name], random_card(self.world))
            else:
                source = Source(random.choice(sorted(self.world.accounts.values())))
                work = box.site.islands.pay(found[0].seq, source)
            paid = await self.world.ask(box, work)
            self.world.auditor.seen["filling paid afterwards"] += isinstance(paid, OpenFilling)


def random_card(world: World) -> str:
    return world.random.choice(list(world.accounts))
