"""The box's keys: made once, whole or not at all, for their owner's eyes, and never replaced by themselves."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.keys import KeyRing, KeyUnusable, fingerprint
from protocols.proof import keys
from protocols.proof.ed25519 import public_of


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The second call gives the same key; files are 0600 in a directory 0700, and nothing half-made is left."""
    ring = KeyRing(tmp_path / "keys", {})
    device = ring.make_device()
    assert keys.spki(ring.make_device().public_key()) == keys.spki(device.public_key())
    assert fingerprint(ring.device()) == fingerprint(device)
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["device.pem"]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "device.pem").stat().st_mode) == 0o600


def test_an_enrolment_can_be_repeated(tmp_path: Path) -> None:
    """The log key waits under one name until headquarters has numbered its epoch; the next epoch gets another key."""
    ring = KeyRing(tmp_path, {})
    first = ring.make_pending_log()
    assert public_of(ring.make_pending_log()) == public_of(first)
    ring.name_pending_log(1)
    assert public_of(ring.log(1)) == public_of(first)
    second = ring.make_pending_log()
    assert public_of(second) != public_of(first)
    with pytest.raises(KeyUnusable, match=r"log-1\.pem exists"):
        ring.name_pending_log(1)
    ring.name_pending_log(2)
    assert public_of(ring.log(2)) == public_of(second)
    assert public_of(ring.log(1)) == public_of(first)


def test_an_epoch_named_twice_is_no_harm(tmp_path: Path) -> None:
    """Power lost after the rename: the enrolment is done again and finds its key in place."""
    ring = KeyRing(tmp_path, {})
    key = ring.make_pending_log()
    ring.name_pending_log(4)
    ring.name_pending_log(4)
    assert public_of(ring.log(4)) == public_of(key)


def test_a_sealed_credential_comes_before_a_file(tmp_path: Path) -> None:
    """systemd unseals keys into a directory of its own; what is there is not made again."""
    sealed = KeyRing(tmp_path / "credentials", {})
    device = sealed.make_device()
    ring = KeyRing(tmp_path / "keys", {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    assert fingerprint(ring.make_device()) == fingerprint(device)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nbroken\n", None])
def test_an_unusable_key_is_never_replaced(tmp_path: Path, content: bytes | None) -> None:
    """An empty, broken or wrong key stops the daemon with a remedy: a new one would be another box."""
    ring = KeyRing(tmp_path, {})
    if content is None:
        ring.make_pending_log()
        content = (tmp_path / "log-pending.pem").read_bytes()
    (tmp_path / "device.pem").write_bytes(content)
    with pytest.raises(KeyUnusable, match=r"device\.pem") as caught:
        ring.make_device()
    assert caught.value.remedy
    assert (tmp_path / "device.pem").read_bytes() == content


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """Where it was looked for, and what to do."""
    with pytest.raises(KeyUnusable, match=r"log-9\.pem does not exist") as caught:
        KeyRing(tmp_path, {}).log(9)
    assert "fieldtill epoch abandon" in caught.value.remedy
