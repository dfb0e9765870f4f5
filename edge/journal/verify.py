"""Is this journal sound from its first record on, and does everything derived from it say the same?

Every record is read once, in order, and told to three listeners: the tree (is it what was signed?), the audit (can it
follow those before it?) and the till's fold (what state comes of it?). Then what stands beside the log is compared with
what came of it. Nothing is written, and the daemon may run meanwhile. Memory stays the same however long the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.journal import reading, verify_base, verify_beside
from edge.journal.connection import UNREADABLE, connect_reader
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.signed_snapshot import Fold
from edge.journal.step import Head, Identity
from edge.journal.verify_report import Report, Trust
from edge.till.fold import Contradiction, apply, owned, released
from edge.till.state import TillState
from protocols.proof import checkpoint, keys
from protocols.proof.errors import Unproven
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import grants
from protocols.trade.audit import Audit
from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.documents import BYTES_MAX, Document
from protocols.trade.records import EpochOpened, GrantAccepted, Pin, Record, body_of

CHUNK = 1_024
"""Records in memory at once."""

_WIDTH = 1 << reading.NODE_LEVEL_MIN


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a sound journal comes to, and its record 0: all that a signed snapshot is made of."""

    opened: EpochOpened
    fold: Fold


Progress = Callable[[int, int], None]
"""Told (records done, records in all) now and then."""


def verify(path: Path, trust: Trust, progress: Progress | None = None) -> Report:
    """Everything that can be said of the journal at `path`.

    Raises JournalDamaged when it cannot be read to its end, JournalError when it holds no log.
    """
    return replay(path, trust, progress)[0]


def replay(path: Path, trust: Trust, progress: Progress | None = None) -> tuple[Report, Replayed | None]:
    """As `verify`, and the fold of every record; None where there is a finding."""
    connection = connect_reader(path)
    try:
        connection.execute("BEGIN")  # one view of the file, though the daemon may write
        identity = reading.read_identity(connection)
        if identity is None:
            raise JournalError(f"{path} holds no log", remedy="The daemon begins one when it has an epoch.")
        verification = _Verification(connection, str(path), identity, trust, progress)
        return verification.run(), verification.replayed()
    except UNREADABLE as error:
        raise JournalDamaged(f"{path}: {error}") from error
    finally:
        connection.close()


