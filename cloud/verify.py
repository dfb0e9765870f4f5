"""Is headquarters' copy of a log sound from its first record on, and do its tables say what the log says?

The same audit as at the box (protocols.trade.audit), over the stored bytes; then the books: each move posted once, as
meant or in quarantine with a reason, and counters and leases where the moves leave them. Nothing is written. Memory is
bounded by the accounts that a log knows, not by its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from cloud import hot_list, pack_list, schema, verify_books
from cloud.keys import COSIGN_NAME, HQ_LOG_SITE, HqKeys
from protocols.proof import checkpoint, keys
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import Unproven
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.note import VerifierKey
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import grants, hotlist
from protocols.trade.audit import Audit
from protocols.trade.audit_trail import Tally
from protocols.trade.books import HQ
from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.documents import BYTES_MAX, Document
from protocols.trade.finding import Findings
from protocols.trade.records import EpochOpened, GrantAccepted, Pin

CHUNK = 2_000
"""Records in memory at once."""


@dataclass(frozen=True, slots=True)
class Signers:
    """Headquarters' own keys, those that have been retired included: old signatures stay good."""

    granters: tuple[bytes, ...]
    cosigners: tuple[VerifierKey, ...]


@dataclass(slots=True)
class Report:
    """What came of one log. quarantined: moves that stand in quarantine, each with its reason; no finding by itself."""

    site: str
    epoch: int
    state: str
    size: int
    cosigned: int = 0
    quarantined: int = 0
    tally: Tally = field(default_factory=Tally)
    proven: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def name(self) -> str:
        return f"{self.site or 'headquarters'}/{self.epoch}"

    @property
    def sound(self) -> bool:
        return not self.findings


Progress = Callable[[str, int, int], None]
"""Told (log, records done, records in all) now and then."""


def signers(connection: sa.Connection, hq: HqKeys) -> Signers:
    """From the key files, and from the key directory."""
    table = schema.key_directory
    listed = connection.execute(sa.select(table.c.role, table.c.public).where(table.c.role.in_(("grant", "cosign"))))
    granters, cosigners = [public_of(hq.grant)], [public_of(hq.cosign)]
    for role, public in listed:
        (granters if role == "grant" else cosigners).append(public)
    verifiers = (keys.cosigner_verifier(COSIGN_NAME, public) for public in dict.fromkeys(cosigners))
    return Signers(tuple(dict.fromkeys(granters)), tuple(verifiers))


def logs(connection: sa.Connection, site: str | None, epoch: int | None) -> list[sa.Row[Any]]:
    """Rows of `epochs`, in order. site: None for every one, headquarters' own ("") included."""
    table = schema.epochs
    query = sa.select(table).order_by(table.c.site, table.c.epoch)
    if site is not None:
        query = query.where(table.c.site == site)
    if epoch is not None:
        query = query.where(table.c.epoch == epoch)
    return list(connection.execute(query))


def verify_log(
    connection: sa.Connection, head: sa.Row[Any], trusted: Signers, progress: Progress | None = None
) -> Report:
    """Everything that can be said of one log. head: its row of `epochs`. In one view of the database."""
    return _Verification(connection, head, trusted, progress).run()


