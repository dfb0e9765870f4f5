"""The power goes while a log is pruned: whatever the disk keeps of it, the journal verifies and pruning goes on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from edge.journal.connection import set_up
from edge.journal.errors import JournalError
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.prune import BLOCK, Pruner
from edge.journal.recovery import check
from edge.journal.store import Store
from edge.journal.verify import verify
from protocols.proof.ed25519 import public_of
from protocols.trade.records import ClockQuality, Stamp
from tests.edge.desk_rig import LOG_KEY
from tests.edge.journal.power_disk import Images, PowerDisk, put
from tests.edge.journal.test_prune import DAY_MS, KEPT, an_old_till, seqs
from tests.edge.journal.verify_rig import TRUST
from tests.edge.till.story import MIDNIGHT_MS

LATER_MS = MIDNIGHT_MS + 41 * DAY_MS
LATER = Stamp(b"boot-002", 1, LATER_MS, ClockQuality.SYNCHRONISED, LATER_MS, LATER_MS + 1_000)
CUTS = 16


@pytest.fixture(scope="module")
def unpruned(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The file of a long log of which half may go."""
    folder = tmp_path_factory.mktemp("unpruned")

    async def make() -> None:
        async with an_old_till(folder):
            pass

    asyncio.run(make())
    return {"journal.db": (folder / "journal.db").read_bytes()}


def at_work(unpruned: Images) -> tuple[PowerDisk, Journal]:
    """The journal open on such a disk, whose operations are counted from here."""
    disk = PowerDisk(unpruned)
    connection = disk.connect()
    set_up(connection)
    journal = Journal(Store(connection, LOG_KEY), connection, Ballast(Path("no-ballast"), 0), threaded=False)
    disk.operations = 0
    return disk, journal


async def prune(journal: Journal) -> None:
    pruner = Pruner(journal, lambda: LATER, 30, "test")
    while await pruner.step():
        pass
    assert journal.base_size == 2 * BLOCK


@pytest.fixture(scope="module")
def operations(unpruned: Images) -> int:
    """How many operations of the disk it takes to prune it."""

    async def count() -> int:
        disk, journal = at_work(unpruned)
        await prune(journal)
        counted = disk.operations
        await journal.close()
        disk.unregister()
        return counted

    return asyncio.run(count())


@pytest.mark.parametrize("part", range(CUTS))
async def test_a_cut_at_any_operation(unpruned: Images, operations: int, tmp_path: Path, part: int) -> None:
    """One operation out of each sixteenth of them all: nothing is lost, and the end is the same."""
    chance = random.Random(part)
    disk, journal = at_work(unpruned)
    disk.off_at = chance.randint(operations * part // CUTS + 1, operations * (part + 1) // CUTS)
    with pytest.raises(JournalError):
        await prune(journal)
    left = disk.image(chance)
    disk.off_at = None
    await journal.close()
    disk.unregister()

    folder = tmp_path / "left"
    put(left, folder)
    check(folder / "journal.db", public_of(LOG_KEY), full=True)
    assert verify(folder / "journal.db", TRUST).findings == []
    journal = Journal.open(folder / "journal.db", LOG_KEY, ballast_bytes=0)
    await prune(journal)
    size = journal.size
    await journal.close()
    assert len(seqs(folder)) == size - 2 * BLOCK + KEPT
    assert verify(folder / "journal.db", TRUST).findings == []
