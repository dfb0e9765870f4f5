"""A disk that dies in the middle of a write: what SQLite has not synced is lost, torn, or there by luck.

An apsw VFS over real files, which are what the system shows; beside them stands what would survive a power cut now.
Names are durable at once, as ext4 orders them; bytes only when they have been synced, and a sector is never half old.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR = 512
_SERIALS = count()


class Disk(apsw.VFS):
    """The disk of one box. lies: it says "synced" and keeps everything in its cache. full: no file may grow."""

    def __init__(self, directory: Path, random: Random) -> None:
        self._serial = next(_SERIALS)
        self._name = f"simulated-disk-{self._serial}"
        super().__init__(self._name, "")
        self.random = random
        self.lies = False
        self.full = False
        self.torn = False  # the last power cut left part of what had not been synced
        self.on_death: Callable[[], None] | None = None
        self._directory = directory
        self._generation = 0
        self._left: int | None = None
        self._dead = False
        self._synced: dict[str, bytearray] = {}
        self._pending: dict[str, list[tuple[int, bytes | None]]] = {}

    @property
    def dead(self) -> bool:
        """Nothing reaches it any more, until it is connected to again."""
        return self._dead

    def connect(self, path: Path) -> apsw.Connection:
        """Open `path`; all files that lie beside it under its name are taken to be durable as they are."""
        self._dead, self._left = False, None
        self._synced = {file.name: bytearray(file.read_bytes()) for file in _files(path)}
        self._pending = {name: [] for name in self._synced}
        return apsw.Connection(str(path), vfs=self._name)

    def die_after(self, operations: int | None) -> None:
        """It dies in the so-manyth write, truncation, sync or removal from now. None: it will not."""
        self._left = operations

    def die(self, connection: apsw.Connection, path: Path, *, power: bool) -> Path:
        """The process is gone, and the power too or not. The path of the journal as the next process finds it."""
        self._dead = True
        with suppress(apsw.Error):
            connection.close(True)
        self._generation += 1
        place = self._directory / f"{path.stem.split('~')[0]}~{self._serial}-{self._generation}{path.suffix}"
        self.torn = False
        for file in _files(path):
            name = place.name + file.name.removeprefix(path.name)
            if power:
                (place.parent / name).write_bytes(self._survives(file.name))
            else:
                shutil.move(file, place.parent / name)
        return place

    def _survives(self, name: str) -> bytes:
        """What has been synced, and of each later write nothing, all, or some sectors."""
        image = bytearray(self._synced.get(name, b""))
        pending = self._pending.get(name, [])
        fates = self.random.choice((("none",), ("all",), ("none", "all", "some")))
        for offset, data in pending:
            fate = self.random.choice(fates)
            self.torn |= fate != "all"
            if fate == "all":
                _write(image, offset, data)
            elif fate == "some" and data is not None:
                for start in range(0, len(data), SECTOR):
                    if self.random.random() < 0.5:
                        _write(image, offset + start, data[start : start + SECTOR])
        return bytes(image)

    def operate(self) -> None:
        """One operation more. Raises when it is the last, or comes after it."""
        if not self._dead and self._left is not None:
            self._left -= 1
            self._dead = self._left <= 0
        if self._dead:
            raise apsw.exception_for(apsw.SQLITE_IOERR)

    def wrote(self, name: str, offset: int, data: bytes | None) -> None:
        self._pending.setdefault(name, []).append((offset, data))

    def sync(self, name: str) -> None:
        if self.lies:
            return
        image = self._synced.setdefault(name, bytearray())
        for offset, data in self._pending.get(name, []):
            _write(image, offset, data)
        self._pending[name] = []

    def xOpen(self, name: Any, flags: Any) -> apsw.VFSFile:
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.operate()
        super().xDelete(filename, syncdir)
        self._synced.pop(Path(filename).name, None)
        self._pending.pop(Path(filename).name, None)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = Path(name.filename() if hasattr(name, "filename") else name).name

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full and offset + len(data) > super().xFileSize():
            raise apsw.exception_for(apsw.SQLITE_FULL)
        if not self._disk.dead:
            self._disk.wrote(self._name, offset, bytes(data))
        self._disk.operate()
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.operate()
        super().xTruncate(newsize)
        self._disk.wrote(self._name, newsize, None)

    def xSync(self, flags: int) -> None:
        self._disk.operate()
        self._disk.sync(self._name)


def _files(path: Path) -> list[Path]:
    """The database and its write-ahead log; shared memory does not outlive a process."""
    return [file for file in (path, path.with_name(path.name + "-wal")) if file.exists()]


def _write(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    image.extend(bytes(max(0, offset - len(image))))
    image[offset : offset + len(data)] = data
