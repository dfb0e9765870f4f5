"""Which keys does headquarters sign with, and what do boxes pin of them?

Three Ed25519 keys, each in a file that only its owner may read: one grants value (and signs documents and commands),
one cosigns checkpoints, one signs headquarters' own log. They differ so that a machine that only acknowledges cannot
also make money.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.proof import ed25519, keys
from protocols.proof.note import SignatureType, VerifierKey

GRANT_NAME = "hq.fieldtill/grant"
COSIGN_NAME = "hq.fieldtill/cosign"
HQ_LOG_SITE = "hq"
"""Names headquarters' own log, as `fieldtill/hq/1`; no site may be called so."""
HQ_LOG_EPOCH = 1

_FILES = ("grant.pem", "cosign.pem", "log.pem")


class BadKeyFile(ValueError):
    """A key file is missing, or others may read it."""

    remedy = "Give the key directory and its files to the service's user alone: chmod 700 DIR; chmod 600 DIR/*.pem."


@dataclass(frozen=True, slots=True)
class HqKeys:
    """Headquarters' private keys."""

    grant: Ed25519PrivateKey
    cosign: Ed25519PrivateKey
    log: Ed25519PrivateKey

    @property
    def grant_vkey(self) -> VerifierKey:
        return VerifierKey(GRANT_NAME, SignatureType.ED25519, ed25519.public_of(self.grant))

    @property
    def cosign_vkey(self) -> VerifierKey:
        return keys.cosigner_verifier(COSIGN_NAME, ed25519.public_of(self.cosign))

    @property
    def log_vkey(self) -> VerifierKey:
        return keys.log_verifier(HQ_LOG_SITE, HQ_LOG_EPOCH, ed25519.public_of(self.log))

    def vkeys(self) -> str:
        """The lines that boxes pin: grant key, cosigning key, log key."""
        return f"{self.grant_vkey}\n{self.cosign_vkey}\n{self.log_vkey}\n"


def generate() -> HqKeys:
    """New keys, nowhere stored."""
    return HqKeys(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())


def create(directory: Path) -> HqKeys:
    """New keys in `directory`. Raises FileExistsError rather than overwrite one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = generate()
    for name, key in zip(_FILES, (made.grant, made.cosign, made.log), strict=True):
        handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(keys.to_pem(key))
            file.flush()
            os.fsync(file.fileno())
    return made


def load(directory: Path) -> HqKeys:
    """The keys in `directory`; raises BadKeyFile, or Malformed for a file that holds something else."""
    return HqKeys(*(keys.ed25519_from_pem(_read_private(directory / name)) for name in _FILES))


def _read_private(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise BadKeyFile(f"{path}: expected mode 0600, got {mode:04o}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadKeyFile(f"{path}: expected a key file, found none; `fieldtill-hq init` makes one") from error
