"""The journal's files around the database: its directory, its lock, its ballast, and names that survive a power cut."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from edge.journal.errors import JournalLocked


def fsync_directory(directory: Path) -> None:
    """Make names created, renamed or removed in `directory` durable; fsync of a file does not."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_directory(directory: Path) -> None:
    """The directory, readable by its owner alone, and its name durable; so are those above it that are not there yet.
    One that exists keeps its mode.
    """
    if directory.is_dir():
        return
    make_private_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    fsync_directory(directory.parent)


def write_private(path: Path, data: bytes) -> None:
    """Keep a small secret, readable by its owner alone from the first byte; the whole of it or the one before."""
    make_private_directory(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(path)
    fsync_directory(path.parent)


def private_opener(path: str, flags: int) -> int:
    """For `open(..., opener=private_opener)`: a file that is created is its owner's alone from the first byte."""
    return os.open(path, flags, 0o600)


class Lock:
    """Held by the one process that has the journal open; the kernel drops it with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise JournalLocked(f"{path} is held by another process") from None

    def release(self) -> None:
        os.close(self._descriptor)


class Ballast:
    """Space kept back so that running sessions can be finished on a full disk.

    While it is gone (`in_place` is False) no new session should begin.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    @property
    def in_place(self) -> bool:
        """True also where no ballast is wanted (size 0)."""
        return self._size_bytes == 0 or self._path.exists()

    def release(self) -> bool:
        """Give the space back; True when there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def restore(self) -> bool:
        """Take the space again when as much stays free beside it; True when it is in place after that."""
        if self.in_place:
            return True
        room = os.statvfs(self._path.parent)
        if room.f_bavail * room.f_frsize < 2 * self._size_bytes:
            return False
        partial = self._path.with_suffix(".partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
            partial.rename(self._path)
        except OSError:  # somebody else took the space meanwhile; the next call tries again
            partial.unlink(missing_ok=True)
            return False
        return True
