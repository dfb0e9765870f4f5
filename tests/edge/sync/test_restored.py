"""A headquarters that was set back to a backup, and the grants it has forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sync_box import BAY, Box, all_sent, enrolled, running, until
from sync_hq import Headquarters

from cloud import accounts, store
from edge.till.start import Refusal
from edge.till.state import Lease, lease_key
from protocols.trade.grants import Grant, join
from protocols.trade.records import CNY, Draft, GrantAccepted


@pytest.fixture
def fresh_hq(tmp_path: Path) -> Iterator[Headquarters]:
    headquarters = Headquarters(tmp_path / "hq")
    yield headquarters
    headquarters.close()


async def test_a_card_can_be_frozen_by_a_headquarters_that_was_set_back(fresh_hq: Headquarters, tmp_path: Path) -> None:
    """Since the backup the site has taken in two grants; the freeze is newer than both, for they are in its log."""
    hq = fresh_hq
    async with enrolled(hq, tmp_path / "box", "restored") as box:
        hq.publish(box.name)
        account = hq.customer("CARD-R", 9_000, session_limit=1_000)
        async with running(box.uplink()) as uplink:
            await until(lambda: box.site.desk.tariff is not None)
            await all_sent(uplink)
            hq.backup(tmp_path / "backup")
            for _ in range(2):
                await box.sell("CARD-R", 500)
                await all_sent(uplink)  # what the first sale gave back is there again for the second
        assert lease(box, account).serial == 1
        restored = Headquarters(tmp_path / "backup", hq.keys)
        try:
            box.config = replace(box.config, url=restored.url, ca_file=str(restored.authority.ca_file))
            async with running(box.uplink()) as uplink:
                await until(lambda: restored.records(box.name)[-1:] == hq.records(box.name)[-1:])
                with store.writing(restored.engine) as connection:
                    accounts.set_status(connection, restored.keys, restored.clock, account, "frozen")
                await until(lambda: lease(box, account).frozen)
                await all_sent(uplink)
                refused = (await box.site.tap(BAY, "CARD-R")).refused
                assert refused is not None
                assert refused.refusal == Refusal.UNKNOWN_ACCOUNT
        finally:
            restored.close()


async def test_a_site_cannot_raise_a_serial_by_itself(hq: Headquarters, tmp_path: Path) -> None:
    """A grant in its log that headquarters never signed is stored as it came, and the next real one is newer still."""
    async with enrolled(hq, tmp_path / "box", "forger") as box:
        hq.publish(box.name)
        account = hq.customer("CARD-F", 9_000, session_limit=1_000)
        forged = Grant(account, CNY, box.name, box.journal.epoch, 2**50, 0, 0, 1, 1, 0, 1, [b"12345678"])
        await box.site.desk.record([Draft(GrantAccepted(join(forged, bytes(64))))])
        async with running(box.uplink()) as uplink:
            await until(lambda: box.site.desk.tariff is not None)
            await all_sent(uplink)
            await box.site.tap(BAY, "CARD-F")
            await all_sent(uplink)
        with store.reading(hq.engine) as connection:
            (granted,) = accounts.show(connection, account).leases
        assert (granted.granted, granted.serial) == (9_000, 0)


def lease(box: Box, account: str) -> Lease:
    return box.site.desk.state.leases.get(lease_key(account, CNY), Lease(account, CNY))
