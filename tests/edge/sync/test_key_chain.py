"""Headquarters signs with other keys by now: a box that was away follows from the key it knows, and from no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from sync_box import all_sent, enrolled, running
from sync_hq import Headquarters

from cloud import keys as hq_keys
from cloud import rotation, store
from cloud.key_directory import COSIGN, GRANT
from cloud.keys import HqKeys
from edge.sync import key_chain, trust
from edge.sync.uplink import Uplink
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import BadSignature
from protocols.trade import documents
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.key_set import KIND, KeySet

SITE = "pudong-1"
FIRST, SECOND, THIRD, STRANGER = (hq_keys.generate() for _ in range(4))


def key_set(by: HqKeys, version: int, *granters: HqKeys, site: str = SITE, kind: str = KIND) -> bytes:
    """That these grant from now on, newest first; the cosigning key stays the first one's."""
    payload = encode(KeySet(version, [public_of(it.grant) for it in granters], [public_of(FIRST.cosign)]))
    signature = keys.sign(by.grant, documents.DOMAIN, documents.signed_part(kind, site, version, payload))
    return encode(Document(kind, site, version, payload, signature))


def pinned(by: HqKeys = FIRST) -> trust.HqKeys:
    return trust.HqKeys(by.grant_vkey, FIRST.cosign_vkey)


def believes(believed: trust.HqKeys) -> list[bytes]:
    return [key.public for key in believed.granters]


def test_each_set_is_believed_for_the_key_before_it() -> None:
    """First, second, third; an older set that is shown again undoes nothing."""
    believed = pinned()
    second, third = key_set(FIRST, 1, SECOND, FIRST), key_set(SECOND, 2, THIRD, SECOND)
    assert key_chain.take(believed, second, SITE)
    assert believes(believed) == [public_of(SECOND.grant), public_of(FIRST.grant)]
    assert key_chain.take(believed, third, SITE)
    assert believes(believed) == [public_of(THIRD.grant), public_of(SECOND.grant)]
    assert not key_chain.take(believed, second, SITE)
    assert believed.version == 2


@pytest.mark.parametrize(
    "encoded",
    [
        key_set(STRANGER, 1, STRANGER),
        key_set(SECOND, 2, THIRD, SECOND),
        key_set(FIRST, 1, SECOND, site="pudong-2"),
        key_set(FIRST, 1, SECOND, kind="tariff"),
    ],
    ids=["a stranger's", "one that skips the key before", "another site's", "another kind's"],
)
def test_what_is_not_believed(encoded: bytes) -> None:
    """Nothing changes."""
    believed = pinned()
    with pytest.raises(BadSignature):
        key_chain.take(believed, encoded, SITE)
    assert (believes(believed), believed.version) == ([public_of(FIRST.grant)], 0)


def test_a_box_pinned_with_the_newest_key_learns_nothing() -> None:
    """It cannot check the set, which a key signed that it never knew; but the set names the keys it has."""
    believed = pinned(THIRD)
    assert not key_chain.take(believed, key_set(SECOND, 2, THIRD, SECOND), SITE)
    assert (believes(believed), believed.version) == ([public_of(THIRD.grant)], 2)


def test_what_was_followed_outlives_a_restart_but_not_another_pin(tmp_path: Path) -> None:
    """The file holds for the pinned key that the chain began with; a key pinned by hand begins anew."""
    file = tmp_path / "keys" / key_chain.FILE
    believed = pinned()
    key_chain.restore(believed, file)
    key_chain.take(believed, key_set(FIRST, 1, SECOND, FIRST), SITE)
    key_chain.take(believed, key_set(SECOND, 2, THIRD), SITE)
    assert file.stat().st_mode & 0o777 == 0o600

    again, by_hand = pinned(), pinned(SECOND)
    key_chain.restore(again, file)
    key_chain.restore(by_hand, file)
    assert (believes(again), again.version) == ([public_of(THIRD.grant)], 2)
    assert (believes(by_hand), by_hand.version) == ([public_of(SECOND.grant)], 0)
    file.write_bytes(b"\x00")
    damaged = pinned()
    key_chain.restore(damaged, file)
    assert (damaged, damaged.file) == (pinned(), file)


async def test_a_box_that_was_away_follows_and_sells_on(tmp_path: Path) -> None:
    """Two grant keys and a cosigning key later it comes back: acknowledged, granted, and the oldest key withdrawn."""
    path = tmp_path / "keys"
    hq = Headquarters(tmp_path / "hq", hq_keys.create(path))
    try:
        async with enrolled(hq, tmp_path / "box", "away") as box:
            account = hq.customer("CARD-K", 9_000, placed=0, session_limit=1_000)
            async with running(box.uplink()) as uplink:
                await all_sent(uplink)
            hq.backup(tmp_path / "later")
            engine = store.open_store(f"sqlite:///{tmp_path}/later/hq.db")
            for role in (GRANT, COSIGN, GRANT):
                rotation.rotate(engine, path, hq.clock, role)
            rotation.withdraw(engine, path, hq.clock, GRANT)
            engine.dispose()
            later = Headquarters(tmp_path / "later", hq_keys.load(path))
            try:
                box.config = replace(box.config, url=later.url, ca_file=str(later.authority.ca_file))
                uplink = Uplink.over_https(box.config, box.journal, box.clock, box.ring, box.site)
                async with running(uplink):
                    await box.write(2)
                    await all_sent(uplink)
                    assert await uplink.ask_grant(b"", account, 500)
                    assert uplink.status().trouble is None
                assert [key.public for key in uplink.believed.granters] == [public_of(later.keys.grant)]
                assert uplink.believed.version == 4
            finally:
                later.close()
    finally:
        hq.close()
