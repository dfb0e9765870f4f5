"""The boards of a site as one daemon knows them: `drivers.port_board.PortBoard` in memory, and the daemon's own wiring.

A board is asked and told over a line that loses answers; what it has to tell comes again until it is acknowledged. A
daemon may die in the middle of any of it, and the next one knows nothing of what this one was told.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace as changed
from sim_plant import ANSWER_S, BUSY_S, TIMEOUT_S
from sim_ports import AGAIN_MS, PortStand

from drivers.api import Link, LinkState, Point, Quality, Reading
from drivers.errors import DeviceFault, Silent, Transient, Unsupported
from drivers.port_board import PortBoard, PortOrder, PortStatus, Settlement
from drivers.ports.cards import Account
from drivers.twins.ports.board import No
from edge.clock import Clock
from edge.measurement import MeasurementRecorder
from edge.ports.board_loop import BoardLoop
from edge.ports.setup import set_up_ports
from edge.site import Site
from edge.till.port.policy import PortPolicy

POLL_S = 1.5
CARD_S = 10.0
"""So long a board waits for word on a card."""
QUICK_HASHES = SimpleNamespace(
    sha256=hashlib.sha256, scrypt=lambda keyed, *, salt, dklen, **_: hashlib.sha256(salt + keyed).digest()[:dklen]
)
"""In the place of `hashlib` for PINs, which are slow to guess on purpose."""
NO_CHANCE = SimpleNamespace(token_bytes=bytes)
"""In the place of `secrets` where PINs are salted: a world is decided by its seed."""
POLICY = PortPolicy(
    fill_up_cap_fen=900, silence_s=40, start_timeout_s=30, unplugged_s=10, over_limit_s=20, settle_wait_s=40,
    settle_after_s=120, door_s=6, shut_s=30, overdue_s=200,
)  # fmt: skip


class StandBoard:
    """A board with a protocol of its own, in memory. on_card: what the site says of a card at its reader."""

    def __init__(
        self, stand: PortStand, random: Random, mono_ms: Callable[[], int], die: Callable[[str], None]
    ) -> None:
        self.id = stand.name
        self.profile_id = "ykc" if stand.build.pile else "dny-simulated"
        self.traits = stand.build.traits
        self.stand = stand
        self.on_card: Any = None
        self.prices: Any = None  # of a pile
        self.config = SimpleNamespace(utc_offset_min=480)  # of a pile
        self._random = random
        self._mono_ms = mono_ms
        self._die = die
        self._told: dict[int, Reading[PortStatus]] = dict.fromkeys(self.traits.ports, Reading(None, Quality.NONE, None))
        self._settlements: dict[int, Settlement] = {}
        self._news = -1
        self._tells_ms = 0
        self._again_ms: dict[int, int] = {}

    async def run(self) -> None:
        while True:
            self._hear()
            await asyncio.sleep(POLL_S)

    def link(self) -> Link:
        return Link(LinkState.ONLINE if self.stand.hears else LinkState.OFFLINE, 0, None, None)

    def points(self) -> list[Point]:
        return []

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        return dict(self._told)

    def settlements(self) -> Sequence[Settlement]:
        return list(self._settlements.values())

    async def read_status(self, port: int) -> Reading[PortStatus]:
        if self.stand.build.asks:
            await self._ask()
            self._read(port)
        return self._told[port]

    async def start(self, port: int, order: PortOrder) -> None:
        await self._order()
        if self.stand.build.pile and (self.prices is None or self.prices() is None):
            raise Transient("the pile has no prices yet", where=self.id)
        refusal = self.stand.start(port, order)
        if refusal is No.DARK:
            raise await self._silent("no answer")
        if refusal is not None:
            raise DeviceFault(refusal.value, where=self.id)
        await self._done()

    async def stop(self, port: int, number: bytes) -> None:
        await self._order()
        self.stand.stop(port, number)
        await self._done()

    async def acknowledge(self, settlement: Settlement) -> None:
        await self._order()
        assert isinstance(settlement.ticket, int)
        self.stand.acknowledge(settlement.ticket)
        self._settlements.pop(settlement.ticket, None)
        await self._done()

    async def open_door(self, port: int) -> None:
        if not self.traits.doors:
            raise Unsupported("it has no doors", where=self.id)
        await self._order()
        self.stand.open_door(port)
        await self._done()

    async def card(self, port: int, card: str) -> bool:
        """Somebody shows a card at the board's own reader. Whether the board says yes to it."""
        if self.on_card is None or not self.stand.hears:
            return False
        try:
            async with asyncio.timeout(CARD_S):
                if not self.stand.build.pile:
                    verdict = await self.on_card(port, card)
                    return bool(verdict.account is Account.OK)
                granted = await self.on_card(self.id, port, card)
        except TimeoutError:
            return False
        if not isinstance(granted, PortOrder):
            return False
        self.stand.start(port, granted)
        return True

    # --- how ---------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """What the board says by itself: all ports now and then, and when something has happened; settlements."""
        stand, now_ms = self.stand, self._mono_ms()
        stand.settle()
        if not stand.hears:
            return
        if stand.news != self._news or now_ms >= self._tells_ms:
            self._news, self._tells_ms = stand.news, now_ms + stand.build.report_s * 1000
            for port in self._told:
                self._read(port)
        for told in stand.to_tell():
            if now_ms < self._again_ms.get(told.id, 0) or told.id in self._settlements:
                continue
            self._again_ms[told.id] = now_ms + AGAIN_MS
            if self._random.random() >= stand.odds_of_lost:
                self._settlements[told.id] = replace(told.settlement, ticket=told.id)

    def _read(self, port: int) -> None:
        if self.stand.hears:
            self._told[port] = Reading(self.stand.status(port), Quality.GOOD, self._mono_ms())

    async def _ask(self) -> None:
        busy = self._random.random() < 0.1
        await asyncio.sleep(self._random.uniform(*(BUSY_S if busy else ANSWER_S)))
        self.stand.settle()
        if not self.stand.hears:
            raise await self._silent("no answer")

    async def _order(self) -> None:
        """An order is on its way. Raises Silent where it does not arrive."""
        await self._ask()
        if self.stand.deaf:
            raise await self._silent("it has not come through")

    async def _done(self) -> None:
        """It has been done; whether anybody hears of it is another question."""
        self._die("after an order to a board")
        if self._random.random() < self.stand.odds_of_lost:
            raise await self._silent("the answer was lost")

    async def _silent(self, what: str) -> Silent:
        await asyncio.sleep(TIMEOUT_S)
        return Silent(what, where=self.id)


class SimBoardLoop(BoardLoop):
    """Drivers of the simulation count on the box's own clock already."""

    def _on_our_clock(self, monotonic_ms: int) -> int:
        return monotonic_ms


def open_ports(
    stands: Mapping[str, PortStand],
    site: Site,
    clock: Clock,
    recorder: MeasurementRecorder,
    random: Random,
    die: Callable[[str], None],
    keep: Callable[[str, Coroutine[Any, Any, None]], None],
) -> None:
    """As the daemon does: the loop of each board, those for packs put in and for boards that have gone."""
    boards: dict[str, PortBoard] = {
        name: StandBoard(stand, random, clock.mono_ms, die) for name, stand in stands.items()
    }
    policy = changed(POLICY, board_prices={name: stand.build.price for name, stand in stands.items()})
    ports = site.ports = set_up_ports(site, boards, policy, clock, recorder)
    assert ports is not None
    for loop in ports.loops.values():
        loop.__class__ = SimBoardLoop
    for board in boards.values():
        keep("driver", board.run())
    ports.keep(keep)
