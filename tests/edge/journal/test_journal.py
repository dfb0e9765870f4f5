"""The journal keeps what it promised, in order, and proves it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journal_rig import BALLAST_BYTES, EPOCH, LOG_KEY, LOG_PUBLIC, SITE, STAMP, act, create, fill, reopen

from edge.journal.connection import connect
from edge.journal.errors import JournalDamaged, JournalError, JournalFailed, JournalFull, JournalLocked, JournalOverrun
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.step import Snapshot, Step
from edge.journal.store import Store
from protocols.proof import checkpoint, keys, receipt
from protocols.proof.errors import NotIncluded
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document

LOG_VERIFIER = keys.log_verifier(SITE, EPOCH, LOG_PUBLIC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


async def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    """Records, progress, facts, documents, snapshot and cosignature of one step come back, byte for byte."""
    document = encode(Document(TARIFF, SITE, 7, b"payload", b"signature"))
    journal = create(path)
    sealed = journal.seal([act("first"), act("second")], STAMP)
    await journal.commit(
        Step(
            sealed,
            progress={0: b"row", 1: b"other"},
            facts={"cursor": b"12", "gone": b"x"},
            documents=[document],
            snapshot=b"fold of two",
        )
    )
    await journal.commit(Step(progress={1: None}, facts={"gone": None}))
    await journal.store_cosignature(journal.checkpoint(), 2)
    await journal.close()

    journal = reopen(path)
    assert (journal.site, journal.epoch, journal.size, journal.next_seq) == (SITE, EPOCH, 2, 2)
    assert journal.read(0, 10, 10_000) == [one.data for one in sealed]
    assert list(journal.records()) == [one.record for one in sealed]
    assert journal.progress() == {0: b"row"}
    assert journal.fact("cursor") == b"12"
    assert journal.fact("gone") is None
    assert journal.facts() == {"cursor": b"12"}
    assert journal.document(TARIFF, 7) == document
    assert journal.document(TARIFF, 7, hashlib.sha256(b"payload").digest()) == document
    assert journal.document(TARIFF, 8) is None
    assert journal.snapshot() == Snapshot(2, b"fold of two")
    assert journal.cosigned() == (2, journal.checkpoint())
    await journal.close()


async def test_an_empty_log_opens_again(path: Path) -> None:
    """A box that lost power between creation and its first record goes on with the same log."""
    await create(path).close()
    journal = reopen(path)
    assert (journal.size, journal.checkpoint(), journal.snapshot(), journal.cosigned()) == (0, b"", None, None)
    await fill(journal, 1)
    assert journal.size == 1
    await journal.close()


async def test_head_is_signed_over_exactly_the_durable_records(path: Path) -> None:
    """The checkpoint's root is the RFC 6962 root of the bytes that `read` gives, and grows with each commit."""
    journal = create(path)
    for count in (1, 2, 30, 31):
        await fill(journal, count)
        head = checkpoint.verify_checkpoint(journal.checkpoint(), LOG_VERIFIER)
        leaves = [leaf_hash(data) for data in journal.read(0, 1_000, 1_000_000)]
        assert (head.size, head.root) == (journal.size, Frontier().append_many(leaves).root())
    await journal.close()


async def test_every_record_has_a_receipt(path: Path) -> None:
    """Provisional at first; final, and for the cosigned size, once headquarters has cosigned it."""
    journal = create(path)
    await fill(journal, 75)
    hq = LOG_KEY  # any key will do for the cosigner
    cosigned = checkpoint.cosign(journal.checkpoint(), hq, "hq.example", 1_767_300_000)
    await journal.store_cosignature(cosigned, 75)
    await fill(journal, 30)
    records = journal.read(0, 1_000, 1_000_000)
    hq_key = keys.cosigner_verifier("hq.example", LOG_PUBLIC)
    for seq in (0, 31, 32, 63, 74):
        proven = receipt.verify(journal.receipt(seq), records[seq], LOG_VERIFIER, hq_key)
        assert proven.final
        assert proven.checkpoint.size == 75
    for seq in (75, 96, 104):
        assert receipt.verify(journal.receipt(seq), records[seq], LOG_VERIFIER).checkpoint.size == 105
    with pytest.raises(NotIncluded):
        receipt.verify(journal.receipt(3), records[4], LOG_VERIFIER)
    await journal.close()


