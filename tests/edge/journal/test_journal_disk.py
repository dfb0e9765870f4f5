"""The disk fails: power goes, space runs out, a sync is refused. The same statements run on apsw's SQLite."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from failing_disk import Disk
from journal_rig import BALLAST_BYTES, EPOCH, LOG_KEY, LOG_PUBLIC, SITE, STAMP, act, fill, reopen, sealed

from edge.journal.connection import set_up
from edge.journal.errors import JournalFailed, JournalFull
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.recovery import check
from edge.journal.step import Identity, Step
from edge.journal.store import Store, begin_log

CUTS = 40


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    directory = tmp_path / "disk"
    directory.mkdir()
    disk = Disk(directory)
    yield disk
    disk.unregister()


def new_store(disk: Disk, path: Path | None = None) -> Store:
    connection = disk.connect(path or disk.directory / "journal.db")
    set_up(connection)
    begin_log(connection, Identity(SITE, EPOCH, LOG_PUBLIC))
    return Store(connection, LOG_KEY)


def new_journal(disk: Disk) -> Journal:
    store = new_store(disk)
    ballast = Ballast(disk.directory / "journal.ballast", BALLAST_BYTES)
    assert ballast.restore()
    return Journal(store, disk.connect(disk.directory / "journal.db"), ballast)


async def test_no_power_cut_loses_what_was_committed(disk: Disk, tmp_path: Path) -> None:
    """Cut at forty moments, half of them inside a commit: every acknowledged step is whole, and the journal serves."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    for life in range(CUTS):
        chance = random.Random(seed + life)
        path = disk.directory / f"{life}.db"
        store = new_store(disk, path)
        steps = list(steps_of(chance))
        sizes = [0]
        for step in steps[:-1]:
            store.commit([step])
            sizes.append(store.head.size)
            if chance.random() < 0.2:
                store.tend(commits_min=1)
        if chance.random() < 0.5:
            disk.sync_error = True  # the last step is written, and the power goes before its sync comes back
            with pytest.raises(JournalFailed):
                store.commit(steps[-1:])
            sizes.append(sizes[-1] + len(steps[-1].sealed))
            disk.sync_error = False
        after = tmp_path / f"after-{life}"
        disk.cut_power(chance, after)
        store.close()
        check(after / path.name, LOG_PUBLIC, full=True)
        journal = reopen(after / path.name)
        assert journal.size in sizes[len(steps) - 1 :], f"seed {seed + life}: {sizes} committed, {journal.size} there"
        assert journal.progress() == {0: b"%d" % journal.size}
        await fill(journal, 1)
        await journal.close()


def steps_of(chance: random.Random) -> Iterator[Step]:
    """A few steps of a few records; each leaves the log's size in a row that must never disagree with it."""
    size = 0
    for _ in range(chance.randrange(2, 12)):
        count = chance.randrange(1, 6)
        yield Step(sealed(size, count), progress={0: b"%d" % (size + count)})
        size += count


async def test_a_full_disk_lets_running_sessions_finish(disk: Disk) -> None:
    """The ballast gives way: the commit succeeds, and `full` says that no new session may begin."""
    journal = new_journal(disk)
    await fill(journal, 10)
    assert not journal.full
    disk.capacity = disk.used()
    await fill(journal, 50)
    assert journal.full
    assert journal.size == 60
    await journal.close()
    assert not (disk.directory / "journal.ballast").exists()


async def test_without_any_space_nothing_is_half_done(disk: Disk) -> None:
    """Steps that do not fit are refused whole, with those behind them; after space is freed the log goes on."""
    journal = new_journal(disk)
    await fill(journal, 10)
    before = journal.checkpoint()
    disk.capacity = disk.used()
    waiting = [
        journal.commit(Step(journal.seal([act(f"{index}", 50_000)], STAMP), progress={index: b"row"}))
        for index in range(8)
    ]
    stale = journal.seal([act("sealed on top")], STAMP)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    kept = sum(outcome is None for outcome in outcomes)
    assert all(isinstance(outcome, JournalFull) for outcome in outcomes[kept:])
    assert kept < 8
    assert (journal.size, journal.next_seq) == (10 + kept, 10 + kept)
    assert len(journal.progress()) == kept
    assert kept or journal.checkpoint() == before
    with pytest.raises(JournalFull):
        journal.commit(Step(stale))
    disk.capacity = None
    await fill(journal, 5)
    assert journal.size == 15 + kept
    await journal.close()
    check(disk.directory / "journal.db", LOG_PUBLIC, full=True)


async def test_after_a_failed_sync_nothing_is_written(disk: Disk) -> None:
    """The journal stops: waiting steps and later ones get JournalFailed, and no second sync is tried."""
    journal = new_journal(disk)
    await fill(journal, 3)
    disk.sync_error = True
    waiting = [journal.commit(Step(journal.seal([act(f"{index}")], STAMP))) for index in range(3)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, JournalFailed) for outcome in outcomes)
    disk.sync_error = False
    syncs = disk.syncs
    with pytest.raises(JournalFailed):
        journal.commit(Step(facts={"key": b"value"}))
    assert isinstance(journal.failed, JournalFailed)
    assert (journal.size, disk.syncs) == (3, syncs)
    with pytest.raises(JournalFailed):
        await fill(journal, 1)
    await journal.close()


def test_fsyncs_are_counted_as_they_happen(disk: Disk) -> None:
    """The counter that limits promise by is what reaches the disk: one for each commit, three around a checkpoint."""
    store = new_store(disk)
    store.commit([Step(sealed(0, 1))])
    started, counted = disk.syncs, store.counters.fsyncs
    for seq in range(1, 20):
        store.commit([Step(sealed(seq, 1))])
    assert disk.syncs - started == store.counters.fsyncs - counted == 19
    store.tend(commits_min=1)
    store.commit([Step(sealed(20, 5))])
    assert disk.syncs - started == store.counters.fsyncs - counted == 19 + 2 + 2
    store.close()


def test_written_bytes_are_counted_by_pages(disk: Disk) -> None:
    """wal_bytes is what was written to the write-ahead log, all but its header of 32 bytes each time it starts."""
    store = new_store(disk)
    store.tend(commits_min=0)
    store.commit([Step(sealed(0, 1))])
    store.tend(commits_min=1)
    written, counted = disk.wal_bytes, store.counters.wal_bytes
    for seq in range(1, 11):
        store.commit([Step(sealed(seq, 1))])
    store.tend(commits_min=1)
    assert store.counters.wal_bytes - counted == disk.wal_bytes - written - 32
    store.close()
