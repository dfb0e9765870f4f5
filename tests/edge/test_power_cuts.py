"""The power goes at every single disk operation of a whole day, and at none of them does anybody lose a fen.

The production desk and journal run on a disk in memory (`power_disk`). What the cut leaves is put into real files, and
another daemon starts from them as it would in the field: full check, fold, crash matrix.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from edge.journal.connection import set_up
from edge.journal.errors import JournalError, JournalFailed, JournalFull
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.recovery import check
from edge.journal.step import Identity
from edge.journal.store import Store, begin_log
from edge.till.progress import StopReason
from edge.till.start import Refusal, Refused
from protocols.proof.ed25519 import public_of
from protocols.trade.records import SessionClosed, SessionOpened, SessionVoided, body_of
from tests.edge.desk_rig import LOG_KEY, Till, Time
from tests.edge.journal.power_disk import Images, PowerDisk, a_disk, put

SITE_LOG = Identity("hz-1", 1, public_of(LOG_KEY))
LEAVES = ("what was synced", "what was written", "some sectors", "other sectors")


def journal_on(disk: PowerDisk, *, new: bool = False) -> Journal:
    connection = disk.connect()
    set_up(connection)
    if new:
        begin_log(connection, SITE_LOG)
    return Journal(Store(connection, LOG_KEY), connection, Ballast(Path("no-ballast"), 0), threaded=False)


@dataclass
class Told:
    """What the journal has vouched for: opened and ended sessions, and the bytes of every durable record."""

    opened: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    records: list[bytes] = field(default_factory=list)

    def note(self, till: Till) -> None:
        self.records = till.journal.read(0, 10**6, 10**9)
        self.ended |= self.opened - till.desk.state.sessions.keys()


async def a_day(till: Till, told: Told) -> None:
    """Two customers at once: one drives off, one is stopped; a grant comes in between, value goes back."""
    await start(till, told, "c1")
    await charge(till, told)
    await start(till, told, "c2")
    await till.grant(12_000)
    told.note(till)
    await charge(till, told)
    till.bays["c1"].plugged = till.bays["c1"].delivering = False
    await charge(till, told)
    await till.finish()
    told.note(till)


async def start(till: Till, told: Told, connector: str) -> None:
    session = await till.desk.start(till.ask(connector), till.watch.sight(connector))
    if isinstance(session, Refused):
        assert session.refusal == Refusal.DISK_FULL, session
        return
    told.opened.add(session.seq)
    till.obey()
    told.note(till)


async def charge(till: Till, told: Told) -> None:
    await till.wait(6)
    told.note(till)


async def begin() -> Images:
    """A disk with the log's beginning: leaf 0, a tariff, a customer with money."""
    with a_disk() as disk:
        till = Till(journal_on(disk, new=True), Time())
        await till.begin(may_stay=500)
        await till.journal.close()
        return disk.image(None)


def at_work(begun: Images) -> tuple[PowerDisk, Till]:
    """A till on that disk, whose operations are counted from here."""
    disk = PowerDisk(begun)
    till = Till(journal_on(disk), Time())
    disk.operations = 0
    return disk, till


async def operations_of_a_day(begun: Images) -> int:
    disk, till = at_work(begun)
    await a_day(till, Told())
    counted = disk.operations
    await till.journal.close()
    disk.unregister()
    return counted


async def test_a_cut_at_every_disk_operation(tmp_path: Path) -> None:
    """Whatever the cut leaves: nobody is served for nothing, nobody pays twice, and no word given is taken back."""
    begun = await begin()
    operations = await operations_of_a_day(begun)
    for cut in range(1, operations + 1):
        for leaves in LEAVES:
            disk, till = at_work(begun)
            disk.off_at = cut
            told = Told()
            with suppress(JournalError):  # none: the day was over before
                await a_day(till, told)
            left = what_is_left(disk, leaves, cut)
            disk.off_at = None
            await till.journal.close()
            disk.unregister()
            try:
                await the_power_returns(till, told, left, tmp_path / f"{cut}")
            except BaseException as error:
                error.add_note(f"power off at operation {cut} of {operations}, leaving {leaves}")
                raise
    print(f"{operations * len(LEAVES)} power cuts at {operations} disk operations: 0 fen lost")


def what_is_left(disk: PowerDisk, leaves: str, seed: int) -> Images:
    if leaves == "what was synced":
        return disk.image(None)
    if leaves == "what was written":
        return disk.image(None, unsynced=True)
    return disk.image(random.Random(f"{leaves} {seed}"))


async def the_power_returns(till: Till, told: Told, left: Images, directory: Path) -> None:
    """Another boot on what is left: it serves, settles what was open, and everything adds up."""
    put(left, directory)
    path = directory / "journal.db"
    check(path, SITE_LOG.log_key, full=True)
    till.journal = Journal.open(path, LOG_KEY, ballast_bytes=0)
    assert till.journal.read(0, len(told.records), 10**9) == told.records, "a durable record is gone or altered"
    for bay in till.bays.values():
        bay.delivering = False
    till.time.boot, till.time.mono_ms = b"boot-002", 500
    till.time.wall_ms += 60_000
    till.open()
    till.obey()
    await till.wait(20)
    adds_up(till, told)
    await till.journal.close()
    shutil.rmtree(directory)


def adds_up(till: Till, told: Told) -> None:
    """Every session that was let go has ended once, for exactly what flowed."""
    assert till.desk.sessions() == []
    opened = {seq for seq, one in enumerate(map(body_of, till.journal.records())) if isinstance(one, SessionOpened)}
    closed = till.bodies(SessionClosed)
    ended = [one.session for one in [*closed, *till.bodies(SessionVoided)]]
    assert told.opened <= opened, "a session that was let go has no opening record"
    assert sorted(ended) == sorted(opened), "each session ends once"
    assert told.ended <= set(ended)
    flowed_wh = sum(bay.register_wh - 1_000_000 for bay in till.bays.values())
    assert sum(one.energy_wh for one in closed) == flowed_wh, "energy that nobody pays for, or that never flowed"
    lease = till.lease()
    assert lease.used == sum(one.amount_fen for one in closed)
    assert (lease.held, till.desk.state.overrun_fen) == (0, 0)
    assert lease.used + lease.returned + lease.rights == lease.granted


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (apsw.SQLITE_IOERR_WRITE, JournalFailed),
        (apsw.SQLITE_IOERR_FSYNC, JournalFailed),
        (apsw.SQLITE_FULL, JournalFull),
    ],
    ids=["EIO on a write", "EIO on a sync", "ENOSPC"],
)
async def test_an_error_at_every_disk_operation(tmp_path: Path, code: int, error: type[JournalError]) -> None:
    """EIO: the daemon stops at once, and the next one finds all that was told. ENOSPC: it goes on with the same."""
    begun = await begin()
    for at in range(1, await operations_of_a_day(begun) + 1):
        disk, till = at_work(begun)
        disk.fails_at, disk.fails_with = at, code
        told = Told()
        with suppress(error):  # none: the day was over before, or the disk did without
            await a_day(till, told)
        if till.journal.failed is not None:
            assert isinstance(till.journal.failed, JournalFailed)
            with pytest.raises(JournalFailed):
                await till.desk.close_day([])
        elif error is JournalFull:
            till.obey()
            for session, _ in till.desk.sessions():
                await till.desk.stop(session.seq, StopReason.LOCAL)
            till.obey()
            await till.wait(8)
            adds_up(till, told)
        disk.fails_at = None
        left = disk.image(None, unsynced=True)
        await till.journal.close()
        disk.unregister()
        await the_power_returns(till, told, left, tmp_path / f"{at}")
