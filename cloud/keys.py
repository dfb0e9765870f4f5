"""Which keys does headquarters sign with, and what do boxes pin of them?

Three Ed25519 keys, each in a file that only its owner may read: one grants value (and signs documents and commands),
one cosigns checkpoints, one signs headquarters' own log. They differ so that a machine that only acknowledges cannot
also make money. A key in systemd's credentials directory (sealed to the machine) comes before a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
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

FILES = {"grant": "grant.pem", "cosign": "cosign.pem", "hq-log": "log.pem"}
"""The file of each role, in the order of HqKeys."""


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

    def current(self) -> HqKeys:
        """Themselves; see KeyFiles."""
        return self


class KeyFiles:
    """The private keys as they stand on the disk, for a process that outlives their rotation."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: list[tuple[int, int]] = []
        self._keys: HqKeys | None = None

    def current(self) -> HqKeys:
        """Read again when a file has been replaced. Raises BadKeyFile, Malformed."""
        try:
            stats = [os.stat(locate(self._directory, name)) for name in FILES.values()]
        except FileNotFoundError as error:
            raise _missing(Path(error.filename)) from error
        seen = [(it.st_ino, it.st_mtime_ns) for it in stats]
        if self._keys is None or seen != self._seen:
            self._keys, self._seen = load(self._directory), seen
        return self._keys


def generate() -> HqKeys:
    """New keys, nowhere stored."""
    return HqKeys(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())


def create(directory: Path) -> HqKeys:
    """New keys in `directory`. Raises FileExistsError rather than overwrite one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = generate()
    for name, key in zip(FILES.values(), (made.grant, made.cosign, made.log), strict=True):
        _write_private(directory / name, key)
    return made


def load(directory: Path) -> HqKeys:
    """The keys in `directory`; raises BadKeyFile, or Malformed for a file that holds something else."""
    return HqKeys(*(keys.ed25519_from_pem(_read_key(directory, name)) for name in FILES.values()))


def locate(directory: Path, name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the key file `name` is: in systemd's credentials, else in `directory`, where it may be missing."""
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    sealed = Path(credentials) / name if credentials else None
    return sealed if sealed is not None and sealed.exists() else directory / name


# --- another key for a role -------------------------------------------------------------------------------------------


def prepare(directory: Path, role: str) -> Ed25519PrivateKey:
    """A new key for the role, on the disk beside the one in use. Raises BadKeyFile for one that is sealed."""
    file = directory / FILES[role]
    if locate(directory, FILES[role]) != file:
        raise BadKeyFile(f"the {role} key is sealed: put it back as {file} for the change, and seal the new one")
    file.with_suffix(".next").unlink(missing_ok=True)
    made = Ed25519PrivateKey.generate()
    _write_private(file.with_suffix(".next"), made)
    return made


def take_up(directory: Path, role: str) -> None:
    """Use the prepared key; the one before stays beside it until `settle`."""
    file = directory / FILES[role]
    file.with_suffix(".old").unlink(missing_ok=True)
    os.link(file, file.with_suffix(".old"))
    os.replace(file.with_suffix(".next"), file)
    _fsync(directory)


def settle(directory: Path, role: str, in_use: bytes) -> None:
    """End what `take_up` began, or undo it after a crash. in_use: the public key that the directory of keys names."""
    file = directory / FILES[role]
    old = file.with_suffix(".old")
    if old.exists():
        if ed25519.public_of(keys.ed25519_from_pem(_read_private(file))) != in_use:
            os.replace(old, file)
        old.unlink(missing_ok=True)
    file.with_suffix(".next").unlink(missing_ok=True)
    _fsync(directory)


def unsettled(directory: Path) -> list[str]:
    """Roles whose change of key was interrupted."""
    return [
        role
        for role, name in FILES.items()
        if any((directory / name).with_suffix(suffix).exists() for suffix in (".old", ".next"))
    ]


def _write_private(path: Path, key: Ed25519PrivateKey) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(keys.to_pem(key))
        file.flush()
        os.fsync(file.fileno())


def _fsync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_key(directory: Path, name: str) -> bytes:
    """A credential is not looked at for its mode: systemd lets the service's user in by an ACL, whose mask shows as
    rights of the group.
    """
    path = locate(directory, name)
    return _read_private(path) if path.parent == directory else path.read_bytes()


def _read_private(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise BadKeyFile(f"{path}: expected mode 0600, got {mode:04o}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error


def _missing(path: Path) -> BadKeyFile:
    return BadKeyFile(f"{path}: expected a key file, found none; `fieldtill-hq init` makes one")
