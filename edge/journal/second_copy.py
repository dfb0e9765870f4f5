"""The log once more, on another medium: files that only grow, readable without SQLite.

    fieldtill records 1\\n
    fieldtill/<site>/<epoch> <seq of the first record>\\n
    entry, entry, ...

      0        4        8   9
    +--------+--------+---+----------- - -
    | length | crc32  |tag| bytes              length counts tag and bytes; big-endian
    +--------+--------+---+----------- - -     crc32 covers place (8 bytes), tag and bytes

    tag R: the next record, place = its seq      tag H: the signed head after it, place = its size

Written and synced after the journal's own commit, before anyone is told, so it never holds what the journal does not.
When the medium fails the site goes on without it; the next start writes what is missing. A start that finds more here
than in the journal puts it back there first (edge.journal.repair).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.journal.errors import JournalDamaged
from edge.journal.files import fsync_directory, make_private_directory
from edge.journal.step import Head
from protocols.proof import keys
from protocols.trade.codec import BYTES_MAX

SEGMENT_BYTES = 4 * 1024 * 1024
"""A file longer than this is followed by a new one. A start reads only the newest."""

_MAGIC = b"fieldtill records 1\n"
_ENTRY = struct.Struct(">II")
_RECORD, _HEAD = b"R", b"H"
_READ_LIMIT = 1_000

ReadRecords = Callable[[int, int], Sequence[bytes]]  # (first seq, limit) -> records of the journal


@dataclass(slots=True)
class Segment:
    """What one file holds, up to the first entry that is torn or damaged."""

    path: Path
    origin: str
    first_seq: int
    header_end: int = 0
    records: list[bytes] = field(default_factory=list)
    note: bytes = b""  # the newest signed head; empty when there is none
    note_size: int = 0  # how many records that head speaks of
    end: int = 0  # bytes that are good
    head_end: int = 0  # bytes up to the end of that head
    whole: bool = True  # False: more bytes follow, which are not

    @property
    def size(self) -> int:
        """The seq after its last record."""
        return self.first_seq + len(self.records)


class SecondCopy:
    """The newest segment, open for appending. Used by one thread."""

    def __init__(self, directory: Path, origin: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Nothing is touched before `catch_up`."""
        self._directory = directory
        self._origin = origin
        self._segment_bytes = segment_bytes
        self._descriptor: int | None = None
        self._length = 0
        self.size = 0
        self.fsyncs = 0
        self.failed: str | None = None

    def catch_up(self, head: Head, read: ReadRecords, pruned: int = 0) -> None:
        """Compare the newest file with a journal that has been checked up to `head`; write what is missing.

        Raises JournalDamaged when the copy holds more than the journal, or something else. A medium that cannot be
        used is no damage: `failed` says why, and the site goes on without it. pruned: so many of the first records the
        journal need not have any more; a copy that stops before begins anew after them.
        """
        try:
            self._catch_up(head, read, pruned)
        except OSError as error:
            self._fail(error)

    def append(self, records: Sequence[bytes], note: bytes) -> None:
        """Write and sync what has just been committed. Never raises for the medium; see `failed`."""
        if self.failed is not None or not records:
            return
        try:
            self._append(records, note)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _catch_up(self, head: Head, read: ReadRecords, pruned: int) -> None:
        make_private_directory(self._directory)
        paths = _paths(self._directory, self._origin)
        if paths:
            segment = read_segment(paths[-1])
            if segment.size > head.size >= segment.note_size:
                _forget_unsigned(segment)
            _compare(segment, head.size, read, pruned)
            self._descriptor = os.open(segment.path, os.O_WRONLY | os.O_CLOEXEC)
            if not segment.whole:
                os.ftruncate(self._descriptor, segment.end)  # torn by a power cut, or damaged: the journal has it all
            os.lseek(self._descriptor, segment.end, os.SEEK_SET)
            self._length, self.size = segment.end, segment.size
            if segment.note_size < segment.size == head.size:
                self._append([], head.note)
        if self.size < pruned:
            self.close()
            self._descriptor, self.size = None, pruned
        while self.size < head.size:
            records = read(self.size, _READ_LIMIT)
            self._append(records, head.note if self.size + len(records) == head.size else b"")

    def _append(self, records: Sequence[bytes], note: bytes) -> None:
        if self._descriptor is None or self._length > self._segment_bytes:
            self._next_file()
        assert self._descriptor is not None, "there is a file to append to"
        parts = [_entry(self.size + index, _RECORD, data) for index, data in enumerate(records)]
        if note:
            parts.append(_entry(self.size + len(records), _HEAD, note))
        data = b"".join(parts)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)
        self.fsyncs += 1
        self._length += len(data)
        self.size += len(records)

    def _next_file(self) -> None:
        self.close()
        _, epoch = keys.parse_origin(self._origin)
        path = self._directory / f"{epoch:06}-{self.size:012}.records"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        header = _MAGIC + f"{self._origin} {self.size}\n".encode()
        os.write(self._descriptor, header)
        os.fsync(self._descriptor)
        fsync_directory(self._directory)
        self._length = len(header)

    def _fail(self, error: OSError) -> None:
        self.failed = f"{self._directory}: {error}"
        self.close()


