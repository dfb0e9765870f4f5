"""One seed, one world: sites, headquarters, customers, money and faults, all decided by one `random.Random(seed)`.

Each world draws which kinds of faults it has and how often, lets them happen for some virtual time, then heals
everything and demands that site and headquarters come to agree in bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import structlog
from sim_agreed import Agreement
from sim_auditor import Auditor
from sim_boards import NO_CHANCE, QUICK_HASHES
from sim_box import Box, BoxClock, VirtualWriter, Work
from sim_ebikes import Ebikes
from sim_faults import POWER_CUT, Faults, Mischief
from sim_hq import MortalService, SimHeadquarters, TrueClock, memory
from sim_lives import Lives
from sim_loop import VirtualLoop, run
from sim_motorists import Motorists
from sim_net import Network
from sim_people import START_UTC_MS, People
from sim_phones import Phones
from sim_places import Places
from sim_plant import Stand
from sim_ports import PortStand
from sim_ports import drawn as drawn_board
from sim_pump import FuelStand, drawn
from sim_report import Report
from sim_riders import Riders
from sim_shop import ShopStand, virtual_time
from sim_shop import drawn as drawn_shop
from sim_wrong import Wrong

import edge.plant.charging_loop
import edge.plant.drive
import edge.ports.lockers
import edge.site
from cloud.accounts import Limits
from cloud.service import Answer, Request
from edge.desk import Desk
from edge.epochs import EpochOver
from edge.forecourt.pump_loop import PumpLoop
from edge.journal.errors import JournalError, JournalFull, JournalOverrun
from edge.ports.board_loop import BoardLoop
from edge.shop.cabinet_loop import CabinetLoop
from protocols.proof.keys import fingerprint, spki
from protocols.trade import locker_pin

CONVERGE_S = 2_400
"""After all faults have ended: the longest wait for agreement. A refused batch alone waits a minute, a poll 45 s."""
LOOK_S = 1.0
"""Sites look once a second instead of four times, which a reaction time of 4 s allows; worlds run four times faster."""


@dataclass(frozen=True)
class Variant:
    """What runs: production as it is, or with one thing made wrong. faults: those without which it would not show."""

    name: str = "production"
    desk: type[Desk] = Desk
    writer: type[VirtualWriter] = VirtualWriter
    service: type[MortalService] = MortalService
    box: Callable[[Box], None] = lambda box: None
    faults: Mapping[str, Any] = field(default_factory=dict)
    patches: Callable[[], list[Any]] = list  # what to patch while the world runs: context managers


PRODUCTION = Variant()


class World:
    """Everything of one seed."""

    def __init__(
        self, seed: int, directory: Path, loop: VirtualLoop, variant: Variant, without: Iterable[str], busy_s: int
    ) -> None:
        self.random = random = Random(seed)
        self.loop, self.directory, self.variant = loop, directory, variant
        self.report = Report(seed)
        self.fuel_random = Random(f"pumps of {seed}")  # so that worlds without pumps are what they were
        self.shop_random = Random(f"shops of {seed}")
        self.port_random = Random(f"ports of {seed}")
        self.faults = Faults.drawn(random).with_pumps(self.fuel_random).with_shops(self.shop_random)
        self.faults = self.faults.with_ports(self.port_random)
        self.faults = replace(self.faults, **variant.faults).without(without)
        self.auditor = Auditor(START_UTC_MS)
        clock = TrueClock(loop.now_ms, START_UTC_MS)
        self.hq = SimHeadquarters(random, clock, variant.service)
        self.auditor.books.watch(self.hq.path)
        self.auditor.packs.hot_of = self.hq.hot_packs
        self.network = Network(random, self._deliver)
        self._shops = 0
        self.boxes = [self._box(f"s{n}") for n in range(1, random.choice((1, 2, 2, 3)) + 1)]
        self.accounts: dict[str, str] = {}
        self.people = People(self)
        self.motorists = Motorists(self)
        self.riders = Riders(self)
        self.ebikes = Ebikes(self)
        self.mischief = Mischief(self)
        self.lives = Lives(self)
        self.phones = Phones(self)
        drawn_s = random.choice((150, 200, 300, 300, 420, 600, 1500))
        self.busy_s = self.report.busy_s = busy_s or drawn_s
        self.report.faults = self.faults.names()
        self.failed: asyncio.Future[None] = loop.create_future()
        self._actors: list[asyncio.Task[None]] = []
        self.quiet = False
        loop.set_exception_handler(lambda _, context: self.fail(context.get("exception")))

    def _box(self, name: str) -> Box:
        random, now_ms = self.random, self.loop.now_ms
        stands = [
            Stand(
                f"c{n}", f"m{n}", random.choice((22_000, 60_000, 120_000)), random.choice((10, 10, None)), now_ms,
                random.randrange(1_000_000, 90_000_000),
            )
            for n in range(1, random.choice((1, 2, 2)) + 1)
        ]  # fmt: skip
        pumps = {pump.name: pump for pump in self._pumps(stands)}
        shop = self._shop(stands)
        boards = {board.name: board for board in self._boards(stands)}
        return self._at(name, Places({stand.name: stand for stand in stands}, pumps, shop, boards))

    def _pumps(self, stands: list[Stand]) -> list[FuelStand]:
        """Of a site that sells fuel; it charges at one place."""
        random, forgets = self.fuel_random, self.faults.pump_memory
        if random.random() * 100 >= self.faults.pumps:
            return []
        del stands[1:]
        names = [f"p{n}" for n in range(1, random.choice((1, 1, 2, 3)) + 1)]
        return [drawn(name, random, self.loop.now_ms, forgets=forgets) for name in names]

    def _shop(self, stands: list[Stand]) -> ShopStand | None:
        """Of a site that swaps packs; it charges cars at one place."""
        random = self.shop_random
        if random.random() * 100 >= self.faults.shops:
            return None
        del stands[1:]
        self._shops += 1
        return drawn_shop(random, self.loop.now_ms, 1_000 * self._shops)

    def _boards(self, stands: list[Stand]) -> list[PortStand]:
        """Of a site with ports or lockers; it charges cars at one place."""
        random = self.port_random
        if random.random() * 100 >= self.faults.ports:
            return []
        del stands[1:]
        return [drawn_board(f"b{n}", random, self.loop.now_ms) for n in range(1, random.choice((1, 1, 2)) + 1)]

    def second_box(self, box: Box) -> Box:
        """Another box of the same site, at a place that looks like the first's."""
        return self._at(box.name, box.places.twin())

    def _at(self, name: str, places: Places) -> Box:
        now_ms = self.loop.now_ms
        clock = BoxClock(now_ms, lambda: START_UTC_MS + now_ms(), self.random.randint(-200, 200))
        box = Box(name, self.directory, self.random, clock, places, self.network, self,
                  desk=self.variant.desk, writer=self.variant.writer)  # fmt: skip
        for stand in box.stands.values():
            stand.on_energise = lambda stand: self.auditor.energised(box.branch, stand)
        fuel = self.auditor.fuel
        for pump in box.pumps.values():
            pump.on_authorise = lambda pump, sale: fuel.authorised(box.branch, pump, sale)
            pump.on_flow = lambda pump, sale: fuel.flowed(box.branch, pump, sale)
            pump.on_wipe = lambda pump, sale: fuel.wiped(box.branch, pump, sale)
        if box.shop is not None:
            box.shop.on_pulse = lambda stand, slot: self.auditor.packs.pulsed(box.branch, stand, slot)
        orders = self.auditor.orders
        for board in box.boards.values():
            board.on_start = lambda board, job: orders.began(box.branch, board, job)
            board.on_door = lambda board, port: orders.door(box.branch, board, port)
            board.on_forget = lambda board, told: orders.forgotten(box.branch, board, told)
        self.variant.box(box)
        box.on_death = lambda why: None if why == POWER_CUT else self.mischief.revive_later(box)
        box.on_cut = lambda: self.mischief.cut_power(box)
        return box

    # --- what the auditor is told ------------------------------------------------------------------------------------

    def committed(self, branch: str, sealed: Any) -> None:
        self.auditor.committed(branch, sealed)

    def perhaps(self, branch: str, sealed: Any) -> None:
        self.auditor.perhaps(branch, sealed)

    def reopened(self, branch: str, journal: Any) -> None:
        self.auditor.reopened(branch, journal)

    def heard(self, branch: str, *, agreed: bool) -> None:
        self.auditor.rights.heard(branch, self.loop.now_ms(), agreed=agreed)

    def crashed(self, site: str, task: str, error: BaseException) -> None:
        if isinstance(error, JournalError):  # as in production: the process ends, and systemd starts it again
            next(box for box in self.boxes if box.branch == site).kill(f"{type(error).__name__} in {task.split()[1]}")
            return
        try:
            self.auditor.crashed(site, task, error)
        except Wrong as wrong:
            self.fail(error if isinstance(error, Wrong) else wrong)

    def fail(self, error: BaseException | None) -> None:
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    def _deliver(self, request: Request) -> Answer | None:
        return self.hq.deliver(request)

    # --- the day -----------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Open, sell under faults, heal, agree. Raises Wrong."""
        self._open()
        self.hq.on_answer = self.auditor.hq_answered
        for box in self.boxes:
            box.power_on(rtc=True)
            box.clock.set_right()
            await box.start()
        self.people.unleash()
        self.motorists.unleash()
        self.riders.unleash()
        self.ebikes.unleash()
        self.mischief.unleash()
        self.lives.unleash()
        care = self.loop.create_task(self.lives.take_care())
        care.add_done_callback(lambda done: None if done.cancelled() else self.fail(done.exception()))
        if any(box.boards for box in self.boxes):
            staff = self.loop.create_task(self.ebikes.clear())
            staff.add_done_callback(lambda done: None if done.cancelled() else self.fail(done.exception()))
        await self._for(self.busy_s)
        self._heal()
        began_ms = self.loop.now_ms()
        agreement = Agreement(self)
        while differences := agreement.differences():
            if self.loop.now_ms() - began_ms > CONVERGE_S * 1000:
                raise Wrong("converges", "; ".join(differences))
            await self._for(5)
            for box in self.boxes:
                box.places.pass_by()
        self.report.converged_s = (self.loop.now_ms() - began_ms) // 1000
        agreement.close_the_books()
        agreement.check_proofs()

    async def _for(self, seconds: float) -> None:
        """Let time pass, or end at the first thing that is wrong."""
        await asyncio.wait({self.failed}, timeout=seconds)
        if self.failed.done():
            self.failed.result()

    def _open(self) -> None:
        """Boxes are admitted, accounts opened and paid into, a tariff published."""
        random = self.random
        for box in self.boxes:
            self.hq.admit(box.name, fingerprint(spki(box.device.public_key())))
            self.lives.enrol(box)
        for box in self.boxes:
            self.people.publish(box)
        for n in range(random.randint(2, 5)):
            card = f"CARD{n}"
            limits = Limits(
                random.choice((1_500, 3_000, 20_000)), *random.choice(((0, 2_000), (400, 1_000), (1_000, 5_000)))
            )
            home = random.choice([None, *(box.name for box in self.boxes)])
            account = self.hq.open_account([card], home, limits)
            self.accounts[card] = account
            self.people.pay(account, random.randrange(400, 4_000))
        self.motorists.open()
        self.riders.open()
        self.ebikes.open()

    def _heal(self) -> None:
        """Nothing happens any more but what has begun."""
        self.quiet = True
        for actor in self._actors:
            actor.cancel()
        self.mischief.heal()

    # --- who does what -----------------------------------------------------------------------------------------------

    def act(self, work: Work) -> None:
        task = self.loop.create_task(work)
        task.add_done_callback(lambda done: None if done.cancelled() else self.fail(done.exception()))
        self._actors.append(task)

    def often(self, every_s: int, what: Callable[[], None]) -> None:
        """Do it at random, `every_s` seconds apart in the mean; 0: never."""

        async def actor() -> None:
            while True:
                await asyncio.sleep(self.random.expovariate(1 / every_s))
                what()

        if every_s:
            self.act(actor())

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """The end of a fault; healing comes before it."""

        def unless_healed() -> None:
            if not self.quiet:
                what()

        self.loop.call_later(seconds, unless_healed)

    async def ask(self, box: Box, work: Work) -> Any:
        """Let the daemon do something and wait a while for it. None: it died, or took too long."""
        if not box.alive or box.site is None:
            work.close()
            return None

        async def served() -> Any:
            try:
                return await work
            except (JournalFull, JournalOverrun, EpochOver):  # as edge.reader and edge.panel do
                return None

        task = box.spawn("served", served())
        await asyncio.wait({task}, timeout=10)
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None

    def close(self) -> None:
        self.auditor.books.close()
        self.hq.close()

    def count(self) -> Report:
        """The report, filled in."""
        report, auditor = self.report, self.auditor
        report.sessions, report.billed_fen = auditor.sessions, auditor.billed_fen
        report.port_sessions, report.port_wh = auditor.orders.settled, auditor.orders.settled_wh
        report.swaps, report.packs_moved = auditor.packs.swapped, auditor.packs.moved
        report.records = sum(map(len, auditor.logs.values()))
        report.virtual_s = self.loop.now_ms() // 1000
        report.kills = sum(sum(box.deaths.values()) for box in self.boxes)
        report.hq_deaths = self.hq.deaths
        network = self.network
        report.lost, report.doubled = network.lost, network.doubled
        report.replayed, report.refused = network.replayed, network.refused
        report.checks = auditor.steps
        report.lost_fen = sum(auditor.lost_fen.values())
        report.seen = {**auditor.seen, **{f"killed {why}": n for box in self.boxes for why, n in box.deaths.items()}}
        report.trace = auditor.trace.hexdigest()
        return report


