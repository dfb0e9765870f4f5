"""Who comes to the ports and lockers of a simulation: plugs in, pays, pulls out, comes back, tries another's door."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, cast

from sim_boards import StandBoard
from sim_box import Box
from sim_hq import OFFSETS, ZONE
from sim_ports import BY_HAND, PortStand

from cloud.acts import Denied
from drivers.twins.ports.battery import Battery
from edge.carried import Taken
from edge.ports import taps
from edge.ports.ports import PortHall
from edge.till.ask import Refused, Source
from edge.till.port.ask import PortAsk, StayAsk
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort
from protocols.trade import port_prices
from protocols.trade.codec import encode
from protocols.trade.documents import Document, pin
from protocols.trade.grants import hide_credential
from protocols.trade.port_prices import PortPrice, PortPrices, PowerStep
from protocols.trade.records import Origin, Preset

if TYPE_CHECKING:
    from sim_world import World

WAIT_S = 25
"""So long somebody waits before a door that does not open."""


@dataclass
class Spot:
    """One port, by its name on a phone."""

    name: str


class Ebikes:
    """Riders with a pack to charge, those who try what is not theirs, and staff; drawn by the world's chance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self._version = 0

    def open(self) -> None:
        """Prices are published, and people have money."""
        boxes = [box for box in self.world.boxes if box.boards]
        for box in boxes:
            self.publish(box)
        for account in sorted(self.world.accounts.values()) if boxes else ():
            self.world.people.pay(account, self.random.randrange(1_000, 4_000))

    def unleash(self) -> None:
        """Let prices change, and headquarters order something."""
        for box in self.world.boxes:
            if box.boards:
                self.world.often(300, partial(self.publish, box))
                self.world.often(150, partial(self.command, box))

    def come_to(self, box: Box) -> None:
        """One queue for each port, and staff for the lockers."""
        for stand in box.boards.values():
            for port in stand.world.outlets:
                queue = self.lend if stand.build.doors else self.queue
                self.world.act(queue(box, stand, port))
            if stand.build.doors:
                self.world.act(self.look_after(box, stand))

    def publish(self, box: Box) -> None:
        random = self.random
        self._version += 1
        powers = sorted(random.sample((2_000, 5_000, 9_000, 14_000, 30_000), random.randint(1, 3)))
        steps = [PowerStep(power_w, random.randrange(2_000, 20_000) * 1_000) for power_w in powers]
        session_e3, cap_fen = random.choice((0, 0, 20_000)), random.choice((0, 300, 700))
        e3 = random.randrange(50, 300) * 1_000
        late_e3, days = random.choice(((0, 0), (50_000, 2), (120_000, 3)))
        late_free_s = random.choice((0, 60, 100_000))
        prices = [
            PortPrice("energy", "energy", [], e3, session_e3, 0, cap_fen, 0, 0, 0),
            PortPrice("time", "time", steps, 0, session_e3, random.choice((0, 0, 60)), cap_fen, 0, 0, 0),
            PortPrice("tariff", "tariff", [], 0, 0, 0, cap_fen, 0, 0, 0),
            PortPrice("lockers", "energy", [], e3, session_e3, 0, cap_fen, late_e3, late_free_s, days),
        ]
        listed = PortPrices("sim", self._version, ZONE, OFFSETS, prices)
        document = Document(port_prices.KIND, box.name, listed.version, encode(listed), b"")
        self.world.auditor.orders.prices[pin(document).hash] = listed
        self.world.hq.publish_fuel(port_prices.KIND, listed.version, listed, box.name)

    def command(self, box: Box) -> None:
        """Headquarters starts or stops something at a port; it may come again at any time."""
        if box.name not in self.world.people.heard():
            return
        stand = self.random.choice(list(box.boards.values()))
        place = stand.place(self.random.choice(list(stand.world.outlets)))
        account = self.random.choice(list(self.world.accounts.values()))
        found = None if box.site is None or box.site.ports is None else box.site.ports.ports.session_at(place)
        verb, seq = ("start", 0) if found is None else ("stop", found[0].seq)
        signed = self.world.hq.order(box.name, verb, place, account, Preset("full", 0), seq)
        self.world.people.orders.append((box.name, signed))

    # --- at a port ---------------------------------------------------------------------------------------------------

    async def queue(self, box: Box, stand: PortStand, port: int) -> None:
        """One rider after the other."""
        random, world = self.random, self.world
        while True:
            await asyncio.sleep(random.uniform(4, 40))
            if not stand.is_free(port):
                stand.unplug(port)
            if random.random() < 0.95:  # else has forgotten to plug in
                stand.plug(port, self._battery())
            await asyncio.sleep(random.uniform(1, 8))
            card = world.people.rush or random.choice(list(world.accounts))
            started = await self._ask(box, stand, port, card)
            if started and random.random() < 0.15:  # by mistake, and at once
                await asyncio.sleep(random.uniform(0.05, 2.0))
                await self._tap(box, stand, port, card)
            for _ in range(random.choice((2, 8, 8, 30))):
                await asyncio.sleep(5)
                if random.random() < 0.03 and not stand.is_free(port):
                    stand.draw_more(port, random.choice((-500, 1_500, 30_000)))
                if not stand.runs(port):
                    break
            if random.random() < 0.3:
                await self._tap(box, stand, port, card)
            if random.random() < 0.2 and not stand.is_free(port):  # pulled out, and plugged in again
                battery = stand.world.outlets[port].battery
                stand.unplug(port)
                await asyncio.sleep(random.uniform(0.5, 12))
                if battery is not None and stand.is_free(port):
                    stand.plug(port, battery)
                await asyncio.sleep(random.uniform(1, 20))
            if not stand.is_free(port):
                stand.unplug(port)

    async def _ask(self, box: Box, stand: PortStand, port: int, card: str) -> bool:
        random, place = self.random, stand.place(port)
        way = random.random()
        if way < 0.08:
            return await self.world.phones.guest(box, Spot(place))
        if way < 0.16:
            return await self.world.phones.start(box, Spot(place), card)
        for _ in range(random.randint(1, 3)):
            if await self.world.ask(box, self._start(box, stand, port, card)):
                return True
            await asyncio.sleep(random.uniform(1, 10))
        return False

    async def _start(self, box: Box, stand: PortStand, port: int, card: str) -> bool:
        """By card at the board's own reader, at the port's, at the one of all its ports; or with a preset."""
        random, hall, place = self.random, _hall(box), stand.place(port)
        way = random.random()
        if way < 0.35:
            board = cast(StandBoard, hall.loops[stand.name].board)
            return await board.card(port, card)
        if way < 0.45:
            return isinstance((await taps.tap(hall, stand.name, card)).found, OpenPort)
        if way < 0.55:
            return isinstance((await taps.tap_at(hall, place, card)).found, OpenPort)
        preset = random.choice(
            (Preset("full", 0), Preset("money", random.randrange(20, 900)),
             Preset("energy", random.randrange(10, 900)), Preset("time", random.randrange(10, 200)))
        )  # fmt: skip
        credential = hide_credential(hall.site.credential_key, card)
        if random.random() < 0.3:
            sources = (Source(self.world.accounts[card]),)
            ask = PortAsk(place, preset, Origin("panel", b"", 0, "ann"), sources)
        else:
            others = (Source(random.choice(sorted(self.world.accounts.values()))),) if random.random() < 0.2 else ()
            sources = (Source("", credential), *others)
            ask = PortAsk(place, preset, Origin("card", credential, 0, ""), sources, credential)
        return not isinstance(await hall.start(ask), Refused)

    async def _tap(self, box: Box, stand: PortStand, port: int, card: str) -> None:
        await self.world.ask(box, self._tapped(box, stand, port, card))

    async def _tapped(self, box: Box, stand: PortStand, port: int, card: str) -> None:
        hall = _hall(box)
        found = hall.ports.session_at(stand.place(port))
        if found is not None and self.random.random() < 0.3:
            await hall.stop(found[0].seq, PortEnds.LOCAL)
        elif found is not None:
            await taps.tap_at(hall, stand.place(port), card)

    # --- at a locker -------------------------------------------------------------------------------------------------

    async def lend(self, box: Box, stand: PortStand, port: int) -> None:
        """Somebody puts a pack in, comes back, and meanwhile others try the door."""
        random, world = self.random, self.world
        while True:
            await asyncio.sleep(random.uniform(4, 40))
            owner = stand.packs.get(port)
            if owner is None and stand.is_free(port):
                card = world.people.rush or random.choice(list(world.accounts))
                await self._store(box, stand, port, card)
                continue
            await asyncio.sleep(random.uniform(5, 80))
            if random.random() < 0.3:  # tries a door that is not theirs
                stranger = random.choice(list(world.accounts))
                if stranger != owner:
                    stand.ask(port, stranger)
                    await world.ask(box, self._knock(box, stand, port, stranger))
                    await asyncio.sleep(random.uniform(1, 5))
            if owner is not None:
                await self._fetch(box, stand, port, owner)

    async def _store(self, box: Box, stand: PortStand, port: int, card: str) -> None:
        random, place = self.random, stand.place(port)
        came_ms = stand.now_ms()
        stand.ask(port, card)
        if random.random() < 0.25:
            given = await self._show_code(box, place, card)
        else:
            given = await self.world.ask(box, self._knock(box, stand, port, card))
        if given is False and random.random() < 0.8:  # None: nobody has said anything yet
            return
        if not await self._opens(stand, port, card):
            return
        await asyncio.sleep(random.uniform(0.5, 6))
        if (
            stand.opened_to.get(port) == "store"
            and stand.opened_ms[port] >= came_ms
            and stand.is_open(port)
            and stand.is_free(port)
            and random.random() < 0.9
        ):
            stand.put_in(port, card, self._battery())
        await asyncio.sleep(random.choice((random.uniform(0.5, 6), 45.0)))
        stand.shut(port)

    async def _fetch(self, box: Box, stand: PortStand, port: int, card: str) -> None:
        """Comes for the pack, with some patience."""
        random = self.random
        for _ in range(random.randint(1, 4)):
            stand.ask(port, card)
            if random.random() < 0.2:
                await self._show_code(box, stand.place(port), card)
            else:
                await self.world.ask(box, self._knock(box, stand, port, card))
            if await self._opens(stand, port, card):
                await asyncio.sleep(random.uniform(0.5, 6))
                if stand.is_open(port):
                    stand.take_out(port)
                await asyncio.sleep(random.uniform(0.5, 4))
                stand.shut(port)
                return
            await asyncio.sleep(random.uniform(2, 20))

    async def _opens(self, stand: PortStand, port: int, who: str) -> bool:
        """Whether the door opens while somebody stands there."""
        for _ in range(WAIT_S):
            if stand.is_open(port):
                return True
            stand.ask(port, who)
            await asyncio.sleep(1)
        return stand.is_open(port)

    async def _knock(self, box: Box, stand: PortStand, port: int, card: str) -> bool:
        hall, place = _hall(box), stand.place(port)
        found, panel = hall.lockers.desk.stay_at(place), Origin("panel", b"", 0, "ann")
        if found is None and self.random.random() < 0.15:
            account = (Source(self.world.accounts[card]),)
            return not isinstance(await hall.lockers.store(StayAsk(place, panel, account), pin=_pin(card)), Refused)
        if found is not None and found[0].opened.secret and self.random.random() < 0.8:
            return not isinstance(await hall.lockers.collect(place, panel, pin=_pin(card)), Refused)
        if self.random.random() < 0.3:
            return await cast(StandBoard, hall.loops[stand.name].board).card(port, card)
        return (await taps.tap_at(hall, place, card)).refused is None

    async def _show_code(self, box: Box, place: str, card: str) -> bool:
        """A code for this locker, shown once and here."""
        random = self.random
        try:
            text = self.world.hq.code(
                self.world.accounts[card], box.name, random.choice((0, 300)), self.world.phones.next_reference(), place,
                Preset("full", 0),
            )  # fmt: skip
        except Denied:
            return False
        await asyncio.sleep(random.uniform(0.2, 4))
        if box.site is None or box.codes is None:
            return False
        taken = await self.world.ask(box, box.codes.take(text))
        return isinstance(taken, Taken) and taken.session is not None

    async def look_after(self, box: Box, stand: PortStand) -> None:
        """Staff shuts doors, looks into lockers, and takes out what nobody fetches."""
        random = self.random
        while True:
            await asyncio.sleep(random.expovariate(1 / 150))
            port = random.choice(list(stand.world.outlets))
            await self._by_staff(box, stand, port, remove=random.random() < 0.5)

    async def clear(self) -> None:
        """When all else has ended: staff opens every locker that is somebody's, and takes out what is there. Whoever
        stands before an open door takes what is theirs.
        """
        while True:
            await asyncio.sleep(5)
            for box in list(self.world.boxes):
                for stand in box.boards.values() if self.world.quiet else ():
                    for port in stand.world.outlets if stand.build.doors else ():
                        if stand.is_open(port):
                            stand.take_out(port)
                            stand.shut(port)
                        await self._by_staff(box, stand, port, remove=True)

    async def _by_staff(self, box: Box, stand: PortStand, port: int, *, remove: bool) -> None:
        if box.site is None or _hall(box).lockers.desk.stay_at(stand.place(port)) is None:
            return
        stand.ask(port, BY_HAND)
        if not await self.world.ask(box, self._let_in(box, stand, port, remove=remove)):
            return
        if not await self._opens(stand, port, BY_HAND):
            return
        await asyncio.sleep(1)
        theirs = stand.is_asked(port)  # then it is left to whose it is, open
        if remove and not theirs:
            stand.take_out(port)
        await asyncio.sleep(1)
        if not theirs and not stand.is_asked(port):
            stand.shut(port)

    async def _let_in(self, box: Box, stand: PortStand, port: int, *, remove: bool) -> bool:
        hall = _hall(box)
        if hall.lockers.desk.stay_at(stand.place(port)) is None:
            return False
        return not isinstance(
            await hall.lockers.open_by_staff(stand.place(port), "ann", "a round", remove=remove), Refused
        )

    def _battery(self) -> Battery:
        random = self.random
        return Battery.usual(random.randrange(20, 600), random.choice((900, 3_000, 6_000, 15_000)), random.randrange(6))


def _pin(card: str) -> str:
    """Everybody has one of their own."""
    return f"47{zlib.crc32(card.encode()) % 10_000:04}"


def _hall(box: Box) -> PortHall:
    assert box.site is not None
    assert box.site.ports is not None
    return box.site.ports
