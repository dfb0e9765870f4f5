"""A till on a real journal: bays that do as the test says, a clock that the test turns, a customer with money."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.api import (
    ChargerLimits,
    ChargerStatus,
    Iec61851,
    Link,
    LinkState,
    MeterReading,
    MeterTraits,
    Point,
    Quality,
    Reading,
)
from drivers.errors import Silent
from edge.clock import Clock, System
from edge.counter import Counter
from edge.daemon import last_stamp
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Head, Step
from edge.meter_record import MeterRecorder
from edge.plant.drive import Drive
from edge.plant.watch import Outlet, Watch
from edge.rollback import Guard
from edge.site import Site
from edge.till.policy import Policy
from edge.till.progress import StopReason
from edge.till.start import Ask
from edge.till.state import Lease, OpenSession, lease_key
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import certify_log_key, spki
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.grants import CredentialKey, Grant, hide_credential, join
from protocols.trade.records import CNY, Draft, EpochOpened, Origin, Preset, body_of
from protocols.trade.tariff import Tariff
from tests.edge.till.story import FLAT, MIDNIGHT_MS

LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DEVICE_KEY = ec.derive_private_key(7, ec.SECP256R1())
CREDENTIAL_KEY = CredentialKey(1, bytes(32))
CARD = "04A1B2C3"
POLICY = Policy(fill_up_cap_fen=1_000, progress_s=5, reaction_s=1, silence_s=5, restart_s=5, stuck_after_s=10)
FULL = Preset("full", 0)


@dataclass
class Time:
    """The box's clocks. Nothing moves unless the test says so."""

    mono_ms: int = 1_000
    wall_ms: int = MIDNIGHT_MS
    boot: bytes = b"boot-001"
    synchronised: bool = True

    def system(self) -> System:
        return System(self.boot, lambda: self.mono_ms, lambda: self.wall_ms, lambda: self.synchronised)

    def __iadd__(self, elapsed_ms: int) -> Time:
        self.mono_ms += elapsed_ms
        self.wall_ms += elapsed_ms
        return self


class Bay:
    """A charger of 7.2 kW and its meter, with a car plugged in. It counts 2 Wh for each second that the test waits."""

    profile_id = "bay"
    limits = ChargerLimits(6_000, 32_000, 7_200, 10)
    traits = MeterTraits(billing_grade=True, resolution_wh=1, register_wh_max=None, power_w_max=None)

    def __init__(self, name: str) -> None:
        self.id = name
        self.register_wh = 1_000_000
        self.polls = True  # False: the meter gives what it was last asked for, since no poll comes by
        self.asked_wh = 1_000_000
        self.delivering = False
        self.plugged = True
        self.charger_answers = True
        self.meter_answers = True
        self.asked: list[str] = []

    def status(self) -> Reading[ChargerStatus]:
        if not self.charger_answers:
            return Reading(None, Quality.NONE, None)
        iec = (Iec61851.C if self.delivering else Iec61851.B) if self.plugged else Iec61851.A
        return _now(ChargerStatus(iec, "as told", None, None, None))

    def reading(self) -> Reading[MeterReading]:
        if not self.meter_answers:
            return Reading(None, Quality.NONE, None)
        return _now(MeterReading(self.register_wh if self.polls else self.asked_wh, 7_200 if self.delivering else 0))

    async def read_now(self) -> Reading[MeterReading]:
        self.asked.append("read")
        await asyncio.sleep(0)
        if not self.meter_answers:
            raise Silent("no answer", where=self.id)
        self.asked_wh = self.register_wh
        return self.reading()

    async def allow(self, current_ma: int) -> None:
        self.asked.append("allow")
        self.delivering = self.plugged

    async def stop(self) -> None:
        self.asked.append("stop")
        self.delivering = False

    def link(self) -> Link:
        state = LinkState.ONLINE if self.charger_answers and self.meter_answers else LinkState.OFFLINE
        return Link(state, 0, None, None)

    def points(self) -> list[Point]:
        return []

    async def run(self) -> None:
        await asyncio.Event().wait()