def simulate(seed: int, variant: Variant = PRODUCTION, without: Iterable[str] = (), busy_s: int = 0) -> Report:
    """One world, from its first record to agreement. without: faults it is spared; busy_s: 0 for as long as drawn."""
    loop = VirtualLoop()
    directory = Path(tempfile.mkdtemp(prefix=f"fieldtill-sim-{seed}-", dir=memory()))
    with _unhurried(), _patched(variant):
        world = World(seed, directory, loop, variant, without, busy_s)
        try:
            run(world.live(), loop)
        except Exception as error:
            world.report.wrong = f"{type(error).__name__}: {error}".splitlines()[0]
            world.report.rule = error.rule if isinstance(error, Wrong) else type(error).__name__
        finally:
            report = world.count()
            world.close()
            shutil.rmtree(directory)
    return report


@contextmanager
def _patched(variant: Variant) -> Iterator[None]:
    patches = variant.patches()
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@contextmanager
def _unhurried() -> Iterator[None]:
    """Sites look once a second, and say nothing."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ExitStack() as stack:
        for module in (edge.site, edge.plant.drive):
            stack.enter_context(mock.patch.object(module, "LOOK_S", LOOK_S))
        for loop in (PumpLoop, CabinetLoop, BoardLoop):
            stack.enter_context(mock.patch.object(loop, "look_s", LOOK_S))
        stack.enter_context(mock.patch.object(edge.plant.charging_loop, "time", virtual_time()))
        stack.enter_context(mock.patch.object(edge.ports.lockers, "secrets", NO_CHANCE))
        stack.enter_context(mock.patch.object(locker_pin, "hashlib", QUICK_HASHES))
        yield
    structlog.configure(**before)