class _Verification:
    """One pass."""

    def __init__(
        self, connection: sqlite3.Connection, path: str, identity: Identity, trust: Trust, progress: Progress | None
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._trust = trust
        self._progress = progress
        self._head = reading.read_head(connection)
        self._report = Report(path, identity.site, identity.epoch, self._head.size)
        self._find = self._report.findings.add
        base = verify_base.base_of(connection, identity, trust, self._report)
        self._report.first = base.size
        trail, findings = base.trail, self._report.findings
        self._audit = Audit(identity.site, identity.epoch, self._payload_of, trail=trail, findings=findings)
        self._report.tally = self._audit.tally
        self._frontier: Frontier | None = base.frontier
        self._state: TillState | None = owned(base.state)
        self._edited: list[int] = []  # first seq of each narrow subtree whose records are not those once hashed
        self._opened: EpochOpened | None = None
        self._grants_proven = 0

    def run(self) -> Report:
        vouched = [(self._head.size, self._head.frontier.root(), "the signed head")]
        self._check_head(self._head)
        vouched += self._cosigned()
        snapshots = verify_beside.snapshots(self._connection, self._report.findings)
        vouched += [(one.size, one.root, f"the snapshot of size {one.size}") for one in snapshots]
        first = self._report.first
        if first:
            verify_base.kept_before(self._connection, first, self._frontier, self._report.findings)
            self._first_record()
        stops = {self._head.size, *(size for size, _, _ in vouched if first <= size <= self._head.size)}
        for stop in sorted(stops):
            for chunk in self._chunks(stop):
                self._take(chunk)
            self._skip_to(stop)
            for size, root, whose in vouched:
                if size == stop:
                    self._compare_root(size, root, whose)
            if self._state is not None:
                for one in snapshots:
                    if one.size == stop:
                        verify_beside.compare_snapshot(one, self._state, self._report.findings)
        self._after_the_head()
        if self._state is not None:
            verify_beside.progress(self._connection, self._state, self._report.findings)
        verify_beside.documents(self._connection, self._trust.granters, self._report)
        self._conclude()
        return self._report

    def replayed(self) -> Replayed | None:
        """After `run`."""
        if self._opened is None or self._frontier is None or self._state is None or not self._report.sound:
            return None
        return Replayed(self._opened, Fold(self._frontier, released(self._state), self._audit.trail))

    # --- reading -----------------------------------------------------------------------------------------------------

    def _chunks(self, stop: int) -> Iterator[list[tuple[int, bytes]]]:
        sql = "SELECT seq, bytes FROM records WHERE seq >= ? AND seq < ? ORDER BY seq"
        while (start := self._audit.trail.size) < stop:
            end = min(stop, start - start % CHUNK + CHUNK)
            rows = self._connection.execute(sql, (start, end)).fetchall()
            yield rows
            self._skip_to(end)
            if self._progress is not None:
                self._progress(end, self._head.size)

    def _take(self, chunk: list[tuple[int, bytes]]) -> None:
        audit, state = self._audit, self._state
        leaves: list[bytes] = []
        for seq, data in chunk:
            if seq != audit.trail.size:
                self._frontier = self._append(leaves)
                leaves, state = [], None
                self._skip_to(seq)
            leaves.append(leaf_hash(data))
            record, body = audit.take(data)
            if record is None:
                state = None
                continue
            if seq == 0 or isinstance(body, GrantAccepted):
                self._check_origin(seq, body)
            if state is not None:
                state = self._fold(state, seq, record)
        self._state = state
        self._frontier = self._append(leaves)

    def _first_record(self) -> None:
        """Record 0 stays when those after it are pruned: it says who writes this log."""
        for (data,) in self._connection.execute("SELECT bytes FROM records WHERE seq = 0"):
            try:
                self._check_origin(0, body_of(decode(data, Record)))
            except NotCanonical as error:
                self._find("not-canonical", 0, "the record", "the one encoding of a record", str(error))
            return
        self._find("record-missing", 0, "record 0", "in the file, pruned or not", "not there")

    def _skip_to(self, seq: int) -> None:
        """The records up to there are not in the file."""
        trail = self._audit.trail
        if trail.size < seq:
            what = f"records {trail.size} to {seq - 1}" if seq - trail.size > 1 else f"record {trail.size}"
            self._find("record-missing", trail.size, what, "in the file", "not there")
            trail.size = seq
            self._frontier, self._state = None, None

    def _fold(self, state: TillState, seq: int, record: Record) -> TillState | None:
        try:
            return apply(state, record)
        except (Contradiction, NotCanonical) as error:
            if not any(finding.seq == seq for finding in self._report.findings):
                self._find("fold", seq, "the record", "one that can follow", str(error))
            return None

    # --- the tree and whoever signed it ------------------------------------------------------------------------------

    def _append(self, leaves: list[bytes]) -> Frontier | None:
        if self._frontier is None or not leaves:
            return self._frontier
        made: dict[tuple[int, int], bytes] = {}

        def keep(level: int, place: int, hashed: bytes) -> None:
            if level >= reading.NODE_LEVEL_MIN:
                made[level, place] = hashed

        frontier = self._frontier.append_many(leaves, keep)
        self._compare_nodes(made)
        return frontier

    def _compare_nodes(self, made: dict[tuple[int, int], bytes]) -> None:
        """The subtree roots that were kept for proofs, against these records: where they differ, one was edited."""
        for (level, place), hashed in made.items():
            kept = reading.read_node(self._connection, level, place)
            if kept == hashed:
                continue
            first = place << level
            span = f"records {first} to {first + (1 << level) - 1}"
            if kept is None:
                self._find("node", first, f"root of {span}, kept for proofs", hashed.hex(), "not there")
            elif level == reading.NODE_LEVEL_MIN:
                self._edited.append(first)
                self._find("record-edited", first, f"hash of {span}", f"{kept.hex()}, as when written", hashed.hex())
            elif not any(first <= edited < first + (1 << level) for edited in self._edited):
                self._find("node", first, f"root of {span}, kept for proofs", hashed.hex(), kept.hex())

    def _compare_root(self, size: int, root: bytes, whose: str) -> None:
        if self._frontier is not None and self._frontier.root() != root:
            self._find(
                "root", None, f"root of the first {size} records, by {whose}", root.hex(), self._frontier.root().hex()
            )

    def _check_head(self, head: Head) -> None:
        if not head.size and not head.note:
            return
        found = self._signed_by_the_log(head.note, "the signed head")
        if found is not None and (found.size, found.root) != (head.size, head.frontier.root()):
            got = f"size {found.size}, root {found.root.hex()}"
            self._find("head", None, "what the signed head says", f"{head.size}, {head.frontier.root().hex()}", got)

    def _cosigned(self) -> list[tuple[int, bytes, str]]:
        """What headquarters has acknowledged, as (size, root, whose); none where it has not, or nothing is signed."""
        try:
            kept = reading.read_cosigned(self._connection)
        except JournalDamaged as error:
            self._find("cosigned", None, "the cosigned head", "the bytes once written", error.what)
            return []
        if kept is None:
            return []
        size, note = kept
        found = self._signed_by_the_log(note, "the cosigned head")
        if found is None:
            return []
        if found.size != size:
            self._find("cosigned", None, "size that headquarters cosigned", str(found.size), f"{size} in the table")
        if found.size > self._head.size:
            self._find("cosigned", self._head.size, "records", f"{found.size}, as cosigned", str(self._head.size))
        self._report.cosigned = found.size
        if not self._trust.cosigners:
            self._report.not_checked.append("headquarters' cosignature: its key is not known here (--hq-key)")
            return [(found.size, found.root, "the cosigned head")]
        faults: list[Unproven] = []
        for key in self._trust.cosigners:
            try:
                checkpoint.verify_cosignature(note, key)
            except Unproven as error:
                faults.append(error)
            else:
                self._report.proven.append(f"{key.name} has cosigned the first {found.size} records")
                return [(found.size, found.root, "what headquarters cosigned")]
        self._find("signature", None, "headquarters' cosignature", faults[-1].expected, faults[-1].got)
        return [(found.size, found.root, "the cosigned head")]

    def _signed_by_the_log(self, note: bytes, what: str) -> checkpoint.Checkpoint | None:
        identity = self._identity
        try:
            log_key = keys.log_verifier(identity.site, identity.epoch, identity.log_key)
            return checkpoint.verify_checkpoint(note, log_key)
        except Unproven as error:
            self._find("signature", None, what, error.expected, error.got)
            return None

    def _check_origin(self, seq: int, body: Wire | None) -> None:
        """Who may write this log, and who may grant value to it."""
        if isinstance(body, EpochOpened):
            self._opened = body
            self._check_certificate(seq, body)
        elif isinstance(body, GrantAccepted) and self._trust.granters:
            try:
                _, payload, signature = grants.split(body.grant)
            except NotCanonical:
                return  # the audit has said so
            for key in self._trust.granters:
                try:
                    keys.verify(key.public, grants.DOMAIN, payload, signature)
                except Unproven:
                    continue
                self._grants_proven += 1
                return
            self._find("signature", seq, "the grant", "headquarters' signature", "one by nobody known here")

    def _check_certificate(self, seq: int, body: EpochOpened) -> None:
        identity, trust = self._identity, self._trust
        if body.log_key != identity.log_key:
            self._find("certificate", seq, "key of this log", identity.log_key.hex(), body.log_key.hex())
        try:
            certificate = LogKeyCertificate(body.site, body.epoch, body.log_key, body.certificate)
            log_key = certificate.verify(keys.device_public_from_spki(body.device_key))
        except Unproven as error:
            self._find("certificate", seq, error.what, error.expected, error.got)
            return
        device = keys.fingerprint(body.device_key)
        if not trust.sites:
            self._report.not_checked.append(f"whether {device} is the key of this box (--site-key)")
        elif not any(key.vouches_for(body.device_key, log_key) for key in trust.sites):
            self._find("certificate", seq, "key of the box", "one that is known here", device)
            return
        self._report.proven.append(f"the log key is certified by the box's key {device}")

    # --- what stands beside ------------------------------------------------------------------------------------------

    def _payload_of(self, pin: Pin) -> bytes | None:
        try:
            data = reading.read_document(self._connection, pin.kind, pin.version, pin.hash)
        except JournalDamaged:
            return None  # `documents` says what is wrong with it
        return None if data is None else decode(data, Document, bytes_max=BYTES_MAX).payload

    def _after_the_head(self) -> None:
        ((last,),) = self._connection.execute("SELECT max(seq) FROM records")
        if last is not None and last >= self._head.size:
            self._find("head", self._head.size, "last record", f"{self._head.size - 1}, as signed", str(last))

    def _conclude(self) -> None:
        report, tally = self._report, self._audit.tally
        if self._trust.granters:
            report.proven.append(f"{self._grants_proven} of {tally.grants} grants are signed by headquarters")
        elif tally.grants:
            report.not_checked.append("who signed the grants: headquarters' key is not known here (--hq-key)")
        if report.sound:
            first = f" from record {report.first} on" if report.first else ""
            report.proven[:0] = [
                f"{tally.records} records{first} hash to the signed head, each in the one encoding of its value",
                f"{tally.bills} bills follow from meter, tariff and holds to the fen; {tally.moves} counters, "
                f"{tally.day_closes} day closes",
                "the state that the box works from is what the records give",
            ]
