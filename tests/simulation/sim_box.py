"""One box at a site: the production journal, desk, site, drives and uplink, that can die at any await.

A death drops every task and all memory; what is on the disk (`sim_disk`) is all that the next daemon finds. The writer
thread is replaced by one that takes virtual time, so that sealing goes on while a commit is under way, and either can
be cut short: between two commits, or between two operations of the disk within one.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, Protocol, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sim_boards import open_ports
from sim_disk import Disk
from sim_net import Network, SimHq
from sim_places import Places
from sim_plant import StandCharger, StandMeter
from sim_pump import open_forecourt
from sim_rights import RISK_PER_CARD_FEN
from sim_shop import open_shop

from cloud.service import Answer
from edge.carried import Codes
from edge.clock import Clock, System
from edge.config import Headquarters as HqConfig
from edge.daemon import last_stamp
from edge.desk import Desk
from edge.journal import recovery
from edge.journal import store as tables
from edge.journal.connection import connect, set_up
from edge.journal.errors import JournalError, JournalFull
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.step import Head, Identity, Sealed, Step
from edge.journal.store import Store
from edge.journal.writer import Committer, Writer
from edge.measurement import MeasurementRecorder
from edge.meter_record import MeterRecorder
from edge.plant.drive import Drive
from edge.plant.watch import Outlet, Watch
from edge.rollback import Guard
from edge.site import Site
from edge.sync.trust import HqKeys
from edge.sync.uplink import Uplink
from edge.till.policy import Policy
from protocols.proof import keys
from protocols.proof.checkpoint import parse
from protocols.proof.ed25519 import public_of
from protocols.proof.ocmf import SoftwareSigner
from protocols.trade.codec import decode
from protocols.trade.grants import CredentialKey
from protocols.trade.records import Draft, EpochOpened
from protocols.trade.wire import ENROL_DOMAIN, BatchReply, EnrolAsk, Refusal, RefusalCode, enrol_payload

POLICY = Policy(
    fill_up_cap_fen=3_000, progress_s=20, reaction_s=4, silence_s=10, restart_s=15, start_timeout_s=60,
    full_after_s=20, stuck_after_s=30, risk_per_card_fen=RISK_PER_CARD_FEN,
)  # fmt: skip
HQ_CONFIG = HqConfig("https://hq.invalid", "unused", poll_s=45.0)
SOFTWARE = "fieldtill simulation"
POWER = "power"
"""With what the reason of a death begins that takes the disk's cache along."""
OPERATIONS = 60
"""A commit has some 25 operations of the disk, one that is followed by a checkpoint of the write-ahead log more."""

Work = Coroutine[Any, Any, Any]


class Witness(Protocol):
    """Whoever is told what a box has made durable, before the box itself knows."""

    def committed(self, branch: str, sealed: Sequence[Sealed]) -> None: ...

    def perhaps(self, branch: str, sealed: Sequence[Sealed]) -> None: ...

    def reopened(self, branch: str, journal: Journal) -> None: ...

    def heard(self, branch: str, *, agreed: bool) -> None: ...

    def crashed(self, branch: str, task: str, error: BaseException) -> None: ...


class VirtualWriter:
    """In the place of `edge.journal.writer.Writer`: group commit, in virtual time."""

    def __init__(
        self,
        committer: Committer,
        on_head: Callable[[Head], None],
        on_failure: Callable[[JournalError], None],
        box: Box,
    ) -> None:
        self._committer = committer
        self._on_head = on_head
        self._on_failure = on_failure
        self._box = box
        self._life = box.life
        self._waiting: list[tuple[Step, asyncio.Future[None]]] = []
        self._busy = False

    def submit(self, step: Step) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._life != self._box.life:
            return future  # a dead process: nobody will ever be told
        self._waiting.append((step, future))
        if not self._busy:
            self._begin()
        return future

    def waiting_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """The box closes its own connection."""

    def _is_durable(self, sealed: Sequence[Sealed]) -> None:
        self._box.witness.committed(self._box.branch, sealed)

    def _begin(self) -> None:
        self._busy = True
        group, self._waiting = self._waiting, []
        asyncio.get_running_loop().call_later(self._box.commit_s(), self._commit, group)

    def _commit(self, group: list[tuple[Step, asyncio.Future[None]]]) -> None:
        if self._life != self._box.life:
            return
        if self._box.dies("between seal and commit"):
            return
        steps = [step for step, _ in group]
        sealed = [one for step in steps for one in step.sealed]
        self._box.arm()
        try:
            head = self._committer.commit(steps)
        except JournalError as error:
            if self._box.died_writing(sealed):
                return
            self._on_failure(error)
            for _, future in group + self._waiting:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # whoever waited may be gone
            self._waiting, self._busy = [], False
            return
        self._is_durable(sealed)
        if self._box.dies("between commit and telling"):
            return
        self._on_head(head)
        for _, future in group:
            if not future.done():
                future.set_result(None)
        try:
            self._committer._store.tend(self._box.checkpoint_commits)
        except JournalFull:
            pass  # as in production
        except JournalError:
            if self._box.died_writing([]):
                return
            raise
        self._box.disk.die_after(None)
        self._busy = False
        if self._waiting:
            self._begin()


