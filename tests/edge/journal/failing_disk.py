"""A disk under SQLite that loses power, fills up, or refuses to sync: an apsw VFS over real files."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import apsw

NAME = "failing"
SECTOR = 512


class Disk(apsw.VFS):
    """Names are durable at once (as ext4 orders them); bytes only when synced.

    capacity: bytes that all files in `directory` may have, those that are not SQLite's included; None for no limit.
    sync_error: the next sync, and every later one, fails with EIO.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(NAME, "")
        self.directory = directory
        self.capacity: int | None = None
        self.sync_error = False
        self.syncs = 0
        self.wal_bytes = 0
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, list[tuple[int, bytes | None]]] = {}

    def connect(self, path: Path) -> apsw.Connection:
        return apsw.Connection(str(path), vfs=NAME)

    def xOpen(self, name: Any, flags: Any) -> apsw.VFSFile:
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._forget(Path(filename).name)

    def _forget(self, name: str) -> None:
        self.durable.pop(name, None)
        self.pending.pop(name, None)

    def used(self) -> int:
        """Bytes of all files; the shared memory of the write-ahead log is not on the disk."""
        return sum(file.stat().st_size for file in os.scandir(self.directory) if not file.name.endswith("-shm"))

    def cut_power(self, chance: random.Random, into: Path) -> None:
        """What a power cut now could leave: synced bytes, and of each later write nothing, all, or some sectors."""
        into.mkdir()
        for name, synced in self.durable.items():
            image = bytearray(synced)
            for offset, data in self.pending.get(name, []):
                _write_some(image, offset, data, chance)
            (into / name).write_bytes(image)


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = Path(name.filename() if hasattr(name, "filename") else name).name
        disk.durable.setdefault(self._name, b"")
        disk.pending.setdefault(self._name, [])

    def xWrite(self, data: bytes, offset: int) -> None:
        grows = max(0, offset + len(data) - super().xFileSize())
        if self._disk.capacity is not None and grows > self._disk.capacity - self._disk.used():
            raise apsw.exception_for(apsw.SQLITE_FULL)
        super().xWrite(data, offset)
        if self._name.endswith("-wal"):
            self._disk.wal_bytes += len(data)
        self._disk.pending[self._name].append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._disk.pending[self._name].append((newsize, None))

    def xSync(self, flags: int) -> None:
        if self._disk.sync_error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)
        self._disk.syncs += 1
        image = bytearray(self._disk.durable[self._name])
        for offset, data in self._disk.pending[self._name]:
            _write(image, offset, data)
        self._disk.durable[self._name] = bytes(image)
        self._disk.pending[self._name] = []


def _write(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    image.extend(bytes(max(0, offset - len(image))))
    image[offset : offset + len(data)] = data


def _write_some(image: bytearray, offset: int, data: bytes | None, chance: random.Random) -> None:
    fate = chance.choice(("none", "all", "some"))
    if fate == "all":
        _write(image, offset, data)
    elif fate == "some" and data is not None:
        for start in range(0, len(data), SECTOR):
            if chance.random() < 0.5:
                _write(image, offset + start, data[start : start + SECTOR])
