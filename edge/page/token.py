"""How does a receipt's link keep strangers from reading the next one? A token that only this box can make.

Sessions are numbered, so their pages could be walked through. The token is an HMAC of the session's id under a secret
of the box: a link opens one session, and cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from pathlib import Path

from edge.journal.files import fsync_directory, make_private_directory

SECRET_FILE = "page.key"  # noqa: S105  # its name, not the secret
SECRET_BYTES = 32
TOKEN_BYTES = 16


class Tokens:
    """Makes and checks tokens under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, session: str) -> str:
        """session: its id, `site/epoch/seq`. 22 characters, fit for a link."""
        mac = hmac.new(self._secret, b"fieldtill/receipt-link/v1\n" + session.encode(), hashlib.sha256)
        return urlsafe_b64encode(mac.digest()[:TOKEN_BYTES]).rstrip(b"=").decode()

    def fits(self, session: str, token: str) -> bool:
        return hmac.compare_digest(self.of(session).encode(), token.encode())


def load(keys_dir: Path) -> Tokens:
    """Under the box's secret, made when there is none: links given out before stay good for as long as it is kept."""
    path = keys_dir / SECRET_FILE
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        secret = os.urandom(SECRET_BYTES)
        _store(path, secret)
    return Tokens(secret)


def _store(path: Path, secret: bytes) -> None:
    """Readable by its owner alone from the first byte; the whole of it or none."""
    make_private_directory(path.parent)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secret)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(path)
    fsync_directory(path.parent)