@dataclass
class Till:
    """A desk and a site on one journal."""

    journal: Journal
    time: Time
    policy: Policy = POLICY
    tariff: Tariff = FLAT
    recorder: MeterRecorder | None = None
    counter: Counter | None = None
    bays: dict[str, Bay] = field(default_factory=lambda: {name: Bay(name) for name in ("c1", "c2")})

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """As the daemon does when it starts: everything from the journal alone."""
        self.clock = Clock(self.time.system(), last_stamp(self.journal))
        outlets = {name: Outlet(name, bay, bay, f"m{name[1:]}") for name, bay in self.bays.items()}
        self.watch = Watch(self.clock, outlets)
        places = {name: outlet.place() for name, outlet in outlets.items()}
        self.desk = Desk(self.journal, self.clock, self.policy, places, self.recorder, Guard(self.counter))
        drives = {
            name: Drive(name, bay, lambda name=name: self.desk.wants_delivery(name)) for name, bay in self.bays.items()
        }  # type: ignore[misc]  # mypy cannot infer it
        self.site = Site(self.desk, self.watch, self.clock, drives, CREDENTIAL_KEY)

    # --- headquarters -------------------------------------------------------------------------------------------------

    async def begin(self, granted_fen: int = 10_000, **more: int) -> None:
        """Leaf 0, a tariff, and a customer with money."""
        certificate = certify_log_key(DEVICE_KEY, "hz-1", 1, public_of(LOG_KEY))
        device = spki(DEVICE_KEY.public_key())
        opened = EpochOpened("hz-1", 1, public_of(LOG_KEY), device, certificate.signature, "test")
        await self.desk.record([Draft(opened)])
        await self.publish(self.tariff)
        await self.grant(granted_fen, **more)

    async def publish(self, tariff: Tariff) -> None:
        document = Document(TARIFF, "hz-1", tariff.version, encode(tariff), bytes(64))
        await self.site.take_documents([encode(document)])

    async def grant(self, total: int, account: str = "ann", card: str = CARD, **more: int) -> int:
        return await self.site.take_grants([self.signed(total, account, card, **more)])

    def signed(
        self, total: int, account: str = "ann", card: str = CARD, *, may_stay: int = 0, serial: int | None = None
    ) -> bytes:
        number = self.lease(account).serial + 1 if serial is None else serial
        hidden = hide_credential(CREDENTIAL_KEY, card)
        grant = Grant(account, CNY, "hz-1", 1, number, total, 0, 4_000_000_000, 0, may_stay, 1, [hidden])
        return join(grant, bytes(64))

    # --- customers and time -------------------------------------------------------------------------------------------

    def ask(self, connector: str = "c1", account: str = "ann", preset: Preset = FULL) -> Ask:
        return Ask(connector, b"", account, preset, Origin("panel", b"", 0, "li"))

    async def start(self, connector: str = "c1", preset: Preset = FULL) -> OpenSession:
        """Started, and the charger obeys."""
        session = await self.desk.start(self.ask(connector, preset=preset), self.watch.sight(connector))
        assert isinstance(session, OpenSession), session
        self.obey()
        return session

    def obey(self) -> None:
        """Every charger does what the durable state wants."""
        for name, bay in self.bays.items():
            bay.delivering = bay.plugged and self.desk.wants_delivery(name)

    async def wait(self, seconds: int) -> None:
        """Second by second: energy flows, everybody looks, chargers obey."""
        for _ in range(seconds):
            self.time += 1_000
            for bay in self.bays.values():
                bay.register_wh += 2 if bay.delivering else 0
            await self.desk.look(self.watch.sights())
            self.obey()

    async def finish(self, reason: StopReason = StopReason.LOCAL) -> None:
        """Stop and settle whatever runs."""
        for session, _ in self.desk.sessions():
            await self.desk.stop(session.seq, reason)
        self.obey()
        for _ in range(5):
            await self.wait(1)
        assert self.desk.sessions() == []

    # --- what came of it ----------------------------------------------------------------------------------------------

    def lease(self, account: str = "ann") -> Lease:
        return self.desk.state.leases.get(lease_key(account, CNY), Lease(account, CNY))

    def bodies(self, kind: type[Any]) -> list[Any]:
        """Of all durable records of this kind."""
        return [body for body in map(body_of, self.journal.records()) if isinstance(body, kind)]

    @property
    def kinds(self) -> list[str]:
        return [record.kind for record in self.journal.records()]


@asynccontextmanager
async def a_till(
    path: Path,
    *,
    granted_fen: int = 10_000,
    tariff: Tariff = FLAT,
    may_stay: int = 0,
    recorder: MeterRecorder | None = None,
    counter: Counter | None = None,
) -> AsyncIterator[Till]:
    """A till that can sell, on a journal of its own."""
    journal = Journal.create(path / "journal.db", "hz-1", 1, LOG_KEY, ballast_bytes=0)
    till = Till(journal, Time(), tariff=tariff, recorder=recorder, counter=counter)
    try:
        await till.desk.check_counter()
        await till.begin(granted_fen, may_stay=may_stay)
        yield till
    finally:
        await till.journal.close()


async def reopen(
    till: Till, path: Path, *, boot: bytes | None = None, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """End the daemon and start another on the same journal. boot: another one, if the power was cut."""
    await till.journal.close()
    meanwhile()
    if boot is not None:
        till.time.boot, till.time.mono_ms = boot, 500
    till.journal = Journal.open(path / "journal.db", LOG_KEY, ballast_bytes=0)
    till.open()
    await till.desk.check_counter()


@contextmanager
def slow_disk(journal: Journal) -> Iterator[Callable[[], None]]:
    """No commit gets through until the function is called, or the block ends."""
    gate, committer = threading.Event(), journal._committer
    real = committer.commit

    def commit(group: Sequence[Step]) -> Head:
        gate.wait()
        return real(group)

    committer.commit = commit  # type: ignore[method-assign]  # a test's stand-in
    try:
        yield gate.set
    finally:
        gate.set()
        committer.commit = real  # type: ignore[method-assign]  # a test's stand-in


async def turns(count: int = 20) -> None:
    """Let everything that can go on, go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it; in vain is a failure."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.005)


def _now(value: Any) -> Reading[Any]:
    return Reading(value, Quality.GOOD, time.monotonic_ns() // 1_000_000)