async def test_an_earlier_head_is_signed_only_when_the_log_grew_out_of_it(path: Path) -> None:
    """For every size the same note as was given then; a flipped bit in a kept node is never signed."""
    journal = create(path)
    notes = {}
    for _ in range(140):
        await fill(journal, 1, size=0)
        notes[journal.size] = journal.checkpoint()
    assert {size: journal.checkpoint_at(size) for size in notes} == notes
    for size in (0, 141):
        with pytest.raises(ValueError, match="this log has 140 records"):
            journal.checkpoint_at(size)
    await journal.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 5 AND place = 2")
    connection.close()
    journal = reopen(path)
    with pytest.raises(JournalDamaged, match="do not lead to the signed head"):
        journal.checkpoint_at(97)
    await journal.close()


async def test_steps_that_wait_share_one_commit(path: Path) -> None:
    """A thousand steps queued together cost a handful of fsyncs, and become durable in the order of the calls."""
    journal = create(path)
    before = journal.counters.commits
    order: list[int] = []
    futures = []
    for index in range(1_000):
        future = journal.commit(Step(journal.seal([act(f"{index}")], STAMP), progress={index % 5: b"%d" % index}))
        future.add_done_callback(lambda _, index=index: order.append(index))
        futures.append(future)
    await asyncio.gather(*futures)
    assert journal.counters.commits - before <= 5
    assert journal.counters.steps == 1_000
    assert order == list(range(1_000))
    assert journal.progress() == {index: b"%d" % (995 + index) for index in range(5)}
    await journal.close()


async def test_sealing_goes_on_while_a_commit_runs(path: Path) -> None:
    """Places are given at once; only what is durable can be read, and the checkpoint speaks only of that."""
    journal = create(path)
    first = journal.commit(Step(journal.seal([act("one")], STAMP)))
    second_sealed = journal.seal([act("two"), act("three")], STAMP)
    assert [one.seq for one in second_sealed] == [1, 2]
    assert (journal.size, journal.next_seq) == (0, 3)
    await first
    assert journal.size == 1
    await journal.commit(Step(second_sealed))
    assert journal.size == 3
    await journal.close()


async def test_cancelling_the_waiter_does_not_take_the_step_back(path: Path) -> None:
    """A task that gives up waiting leaves a whole log behind."""
    journal = create(path)
    future = journal.commit(Step(journal.seal([act("paid")], STAMP)))
    future.cancel()
    await fill(journal, 1)
    assert journal.size == 2
    await journal.close()


async def test_records_out_of_order_are_refused_before_they_reach_the_disk(path: Path) -> None:
    """A step that leaves out a sealed record, or brings one twice, changes nothing."""
    journal = create(path)
    first = journal.seal([act("one")], STAMP)
    second = journal.seal([act("two")], STAMP)
    with pytest.raises(JournalFull):
        journal.commit(Step(second))
    await journal.commit(Step(first))
    await journal.commit(Step(second))
    with pytest.raises(JournalFull):
        journal.commit(Step(first))
    assert journal.size == 2
    await journal.close()


async def test_reading_is_bounded_by_records_and_bytes(path: Path) -> None:
    """The first record always comes, so that a reader gets past a large one."""
    journal = create(path)
    await fill(journal, 10, size=1_000)
    size = len(journal.read(0, 1, 1)[0])
    assert len(journal.read(0, 4, 1_000_000)) == 4
    assert len(journal.read(0, 100, 3 * size)) == 3
    assert len(journal.read(5, 100, 10)) == 1
    assert journal.read(10, 100, 1_000_000) == []
    await journal.close()


async def test_two_daemons_never_open_one_journal(path: Path) -> None:
    """The second one is told who is in the way; after the first has closed it may."""
    journal = create(path)
    with pytest.raises(JournalLocked, match="another process"):
        reopen(path)
    await journal.close()
    await reopen(path).close()


async def test_people_can_read_along_without_disturbing(path: Path) -> None:
    """A read-only connection sees committed records while the daemon writes."""
    journal = create(path)
    await fill(journal, 3)
    reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (3,)
    await fill(journal, 3)
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (6,)
    reader.close()
    await journal.close()


