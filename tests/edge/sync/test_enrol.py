"""A box gets its epoch once, from whoever may give it, and keeps the fleet's secret to itself."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from sync_box import hq_config
from sync_hq import Headquarters, Link

from edge.keys import KeyRing, fingerprint
from edge.sync.enrol import EnrolmentRefused, NoCredentialKey, enrol, load_credential_key
from edge.sync.errors import HqUnreachable
from protocols.trade.wire import EnrolReply, RefusalCode


async def asks(hq: Headquarters, directory: Path, site: str, port: int | None = None) -> EnrolReply:
    settings = hq_config(hq, port=port)
    return await asyncio.to_thread(enrol, site, settings, KeyRing(directory, {}), directory)


async def test_a_lost_reply_gives_the_same_epoch_again(hq: Headquarters, tmp_path: Path) -> None:
    """The epoch belongs to the log key, so asking again after a lost reply wastes none."""
    hq.admit("enrol-1", fingerprint(KeyRing(tmp_path, {}).make_device()))
    async with Link(hq.port).running() as link:
        link.cut_when = lambda: hq.epochs("enrol-1") == 1
        with pytest.raises(HqUnreachable):
            await asks(hq, tmp_path, "enrol-1", link.port)
        assert link.cuts == 1
    assert (await asks(hq, tmp_path, "enrol-1")).epoch == 1
    assert hq.epochs("enrol-1") == 1


async def test_a_new_log_key_gets_a_new_epoch(hq: Headquarters, tmp_path: Path) -> None:
    """A new disk begins a new epoch: the same box, the next number."""
    ring = KeyRing(tmp_path, {})
    hq.admit("enrol-2", fingerprint(ring.make_device()))
    assert (await asks(hq, tmp_path, "enrol-2")).epoch == 1
    ring.name_pending_log(1)
    assert (await asks(hq, tmp_path, "enrol-2")).epoch == 2


async def test_the_credential_key_is_stored_for_its_owner_alone(hq: Headquarters, tmp_path: Path) -> None:
    """Card numbers can be guessed by whoever has this key."""
    hq.admit("enrol-3", fingerprint(KeyRing(tmp_path, {}).make_device()))
    with pytest.raises(NoCredentialKey):
        load_credential_key(tmp_path)
    reply = await asks(hq, tmp_path, "enrol-3")
    assert load_credential_key(tmp_path).key == reply.credential_key
    assert load_credential_key(tmp_path).version == reply.credential_key_version
    assert stat.S_IMODE((tmp_path / "credential.key").stat().st_mode) == 0o600


async def test_a_box_that_nobody_admitted_is_told_whom_to_ask(hq: Headquarters, tmp_path: Path) -> None:
    """Unknown site, then another box's fingerprint: refused with the remedy, and nothing is stored."""
    with pytest.raises(EnrolmentRefused) as unknown:
        await asks(hq, tmp_path, "enrol-4")
    assert unknown.value.code is RefusalCode.UNKNOWN_SITE
    hq.admit("enrol-4", "0000-0000")
    with pytest.raises(EnrolmentRefused) as other:
        await asks(hq, tmp_path, "enrol-4")
    assert other.value.code is RefusalCode.WRONG_FINGERPRINT
    assert "admit" in other.value.remedy
    assert not (tmp_path / "credential.key").exists()