class SimJournal(Journal):
    """The production journal with a writer that takes virtual time."""

    def __init__(self, store: Store, ballast: Ballast, box: Box, writer: type[VirtualWriter]) -> None:
        super().__init__(store, store._connection, ballast, threaded=False)
        self.virtual = writer(self._committer, self._on_head, self._on_failure, box)
        self._writer = cast(Writer, self.virtual)


class SimWatch(Watch):
    """Drivers of the simulation count on the box's own clock already."""

    def _on_our_clock(self, monotonic_ms: int) -> int:
        return monotonic_ms


class RamCounter:
    """A rollback counter on a medium of its own. It belongs to the box, not to its disk."""

    slack = 0

    def __init__(self) -> None:
        self._value = 0

    def read(self) -> int:
        return self._value

    def tick(self) -> int:
        self._value += 1
        return self._value

    def begin(self, value: int) -> None:
        self._value = value


class BoxClock:
    """The clocks of a box: a crystal that drifts, and a wall clock that is right only once something has set it."""

    def __init__(self, now_ms: Callable[[], int], utc_ms: Callable[[], int], drift_ppm: int) -> None:
        self._now_ms = now_ms
        self._utc_ms = utc_ms
        self._drift_ppm = drift_ppm
        self._booted_ms = 0
        self._wall_offset_ms: int | None = None  # wall clock less monotonic; None: kept right by NTP

    def mono_ms(self) -> int:
        up_ms = self._now_ms() - self._booted_ms
        return up_ms + up_ms * self._drift_ppm // 1_000_000

    def wall_ms(self) -> int:
        return self._utc_ms() if self._wall_offset_ms is None else max(0, self.mono_ms() + self._wall_offset_ms)

    def synchronised(self) -> bool:
        return self._wall_offset_ms is None

    def boot(self, *, rtc: bool) -> None:
        """Power comes: monotonic from 0, the wall clock at 1970 where no battery kept it."""
        self._booted_ms = self._now_ms()
        self._wall_offset_ms = self._utc_ms() if rtc else 0

    def set_right(self) -> None:
        self._wall_offset_ms = None

    def jump(self, by_ms: int) -> None:
        self._wall_offset_ms = self.wall_ms() + by_ms - self.mono_ms()


