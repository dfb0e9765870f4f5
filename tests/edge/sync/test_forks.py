"""Disks that were copied or set back, and a headquarters that was: who notices, and what still goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sync_box import BAY, Box, all_sent, enrolled, reopened, running, until
from sync_hq import Headquarters

from cloud import keys
from edge.sync import trust
from edge.sync.errors import HqUnreachable
from edge.sync.uplink import Uplink
from edge.till.start import Refusal
from protocols.proof import checkpoint
from protocols.proof.checkpoint import Checkpoint
from protocols.trade.wire import Batch, BatchReply, DocumentAsk, DocumentReply, GrantAsk, GrantReply


@pytest.fixture
def fresh_hq(tmp_path: Path) -> Iterator[Headquarters]:
    """A headquarters of the test's own."""
    headquarters = Headquarters(tmp_path / "hq")
    yield headquarters
    headquarters.close()


def copy_disk(box: Box, to: Path) -> Path:
    to.mkdir()
    for path in box.directory.glob("journal.db*"):
        shutil.copy(path, to / path.name)
    return to


async def sent(box: Box, count: int) -> None:
    """Write so many records and have them acknowledged."""
    await box.write(count)
    async with running(box.uplink()) as uplink:
        await all_sent(uplink)


async def test_a_disk_set_back_is_noticed_at_the_first_contact(hq: Headquarters, tmp_path: Path) -> None:
    """Headquarters acknowledges more than this disk holds: nothing is uploaded, and a person is told."""
    async with enrolled(hq, tmp_path / "box", "set-back") as box:
        await sent(box, 3)
        old = copy_disk(box, tmp_path / "old")
        await sent(box, 5)
        async with reopened(box, old) as back, running(back.uplink()) as uplink:
            await until(lambda: uplink.status().stopped is not None)
            status = uplink.status()
            assert status.stopped == "headquarters has 9 records of this log, this disk 4"
            assert status.trouble is not None
            assert "Keep the disk" in status.trouble.remedy
        assert len(hq.records(box.name)) == 9


async def test_a_disk_set_back_that_asks_for_money_first_is_noticed(hq: Headquarters, tmp_path: Path) -> None:
    """A customer is there before the first batch: the answer says how much headquarters has, and no session starts."""
    account = hq.customer("CARD-E", 9_000, placed=0, session_limit=1_000)
    async with enrolled(hq, tmp_path / "box", "asks-first") as box:
        await sent(box, 1)
        old = copy_disk(box, tmp_path / "old")
        await sent(box, 2)
        async with reopened(box, old) as back:
            uplink = back.uplink()
            assert not await uplink.ask_grant(b"", account, 500)
            assert uplink.status().stopped == "headquarters has 4 records of this log, this disk 2"
            assert back.site.desk.disputed


async def test_a_cloned_disk_freezes_the_epoch_and_neither_starts_a_session(hq: Headquarters, tmp_path: Path) -> None:
    """Two histories of one log: the later one is refused, then both; what either sold now might be sold twice."""
    async with enrolled(hq, tmp_path / "box", "cloned") as box:
        hq.publish(box.name)
        hq.customer("CARD-C", 9_000, placed=5_000, session_limit=1_000)
        async with running(box.uplink()) as uplink:
            await until(lambda: box.site.desk.tariff is not None)
            await box.sell("CARD-C", 500)
            await until(lambda: uplink.status().backlog == 0)
        twin_disk = copy_disk(box, tmp_path / "twin")
        await sent(box, 1)
        async with reopened(box, twin_disk) as twin:
            await twin.write(2)
            for one in (twin, box):
                await one.write(1)
                async with running(one.uplink()) as uplink:
                    await until(lambda uplink=uplink: uplink.status().stopped is not None)
                    uplink.nudge()
                    refused = (await one.site.tap(BAY, "CARD-C")).refused
                    assert refused is not None
                    assert refused.refusal == Refusal.LOG_DISPUTED
                    assert uplink.status().online
                assert uplink.status().backlog > 0