def read_segment(path: Path) -> Segment:
    """Every good entry of a file. A header that cannot be read gives an empty segment of no origin."""
    data = path.read_bytes()
    segment = Segment(path, "", 0, whole=False)
    if not data.startswith(_MAGIC) or (line_end := data.find(b"\n", len(_MAGIC))) < 0:
        return segment
    origin, _, first_seq = data[len(_MAGIC) : line_end].decode(errors="replace").partition(" ")
    if not first_seq.isdecimal():
        return segment
    segment.origin, segment.first_seq = origin, int(first_seq)
    segment.end = segment.header_end = line_end + 1
    while (end := _read_entry(data, segment)) is not None:
        segment.end = end
    segment.whole = segment.end == len(data)
    return segment


class Copies:
    """The second copy of one log, to be read from the first record on. Holds one file in memory at a time."""

    def __init__(self, directory: Path, origin: str) -> None:
        self._paths = {int(path.stem.partition("-")[2]): path for path in _paths(directory, origin)}
        self._origin = origin
        self._segment: Segment | None = None

    def size(self) -> int:
        """The seq after the last record; 0 when there is none."""
        return self._load(max(self._paths)).size if self._paths else 0

    def head(self) -> tuple[bytes, int]:
        """The newest signed head and how many records it speaks of; (b"", 0) when there is none."""
        for first_seq in sorted(self._paths, reverse=True):
            segment = self._load(first_seq)
            if segment.note and segment.origin == self._origin:
                return segment.note, segment.note_size
        return b"", 0

    def record(self, seq: int) -> bytes | None:
        """None when it is not there, or damaged here too."""
        starts = [first_seq for first_seq in self._paths if first_seq <= seq]
        if not starts:
            return None
        segment = self._load(max(starts))
        place = seq - segment.first_seq
        return segment.records[place] if segment.origin == self._origin and place < len(segment.records) else None

    def _load(self, first_seq: int) -> Segment:
        path = self._paths[first_seq]
        if self._segment is None or self._segment.path != path:
            self._segment = read_segment(path)
        return self._segment


def _paths(directory: Path, origin: str) -> list[Path]:
    _, epoch = keys.parse_origin(origin)
    return sorted(directory.glob(f"{epoch:06}-[0-9]*.records"))


def _forget_unsigned(segment: Segment) -> None:
    """Records behind the last head: their write was cut short, and nobody was told of them."""
    del segment.records[max(0, segment.note_size - segment.first_seq) :]
    segment.end, segment.whole = segment.head_end or segment.header_end, False


def _compare(segment: Segment, size: int, read: ReadRecords, pruned: int) -> None:
    if segment.size > size:
        raise JournalDamaged(
            f"the second copy {segment.path} goes on to {segment.size} records, the journal has {size}: the disk lost "
            "what it had promised to keep, or an older image of it was put back",
            seq=size,
        )
    at = max(segment.first_seq, pruned)
    while at < segment.size:
        ours = read(at, min(_READ_LIMIT, segment.size - at))
        if not ours:
            raise JournalDamaged(f"missing; the second copy {segment.path} has it", seq=at)
        theirs = segment.records[at - segment.first_seq : at - segment.first_seq + len(ours)]
        for offset, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            if our != their:
                raise JournalDamaged(f"the second copy {segment.path} holds another one", seq=at + offset)
        at += len(ours)


def _entry(place: int, tag: bytes, data: bytes) -> bytes:
    return _ENTRY.pack(len(data) + 1, _crc(place, tag + data)) + tag + data


def _read_entry(data: bytes, segment: Segment) -> int | None:
    """Take in the entry at segment.end; where it ends, or None when there is no good one."""
    start = segment.end + _ENTRY.size
    if start > len(data):
        return None
    length: int
    crc: int
    length, crc = _ENTRY.unpack_from(data, segment.end)
    body = data[start : start + length]
    if not 1 <= length <= BYTES_MAX + 1 or len(body) != length or crc != _crc(segment.size, body):
        return None
    if body[:1] == _RECORD:
        segment.records.append(body[1:])
    elif body[:1] == _HEAD:
        segment.note, segment.note_size = body[1:], segment.size
        segment.head_end = start + length
    else:
        return None
    return start + length


def _crc(place: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(place.to_bytes(8, "big")))