async def test_files_are_the_owners_alone(path: Path) -> None:
    """Directory 0700; database, write-ahead log, lock and ballast 0600."""
    journal = create(path)
    await fill(journal, 1)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock", "journal.ballast"], 0o600
    )
    assert (path.parent / "journal.ballast").stat().st_blocks * 512 >= BALLAST_BYTES
    await journal.close()


async def test_a_log_is_never_begun_over_another(path: Path) -> None:
    """Creating in a file that holds a log is refused, and so is opening it with another epoch's key."""
    await create(path).close()
    with pytest.raises(JournalError, match="holds the log of shenzhen-7, epoch 3"):
        create(path)
    with pytest.raises(JournalError, match="another key"):
        Journal.open(path, Ed25519PrivateKey.generate())
    with pytest.raises(JournalError, match="does not exist"):
        reopen(path.with_name("other.db"))


async def test_older_cosignature_changes_nothing(path: Path) -> None:
    """Acknowledgements may come in any order; the largest stands. One beyond the log is a fork and is refused."""
    journal = create(path)
    await fill(journal, 1)
    small = journal.checkpoint()
    await fill(journal, 1)
    await journal.store_cosignature(journal.checkpoint(), 2)
    await journal.store_cosignature(small, 1)
    assert journal.cosigned() == (2, journal.checkpoint())
    with pytest.raises(ValueError, match="a fork or a rollback"):
        journal.store_cosignature(journal.checkpoint(), 3)
    await journal.close()


async def test_the_last_two_snapshots_are_kept(path: Path) -> None:
    """A snapshot belongs to the records up to and with its own step's, also in a group; a restart starts from it."""
    journal = create(path)
    futures = []
    for index in range(4):
        sealed = journal.seal([act(f"{index}"), act("and")], STAMP)
        futures.append(journal.commit(Step(sealed, snapshot=b"fold %d" % index)))
    await asyncio.gather(*futures)
    await fill(journal, 3)
    await journal.close()
    connection = sqlite3.connect(path)
    assert [size for (size,) in connection.execute("SELECT size FROM snapshots ORDER BY size")] == [6, 8]
    connection.close()
    journal = reopen(path)
    assert journal.snapshot() == Snapshot(8, b"fold 3")
    assert len(list(journal.records(8))) == 3
    await journal.close()


async def test_the_watchdog_sees_a_step_that_waits(path: Path) -> None:
    """waiting_s is zero exactly when no step waits for the disk."""
    journal = create(path)
    assert journal.waiting_s() == 0.0
    future = journal.commit(Step(journal.seal([act("one")], STAMP)))
    await future
    await fill(journal, 1)
    await journal.close()
    assert journal.waiting_s() == 0.0


async def test_a_disk_that_no_longer_answers_stops_the_site(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has an end. What was queued before is still written; nothing is taken in after it."""
    journal = create(path)
    monkeypatch.setattr("edge.journal.writer.WAITING_MAX", 0)
    with pytest.raises(JournalOverrun):
        journal.commit(Step(journal.seal([act("one too many")], STAMP)))
    with pytest.raises(JournalFailed):
        journal.commit(Step(facts={"key": b"value"}))
    assert isinstance(journal.failed, JournalOverrun)
    await journal.close()
    journal = reopen(path)
    assert journal.size == 0
    await journal.close()


async def test_a_snapshot_never_folds_more_than_its_step(path: Path) -> None:
    """A fold that already holds records of a later step would count them twice after a restart."""
    journal = create(path)
    first = journal.seal([act("one")], STAMP)
    journal.seal([act("two")], STAMP)
    with pytest.raises(AssertionError, match="a snapshot folds all that is sealed"):
        journal.commit(Step(first, snapshot=b"fold of two"))
    await journal.close()


async def test_without_a_thread_a_commit_is_done_when_it_returns(path: Path) -> None:
    """A simulation with virtual time runs the same journal on its own thread."""
    await create(path).close()
    threaded = reopen(path)
    await threaded.close()
    connection = connect(path)
    journal = Journal(Store(connection, LOG_KEY), connection, Ballast(path.with_suffix(".ballast"), 0), threaded=False)
    future = journal.commit(Step(journal.seal([act("one")], STAMP)))
    assert future.done()
    assert journal.size == 1
    await journal.close()
