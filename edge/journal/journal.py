"""The site's memory: seal records at once, make them durable together, read back what is durable.

    sealed = journal.seal(drafts, clock.stamp())      in memory: seq and bytes are fixed
    await journal.commit(Step(sealed, progress=...))  durable: now act, now tell

Sealing goes on while an fsync runs; all steps that wait for it share the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.journal import reading
from edge.journal import store as tables
from edge.journal.connection import connect, connect_reader, sqlite_code
from edge.journal.errors import JournalDamaged, JournalError, JournalFull, JournalOverrun
from edge.journal.files import Ballast, Lock, make_private_directory
from edge.journal.migrations import Connection
from edge.journal.recovery import check
from edge.journal.repair import go_forward
from edge.journal.second_copy import Copies, SecondCopy
from edge.journal.signed_snapshot import Fold
from edge.journal.step import Counters, Head, Identity, Sealed, Snapshot, Step
from edge.journal.store import Store
from edge.journal.writer import Committer, Writer
from protocols.proof import checkpoint as heads
from protocols.proof import tree
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import NotConsistent, NotIncluded
from protocols.proof.receipt import Receipt
from protocols.trade import records
from protocols.trade.codec import BYTES_MAX, decode, encode
from protocols.trade.records import Draft, EpochOpened, Record, Stamp

BALLAST_BYTES = 64 * 1024 * 1024

_FOLD_RECORDS = 1_000
_FOLD_BYTES = 4 * 1024 * 1024
"""How much is held in memory at once while the log is folded."""

T = TypeVar("T")


class Journal:
    """One log and the small values beside it. Use it from one event loop; the disk is the writer thread's business."""

    def __init__(
        self,
        store: Store,
        reader: Connection,
        ballast: Ballast,
        *,
        second_copy: SecondCopy | None = None,
        lock: Lock | None = None,
        threaded: bool = True,
    ) -> None:
        """reader: another connection to the same file, or the store's own when not threaded.

        threaded: False commits on the caller's thread, at once: for simulations, where time stands still.
        """
        self._store = store
        self._reader = reader
        self._ballast = ballast
        self._lock = lock
        self._head = store.head
        self._next_seq = store.head.size
        self._outstanding: deque[Sealed] = deque()
        self._failed: JournalError | None = None
        self._second_copy = second_copy
        self.put_back = 0
        """Records that this disk had lost and the second copy has given back, at this start."""
        self._committer = Committer(store, ballast, second_copy)
        self._writer = Writer(self._committer, self._on_head, self._on_failure) if threaded else None

    @classmethod
    def create(
        cls,
        path: Path,
        site: str,
        epoch: int,
        log_key: Ed25519PrivateKey,
        *,
        ballast_bytes: int = BALLAST_BYTES,
        second_copy: Path | None = None,
    ) -> Journal:
        """Begin the log of a new epoch. The caller's first record is `EpochOpened`.

        A file left by a creation that was cut short is used. Raises JournalError when it holds a log, JournalLocked.
        """
        make_private_directory(path.parent)
        lock = Lock(path.with_suffix(".lock"))
        try:
            connection = connect(path)
            try:
                tables.begin_log(connection, Identity(site, epoch, public_of(log_key)))
            finally:
                connection.close()
        finally:
            lock.release()
        return cls.open(path, log_key, ballast_bytes=ballast_bytes, second_copy=second_copy)

    @classmethod
    def open(
        cls,
        path: Path,
        log_key: Ed25519PrivateKey,
        *,
        ballast_bytes: int = BALLAST_BYTES,
        second_copy: Path | None = None,
    ) -> Journal:
        """Check, put back what only `second_copy` still has (a directory on another medium), then serve.

        Raises JournalDamaged (with what, where, and what to do), JournalLocked, JournalError.
        """
        if not path.exists():
            raise JournalError(f"{path} does not exist", remedy="Run `fieldtill setup` to enrol this box.")
        with ExitStack() as undo:
            lock = Lock(path.with_suffix(".lock"))
            undo.callback(lock.release)
            check(path, public_of(log_key))
            connection = connect(path)
            undo.callback(connection.close)
            store = Store(connection, log_key)
            put_back = 0 if second_copy is None else go_forward(store, Copies(second_copy, store.origin))
            reader = connect_reader(path)
            undo.callback(reader.close)
            copy = None if second_copy is None else SecondCopy(second_copy, store.origin)
            if copy is not None:
                undo.callback(copy.close)
                read = partial(reading.read_records, reader, bytes_max=_FOLD_BYTES)
                copy.catch_up(store.head, read, reading.read_base_size(reader))
            undo.pop_all()
        ballast = Ballast(path.with_suffix(".ballast"), ballast_bytes)
        ballast.restore()
        journal = cls(store, reader, ballast, second_copy=copy, lock=lock)
        journal.put_back = put_back
        return journal

    # --- writing

    def seal(self, drafts: Iterable[Draft], stamp: Stamp) -> list[Sealed]:
        """Give each draft its place in the log. Nothing is durable yet; commit all of them, in the order sealed."""
        made: list[Sealed] = []
        for draft in drafts:
            record = records.seal(draft, stamp)
            data = encode(record)
            if len(data) > BYTES_MAX:
                raise ValueError(f"a record of {len(data)} bytes; nobody would accept more than {BYTES_MAX}")
            made.append(Sealed(self._next_seq + len(made), record, data))
        self._next_seq += len(made)
        self._outstanding.extend(made)
        return made

    def commit(self, step: Step) -> asyncio.Future[None]:
        """Queue the step now; the future is done when it is durable. Steps become durable in the order of calls.

        Cancelling whoever waits does not take the step back. The future (or this call) raises JournalFull: nothing of
        this step and of any after it was kept, and what was sealed is void; or JournalFailed: stop serving.
        """
        if self._failed is not None:
            raise self._failed
        expected = list(islice(self._outstanding, len(step.sealed)))
        if list(map(id, expected)) != list(map(id, step.sealed)):
            raise JournalFull(
                f"record {step.sealed[0].seq} is not the next to commit: it was sealed before a commit failed, or "
                "others were left out"
            )
        folds_all = len(self._outstanding) == len(expected)
        assert step.snapshot is None or folds_all, "a snapshot folds all that is sealed: commit that first"
        for _ in expected:
            self._outstanding.popleft()
        if self._writer is None:
            return self._commit_now(step)
        try:
            return self._writer.submit(step)
        except JournalOverrun as error:
            self._failed = error
            raise

    def store_cosignature(self, note: bytes, size: int) -> asyncio.Future[None]:
        """Keep headquarters' acknowledgement of the first `size` records, already verified against this log."""
        if size > self.size:
            raise ValueError(f"headquarters cosigned {size} records, this log has {self.size}: a fork or a rollback")
        return self.commit(Step(cosigned=(size, note)))

    # --- reading; only what is durable

    @property
    def site(self) -> str:
        return self._store.identity.site

    @property
    def epoch(self) -> int:
        return self._store.identity.epoch

    @property
    def origin(self) -> str:
        """The log's name on its checkpoints."""
        return self._store.origin

    @property
    def size(self) -> int:
        """How many records are durable."""
        return self._head.size

    @property
    def next_seq(self) -> int:
        """The place that the next sealed record gets."""
        return self._next_seq

    @property
    def full(self) -> bool:
        """The disk is full but for what running sessions need: refuse new ones."""
        return not self._ballast.in_place

    @property
    def second_copy_failed(self) -> str | None:
        """Why the second copy is not being written; None while it is, or where none is wanted."""
        return None if self._second_copy is None else self._second_copy.failed

    @property
    def failed(self) -> JournalError | None:
        """Why nothing can be written any more; None while all is well."""
        return self._failed

    @property
    def counters(self) -> Counters:
        return self._store.counters

    def waiting_s(self) -> float:
        """How long the oldest step has waited for the disk; 0.0 when none does. For the watchdog."""
        return self._writer.waiting_s() if self._writer is not None else 0.0

    def checkpoint(self) -> bytes:
        """The signed note of the durable head; empty while the log is."""
        return self._head.note

    def checkpoint_at(self, size: int) -> bytes:
        """The signed note of the first `size` records: of a head that this log has grown beyond, or its present one.

        It is proven to lead to the present one before it is signed: a bit that flipped on the disk must not become a
        second history with this log's signature. Raises JournalDamaged.
        """
        if size == self.size:
            return self.checkpoint()
        if not 0 < size < self.size:
            raise ValueError(f"this log has {self.size} records, and no head after {size}")
        frontier = self._read(lambda: reading.read_frontier(self._reader, size))
        proof = self._read(lambda: tree.consistency_proof(reading.node_reader(self._reader), size, self.size))
        try:
            tree.verify_consistency(size, self.size, proof, frontier.root(), self._head.frontier.root())
        except NotConsistent as error:
            raise JournalDamaged(f"the first {size} records do not lead to the signed head: {error}") from error
        return self._store.sign(frontier)

    def read(self, first_seq: int, limit: int, bytes_max: int) -> list[bytes]:
        """Records from `first_seq` on: at most `limit`, and no more than `bytes_max` together; but always the first."""
        return self._read(lambda: reading.read_records(self._reader, first_seq, limit, bytes_max))

    def records(self, first_seq: int = 0) -> Iterator[Record]:
        """Every durable record from `first_seq` on, decoded, for folding."""
        while chunk := self.read(first_seq, _FOLD_RECORDS, _FOLD_BYTES):
            first_seq += len(chunk)
            yield from (decode(data, Record) for data in chunk)

    def progress(self) -> dict[int, bytes]:
        """The rows of running sessions, by the seq of their opening records."""
        return self._read(lambda: reading.read_progress(self._reader))

    def fact(self, key: str) -> bytes | None:
        return self._read(lambda: reading.read_fact(self._reader, key))

    def facts(self) -> dict[str, bytes]:
        return self._read(lambda: reading.read_facts(self._reader))

    def document(self, kind: str, version: int, hashed: bytes | None = None) -> bytes | None:
        """The encoded Document that a pin names; without its hash the one stored last under this version."""
        return self._read(lambda: reading.read_document(self._reader, kind, version, hashed))

    def snapshot(self) -> Snapshot | None:
        """The newest fold; the records from its size on are to be folded after it."""
        found = self._read(lambda: reading.read_snapshots(self._reader))
        return found[0][0] if found else None

    @property
    def base_size(self) -> int:
        """How many records a signed snapshot stands for; 0 while nothing has been pruned."""
        return self._read(lambda: reading.read_base_size(self._reader))

    def base(self) -> bytes | None:
        """That snapshot (see `signed_snapshot`). None while nothing has been pruned."""
        return self._read(lambda: reading.read_base(self._reader))

    def pruned_away(self, kept: Collection[int], limit: int) -> list[int]:
        """Records before the base that are still here, but for those in the narrow subtrees `kept` by place."""
        return self._read(lambda: reading.read_before_base(self._reader, kept, limit))

    def documents_named(self) -> list[tuple[str, int, bytes]]:
        """(kind, version, hash of the content) of every document here."""
        return self._read(lambda: reading.read_document_names(self._reader))

    def sign_fold(self, opened: EpochOpened, fold: Fold, software: str) -> bytes:
        """A signed snapshot of the first `fold.size` records, which the caller has replayed."""
        return self._store.sign_fold(opened, fold, software)

    def cosigned(self) -> tuple[int, bytes] | None:
        """Size and note of the largest checkpoint that headquarters has cosigned; None while there is none."""
        return self._read(lambda: reading.read_cosigned(self._reader))

    def receipt(self, seq: int, extra: bytes | None = None) -> Receipt:
        """The proof that record `seq` is in the log: final where headquarters has cosigned it, else provisional.

        It is checked before it is given out. Raises JournalDamaged.
        """
        cosigned = self.cosigned()
        size, note = cosigned if cosigned is not None and seq < cosigned[0] else (self.size, self.checkpoint())
        path = self._read(lambda: tree.inclusion_proof(reading.node_reader(self._reader), seq, size))
        (record,) = self.read(seq, 1, BYTES_MAX)
        try:
            tree.verify_inclusion(tree.leaf_hash(record), seq, size, path, heads.parse(note).root)
        except NotIncluded as error:
            raise JournalDamaged(f"its proof does not lead to the signed head: {error}", seq=seq) from error
        return Receipt(seq, path, note, extra)

    async def close(self) -> None:
        """Make durable what waits, then let go of the files."""
        self._reader.close()  # first: the last connection to close moves the write-ahead log into the file
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
        else:
            self._committer.close()
        if self._lock is not None:
            self._lock.release()

    def _commit_now(self, step: Step) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            head = self._committer.commit([step])
        except JournalError as error:
            self._on_failure(error)
            future.set_exception(error)
        else:
            self._on_head(head)
            future.set_result(None)
            self._committer.tend(idle=False)
        return future

    def _on_head(self, head: Head) -> None:
        self._head = head

    def _on_failure(self, error: JournalError) -> None:
        self._outstanding.clear()
        self._next_seq = self._head.size
        if not isinstance(error, JournalFull):
            self._failed = error

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Exception as error:
            if sqlite_code(error) is None:
                raise
            raise JournalDamaged(f"reading failed: {error}") from error
