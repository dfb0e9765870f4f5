"""How does an epoch's log leave its place? Moved aside whole, never deleted, whatever the power does meanwhile.

    data_dir/journal.db  ->  data_dir/epochs/<epoch>/journal.db             closed, and acknowledged by headquarters
                         ->  data_dir/epochs/<epoch>-abandoned/journal.db   given up by a person, with why.txt beside it

A move begins with a marker and ends with its removal; one that was cut short is finished before anything else is done,
so that no half of a log is ever served.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.journal.connection import connect_reader
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.files import Lock, fsync_directory, make_private_directory
from edge.journal.journal import Journal
from edge.journal.reading import read_cosigned, read_head, read_identity, read_records
from protocols.trade.codec import BYTES_MAX, NotCanonical, decode
from protocols.trade.records import KINDS, EpochClosed, Record

FOLDER = "epochs"
CLOSING = "epoch-closing"
"""The fact that says a person has asked for the epoch to be closed."""
LOOK_S = 0.5

_MARKER = "moving"
_CLOSED = KINDS[EpochClosed][0]


class Closing(msgspec.Struct, frozen=True, array_like=True):
    """A person wants the epoch to be closed: no new sessions, and CLOSE once the last one has ended."""

    by: str
    why: str


def decode_closing(fact: bytes) -> Closing:
    return msgspec.msgpack.decode(fact, type=Closing)


class EpochOver(JournalError):
    """The epoch's last record has been written. Nothing follows it."""

    remedy = (
        "The box goes on with a new epoch as soon as headquarters has acknowledged this one: `fieldtill epoch show`."
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """A log that was moved aside. why: of one that was abandoned, else empty."""

    name: str
    path: Path
    site: str
    epoch: int
    records: int
    cosigned: int
    why: str


def is_over(journal: Path) -> bool:
    """Whether the log there has had its last record and headquarters has acknowledged all of it.

    Of a damaged one it is not said here: whoever opens it tells what is wrong.
    """
    if not journal.exists():
        return False
    try:
        with closing(connect_reader(journal)) as connection:
            if read_identity(connection) is None:
                return False
            size, cosigned = read_head(connection).size, read_cosigned(connection)
            if size == 0 or cosigned is None or cosigned[0] < size:
                return False
            last = read_records(connection, size - 1, 1, BYTES_MAX)
        return bool(last) and decode(last[0], Record).kind == _CLOSED
    except (sqlite3.Error, JournalDamaged, NotCanonical):
        return False


async def until_over(journal: Journal, is_closed: Callable[[], bool]) -> None:
    """Wait for the epoch to be closed, and for headquarters to have acknowledged that."""
    while not is_closed() or (journal.cosigned() or (0,))[0] < journal.size:  # noqa: ASYNC110  # looked at, not told
        await asyncio.sleep(LOOK_S)


def put_aside(journal: Path, *, why: str = "") -> Path:
    """Move the log to its place below `epochs/`; where it lies now. why: given for one that is abandoned.

    Raises JournalLocked while a daemon serves from it, JournalError where there is no log.
    """
    finish_move(journal)
    if not journal.exists():
        raise JournalError(f"{journal} does not exist", remedy="There is nothing to move aside.")
    lock = Lock(journal.with_suffix(".lock"))
    try:
        place = _free_place(journal, abandoned=bool(why))
        make_private_directory(place.parent)
        make_private_directory(place)
        if why:
            _write(place / "why.txt", f"{why}\n")
        _write(place / _MARKER, journal.name)
        _move(journal, place)
    finally:
        lock.release()
    return place / journal.name


def finish_move(journal: Path) -> None:
    """Go on with a move that was cut short. Without one nothing happens."""
    for marker in sorted((journal.parent / FOLDER).glob(f"*/{_MARKER}")):
        _move(journal, marker.parent)


def kept(journal: Path) -> list[Kept]:
    """The logs that have been moved aside, oldest epoch first. One that cannot be read is passed over."""
    found = [_kept(path) for path in sorted((journal.parent / FOLDER).glob(f"*/{journal.name}"))]
    return sorted((one for one in found if one is not None), key=lambda one: (one.epoch, one.name))


def _kept(path: Path) -> Kept | None:
    try:
        with closing(connect_reader(path)) as connection:
            identity = read_identity(connection)
            size, cosigned = read_head(connection).size, read_cosigned(connection)
    except (sqlite3.Error, JournalDamaged):
        return None
    if identity is None:
        return None
    reason = path.with_name("why.txt")
    why = reason.read_text(encoding="utf-8").strip() if reason.exists() else ""
    return Kept(path.parent.name, path, identity.site, identity.epoch, size, cosigned[0] if cosigned else 0, why)


def _move(journal: Path, place: Path) -> None:
    """Every file of the log, in any order: the marker stands until all are there."""
    for suffix in ("", "-wal", "-shm"):
        file = journal.with_name(journal.name + suffix)
        if file.exists():
            file.rename(place / file.name)
    fsync_directory(place)
    fsync_directory(journal.parent)
    (place / _MARKER).unlink()
    fsync_directory(place)


def _free_place(journal: Path, *, abandoned: bool) -> Path:
    """A name that no log has had; a disk may be restored, and given up, more than once."""
    try:
        with closing(connect_reader(journal)) as connection:
            identity = read_identity(connection)
    except sqlite3.Error:  # damaged; it is kept all the same
        identity = None
    name = f"{identity.epoch if identity else 'unknown'}{'-abandoned' if abandoned else ''}"
    folder = journal.parent / FOLDER
    names = [name, *(f"{name}-{number}" for number in range(2, 1_000))]
    return next(folder / one for one in names if not (folder / one / journal.name).exists())


def _write(path: Path, text: str) -> None:
    """The whole text, its name included, durable."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fsync_directory(path.parent)
