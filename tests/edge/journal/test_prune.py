"""What headquarters has acknowledged long ago goes, behind a signed snapshot; everything else goes on as before."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.evidence.gather import receipt_of
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalPruned
from edge.journal.journal import Journal
from edge.journal.prune import BLOCK, Pruner, prune_quietly
from edge.journal.recovery import check
from edge.journal.salvage import salvage
from edge.journal.verify import verify
from protocols.proof import keys, receipt, tree
from protocols.proof.ed25519 import public_of
from protocols.proof.statement import state
from protocols.trade.codec import BYTES_MAX, encode
from protocols.trade.records import Draft, SessionHeld, TechnicianAct
from protocols.trade.tariff import Tariff
from tests.edge.desk_rig import LOG_KEY, Till, until
from tests.edge.journal.forger import Forger
from tests.edge.journal.verify_rig import TRUST, ProvenTill, a_proven_till
from tests.edge.till.story import FLAT, MIDNIGHT_MS

DAY_MS = 86_400_000
KEPT = 3 * 32
"""Records before the base that stay: record 0's subtree, and two of the session that is open."""
LOG_VERIFIER = keys.log_verifier("hz-1", 1, public_of(LOG_KEY))


@dataclass
class Old:
    """A till whose log is long, and for the most part old and acknowledged.

    long: a session open since the first day. held: a later record about it. early, late: closing records, of that day
    and of the last.
    """

    till: ProvenTill
    long: int
    held: int
    early: int
    late: int

    def pruner(self, days: int = 30) -> Pruner:
        return Pruner(self.till.journal, self.till.clock.stamp, days, "test")


@asynccontextmanager
async def an_old_till(path: Path) -> AsyncIterator[Old]:
    async with a_proven_till(path) as till:
        till.clock.learn(MIDNIGHT_MS, MIDNIGHT_MS + 1_000)
        await acts(till, 40)
        await till.sell()
        early = till.journal.size - 1
        await acts(till, 70)
        long = (await till.start("c2")).seq
        await acts(till, BLOCK)
        await till.desk.record([Draft(SessionHeld(long, "meter-silent", "asked again"))])
        held = till.journal.size - 1
        await acts(till, BLOCK)
        await till.publish(version(2))
        await till.cosign()
        till.time += 40 * DAY_MS
        await till.publish(version(3))
        await acts(till, 2 * BLOCK)
        await till.sell(20)
        late = till.journal.size - 1
        await till.cosign()
        yield Old(till, long, held, early, late)


def version(number: int) -> Tariff:
    return Tariff("flat", number, "UTC", FLAT.offsets, FLAT.periods, 0, 0, 0)


async def acts(till: Till, count: int) -> None:
    await till.desk.record([Draft(TechnicianAct("li", "looked", f"{number}")) for number in range(count)])


async def prune(pruner: Pruner) -> int:
    """All that is due; how many steps it took."""
    steps = 0
    while await pruner.step():
        steps += 1
        assert steps < 1_000
    assert pruner.stopped is None
    return steps


def seqs(path: Path) -> list[int]:
    with sqlite3.connect(path / "journal.db") as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM records ORDER BY seq")]