class _Verification:
    """One pass."""

    def __init__(
        self, connection: sa.Connection, head: sa.Row[Any], trusted: Signers, progress: Progress | None
    ) -> None:
        self._connection = connection
        self._head = head
        self._trusted = trusted
        self._progress = progress
        self._report = Report(head.site, head.epoch, head.state, head.size)
        self._find = self._report.findings.add
        self._audit = Audit(head.site, head.epoch, self._payload_of, findings=self._report.findings)
        self._report.tally = self._audit.tally
        self._posted = verify_books.Postings(connection, head, self._report.findings)
        self._frontier: Frontier | None = Frontier()
        self._grants_proven = 0

    def run(self) -> Report:
        vouched = self._heads()
        stops = sorted({self._head.size, *(size for size, _, _ in vouched if size <= self._head.size)})
        for stop in stops:
            for chunk in self._chunks(stop):
                self._take(chunk)
            for size, root, whose in vouched:
                if size == stop:
                    self._compare_root(size, root, whose)
        counters = self._audit.trail.counters
        self._report.quarantined = self._posted.conclude(counters)
        self._conclude()
        return self._report

    # --- reading -----------------------------------------------------------------------------------------------------

    def _chunks(self, stop: int) -> Iterator[list[tuple[int, bytes]]]:
        table, trail = schema.records, self._audit.trail
        while (start := trail.size) < stop:
            end = min(stop, start + CHUNK)
            within = (table.c.log == self._head.id) & (table.c.seq >= start) & (table.c.seq < end)
            rows = self._connection.execute(sa.select(table.c.seq, table.c.bytes).where(within).order_by(table.c.seq))
            yield [(seq, data) for seq, data in rows]
            self._skip_to(end)
            if self._progress is not None:
                self._progress(self._report.name, end, self._head.size)

    def _take(self, chunk: list[tuple[int, bytes]]) -> None:
        if not chunk:
            return
        audit = self._audit
        self._posted.load(chunk[0][0], chunk[-1][0] + 1)
        leaves: list[bytes] = []
        for seq, data in chunk:
            if seq != audit.trail.size:
                leaves = []
                self._skip_to(seq)
            leaves.append(leaf_hash(data))
            record, body = audit.take(data)
            if record is None:
                continue
            if seq == 0 or isinstance(body, GrantAccepted):
                self._check_origin(seq, body)
            self._posted.compare(seq, record)
        self._posted.unload()
        if self._frontier is not None:
            self._frontier = self._frontier.append_many(leaves)

    def _skip_to(self, seq: int) -> None:
        trail = self._audit.trail
        if trail.size < seq:
            self._find("record-missing", trail.size, f"records {trail.size} to {seq - 1}", "stored", "not there")
            trail.size = seq
            self._frontier = None

    # --- the tree and whoever signed it ------------------------------------------------------------------------------

    def _heads(self) -> list[tuple[int, bytes, str]]:
        """(size, root, whose) of the stored head and of what was cosigned."""
        head, vouched = self._head, list[tuple[int, bytes, str]]()
        try:
            frontier = Frontier.from_bytes(head.frontier)
        except Unproven as error:
            self._find("head", None, "the stored frontier", error.expected, error.got)
        else:
            vouched.append((frontier.size, frontier.root(), "the stored frontier"))
            if frontier.size != head.size:
                self._find("head", None, "size of the stored frontier", str(head.size), str(frontier.size))
        if not head.cosigned:
            if head.size:
                self._find("cosigned", None, "what was cosigned", f"{head.size} records", "none")
            return vouched
        try:
            log_key = keys.log_verifier(head.site or HQ_LOG_SITE, head.epoch, head.log_key)
            signed = checkpoint.verify_checkpoint(head.cosigned, log_key)
        except Unproven as error:
            self._find("signature", None, "the cosigned head, by the log's own key", error.expected, error.got)
            return vouched
        self._report.cosigned = signed.size
        if signed.size != head.size:
            self._find("cosigned", None, "records that were cosigned", str(head.size), str(signed.size))
        self._check_cosignature(head.cosigned)
        return [*vouched, (signed.size, signed.root, "what was cosigned")]

    def _check_cosignature(self, note: bytes) -> None:
        why: Unproven | None = None
        for key in self._trusted.cosigners:
            try:
                checkpoint.verify_cosignature(note, key)
            except Unproven as error:
                why = error
            else:
                self._report.proven.append(f"log key and cosigning key have signed {self._report.cosigned} records")
                return
        assert why is not None, "headquarters has a cosigning key"
        self._find("signature", None, "headquarters' cosignature", why.expected, why.got)

    def _compare_root(self, size: int, root: bytes, whose: str) -> None:
        if self._frontier is not None and self._frontier.root() != root:
            got = self._frontier.root().hex()
            self._find("root", None, f"root of the first {size} records, by {whose}", root.hex(), got)

    def _check_origin(self, seq: int, body: Wire | None) -> None:
        """Who may write this log, and who may grant value to it."""
        head = self._head
        if isinstance(body, EpochOpened):
            told, enrolled = (body.log_key, body.device_key), (head.log_key, head.device_key)
            if told != enrolled:
                self._find("certificate", seq, "keys of this log", _hex(enrolled), _hex(told))
            try:
                certificate = LogKeyCertificate(body.site, body.epoch, body.log_key, body.certificate)
                certificate.verify(keys.device_public_from_spki(body.device_key))
            except Unproven as error:
                self._find("certificate", seq, error.what, error.expected, error.got)
            else:
                device = keys.fingerprint(body.device_key)
                self._report.proven.append(f"the log key is certified by the box's key {device}")
        elif isinstance(body, GrantAccepted):
            self._check_grant(seq, body)

    def _check_grant(self, seq: int, body: GrantAccepted) -> None:
        try:
            _, payload, signature = grants.split(body.grant)
        except NotCanonical:
            return  # the audit has said so
        for public in self._trusted.granters:
            try:
                keys.verify(public, grants.DOMAIN, payload, signature)
            except Unproven:
                continue
            self._grants_proven += 1
            return
        self._find("signature", seq, "the grant", "headquarters' signature", "one by another key")

    def _payload_of(self, pin: Pin) -> bytes | None:
        match pin.kind:
            case hotlist.KIND:  # kept once for all sites, and made again from its entries
                payload = hot_list.content(self._connection, pin.hash)
            case pack_list.KIND:  # kept once for all sites
                payload = pack_list.content(self._connection, pin.hash)
            case _:
                payload = self._document(pin)
        return payload if payload is not None and sha256(payload).digest() == pin.hash else None

    def _document(self, pin: Pin) -> bytes | None:
        table = schema.documents
        mine = (table.c.site == self._head.site) & (table.c.kind == pin.kind) & (table.c.hash == pin.hash)
        data = self._connection.execute(sa.select(table.c.document).where(mine).limit(1)).scalar()
        try:
            return None if data is None else decode(data, Document, bytes_max=BYTES_MAX).payload
        except NotCanonical:
            return None

    def _conclude(self) -> None:
        report, tally = self._report, self._audit.tally
        if report.sound:
            report.proven.insert(
                0, f"{tally.records} records hash to what was cosigned; {tally.moves} moves are posted"
            )
            if report.site != HQ:
                bills = f"{tally.bills} bills follow from meter, tariff and holds to the fen"
                report.proven.append(f"{bills}; {tally.day_closes} day closes; {self._grants_proven} grants are ours")


def _hex(values: tuple[bytes, ...]) -> str:
    return " ".join(value.hex() for value in values)
