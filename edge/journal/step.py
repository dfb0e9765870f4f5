"""What is committed together: sealed records, and the small values that change with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocols.proof.tree import Frontier
from protocols.trade.records import Record


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record with its place in the log. It is not durable before its step is committed."""

    seq: int
    record: Record
    data: bytes  # the exact bytes: stored, hashed and sent


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: all of it becomes durable, or none.

    sealed: records, in the order in which they were sealed.
    progress: by session (the seq of its opening record): the row's new bytes, None to drop it.
    facts: by key: the small value's new bytes, None to drop it.
    documents: encoded `documents.Document`s to keep.
    snapshot: the till's fold of every record up to and with this step's.
    cosigned: size and note of a checkpoint that headquarters has cosigned; a smaller size than the one kept changes
        nothing.
    base: size and bytes of a signed snapshot that stands for the records before it from now on.
    prune: records before the base, to be dropped. forget: documents to be dropped, by the hash of their content.
    """

    sealed: Sequence[Sealed] = ()
    progress: Mapping[int, bytes | None] = field(default_factory=dict)
    facts: Mapping[str, bytes | None] = field(default_factory=dict)
    documents: Sequence[bytes] = ()
    snapshot: bytes | None = None
    cosigned: tuple[int, bytes] | None = None
    base: tuple[int, bytes] | None = None
    prune: Sequence[int] = ()
    forget: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The till's fold of the first `size` records, so that a restart folds only those after it."""

    size: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose log this is. `log_key`: the public Ed25519 key, 32 bytes."""

    site: str
    epoch: int
    log_key: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The log as it is on disk. `note`: its signed checkpoint, empty while the log is."""

    frontier: Frontier
    note: bytes

    @property
    def size(self) -> int:
        return self.frontier.size


@dataclass(slots=True)
class Counters:
    """What the journal has done since it was opened.

    fsyncs: one for each commit, one when the write-ahead log starts again, and two for each checkpoint of it. Those of
        the second copy are counted there.
    wal_bytes: pages written to the write-ahead log, counted at each of its checkpoints.
    commit_us_max: longest commit, its fsync included.
    """

    commits: int = 0
    steps: int = 0
    records: int = 0
    record_bytes: int = 0
    fsyncs: int = 0
    wal_checkpoints: int = 0
    wal_bytes: int = 0
    commit_us_last: int = 0
    commit_us_max: int = 0