async def test_old_records_go_and_the_rest_stays(tmp_path: Path) -> None:
    """Record 0's block, the block of a session that is still open, and everything since the base."""
    async with an_old_till(tmp_path) as old:
        journal, before = old.till.journal, old.till.desk.state
        steps = await prune(old.pruner())
        assert (journal.base_size, steps > 30) == (2 * BLOCK, True)
        blocks = {0, old.long // 32, old.held // 32}
        assert seqs(tmp_path) == [seq for seq in range(journal.size) if seq // 32 in blocks or seq >= journal.base_size]
        old.till.open()
        assert old.till.desk.state == before
        assert not await old.pruner().step()


async def test_verify_says_from_where_and_whose_word_stands(tmp_path: Path) -> None:
    """A pruned journal is sound from the base on, and the report names the snapshot before it."""
    async with an_old_till(tmp_path) as old:
        whole = verify(tmp_path / "journal.db", TRUST)
        assert (whole.findings, whole.first) == ([], 0)
        await prune(old.pruner())
        report = verify(tmp_path / "journal.db", TRUST)
        assert (report.findings, report.first, report.size) == ([], 2 * BLOCK, whole.size)
        assert any("snapshot stands for records 0 to 2047" in line for line in report.proven)
        assert any("certified by the box's key" in line for line in report.proven)


async def test_proofs_of_what_is_left_still_hold(tmp_path: Path) -> None:
    """Receipts of kept records verify, heads since the base lead to the present one; a pruned record says so."""
    async with an_old_till(tmp_path) as old:
        journal = old.till.journal
        await prune(old.pruner())
        for seq in (0, old.long, old.held, journal.base_size, old.late, journal.size - 1):
            (data,) = journal.read(seq, 1, BYTES_MAX)
            receipt.verify(journal.receipt(seq), data, LOG_VERIFIER, TRUST.cosigners[0])
        for size in (1_024, journal.base_size, journal.base_size + 1, journal.size):
            journal.checkpoint_at(size)
        with pytest.raises(JournalPruned, match=f"record {old.early} has been pruned"):
            journal.read(old.early, 1, BYTES_MAX)
        with pytest.raises(JournalPruned):
            journal.receipt(old.early)


async def test_a_daemon_starts_on_a_pruned_log(tmp_path: Path) -> None:
    """The journal opens, also checked in full, and also where every other snapshot is gone; the session goes on."""
    async with an_old_till(tmp_path) as old:
        till, before = old.till, old.till.desk.state
        await prune(old.pruner())
        for drop in (False, True):
            await till.journal.close()
            if drop:
                forger = Forger(tmp_path / "journal.db")
                forger.run("DELETE FROM snapshots")
                forger.done()
            check(tmp_path / "journal.db", public_of(LOG_KEY), full=True)
            till.journal = Journal.open(tmp_path / "journal.db", LOG_KEY, ballast_bytes=0)
            till.open()
            assert till.desk.state == before
        await till.finish()
        assert verify(tmp_path / "journal.db", TRUST).findings == []
        with closing(connect_reader(tmp_path / "journal.db")) as connection:
            file = receipt_of(connection, old.long).file  # over the gap between its opening and its end
        assert state(file, TRUST.sites, TRUST.cosigners).story is not None


async def test_the_daemon_prunes_beside_its_work(tmp_path: Path) -> None:
    """In the background, while sessions are sold; what is due goes, and what is sold meanwhile is there."""
    async with an_old_till(tmp_path) as old:
        journal = old.till.journal
        work = asyncio.create_task(prune_quietly(old.pruner(), journal, quiet_s=0.0))
        await old.till.wait(10)
        await until(lambda: len(seqs(tmp_path)) == journal.size - 2 * BLOCK + KEPT)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert verify(tmp_path / "journal.db", TRUST).findings == []


async def test_when_the_session_has_ended_its_block_goes_too(tmp_path: Path) -> None:
    """The next base no longer needs it."""
    async with an_old_till(tmp_path) as old:
        await prune(old.pruner())
        await old.till.finish()
        await acts(old.till, 4 * BLOCK)
        await old.till.cosign()
        old.till.time += 40 * DAY_MS
        await prune(old.pruner())
        assert old.till.journal.base_size > old.late
        assert old.long not in seqs(tmp_path)
        assert verify(tmp_path / "journal.db", TRUST).findings == []


async def test_nothing_goes_that_is_young_or_not_acknowledged(tmp_path: Path) -> None:
    """A retention that has not passed, and a headquarters that has not answered, keep everything."""
    async with an_old_till(tmp_path) as old:
        assert await prune(old.pruner(days=50)) == 0
        assert old.till.journal.base_size == 0
    other = tmp_path / "other"
    other.mkdir()
    async with a_proven_till(other) as till:
        till.clock.learn(MIDNIGHT_MS, MIDNIGHT_MS + 1_000)
        await acts(till, 4 * BLOCK)
        till.time += 40 * DAY_MS
        assert await prune(Pruner(till.journal, till.clock.stamp, 1, "test")) == 0


async def test_a_clock_that_nobody_vouches_for_prunes_nothing(tmp_path: Path) -> None:
    """Age is told by bounds that are proven, never by what the system clock says."""
    async with a_proven_till(tmp_path) as till:
        await acts(till, 4 * BLOCK)
        await till.cosign()
        till.time += 4_000 * DAY_MS
        assert await prune(Pruner(till.journal, till.clock.stamp, 1, "test")) == 0


async def test_what_does_not_verify_is_never_dropped(tmp_path: Path) -> None:
    """A log with a finding stays whole, and the pruner says what it stumbled over."""
    async with an_old_till(tmp_path) as old:
        till = old.till
        await till.journal.close()
        forger = Forger(tmp_path / "journal.db")
        body = {"amount_fen": 1_000_000}
        forger.edit_body(old.early, **body).sign_anew(LOG_KEY)
        forger.run("DELETE FROM cosigned")
        forger.run("DELETE FROM snapshots")
        forger.done()
        till.journal = Journal.open(tmp_path / "journal.db", LOG_KEY, ballast_bytes=0)
        await till.cosign()
        pruner = Pruner(till.journal, till.clock.stamp, 30, "test")
        while await pruner.step():
            pass
        assert pruner.stopped is not None
        assert f"record {old.early}" in pruner.stopped.what
        assert till.journal.base_size == 0


async def test_documents_that_no_record_names_go(tmp_path: Path) -> None:
    """Versions 1 and 2 were in force before the base; a session that began under version 1 is still open."""
    async with an_old_till(tmp_path) as old:
        journal = old.till.journal
        assert sorted(version for _, version, _ in journal.documents_named()) == [1, 2, 3]
        await prune(old.pruner())
        assert sorted(version for _, version, _ in journal.documents_named()) == [1, 2, 3]
        await old.till.finish()
        await acts(old.till, 3 * BLOCK)
        await old.till.cosign()
        old.till.time += 40 * DAY_MS
        await prune(old.pruner())
        assert [version for _, version, _ in journal.documents_named()] == [3]
        assert verify(tmp_path / "journal.db", TRUST).findings == []


async def test_a_cut_after_any_step_loses_nothing(tmp_path: Path) -> None:
    """Each step is one transaction: whatever the last one was, the journal verifies and pruning goes on to the end."""
    async with an_old_till(tmp_path) as old:
        pruner, ends = old.pruner(), set[int]()
        number = 0
        while await pruner.step():
            number += 1
            if number % 9 and number < 45:
                continue
            cut = tmp_path / f"cut-{number}"
            cut.mkdir()
            for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
                shutil.copy(tmp_path / name, cut / name)
            report = verify(cut / "journal.db", TRUST)
            assert report.findings == []
            journal = Journal.open(cut / "journal.db", LOG_KEY, ballast_bytes=0)
            await prune(Pruner(journal, old.till.clock.stamp, 30, "test"))
            ends.add(len(seqs(cut)))
            await journal.close()
        assert len(ends) == 1


async def test_a_pruned_log_is_salvaged(tmp_path: Path) -> None:
    """The snapshot and the tree before it go over; the new file may take the old one's place."""
    async with an_old_till(tmp_path) as old:
        await prune(old.pruner())
    done = salvage(tmp_path / "journal.db", tmp_path / "new.db")
    assert (done.complete, done.missing, done.problems) == (True, [], [])
    assert verify(tmp_path / "new.db", TRUST).findings == []
    check(tmp_path / "new.db", public_of(LOG_KEY), full=True)


async def test_a_second_copy_that_was_away_begins_anew(tmp_path: Path) -> None:
    """A new medium gets what there is: from the base on. One with older files keeps them."""
    async with an_old_till(tmp_path) as old:
        await prune(old.pruner())
    for _ in range(2):
        journal = Journal.open(tmp_path / "journal.db", LOG_KEY, ballast_bytes=0, second_copy=tmp_path / "usb")
        assert journal.second_copy_failed is None
        await journal.close()
    names = sorted(path.name for path in (tmp_path / "usb").iterdir())
    assert names[0] == f"000001-{2 * BLOCK:012}.records"


class TestForgedBase:
    """The snapshot that stands for what is gone cannot be changed, nor the tree that goes with it."""

    @pytest.fixture
    async def pruned(self, tmp_path: Path) -> Path:
        async with an_old_till(tmp_path) as old:
            await prune(old.pruner())
        return tmp_path / "journal.db"

    async def test_its_state(self, pruned: Path) -> None:
        """A state with more money, by somebody without the log key."""
        forger = Forger(pruned)
        data = bytearray(forger.base())
        at = data.index(b"granted")
        data[at + 8] ^= 1
        forger.rewrite_base(bytes(data))
        forger.done()
        report = verify(pruned, TRUST)
        assert report.findings[0].code == "signature"
        assert report.first == 0

    async def test_its_tree(self, pruned: Path) -> None:
        """A root kept for proofs."""
        forger = Forger(pruned)
        forger.run("UPDATE nodes SET hash = zeroblob(32) WHERE level = 5 AND place = 7")
        forger.done()
        assert {finding.code for finding in verify(pruned, TRUST).findings} == {"node"}

    async def test_a_kept_record(self, pruned: Path) -> None:
        """A record of the first block, which was kept."""
        forger = Forger(pruned)
        forger.run("UPDATE records SET bytes = ? WHERE seq = 5", encode([]))
        forger.done()
        assert [(it.code, it.seq) for it in verify(pruned, TRUST).findings] == [("record-edited", 0)]


def test_the_tree_of_narrow_roots_is_the_tree() -> None:
    """Roots of 32 records each, appended like leaves, give the frontier of all the records."""
    leaves = [tree.leaf_hash(bytes([at % 251])) for at in range(32 * 13)]
    narrow = [tree.Frontier().append_many(leaves[at : at + 32]).root() for at in range(0, len(leaves), 32)]
    assert tree.Frontier().append_many(narrow).peaks == tree.Frontier().append_many(leaves).peaks