async def test_a_refused_log_is_remembered_without_a_link(hq: Headquarters, tmp_path: Path) -> None:
    """A restart during an outage does not forget that headquarters has refused this log (simulation, seed 190)."""
    async with enrolled(hq, tmp_path / "box", "remembers") as box:
        await sent(box, 2)
        old = copy_disk(box, tmp_path / "old")
        await sent(box, 2)
        async with reopened(box, old) as back, running(back.uplink()) as uplink:
            await until(lambda: uplink.status().stopped is not None)
        async with reopened(box, old) as offline:
            refused = (await offline.site.tap(BAY, "CARD-R")).refused
            assert refused is not None
            assert refused.refusal == Refusal.LOG_DISPUTED


async def test_a_headquarters_set_back_gets_everything_again(fresh_hq: Headquarters, tmp_path: Path) -> None:
    """Restored from last night's backup, headquarters names what it has, and the site sends the rest once more."""
    hq = fresh_hq
    async with enrolled(hq, tmp_path / "box", "restored") as box:
        await sent(box, 3)
        hq.backup(tmp_path / "backup")
        await sent(box, 4)
        restored = Headquarters(tmp_path / "backup", hq.keys)
        try:
            box.config = replace(box.config, url=restored.url, ca_file=str(restored.authority.ca_file))
            assert len(restored.records(box.name)) == 4
            await sent(box, 1)
            assert restored.records(box.name) == list(enumerate(box.journal.read(0, 100, 2**30)))
        finally:
            restored.close()


async def test_an_acknowledgement_by_another_key_is_none(hq: Headquarters, tmp_path: Path) -> None:
    """Whoever answers with a good certificate but another cosigning key has acknowledged nothing."""
    async with enrolled(hq, tmp_path / "box", "pinned") as box:
        others = tmp_path / "others.vkeys"
        others.write_text(keys.generate().vkeys())
        box.config = replace(box.config, keys_file=str(others))
        async with running(box.uplink()) as uplink:
            await until(lambda: uplink.status().trouble is not None)
            status = uplink.status()
            assert status.trouble is not None
            assert status.trouble.code == "HqGarbled"
            assert status.backlog == 1
        assert box.journal.cosigned() is None


class Liar:
    """Headquarters' own keys in wrong hands: it acknowledges another history of the same size."""

    def __init__(self, hq_keys: keys.HqKeys, box: Box) -> None:
        self._keys = hq_keys
        self._box = box

    async def batch(self, batch: Batch) -> BatchReply:
        head = checkpoint.parse(batch.checkpoint)
        other = checkpoint.sign_checkpoint(replace_root(head), self._box.ring.log(self._box.journal.epoch))
        cosigned = checkpoint.cosign(other, self._keys.cosign, keys.COSIGN_NAME, 1_800_000_000)
        return BatchReply(cosigned, [], [], [], batch.wall_ms)

    async def grant(self, ask: GrantAsk) -> GrantReply:
        raise HqUnreachable("no grants here")

    async def document(self, ask: DocumentAsk) -> DocumentReply:
        raise HqUnreachable("no documents here")

    def close(self) -> None:
        """Nothing to let go of."""


def replace_root(head: Checkpoint) -> Checkpoint:
    return Checkpoint(head.origin, head.size, bytes(32))


async def test_an_acknowledgement_of_another_history_is_a_fork(hq: Headquarters, tmp_path: Path) -> None:
    """Both signatures hold, but the root is not ours: nothing is stored, and uploading stops."""
    async with enrolled(hq, tmp_path / "box", "other-root") as box:
        pinned = trust.load(hq.keys_file)
        uplink = Uplink(box.config, box.journal, box.clock, box.site, Liar(hq.keys, box), pinned)
        async with running(uplink):
            await until(lambda: uplink.status().stopped is not None)
        assert uplink.status().stopped == "the first 1 records at headquarters are others than those on this disk"
        assert box.journal.cosigned() is None
