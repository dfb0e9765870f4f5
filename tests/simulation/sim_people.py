"""Who comes to the sites of a simulation, and what people at headquarters do meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sim_box import Box
from sim_hq import OFFSETS, ZONE
from sim_plant import Stand

from edge.site import Tapped
from edge.till.start import Ask, Refused, Source
from protocols.trade.codec import encode
from protocols.trade.documents import Document, pin
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset
from protocols.trade.tariff import Period, Tariff

if TYPE_CHECKING:
    from sim_world import World

START_UTC_MS = 1_780_000_000_000
"""2026-05-28: when each world begins."""


@contextmanager
def query(path: Path) -> Iterator[sqlite3.Connection]:
    """Headquarters' database, to look into."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


class People:
    """Customers, payers and staff; what they do is drawn by the world's chance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self._tariff_version = 0
        self.payments: list[tuple[str, int, str]] = []
        self.orders: list[tuple[str, bytes]] = []
        self.rush: str | None = None
        self._funded = 0
        self._lost_cards: set[str] = set()

    def unleash(self) -> None:
        """Let them come."""
        world = self.world
        for box in world.boxes:
            self.come_to(box)
            world.often(400, lambda box=box: self.publish(box))
            world.often(500, lambda box=box: self.close_day(box))
            world.often(200, lambda box=box: self.command(box))
            world.often(150, lambda box=box: self.extend(box))
            world.often(world.faults.pool_every_s, lambda box=box: self.fund_pool(box))
        world.often(world.faults.hot_every_s, self.report_card)
        world.phones.unleash()
        world.often(150, self.top_up)
        world.often(200, self.begin_rush)

    def come_to(self, box: Box) -> None:
        """One queue for each place."""
        for stand in box.stands.values():
            self.world.act(self.customers(box, stand))
        for pump in box.pumps.values():
            self.world.act(self.world.motorists.queue(box, pump))
        if box.shop is not None:
            self.world.act(self.world.riders.queue(box, box.shop))
            self.world.act(self.world.riders.look_after(box, box.shop))
        self.world.ebikes.come_to(box)

    async def customers(self, box: Box, stand: Stand) -> None:
        """One car after the other."""
        random = self.random
        while True:
            await asyncio.sleep(random.uniform(2, 15) if self.rush else random.uniform(6, 60))
            stand.plug(random.choice((7_000, 22_000, 60_000, 120_000)), random.randrange(20, 3_000))
            await asyncio.sleep(random.uniform(1, 8))
            card = self.rush or random.choice(list(self.world.accounts))
            by_phone = random.random()
            if by_phone < 0.1:
                await self.world.phones.guest(box, stand)
            elif by_phone < 0.2:
                await self.world.phones.start(box, stand, card)
            for _ in range(random.randint(1, 3)):
                started = await self.world.ask(box, self._start(box, stand, card))
                if started is True or (isinstance(started, Tapped) and started.session is not None):
                    break
                await asyncio.sleep(random.uniform(1, 20))
            if random.random() < 0.25:  # started by mistake, and stopped at once
                await asyncio.sleep(random.uniform(0.05, 1.0))
                await self._tap(box, stand, card)
            stays_s = random.choice((20, 60, 60, 200))
            for _ in range(stays_s // 5):
                await asyncio.sleep(5)
                if stand.car_need == 0:
                    break
            if random.random() < 0.4:
                await self._tap(box, stand, card)
            await asyncio.sleep(random.uniform(0.5, 30))
            stand.unplug()

    async def _tap(self, box: Box, stand: Stand, card: str) -> None:
        if box.site is not None:
            await self.world.ask(box, box.site.tap(stand.name, card))

    async def _start(self, box: Box, stand: Stand, card: str) -> Tapped | bool:
        """By card, by card with a preset, or from the panel for an account."""
        random, site = self.random, box.site
        assert site is not None
        if random.random() < 0.5:
            return await site.tap(stand.name, card)
        preset = random.choice(
            (Preset("full", 0), Preset("money", random.randrange(100, 2_000)),
             Preset("energy", random.randrange(100, 3_000)), Preset("time", random.randrange(10, 120)))
        )  # fmt: skip
        credential = hide_credential(site.credential_key, card)
        named = random.random() < 0.3
        tenders: tuple[Source, ...] = ()
        if random.random() < 0.2:  # this card first, then another account
            other = random.choice(list(self.world.accounts.values()))
            tenders = (Source("", credential), Source(other))
        ask = Ask(
            stand.name, b"" if named else credential, self.world.accounts[card] if named else "", preset,
            Origin("panel" if named else "card", b"" if named else credential, 0, "ann" if named else ""), tenders,
        )  # fmt: skip
        return not isinstance(await site.start(ask), Refused)

    # --- at headquarters, and with the keys of a technician ----------------------------------------------------------

    def pay(self, account: str, amount: int) -> None:
        reference = f"pay-{len(self.payments)}"
        self.payments.append((account, amount, reference))
        self.world.auditor.books.paid_in[account] += amount
        self.world.hq.top_up(account, amount, reference)

    def top_up(self) -> None:
        """Money comes in, or a payment that has long been told is told again."""
        if self.random.random() < 0.4:
            self.world.hq.top_up(*self.random.choice(self.payments))
        else:
            self.pay(self.random.choice(list(self.world.accounts.values())), self.random.randrange(50, 1_500))

    def begin_rush(self) -> None:
        """One card, or copies of it, at every place there is."""
        self.rush = self.random.choice(list(self.world.accounts))

        def over() -> None:
            self.rush = None

        self.world.later(60, over)

    def publish(self, box: Box) -> None:
        random = self.random
        self._tariff_version += 1
        starts = sorted(random.sample(range(0, 86_400, 600), random.randint(1, 6)))
        if random.random() < 0.6:  # so that prices change while this world lives
            now_s = (START_UTC_MS + self.world.loop.now_ms()) // 1000 + 28_800
            starts = sorted({*starts, (now_s // 600 * 600 + random.choice((600, 1200))) % 86_400})
        periods = [
            Period(start, f"p{n}", random.randrange(30_000, 300_000, 125), random.choice((0, 40_000)))
            for n, start in enumerate(starts)
        ]
        tariff = Tariff(
            "sim", self._tariff_version, ZONE, OFFSETS, periods,
            random.choice((0, 0, 50_000)), random.choice((0, 0, 10_000)), random.choice((0, 30)),
        )  # fmt: skip
        document = Document("tariff", box.name, tariff.version, encode(tariff), b"")
        self.world.auditor.visits.tariffs[pin(document).hash] = tariff
        self.world.hq.publish(tariff, box.name)

    def close_day(self, box: Box) -> None:
        if box.site is not None:
            self.world.act(self.world.ask(box, box.site.close_day("ann")))

    def command(self, box: Box) -> None:
        """Headquarters orders something; it waits for the next batch, and may come again at any time."""
        if box.name not in self.heard():
            return
        stand = self.random.choice(list(box.stands.values()))
        account = self.random.choice(list(self.world.accounts.values()))
        session = box.site.desk.session_at(stand.name) if box.site is not None else None
        verb, seq = ("stop", session[0].seq) if session is not None else ("start", 0)
        signed = self.world.hq.order(box.name, verb, stand.name, account, Preset("full", 0), seq)
        self.orders.append((box.name, signed))

    def extend(self, box: Box) -> None:
        """Somebody pays for more of a session that runs."""
        running = box.site.desk.sessions() if box.site is not None else []
        if box.site is not None and running:
            session, _ = self.random.choice(running)
            source = Source(self.random.choice(list(self.world.accounts.values())))
            self.world.act(self.world.ask(box, box.site.extend(session.seq, source, self.random.choice((None, 200)))))

    def fund_pool(self, box: Box) -> None:
        self._funded += 1
        self.world.hq.fund_pool(box.name, self.random.randrange(200, 1_500), f"pool-{self._funded}")

    def report_card(self) -> None:
        """A card is lost, or found again."""
        card = self.random.choice(list(self.world.accounts))
        lost = card not in self._lost_cards
        self._lost_cards ^= {card}
        version, cards = self.world.hq.hot_list(card, lost=lost)
        self.world.auditor.rights.hot[version] = cards

    def heard(self) -> set[str]:
        """Sites that headquarters has heard of, so that it can order something there."""
        with query(self.world.hq.path) as hq:
            return {site for (site,) in hq.execute("SELECT site FROM epochs WHERE boot IS NOT NULL")}
