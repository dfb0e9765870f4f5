"""Where are the box's private keys, and who may read them?

    device.pem       P-256, one per box: signs meter records and certifies log keys
    log-<epoch>.pem  Ed25519, one per epoch: signs that log's checkpoints and the site's requests

A key in systemd's credentials directory (sealed to the machine, `LoadCredentialEncrypted=`) comes before a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal.files import fsync_directory, make_private_directory
from protocols.proof import keys
from protocols.proof.errors import Malformed

DEVICE = "device.pem"

K = TypeVar("K", Ed25519PrivateKey, ec.EllipticCurvePrivateKey)


class KeyUnusable(Exception):
    """A key is missing, unreadable, or not what its name says."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class KeyRing:
    """The private keys of one box, in `directory` and in systemd's credentials."""

    def __init__(self, directory: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._directory = directory
        credentials = environment.get("CREDENTIALS_DIRECTORY")
        self._credentials = Path(credentials) if credentials else None

    @property
    def directory(self) -> Path:
        return self._directory

    def device(self) -> ec.EllipticCurvePrivateKey:
        """The box's own key; raises KeyUnusable."""
        return self._load(DEVICE, keys.p256_from_pem, "Run `fieldtill setup`, or restore the key of this box.")

    def make_device(self) -> ec.EllipticCurvePrivateKey:
        """The box's own key, made when there is none. A key that is there but unusable is never replaced."""
        if self._find(DEVICE) is None:
            self._save(DEVICE, ec.generate_private_key(ec.SECP256R1()))
        return self.device()

    def log(self, epoch: int) -> Ed25519PrivateKey:
        """The key of one epoch's log; raises KeyUnusable."""
        return self._load(
            log_name(epoch), keys.ed25519_from_pem, "Without it this log cannot go on: `fieldtill epoch abandon`."
        )

    def make_pending_log(self) -> Ed25519PrivateKey:
        """The log key of an epoch that headquarters has not numbered yet; the same one until `name_pending_log`.

        The same log key always gets the same epoch, so an enrolment whose reply was lost can be repeated.
        """
        if self._find(_PENDING) is None:
            self._save(_PENDING, Ed25519PrivateKey.generate())
        return self._load(_PENDING, keys.ed25519_from_pem, f"Delete {_PENDING} and enrol again.")

    def name_pending_log(self, epoch: int) -> None:
        """The pending log key becomes that of `epoch`; nothing to do when that has been done before.

        Raises KeyUnusable when the epoch has another key already, or when there is neither.
        """
        pending, final = self._directory / _PENDING, self._directory / log_name(epoch)
        if not pending.exists():
            self.log(epoch)
            return
        if self._find(log_name(epoch)) is not None:
            raise KeyUnusable(f"{final} exists", "Keep both files, and ask headquarters which key this epoch has.")
        pending.rename(final)
        fsync_directory(self._directory)

    def _find(self, name: str) -> Path | None:
        for directory in (self._credentials, self._directory):
            if directory is not None and (directory / name).exists():
                return directory / name
        return None

    def _load(self, name: str, parse: Callable[[bytes], K], remedy: str) -> K:
        path = self._find(name)
        if path is None:
            raise KeyUnusable(f"{self._directory / name} does not exist", remedy)
        try:
            return parse(path.read_bytes())
        except (OSError, Malformed) as error:
            raise KeyUnusable(f"{path}: {error}", remedy) from error

    def _save(self, name: str, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        """A whole key or none, whatever happens meanwhile; readable by its owner alone from the first byte."""
        make_private_directory(self._directory)
        partial = self._directory / f"{name}.partial"
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, keys.to_pem(key))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.rename(self._directory / name)
        fsync_directory(self._directory)


_PENDING = "log-pending.pem"


def log_name(epoch: int) -> str:
    return f"log-{epoch}.pem"


def fingerprint(device: ec.EllipticCurvePrivateKey) -> str:
    """How the box's key is read aloud and compared with the list at headquarters."""
    return keys.fingerprint(keys.spki(device.public_key()))
