"""One seed, one world: sites, headquarters, customers, money and faults, all decided by one `random.Random(seed)`.

Each world draws which kinds of faults it has and how often, lets them happen for some virtual time, then heals
everything and demands that site and headquarters come to agree in bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import structlog
from sim_auditor import Auditor, Wrong
from sim_box import Box, BoxClock, VirtualWriter, Work
from sim_hq import MortalService, SimHeadquarters, TrueClock
from sim_loop import VirtualLoop, run
from sim_net import Network, Weather, signed_request
from sim_plant import Stand

import edge.plant.drive
import edge.site
from cloud.accounts import Limits
from cloud.service import Answer, Request
from edge.desk import Desk, _fold
from edge.journal.errors import JournalError, JournalFull, JournalOverrun
from edge.site import Tapped
from edge.sync import trust
from edge.till.start import Ask, Refused
from protocols.trade import wire
from protocols.trade.codec import decode, encode
from protocols.trade.documents import Document, pin
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, Preset
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.wire import Batch, EnrolReply

START_UTC_MS = 1_780_000_000_000
YEAR_MS = 365 * 86_400_000
CONVERGE_S = 2_400
"""After all faults have ended: the longest wait for agreement. A refused batch alone waits a minute, a poll 45 s."""
LOOK_S = 1.0
"""Sites look once a second instead of four times, which a reaction time of 4 s allows; worlds run four times faster."""


@dataclass(frozen=True)
class Variant:
    """What runs: production as it is, or with one thing made wrong."""

    name: str = "production"
    desk: type[Desk] = Desk
    writer: type[VirtualWriter] = VirtualWriter
    service: type[MortalService] = MortalService
    patches: Callable[[], list[Any]] = list  # what to patch while the world runs: context managers


@dataclass
class Report:
    """What a world came to. wrong: None when all was well. differing_fen: between site and headquarters at the end."""

    seed: int
    wrong: str | None = None
    rule: str | None = None
    sessions: int = 0
    billed_fen: int = 0
    records: int = 0
    virtual_s: int = 0
    kills: int = 0
    power_cuts: int = 0
    hq_deaths: int = 0
    lost: int = 0
    doubled: int = 0
    replayed: int = 0
    refused: int = 0
    checks: int = 0
    differing_fen: int = 0
    converged_s: int = 0
    trace: str = ""


@dataclass
class Faults:
    """What this world suffers. Odds are per chance; `every_s` are mean times between events, 0 for never."""

    weather: Weather = field(default_factory=Weather)
    link_every_s: int = 0
    kill_every_s: int = 0
    power_every_s: int = 0
    whole_site: bool = True
    odds_of_death: float = 0.0
    odds_of_hq_death: float = 0.0
    meter_every_s: int = 0
    meter_registers: bool = False
    charger_every_s: int = 0
    stuck: bool = False
    clock_every_s: int = 0
    disk_every_s: int = 0
    rtc: bool = True
    replay_every_s: int = 0

    @classmethod
    def drawn(cls, random: Random) -> Faults:
        """Swarm testing: each kind is there or not, so that no kind always hides behind another."""

        def some(low: int, high: int, odds: float = 0.5) -> int:
            return random.randint(low, high) if random.random() < odds else 0

        def odds(most: float) -> float:
            return random.uniform(0, most) if random.random() < 0.6 else 0.0

        power_every_s = some(200, 900, 0.4)
        return cls(
            weather=Weather(odds(0.3), odds(0.3), odds(0.4), odds(0.1), odds(0.3)),
            link_every_s=some(60, 600, 0.7),
            kill_every_s=some(60, 600),
            power_every_s=power_every_s,
            whole_site=random.random() < 0.7,
            odds_of_death=odds(0.03),
            odds_of_hq_death=odds(0.2),
            meter_every_s=some(100, 600),
            meter_registers=not power_every_s and random.random() < 0.5,  # see docs/reliability.md, what is not simulated
            charger_every_s=some(100, 600),
            stuck=random.random() < 0.3,
            clock_every_s=some(60, 600),
            disk_every_s=some(100, 900, 0.3),
            rtc=random.random() < 0.5,
            replay_every_s=some(5, 60, 0.7),
        )


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, directory: Path, loop: VirtualLoop, variant: Variant) -> None:
        self.random = random = Random(seed)
        self.loop = loop
        self.report = Report(seed)
        self.faults = Faults.drawn(random)
        self.auditor = Auditor(START_UTC_MS)
        clock = TrueClock(loop.now_ms, START_UTC_MS)
        self.hq = SimHeadquarters(directory, random, clock, variant.service)
        self.auditor.watch_hq(self.hq.path)
        self.network = Network(random, self._deliver)
        self.boxes = [self._box(f"s{n}", directory, variant) for n in range(1, random.choice((1, 2, 2, 3)) + 1)]
        self.accounts: dict[str, str] = {}
        self.payments: list[tuple[str, int, str]] = []
        self.orders: list[tuple[str, bytes]] = []
        self.rush: str | None = None
        self.busy_s = random.choice((600, 900, 1200, 1800, 3600))
        self.failed: asyncio.Future[None] = loop.create_future()
        self._tariff_version = 0
        self._actors: list[asyncio.Task[None]] = []
        self._quiet = False
        loop.set_exception_handler(lambda _, context: self.fail(context.get("exception")))

    def _box(self, name: str, directory: Path, variant: Variant) -> Box:
        random, now_ms = self.random, self.loop.now_ms
        stands = [
            Stand(
                f"c{n}", f"m{n}", random.choice((22_000, 60_000, 120_000)), random.choice((10, 10, None)), now_ms,
                random.randrange(1_000_000, 90_000_000),
            )
            for n in range(1, random.choice((1, 2, 2)) + 1)
        ]  # fmt: skip
        for stand in stands:
            self.auditor.stands[name, stand.name] = stand
            stand.on_energise = lambda stand, site=name: self.auditor.energised(site, stand)
        box_clock = BoxClock(now_ms, lambda: START_UTC_MS + now_ms(), random.randint(-200, 200))
        box = Box(name, directory, random, box_clock, stands, self.network, self,
                  desk=variant.desk, writer=variant.writer)  # fmt: skip
        box.on_death = lambda: self._revive_later(box)
        return box

    # --- what the auditor is told ------------------------------------------------------------------------------------

    def committed(self, site: str, sealed: Any) -> None:
        self.auditor.committed(site, sealed)

    def reopened(self, site: str, journal: Any) -> None:
        self.auditor.reopened(site, journal)

    def crashed(self, site: str, task: str, error: BaseException) -> None:
        if isinstance(error, JournalError):  # as in production: the process ends, and systemd starts it again
            next(box for box in self.boxes if box.name == site).kill(f"{type(error).__name__} in {task.split()[1]}")
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
        self._unleash()
        await self._for(self.busy_s)
        self._heal()
        began_ms = self.loop.now_ms()
        while not self._agreed():
            if self.loop.now_ms() - began_ms > CONVERGE_S * 1000:
                raise Wrong("converges", "; ".join(self._differences()))
            await self._for(5)
        self.report.converged_s = (self.loop.now_ms() - began_ms) // 1000
        self._close_the_books()

    async def _for(self, seconds: float) -> None:
        """Let time pass, or end at the first thing that is wrong."""
        await asyncio.wait({self.failed}, timeout=seconds)
        if self.failed.done():
            self.failed.result()

    def _open(self) -> None:
        """Boxes are admitted, accounts opened and paid into, a tariff published."""
        random = self.random
        for box in self.boxes:
            ask = box.enrol_ask()
            self.hq.admit(box.name, _fingerprint(ask.device_key))
            answer = self.hq.deliver(Request(wire.PATH_ENROL, encode(ask)))
            assert answer is not None
            assert answer.status == 200, answer
            reply = decode(answer.body, EnrolReply)
            box.enrolled(reply.epoch, self.hq.credential_key, self.hq.pinned)
        for box in self.boxes:
            self._publish(box)
        for n in range(random.randint(2, 5)):
            card = f"CARD{n}"
            limits = Limits(random.choice((1_500, 3_000, 20_000)), *random.choice(((0, 2_000), (400, 1_000), (1_000, 5_000))))
            home = random.choice([None, *(box.name for box in self.boxes)])
            account = self.hq.open_account([card], home, limits)
            self.accounts[card] = account
            self._pay(account, random.randrange(400, 4_000))

    def _heal(self) -> None:
        """Nothing fails any more, the cars leave, and every clock is set right."""
        self._quiet = True
        for actor in self._actors:
            actor.cancel()
        self.network.weather = Weather()
        self.network.down.clear()
        self.hq.odds_of_death = 0.0
        for box in self.boxes:
            box.odds_of_death, box.disk_full, box.slow_disk = 0.0, False, False
            box.clock.set_right()
            for stand in box.stands.values():
                stand.settle()
                stand.stuck = stand.deaf = stand.charger_silent = stand.meter_silent = False
                stand.power(True)
                stand.unplug()
            if not box.alive:
                self.loop.create_task(self._revive(box, 0))

    # --- who does what -----------------------------------------------------------------------------------------------

    def _unleash(self) -> None:
        faults = self.faults
        self.network.weather = faults.weather
        self.hq.odds_of_death = faults.odds_of_hq_death
        for box in self.boxes:
            box.odds_of_death = faults.odds_of_death
            box.slow_disk = self.random.random() < 0.3
            for stand in box.stands.values():
                self._act(self._customers(box, stand))
            self._often(faults.link_every_s, lambda box=box: self._cut_link(box))
            self._often(faults.kill_every_s, lambda box=box: box.kill("SIGKILL"))
            self._often(faults.power_every_s, lambda box=box: self._cut_power(box))
            self._often(faults.clock_every_s, lambda box=box: self._disturb_clock(box))
            self._often(faults.disk_every_s, lambda box=box: self._fill_disk(box))
            self._often(400, lambda box=box: self._publish(box))
            self._often(500, lambda box=box: self._close_day(box))
            self._often(200, lambda box=box: self._command(box))
            for stand in box.stands.values():
                self._often(faults.meter_every_s, lambda stand=stand: self._disturb_meter(stand))
                self._often(faults.charger_every_s, lambda stand=stand: self._disturb_charger(stand))
        self._often(faults.replay_every_s, self._replay)
        self._often(150, self._top_up)
        self._often(200, self._begin_rush)

    def _act(self, work: Work) -> None:
        task = self.loop.create_task(work)
        task.add_done_callback(lambda done: None if done.cancelled() else self.fail(done.exception()))
        self._actors.append(task)

    def _often(self, every_s: int, what: Callable[[], None]) -> None:
        """Do it at random, `every_s` seconds apart in the mean; 0: never."""

        async def actor() -> None:
            while True:
                await asyncio.sleep(self.random.expovariate(1 / every_s))
                what()

        if every_s:
            self._act(actor())

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        """The end of a fault; healing comes before it."""

        def unless_healed() -> None:
            if not self._quiet:
                what()

        self.loop.call_later(seconds, unless_healed)

    async def _customers(self, box: Box, stand: Stand) -> None:
        """One car after the other."""
        random = self.random
        while True:
            await asyncio.sleep(random.uniform(2, 15) if self.rush else random.uniform(6, 60))
            stand.plug(random.choice((7_000, 22_000, 60_000, 120_000)), random.randrange(20, 3_000))
            await asyncio.sleep(random.uniform(1, 8))
            card = self.rush or random.choice(list(self.accounts))
            for _ in range(random.randint(1, 3)):
                tapped = await self._ask(box, self._start(box, stand, card))
                if isinstance(tapped, Tapped) and tapped.session or tapped is True:
                    break
                await asyncio.sleep(random.uniform(1, 20))
            stays_s = random.choice((20, 60, 60, 200))
            for _ in range(stays_s // 5):
                await asyncio.sleep(5)
                if stand.car_need == 0:
                    break
            if random.random() < 0.4 and box.site is not None:
                await self._ask(box, box.site.tap(stand.name, card))
            await asyncio.sleep(random.uniform(0.5, 30))
            stand.unplug()

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
        ask = Ask(
            stand.name, b"" if named else credential, self.accounts[card] if named else "", preset,
            Origin("panel" if named else "card", b"" if named else credential, 0, "ann" if named else ""),
        )  # fmt: skip
        return not isinstance(await site.start(ask), Refused)

    async def _ask(self, box: Box, work: Work) -> Any:
        """Let the daemon do something and wait a while for it. None: it died, or took too long."""
        if not box.alive or box.site is None:
            work.close()
            return None

        async def served() -> Any:
            try:
                return await work
            except (JournalFull, JournalOverrun):  # as edge.reader and edge.panel do
                return None

        task = box.spawn("served", served())
        await asyncio.wait({task}, timeout=10)
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None

    # --- people ------------------------------------------------------------------------------------------------------

    def _pay(self, account: str, amount: int) -> None:
        reference = f"pay-{len(self.payments)}"
        self.payments.append((account, amount, reference))
        self.auditor.paid_in[account] += amount
        self.hq.top_up(account, amount, reference)

    def _top_up(self) -> None:
        """Money comes in, or a payment that has long been told is told again."""
        if self.random.random() < 0.4:
            self.hq.top_up(*self.random.choice(self.payments))
        else:
            self._pay(self.random.choice(list(self.accounts.values())), self.random.randrange(50, 1_500))

    def _begin_rush(self) -> None:
        """One card, or copies of it, at every place there is."""
        self.rush = self.random.choice(list(self.accounts))

        def over() -> None:
            self.rush = None

        self._later(60, over)

    def _publish(self, box: Box) -> None:
        random = self.random
        self._tariff_version += 1
        starts = sorted(random.sample(range(0, 86_400, 600), random.randint(1, 6)))
        if random.random() < 0.6:  # so that prices change while this world lives
            now_s = (START_UTC_MS + self.loop.now_ms()) // 1000 + 28_800
            starts = sorted({*starts, (now_s // 600 * 600 + random.choice((600, 1200))) % 86_400})
        periods = [
            Period(start, f"p{n}", random.randrange(30_000, 300_000, 125), random.choice((0, 40_000)))
            for n, start in enumerate(starts)
        ]
        tariff = Tariff(
            "sim", self._tariff_version, "Asia/Shanghai", [Offset(0, 28_800)], periods,
            random.choice((0, 0, 50_000)), random.choice((0, 0, 10_000)), random.choice((0, 30)),
        )  # fmt: skip
        document = Document("tariff", box.name, tariff.version, encode(tariff), b"")
        self.auditor.tariffs[pin(document).hash] = tariff
        self.hq.publish(tariff, box.name)

    def _close_day(self, box: Box) -> None:
        if box.site is not None:
            self._act(self._ask(box, box.site.close_day("ann")))

    def _command(self, box: Box) -> None:
        """Headquarters orders something; it waits for the next batch, and may come again at any time."""
        if box.name not in self._heard():
            return
        stand = self.random.choice(list(box.stands.values()))
        account = self.random.choice(list(self.accounts.values()))
        session = box.site.desk.session_at(stand.name) if box.site is not None else None
        verb, seq = ("stop", session[0].seq) if session is not None else ("start", 0)
        signed = self.hq.order(box.name, verb, stand.name, account, Preset("full", 0), seq)
        self.orders.append((box.name, signed))

    def _heard(self) -> set[str]:
        with _query(self.hq.path) as hq:
            return {site for (site,) in hq.execute("SELECT site FROM epochs WHERE boot IS NOT NULL")}

    # --- faults ------------------------------------------------------------------------------------------------------

    def _cut_link(self, box: Box) -> None:
        self.network.down.add(box.name)
        seconds = self.random.choice((2, 10, 60, 300, 1_800))
        self._later(seconds, lambda: self.network.down.discard(box.name))

    def _cut_power(self, box: Box) -> None:
        """The box alone, or the whole place with its chargers."""
        if not box.alive:
            return
        whole = self.faults.whole_site
        dark_s = self.random.choice((3, 20, 120, 600)) if whole else self.random.uniform(3, 40)
        for stand in box.stands.values():
            stand.settle()
            stand.excused = stand.excused or stand.failsafe_s is None
            if whole:
                stand.power(False)
        self.report.power_cuts += 1
        box.kill("power cut")
        box.boot_id = b""
        self._revive_later(box, dark_s)

    def _revive_later(self, box: Box, after_s: float | None = None) -> None:
        """systemd starts a dead daemon again; one whose box is dark waits for the power."""
        if after_s is None:
            long = self.random.random() < 0.1
            after_s = self.random.uniform(16, 60) if long else self.random.uniform(0.5, 6)
            if long:
                for stand in box.stands.values():
                    stand.excused = True
        life = box.life
        self.loop.call_later(
            after_s, lambda: self.loop.create_task(self._revive(box, life)) if box.life == life else None
        )

    async def _revive(self, box: Box, life: int) -> None:
        if box.alive or (life and box.life != life):
            return
        if not box.boot_id:
            for stand in box.stands.values():
                stand.power(True)
            box.power_on(rtc=self._quiet or self.faults.rtc)
            self.loop.call_later(self.random.uniform(1, 60), self._ntp, box, box.boot_id)
        try:
            await box.start()
        except Exception as error:  # whatever a daemon fails on when it starts is a finding of this run
            self.fail(error)

    def _ntp(self, box: Box, boot: bytes) -> None:
        """Time from the network, where there is one."""
        if box.boot_id == boot and (self._quiet or box.name not in self.network.down):
            box.clock.set_right()

    def _disturb_clock(self, box: Box) -> None:
        by_ms = self.random.choice((-YEAR_MS, YEAR_MS, -3_600_000, 3_600_000, 5_000, -5_000))
        box.clock.jump(by_ms)
        self._later(self.random.uniform(5, 200), lambda: self._ntp(box, box.boot_id))

    def _fill_disk(self, box: Box) -> None:
        box.disk_full = True

        def free() -> None:
            box.disk_full = False

        self._later(self.random.uniform(1, 20), free)

    def _disturb_meter(self, stand: Stand) -> None:
        stand.settle()
        stand.excused = True
        kind = self.random.choice(("silent", "reset", "backwards", "jump") if self.faults.meter_registers else ("silent",))
        shown_wh = stand.register_wh
        if kind == "silent":
            stand.meter_silent = True

            def answer() -> None:
                stand.meter_silent = False

            self._later(self.random.choice((1, 5, 15, 90)), answer)
        elif kind == "reset":
            stand.base_wh -= shown_wh
        elif kind == "backwards":
            stand.base_wh -= min(shown_wh, self.random.randrange(5_000, 50_000))
        else:
            stand.base_wh += self.random.randrange(1_000_000, 2_000_000)

    def _disturb_charger(self, stand: Stand) -> None:
        stand.settle()
        stand.excused = True
        kinds = ["charger_silent", "deaf", "gone"] + (["stuck"] if self.faults.stuck else [])
        kind = self.random.choice(kinds)
        if kind == "gone":
            stand.unplug()
            return
        setattr(stand, kind, True)

        def recover() -> None:
            stand.settle()
            setattr(stand, kind, False)
            if kind == "stuck":
                stand.relay = False

        self._later(self.random.choice((1, 5, 15, 60)), recover)

    def _replay(self) -> None:
        """Something old comes again: a request at headquarters, a grant or a command at its site, a batch cut short."""
        random = self.random
        match random.randrange(4):
            case 0:
                self.network.replay()
            case 1:
                self._replay_grant()
            case 2 if self.orders:
                name, signed = random.choice(self.orders)
                box = next(box for box in self.boxes if box.name == name)
                if box.site is not None:
                    self._act(self._ask(box, box.site.command(trust.check_command(self.hq.pinned, signed))))
            case 3:
                self._cut_batch(random.choice(self.boxes))

    def _replay_grant(self) -> None:
        """Any grant ever signed may be carried to its site again."""
        with _query(self.hq.path) as hq:
            rows = hq.execute("SELECT site, grant FROM leases JOIN epochs ON epochs.id = log WHERE length(grant) > 0")
            self.old_grants = [*getattr(self, "old_grants", [])[-50:], *((site, bytes(grant)) for site, grant in rows)]
        if self.old_grants:
            name, grant = self.random.choice(self.old_grants)
            box = next(box for box in self.boxes if box.name == name)
            if box.site is not None:
                self._act(self._ask(box, box.site.take_grants([grant])))

    def _cut_batch(self, box: Box) -> None:
        """A batch whose last record has been taken out; whoever does that cannot sign another head."""
        if not box.alive or box.journal.size < 2:
            return
        size = box.journal.size
        first = self.random.randrange(size - 1)
        records = box.journal.read(first, size - first, 1 << 20)
        batch = Batch(first, records[:-1], box.journal.checkpoint(), box.boot_id, 0, 0)
        answer = self.hq.deliver(signed_request(wire.PATH_BATCH, batch, box.name, box.epoch, box.log_key))
        if answer is not None and answer.status == 200:
            raise Wrong("altered-is-refused", f"{box.name}: a batch without its last record was taken")
        self.network.refused += 1

    # --- the end -----------------------------------------------------------------------------------------------------

    def _agreed(self) -> bool:
        return not self._differences()

    def _differences(self) -> list[str]:
        """What still keeps site and headquarters apart, in words."""
        found = []
        leases = self._leases()
        self.report.differing_fen = 0
        for box in self.boxes:
            if box.site is None or box.uplink is None:
                found.append(f"{box.name} is not up")
                continue
            state, status = box.site.desk.state, box.uplink.status()
            if state.sessions:
                found.append(f"{box.name}: sessions {sorted(state.sessions)} are open")
            if status.backlog or state.size != status.cosigned:
                found.append(f"{box.name}: {status.cosigned} of {state.size} records acknowledged ({status.trouble})")
            for lease in state.leases.values():
                ours = (lease.granted, lease.used, lease.returned)
                theirs = leases.pop((box.name, lease.account), (0, 0, 0))
                self.report.differing_fen += sum(abs(one - other) for one, other in zip(ours, theirs, strict=True))
                if ours != theirs or lease.held:
                    found.append(f"{box.name}: {lease.account} {ours} and {theirs}, {lease.held} held")
        found += [f"{place}: {theirs} not taken in" for place, theirs in leases.items() if any(theirs)]
        self.report.differing_fen += sum(sum(theirs) for theirs in leases.values())
        return found

    def _leases(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        with _query(self.hq.path) as hq:
            query = "SELECT site, account, granted, used, returned FROM leases JOIN epochs ON epochs.id = leases.log"
            return {(site, account): (g, u, r) for site, account, g, u, r in hq.execute(query)}

    def _close_the_books(self) -> None:
        """Once more over everything: the fold from the first record, what the auditor counted, and every Wh."""
        self.auditor.hq_answered()
        for box in self.boxes:
            assert box.site is not None
            state = box.site.desk.state
            if _fold(box.journal) != state:
                raise Wrong("fold-is-state", f"{box.name}: the log does not fold to what the desk holds")
            for lease in state.leases.values():
                purse = (box.name, lease.account)
                counted = (self.auditor.used[purse], self.auditor.returned[purse])
                if counted != (lease.used, lease.returned):
                    raise Wrong("fold-is-truth", f"{box.name}: {lease.account}: {counted}, the till says {lease}")
        if self.auditor.visits:
            raise Wrong("converges", f"sessions without an end: {self.auditor.visits}")
        for (site, name), stand in self.auditor.stands.items():
            self.auditor._stray((site, name), stand.energy)

    def count(self) -> Report:
        """The report, filled in."""
        report, auditor = self.report, self.auditor
        report.sessions, report.billed_fen = auditor.sessions, auditor.billed_fen
        report.records = sum(map(len, auditor.logs.values()))
        report.virtual_s = self.loop.now_ms() // 1000
        report.kills = sum(sum(box.deaths.values()) for box in self.boxes)
        report.hq_deaths = self.hq.deaths
        network = self.network
        report.lost, report.doubled = network.lost, network.doubled
        report.replayed, report.refused = network.replayed, network.refused
        report.checks = auditor.steps
        report.trace = auditor.trace.hexdigest()
        return report


def simulate(seed: int, variant: Variant = Variant()) -> Report:  # noqa: B008 (frozen)
    """One world, from its first record to agreement."""
    loop = VirtualLoop()
    directory = Path(tempfile.mkdtemp(prefix=f"fieldtill-sim-{seed}-", dir=_memory()))
    with _unhurried(), _patched(variant):
        world = World(seed, directory, loop, variant)
        try:
            run(world.live(), loop)
        except Exception as error:
            world.report.wrong = f"{type(error).__name__}: {error}"
            world.report.rule = error.rule if isinstance(error, Wrong) else type(error).__name__
        finally:
            report = world.count()
            world.auditor.close()
            world.hq.close()
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
    with mock.patch.object(edge.site, "LOOK_S", LOOK_S), mock.patch.object(edge.plant.drive, "LOOK_S", LOOK_S):
        yield
    structlog.configure(**before)


@contextmanager
def _query(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _memory() -> str | None:
    """A file system in memory, where fsync is quick: what a disk may do wrong is not what is tested here."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _fingerprint(device_key: bytes) -> str:
    from protocols.proof.keys import fingerprint

    return fingerprint(device_key)
