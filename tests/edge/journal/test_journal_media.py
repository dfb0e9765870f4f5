"""Media that turn bits, and media that lie: what is damaged is told and never served.

`make test-power` tries a thousand cuts at random moments instead of a hundred.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from journal_rig import EPOCH, LOG_KEY, LOG_PUBLIC, SITE, STAMP, act, create, fill, reopen, sealed
from power_disk import PowerDisk, a_disk, put

from edge.journal.connection import connect, set_up
from edge.journal.errors import JournalError, JournalFailed
from edge.journal.journal import Journal
from edge.journal.recovery import check
from edge.journal.step import Identity, Step
from edge.journal.store import Store, begin_log
from protocols.proof import checkpoint
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document

CUTS = int(os.environ.get("FIELDTILL_CUTS", "100"))
FLIPS = int(os.environ.get("FIELDTILL_FLIPS", "400"))


def new_store(disk: PowerDisk) -> Store:
    connection = disk.connect()
    set_up(connection)
    begin_log(connection, Identity(SITE, EPOCH, LOG_PUBLIC))
    return Store(connection, LOG_KEY)


def steps_of(chance: random.Random) -> Iterator[Step]:
    """A few steps of a few records; each leaves the log's size in a row that must never disagree with it."""
    size = 0
    for _ in range(chance.randrange(2, 12)):
        count = chance.randrange(1, 6)
        yield Step(sealed(size, count), progress={0: b"%d" % (size + count)})
        size += count


async def test_cuts_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    """Every acknowledged step is there after the cut, whole, and the journal serves."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    for life in range(CUTS):
        sizes, left = _life(random.Random(seed + life))
        put(left, tmp_path / f"{life}")
        path = tmp_path / f"{life}" / "journal.db"
        check(path, LOG_PUBLIC, full=True)
        journal = reopen(path)
        assert journal.size in sizes, f"seed {seed + life}: one of {sizes} expected, {journal.size} there"
        assert journal.progress() == ({0: b"%d" % journal.size} if journal.size else {})
        await fill(journal, 1)
        await journal.close()
        shutil.rmtree(path.parent)
    print(f"{CUTS} cuts at random moments, 0 acknowledged steps lost")


def _life(chance: random.Random, *, lies: bool = False) -> tuple[list[int], dict[str, bytes]]:
    """Sizes that may be found after the cut (the acknowledged one, and that of a step under way), and what is left."""
    with a_disk() as disk:
        store = new_store(disk)
        disk.lies = lies
        disk.operations = 0
        disk.off_at = chance.randrange(1, 60)
        sizes = [0, 0]
        try:
            for step in steps_of(chance):
                sizes = [store.head.size, store.head.size + len(step.sealed)]
                store.commit([step])
                if chance.random() < 0.2:
                    store.tend(commits_min=1)
            sizes = [store.head.size, store.head.size]
        except JournalFailed:
            pass
        left = disk.image(chance)
        disk.off_at = None
        store.close()
        return sizes, left


def test_this_disk_can_lose_what_a_liar_promised(tmp_path: Path) -> None:
    """The same lives on a disk whose syncs do nothing: the test above would fail. So it can."""
    lost = 0
    for life in range(40):
        sizes, left = _life(random.Random(life), lies=True)
        put(left, tmp_path / f"{life}")
        try:
            check(tmp_path / f"{life}" / "journal.db", LOG_PUBLIC, full=True)
            with_size = reopen(tmp_path / f"{life}" / "journal.db")
        except JournalError:
            lost += 1
            continue
        lost += with_size.size not in sizes
    assert lost > 20


async def test_a_medium_that_lied_is_told_by_the_second_copy(tmp_path: Path) -> None:
    """The medium comes back older than what it acknowledged; the other one knows better."""
    path, copy = tmp_path / "state" / "journal.db", tmp_path / "stick"
    journal = create(path, copy)
    await fill(journal, 10)
    await journal.close()
    older = path.read_bytes()
    journal = reopen(path, copy)
    await fill(journal, 5)
    await journal.close()
    path.write_bytes(older)
    journal = reopen(path, copy)
    assert (journal.size, journal.put_back) == (15, 5)
    await journal.close()


async def test_no_turned_bit_is_served(tmp_path: Path) -> None:
    """One bit of the file turned, anywhere: it is refused, or every value is still the one that was written."""
    path = tmp_path / "journal.db"
    await _one_of_everything(path)
    truth = _everything(path)
    whole = path.read_bytes()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    refused = 0
    for _ in range(FLIPS):
        bit = chance.randrange(len(whole) * 8)
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        for leftover in ("journal.db-wal", "journal.db-shm"):
            (tmp_path / leftover).unlink(missing_ok=True)
        try:
            assert _everything(path) == truth, f"bit {bit} of byte {bit // 8} (seed {seed}) was served"
        except JournalError:
            refused += 1
    print(f"{FLIPS} bits turned: {refused} refused before anything was served, the others in no value")
    assert refused > FLIPS // 4  # about half of the file is in use


async def _one_of_everything(path: Path) -> None:
    journal = create(path)
    await fill(journal, 70)
    tariff = encode(Document(TARIFF, SITE, 1, b"a tariff", bytes(64)))
    cosigned = (70, journal.checkpoint())
    await journal.commit(Step(progress={3: b"a row" * 30}, facts={"cursor": b"17" * 30}, documents=(tariff,)))
    await journal.commit(Step(journal.seal([act("last")], STAMP), snapshot=b"a fold" * 100, cosigned=cosigned))
    await journal.close()
    connection = connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def _everything(path: Path) -> list[Any]:
    """Whatever the journal gives to anyone, as it is opened by the daemon. Raises JournalError."""
    journal = reopen(path)
    try:
        return _read_all(journal)
    finally:
        journal._reader.close()
        journal._writer.close()  # type: ignore[union-attr]  # known to be there
        journal._lock.release()  # type: ignore[union-attr]  # known to be there


def _read_all(journal: Journal) -> list[Any]:
    receipts = [journal.receipt(seq).to_bytes() for seq in range(0, journal.size, 7)]
    heads = [checkpoint.parse(journal.checkpoint_at(size)) for size in range(1, journal.size, 9)]
    values = [journal.progress(), journal.facts(), journal.document(TARIFF, 1), journal.snapshot(), journal.cosigned()]
    return [journal.read(0, 10**6, 10**9), journal.checkpoint(), receipts, heads, *values]
