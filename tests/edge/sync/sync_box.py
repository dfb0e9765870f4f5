"""A box for the tests of sync: the real journal, desk and site; one bay whose charger and meter do as the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from sync_hq import Headquarters

from drivers.api import ChargerLimits, ChargerStatus, Iec61851, Link, MeterReading, MeterTraits, Point, Quality, Reading
from edge import clock as clocks
from edge.clock import Clock
from edge.config import Headquarters as HqConfig
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.keys import KeyRing, fingerprint
from edge.plant.watch import Outlet, Watch
from edge.site import Site
from edge.sync import trust
from edge.sync.client import HttpsHq
from edge.sync.enrol import enrol, load_credential_key
from edge.sync.uplink import Uplink
from edge.till.policy import Policy
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import certify_log_key, spki
from protocols.trade.records import Draft, EpochOpened, TechnicianAct

WAIT_S = 20.0
BAY = "c1"


class Bay:
    """A charger and its meter in one, with a car plugged in. Energy flows when the test says so.

    The meter counts in steps of 500 Wh, so that a test can sell 1 kWh without an hour going by.
    """

    id = "bay"
    profile_id = "bay"
    limits = ChargerLimits(6_000, 32_000, 7_200, 10)
    traits = MeterTraits(billing_grade=True, resolution_wh=500, register_wh_max=None, power_w_max=None)

    def __init__(self) -> None:
        self.register_wh = 1_000_000
        self.delivering = False

    def status(self) -> Reading[ChargerStatus]:
        iec = Iec61851.C if self.delivering else Iec61851.B
        return _now(ChargerStatus(iec, "as told", None, None, None))

    def reading(self) -> Reading[MeterReading]:
        return _now(MeterReading(self.register_wh, None))

    async def read_now(self) -> Reading[MeterReading]:
        return self.reading()

    async def allow(self, current_ma: int) -> None:
        self.delivering = True

    async def stop(self) -> None:
        self.delivering = False

    def link(self) -> Link:
        raise NotImplementedError("nobody asks here")

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()


class Box:
    """A box with its log open, not connected to anything."""

    def __init__(self, config: HqConfig, ring: KeyRing, journal: Journal, clock: Clock, directory: Path) -> None:
        self.config = config
        self.ring = ring
        self.journal = journal
        self.clock = clock
        self.directory = directory
        self.bay = Bay()
        watch = Watch(clock, {BAY: Outlet(BAY, self.bay, self.bay, "m1")})
        places = {BAY: watch.outlets[BAY].place()}
        desk = Desk(journal, clock, Policy(silence_s=10, restart_s=10), places)
        self.site = Site(desk, watch, clock, {}, load_credential_key(directory / "keys"))

    @property
    def name(self) -> str:
        return self.journal.site

    def hq(self, url: str | None = None) -> HttpsHq:
        config = self.config if url is None else _pointed_at(self.config, url)
        return HttpsHq(
            config, self.journal.site, self.journal.epoch, self.ring.log(self.journal.epoch), self.clock.bounds
        )

    def uplink(self, url: str | None = None) -> Uplink:
        """Not running yet."""
        pinned = trust.load(Path(self.config.keys_file))
        return Uplink(
            self.config, self.journal, self.clock, self.site, self.hq(url), pinned, jitter=lambda low, high: low / 4
        )

    async def write(self, count: int, size: int = 200) -> None:
        """So many records that move no value."""
        acts = [TechnicianAct("li", "looked", f"{self.journal.next_seq + at}".ljust(size, ".")) for at in range(count)]
        await self.site.desk.record([Draft(act) for act in acts])

    async def sell(self, card: str, energy_wh: int) -> int:
        """One whole session, of up to 1 kWh; its bill in fen. The card's account can pay here."""
        before = self.site.desk.state.day.amount_fen
        tapped = await self.site.tap(BAY, card)
        assert tapped.session is not None, tapped.refused
        self.bay.delivering = True
        await self.look()
        self.bay.register_wh += energy_wh
        await self.look()
        await self.site.tap(BAY, card)
        self.bay.delivering = False
        await until(lambda: self.site.desk.session_at(BAY) is None, self.look)
        return self.site.desk.state.day.amount_fen - before

    async def look(self) -> None:
        await asyncio.sleep(0.002)  # the meter rules want a later millisecond
        await self.site.desk.look(self.site.watch.sights())
        for callback in self.site.on_change:
            callback()


@asynccontextmanager
async def enrolled(
    hq: Headquarters, directory: Path, site: str, *, wall_ms: Callable[[], int] | None = None, **config: float
) -> AsyncIterator[Box]:
    """A box that a person at headquarters has admitted, with its first record written and nothing sent."""
    ring = KeyRing(directory / "keys", {})
    hq.admit(site, fingerprint(ring.make_device()))
    settings = hq_config(hq, **config)
    reply = await asyncio.to_thread(enrol, site, settings, ring, directory / "keys")
    log_key = ring.make_pending_log()
    journal = Journal.create(directory / "journal.db", site, reply.epoch, log_key, ballast_bytes=4096)
    ring.name_pending_log(reply.epoch)
    system = clocks.system()
    clock = Clock(replace(system, wall_ms=wall_ms, synchronised=lambda: False) if wall_ms else system)
    device = ring.device()
    certificate = certify_log_key(device, site, reply.epoch, public_of(log_key))
    opened = EpochOpened(
        site, reply.epoch, public_of(log_key), spki(device.public_key()), certificate.signature, "test"
    )
    await journal.commit(Step(sealed=journal.seal([Draft(opened)], clock.stamp())))
    try:
        yield Box(settings, ring, journal, clock, directory)
    finally:
        await journal.close()


@asynccontextmanager
async def reopened(box: Box, directory: Path) -> AsyncIterator[Box]:
    """A box that starts on a copy of that one's disk."""
    journal = Journal.open(directory / "journal.db", box.ring.log(box.journal.epoch), ballast_bytes=4096)
    try:
        yield Box(box.config, box.ring, journal, Clock(clocks.system()), box.directory)
    finally:
        await journal.close()


def hq_config(hq: Headquarters, port: int | None = None, **changed: float) -> HqConfig:
    settings = {"poll_s": 0.2, "timeout_s": 5.0, "ask_timeout_s": 4.0} | changed
    return HqConfig(f"https://127.0.0.1:{port or hq.port}", str(hq.keys_file), str(hq.authority.ca_file), **settings)


@asynccontextmanager
async def running(uplink: Uplink) -> AsyncIterator[Uplink]:
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool], again: Callable[[], object] | None = None) -> None:
    """Wait for it; a test that waits in vain fails, and says what everybody else was waiting for."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not true():
                result = again() if again is not None else None
                if asyncio.iscoroutine(result):
                    await result
                await asyncio.sleep(0.005)
    except TimeoutError:
        for task in asyncio.all_tasks():
            task.print_stack()
        raise


async def all_sent(uplink: Uplink) -> None:
    """Everything in the journal has been acknowledged."""
    await until(lambda: uplink.status().backlog == 0)


def _now(value: object) -> Reading:  # type: ignore[type-arg]  # of whatever it is
    return Reading(value, Quality.GOOD, time.monotonic_ns() // 1_000_000)


def _pointed_at(config: HqConfig, url: str) -> HqConfig:
    return HqConfig(url, config.keys_file, config.ca_file, config.poll_s, config.timeout_s, config.ask_timeout_s)
