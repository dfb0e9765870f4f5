"""What customers do by phone: fetch a code and show it, once or often, here or elsewhere; pay as a guest."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Protocol

from sim_box import Box

from cloud.acts import Denied
from edge.carried import Taken
from protocols.trade.records import Preset

if TYPE_CHECKING:
    from sim_world import World


class Named(Protocol):
    """Whatever a code can be for."""

    name: str


class Phones:
    """All phones. A code that was fetched may be shown again at any time, at any site."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self._codes: list[str] = []
        self._references = 0

    def unleash(self) -> None:
        """From now on somebody shows an old code, refunds are paid out, and time is looked after."""
        self.world.often(60, self.show_an_old_one)
        self.world.often(120, self.world.hq.pay_refunds)
        self.world.often(300, self.world.hq.tend)

    async def start(self, box: Box, stand: Named, card: str, wanted: Preset | None = None) -> bool:
        """Fetch a code with a start over the phone's own network, and show it, perhaps twice."""
        random, account = self.random, self.world.accounts[card]
        preset = wanted or random.choice((Preset("full", 0), Preset("money", random.randrange(100, 1_500))))
        connector = stand.name if random.random() < 0.7 else ""
        try:
            text = self.world.hq.code(
                account, box.name, random.choice((0, 300, 1_000)), self.next_reference(), connector, preset
            )
        except Denied:
            return False
        return await self._show(box, text)

    async def guest(self, box: Box, stand: Named) -> bool:
        """Pay for one session."""
        amount = self.random.randrange(200, 2_000)
        reference = self.next_reference()
        account, text = self.world.hq.guest(box.name, stand.name, amount, reference)
        self.world.auditor.books.paid_in[account] = amount
        self.world.auditor.seen["guest"] += 1
        if self.random.random() < 0.3:  # the channel tells it twice
            assert self.world.hq.guest(box.name, stand.name, amount, reference)[0] == account
        if text is None:
            return False
        return await self._show(box, text)

    def show_an_old_one(self) -> None:
        """A code of any age, at any site: it adds nothing, or what headquarters had granted there all the same."""
        if self._codes:
            box = self.random.choice(self.world.boxes)
            if box.site is not None and box.codes is not None:
                text = self.random.choice(self._codes)
                if self.random.random() < 0.2:
                    text = text[: self.random.randrange(len(text))]
                self.world.act(self.world.ask(box, box.codes.take(text)))

    async def _show(self, box: Box, text: str) -> bool:
        self._codes.append(text)
        started = False
        for _ in range(self.random.choice((1, 1, 2, 3))):
            await asyncio.sleep(self.random.uniform(0.2, 4))
            if box.site is None or box.codes is None:
                continue
            taken = await self.world.ask(box, box.codes.take(text))
            started |= isinstance(taken, Taken) and taken.session is not None
        self.world.auditor.seen["code that started a session"] += started
        return started

    def next_reference(self) -> str:
        """That nothing else has."""
        self._references += 1
        return f"phone-{self._references}"
