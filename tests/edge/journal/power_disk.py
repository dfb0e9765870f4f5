"""A disk in memory that loses power at a chosen operation: an apsw VFS for trying every single one of them.

Names are durable at once (as ext4 orders them), bytes only when synced. At `off_at` the power goes: that operation and
all later ones fail, and `image` tells what may be found afterwards. `lies`: a sync promises and does nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
_names = count()

Images = dict[str, bytes]
"""The bytes of each file, by its name."""


class PowerDisk(apsw.VFS):
    """operations: writes, truncations, syncs, creations and removals so far; `off_at` counts from 1.

    fails_at: the one operation that fails with `fails_with` (an SQLite code), power on; None: none does.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.name = f"power-{next(_names)}"
        super().__init__(self.name, "")
        self.operations = 0
        self.off_at: int | None = None
        self.fails_at: int | None = None
        self.fails_with = apsw.SQLITE_IOERR_WRITE
        self.lies = False
        self.files: dict[str, _Stored] = {name: _Stored(data) for name, data in (files or {}).items()}

    def connect(self, name: str = "journal.db") -> OneConnection:
        return OneConnection(name, vfs=self.name)

    @property
    def is_off(self) -> bool:
        return self.off_at is not None and self.operations >= self.off_at

    def image(self, chance: random.Random | None, *, unsynced: bool = False) -> Images:
        """What a cut at this moment may leave of each later write: nothing, all (`unsynced`), or some sectors, by
        `chance`. What was synced is there, unless the disk lies.
        """
        return {name: stored.after_cut(chance, unsynced) for name, stored in self.files.items()}

    def operate(self) -> None:
        """Count one operation. Raises when the power is off, or this one is to fail."""
        self.operations += 1
        if self.is_off:
            raise apsw.exception_for(apsw.SQLITE_IOERR)
        if self.operations == self.fails_at:
            raise apsw.exception_for(self.fails_with)

    # --- what SQLite asks of a VFS

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> None:
        """A failing operation is meant; nobody prints it."""

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        key = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temp").name
        if key not in self.files:
            self.operate()
            self.files[key] = _Stored(b"")
        flags[1] = flags[0]
        return _File(self, self.files[key])

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.operate()
        self.files.pop(Path(filename).name, None)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return Path(pathname).name in self.files

    def xFullPathname(self, name: str) -> str:
        return name


class OneConnection(apsw.Connection):
    """The only one on its file: it has the write-ahead log's index in its own memory, since nobody shares it here."""

    def __init__(self, name: str, vfs: str) -> None:
        super().__init__(name, vfs=vfs)
        super().execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()

    def execute(self, statements: str, *parameters: Any) -> Any:
        if statements == "PRAGMA locking_mode = NORMAL":
            return []
        return super().execute(statements, *parameters)


class _Stored:
    """One file: its bytes as synced, as read, and the writes in between."""

    def __init__(self, data: bytes) -> None:
        self.synced = bytes(data)
        self.seen = bytearray(data)
        self.pending: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        self.synced = bytes(self.seen)
        self.pending.clear()

    def after_cut(self, chance: random.Random | None, unsynced: bool) -> bytes:
        if chance is None:
            return bytes(self.seen) if unsynced else self.synced
        image = bytearray(self.synced)
        for offset, data in self.pending:
            fate = chance.choice(("none", "all", "some"))
            if fate == "all" or (fate == "some" and data is None):
                _write(image, offset, data)
            elif fate == "some" and data is not None:
                for start in range(0, len(data), SECTOR):
                    if chance.random() < 0.5:
                        _write(image, offset + start, data[start : start + SECTOR])
        return bytes(image)


class _File:
    """What SQLite asks of an open file. Locks are not needed: there is one connection."""

    def __init__(self, disk: PowerDisk, stored: _Stored) -> None:
        self._disk = disk
        self._stored = stored

    def excepthook(self, etype: Any, evalue: Any, etraceback: Any) -> None:
        """A failing operation is meant; nobody prints it."""

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._stored.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.operations + 1 == self._disk.off_at:  # the cut comes while this is being written
            self._stored.pending.append((offset, bytes(data)))
        self._disk.operate()
        _write(self._stored.seen, offset, bytes(data))
        self._stored.pending.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.operate()
        _write(self._stored.seen, newsize, None)
        self._stored.pending.append((newsize, None))

    def xSync(self, flags: int) -> None:
        self._disk.operate()
        if not self._disk.lies:
            self._stored.sync()

    def xFileSize(self) -> int:
        return len(self._stored.seen)

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xClose(self) -> None: ...


@contextmanager
def a_disk(files: Mapping[str, bytes] | None = None) -> Iterator[PowerDisk]:
    """A disk that SQLite knows for as long as the block lasts."""
    disk = PowerDisk(files)
    try:
        yield disk
    finally:
        disk.unregister()


def put(images: Mapping[str, bytes], directory: Path) -> None:
    """The files as real ones, for production code to open."""
    directory.mkdir(parents=True)
    for name, data in images.items():
        (directory / name).write_bytes(data)


def _write(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    image.extend(bytes(max(0, offset - len(image))))
    image[offset : offset + len(data)] = data