class Box:
    """One box, through all its deaths."""

    def __init__(
        self,
        name: str,
        directory: Path,
        random: Random,
        clock: BoxClock,
        places: Places,
        network: Network,
        witness: Witness,
        *,
        desk: type[Desk] = Desk,
        writer: type[VirtualWriter] = VirtualWriter,
    ) -> None:
        self.name = name
        self.branch = name
        """Whose history this box lives: the log's, or another one once its disk was set back or copied."""
        self.retired = False
        self.counted = random.random() < 0.5
        self._directory = directory
        self.path = directory / f"{name}.db"
        self.random = random
        self.disk = Disk(directory, random)
        self.checkpoint_commits = random.choice((4, 20, 250))
        self.clock = clock
        self.places = places
        self.stands, self.pumps, self.shop, self.boards = places.stands, places.pumps, places.shop, places.boards
        self.network = network
        self.witness = witness
        self._desk_class = desk
        self._writer_class = writer
        self.device = ec.derive_private_key(int.from_bytes(random.randbytes(31), "big") + 1, ec.SECP256R1())
        self.log_key = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
        self.epoch = 0
        self.credential_key: CredentialKey | None = None
        self.pinned: HqKeys | None = None
        self.boot_id = b""
        self.life = 0
        self.alive = False
        self.slow_disk = False
        self.odds_of_death = 0.0
        self.odds_of_cut = 0.0
        self.synchronous = ""
        self.deaths: dict[str, int] = {}
        self.on_death: Callable[[str], None] = lambda why: None
        self.on_cut: Callable[[], None] = lambda: None
        self.site: Site | None = None
        self.uplink: Uplink | None = None
        self.codes: Codes | None = None
        self.counter: RamCounter | None = None
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in the order in which they die: a set has another each time

    # --- birth and death ---------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """`site/epoch`: which log this is."""
        return f"{self.name}/{self.epoch}"

    def epoch_is_over(self) -> bool:
        """Whether the log has had its last record and headquarters has acknowledged it."""
        cosigned = self.journal.cosigned()
        assert self.site is not None
        return self.site.desk.state.closed and cosigned is not None and cosigned[0] == self.journal.size

    def enrol_ask(self) -> EnrolAsk:
        """For a log with a key of its own."""
        self.log_key = Ed25519PrivateKey.from_private_bytes(self.random.randbytes(32))
        device_key, log_public = keys.spki(self.device.public_key()), public_of(self.log_key)
        message = ENROL_DOMAIN.encode() + b"\n" + enrol_payload(self.name, device_key, log_public)
        signature = self.device.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return EnrolAsk(self.name, device_key, log_public, SOFTWARE, signature)

    def enrolled(self, epoch: int, credential_key: CredentialKey, pinned: HqKeys) -> None:
        """Begin the log of this epoch, on an empty disk."""
        self.epoch, self.credential_key, self.pinned = epoch, credential_key, pinned
        self.branch = self.place
        self.path = self._directory / f"{self.name}-{epoch}.db"
        self.counter = RamCounter() if self.counted else None
        shutil.copy(empty_journal(), self.path)
        connection = connect(self.path)
        tables.begin_log(connection, Identity(self.name, epoch, public_of(self.log_key)))
        connection.close()

    def become(self, other: Box, branch: str) -> None:
        """Take over the keys of another box, and with them its name."""
        self.branch, self.path = branch, self.path.with_name(f"{branch.replace('/', '-')}{self.path.suffix}")
        self.device, self.log_key = other.device, other.log_key
        self.epoch, self.credential_key, self.pinned = other.epoch, other.credential_key, other.pinned

    def power_on(self, *, rtc: bool) -> None:
        """A new boot: nothing monotonic or in memory is left from before."""
        self.boot_id = self.random.randbytes(8)
        self.clock.boot(rtc=rtc)

    async def start(self) -> None:
        """Start the daemon as `edge.daemon` does: check the journal, fold, then serve."""
        assert not self.alive
        assert self.credential_key is not None
        assert self.pinned is not None
        self.life += 1
        self.alive = True
        recovery.check(self.path, public_of(self.log_key))
        self.connection = self.disk.connect(self.path)
        set_up(self.connection)
        for _ in self.connection.execute(self.synchronous):  # of known-bad software alone
            pass
        store = Store(self.connection, self.log_key)
        journal = SimJournal(store, Ballast(self.path.with_suffix(".ballast"), 0), self, self._writer_class)
        self.journal = journal
        self.witness.reopened(self.branch, journal)
        clock_now = self.clock
        system = System(self.boot_id, clock_now.mono_ms, clock_now.wall_ms, clock_now.synchronised)
        clock = Clock(system, last_stamp(journal))
        life = self.life
        if journal.size == 0:
            await journal.commit(Step(sealed=journal.seal([Draft(self._opening())], clock.stamp())))
            if self.life != life:
                return
        die = self._die_inside
        chargers = {name: StandCharger(stand, self.random, clock.mono_ms, die) for name, stand in self.stands.items()}
        meters = {name: StandMeter(stand, self.random, clock.mono_ms, die) for name, stand in self.stands.items()}
        outlets = {
            name: Outlet(name, chargers[name], meters[name], stand.meter_id) for name, stand in self.stands.items()
        }
        places = {name: outlet.place() for name, outlet in outlets.items()}
        recorder = MeterRecorder(SoftwareSigner(self.device), SOFTWARE)
        guard = Guard(self.counter, threaded=False)
        desk = self._desk_class(journal, clock, POLICY, places, recorder, guard)
        await desk.check_counter()
        drives = {
            name: Drive(name, outlet.charger, partial(desk.wants_delivery, name)) for name, outlet in outlets.items()
        }
        self.site = site = Site(desk, SimWatch(clock, outlets), clock, drives, self.credential_key)
        signer = MeasurementRecorder(SoftwareSigner(self.device), SOFTWARE)
        if self.pumps:
            open_forecourt(self.pumps, site, clock, signer, self.random, die, self._keep)
        if self.shop is not None:
            open_shop(self.shop, site, clock, signer, self.random, die, self._keep)
        if self.boards:
            open_ports(self.boards, site, clock, signer, self.random, die, self._keep)
        hq = SimHq(self.network, self.name, self.epoch, self.log_key, self._heard)
        self.uplink = Uplink(HQ_CONFIG, journal, clock, site, hq, self.pinned, jitter=self.random.uniform)
        self.codes = Codes(site, self.pinned)
        for driver in (*chargers.values(), *meters.values()):
            self.spawn("driver", driver.run())
        self.spawn("uplink", self.uplink.run())
        for drive in drives.values():
            self.spawn("drive", drive.run())
        self.spawn("sessions", site.run())

    def _keep(self, name: str, work: Work) -> None:
        self.spawn(name, work)

    def _heard(self, answer: Answer) -> None:
        """Tell the witness whether headquarters goes on from this log, where the answer says so."""
        if answer.status == 200:
            if parse(decode(answer.body, BatchReply).cosigned).size <= self.journal.size:
                self.witness.heard(self.branch, agreed=True)
        elif decode(answer.body, Refusal).code in (RefusalCode.FORK, RefusalCode.EPOCH_FROZEN):
            self.witness.heard(self.branch, agreed=False)

    def spawn(self, name: str, work: Work) -> asyncio.Task[Any]:
        """Something that this daemon does; it ends with the daemon, and its failure is told."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.branch} {name}")
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def files(self) -> dict[str, bytes]:
        """The journal as it is on the disk between two commits, by what follows its name."""
        found = (self.path, self.path.with_name(self.path.name + "-wal"))
        return {file.name.removeprefix(self.path.name): file.read_bytes() for file in found if file.exists()}

    def replace_files(self, files: dict[str, bytes]) -> None:
        """Another image of the disk in the place of this one. The daemon is not running."""
        assert not self.alive
        self.path = self.path.with_name(f"{self.path.stem}-{self.life}{self.path.suffix}")
        for suffix, data in files.items():
            self.path.with_name(self.path.name + suffix).write_bytes(data)

    def kill(self, why: str) -> None:
        """SIGKILL: every task is dropped where it waits, and the journal's connection goes with the process."""
        if not self.alive:
            return
        self.alive = False
        self.life += 1
        self.deaths[why] = self.deaths.get(why, 0) + 1
        for task in list(self._tasks):
            task.cancel()
        self.path = self.disk.die(self.connection, self.path, power=why.startswith(POWER))
        self.site = self.uplink = self.codes = None
        self.on_death(why)

    def dies(self, why: str) -> bool:
        """Whether this is the moment; then the daemon is dead already."""
        if self.odds_of_death and self.random.random() < self.odds_of_death:
            self.kill(why)
            return True
        return False

    def arm(self) -> None:
        """The disk may die before the next commit is through."""
        cut = self.odds_of_cut and self.random.random() < self.odds_of_cut
        self.disk.die_after(self.random.randint(1, OPERATIONS) if cut else None)

    def died_writing(self, sealed: Sequence[Sealed]) -> bool:
        """Whether a commit of these failed because disk and process are gone; each may be there after all, or none."""
        if not self.disk.dead:
            return False
        self.witness.perhaps(self.branch, sealed)
        if self.random.random() < 0.5:
            self.kill("inside a commit")
        else:
            self.on_cut()
        return True

    def commit_s(self) -> float:
        """How long a commit takes."""
        if self.slow_disk:
            return self.random.uniform(0.2, 3.0)
        return self.random.uniform(0.002, 0.05)

    def _die_inside(self, why: str) -> None:
        """For code that runs in one of the daemon's own tasks: after its death it must not go on."""
        if self.dies(why):
            raise asyncio.CancelledError

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.witness.crashed(self.branch, task.get_name(), error)

    def _opening(self) -> EpochOpened:
        certificate = keys.certify_log_key(self.device, self.name, self.epoch, public_of(self.log_key))
        device_key = keys.spki(self.device.public_key())
        return EpochOpened(self.name, self.epoch, public_of(self.log_key), device_key, certificate.signature, SOFTWARE)


@cache
def empty_journal() -> Path:
    """A journal file with its tables and nothing in it, made once for each process."""
    holder = tempfile.TemporaryDirectory(prefix="fieldtill-sim-template-")
    _HOLDERS.append(holder)
    path = Path(holder.name) / "journal.db"
    connect(path).close()
    return path


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []
