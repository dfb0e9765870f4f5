"""Leg 1: do headquarters' books say what the site logs say? Record by record, then account by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cloud.reconcile.findings import Finding, Leg
from cloud.reconcile.log import LogFacts, LogKey
from protocols.trade.books import (
    EMPTY,
    QUARANTINE,
    Books,
    Lease,
    LeaseCounters,
    Transfer,
    breaches,
    lease_counters,
    quarantined,
)
from protocols.trade.records import CNY


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What headquarters has cosigned of a log: so many records, with this root. at_ms: when it last did."""

    size: int
    root: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class BooksFacts:
    """What the books say.

    posted: transfers of each record up to the pinned sizes. stored: the balances as the accounts keep them.
    summed: the fold of every transfer posted so far. leases: the counters that headquarters grants from, None when the
    books have gone on since the pinned sizes and counters cannot be compared. reasons: why a record was quarantined.
    """

    posted: Mapping[LogKey, Mapping[int, list[Transfer]]]
    stored: Books
    summed: Books
    leases: Mapping[Lease, LeaseCounters] | None = None
    reasons: Mapping[tuple[LogKey, int], str] = field(default_factory=dict)


def reconcile_books(
    logs: Iterable[LogFacts], cosigned: Mapping[LogKey, Cosigned], books: BooksFacts
) -> Iterator[Finding]:
    """Findings of leg 1. `logs` are the stored copies, read up to the pinned sizes."""
    logs = list(logs)
    for facts in logs:
        yield from _log_against_its_head(facts, cosigned.get(facts.key))
        yield from _log_against_postings(facts, books)
    known = {facts.key for facts in logs}
    for key in sorted(books.posted.keys() - known):
        yield from _log_against_postings(LogFacts(key), books)
    yield from _balances(books)
    if books.leases is not None:
        yield from _counters(logs, books.leases)


def _log_against_its_head(facts: LogFacts, cosigned: Cosigned | None) -> Iterator[Finding]:
    def finding(code: str, subject: str, detail: str) -> Finding:
        return Finding(
            code=code,
            leg=Leg.BOOKS,
            site=facts.key.site,
            subject=subject,
            source=f"stored records of {facts.key} / cosigned checkpoint",
            detail=detail,
            since_ms=None if facts.last is None else facts.last.received_ms,
        )

    holes = list(facts.missing)
    if cosigned is not None and facts.size < cosigned.size:
        holes.append((facts.size, cosigned.size))
    for first, after in holes:
        yield finding("record-missing", f"{facts.key}/{first}", f"records {first} to {after - 1} are not stored")
    if cosigned is not None and not holes and facts.root != cosigned.root:
        detail = f"{facts.size} records give {facts.root.hex()[:16]}, cosigned is {cosigned.root.hex()[:16]}"
        yield finding("root-differs", str(facts.key), detail)
    for seq, error in facts.unreadable:
        yield finding("record-unreadable", f"{facts.key}/{seq}", error)
    for seq, broken in facts.breaks:
        key = broken.key
        detail = f"{key.effect} of {key.account} in {key.asset}: expected {broken.expected}, got {broken.got}"
        yield finding("counter-breaks", f"{facts.key}/{seq}", detail)
    for seq, session in facts.orphans:
        yield finding("session-unknown", f"{facts.key}/{session}", f"record {seq} is about it")


def _log_against_postings(facts: LogFacts, books: BooksFacts) -> Iterator[Finding]:
    """Each record's moves are posted once, as meant or quarantined; and nothing else is posted in its name."""
    posted = books.posted.get(facts.key, {})
    for seq in sorted(facts.meant.keys() | posted.keys()):
        meant, done = facts.meant.get(seq, []), posted.get(seq, [])
        if meant == done and not any(transfer.debit == QUARANTINE for transfer in done):
            continue
        unposted, unmeant = Counter(meant) - Counter(done), Counter(done) - Counter(meant)
        for transfer in list(unposted.elements()):
            parked = quarantined(transfer)
            if unmeant[parked]:
                unposted[transfer] -= 1
                unmeant[parked] -= 1
        in_quarantine = sum(it.amount for it in done if it.debit == QUARANTINE and it.asset == CNY)
        subject = f"{facts.key}/{seq}"
        if any(it.debit == QUARANTINE for it in done):
            reason = books.reasons.get((facts.key, seq), "no reason is stored")
            yield _posting("quarantined", facts, subject, f"{_show(done)}: {reason}", in_quarantine)
        lost, extra = list((+unposted).elements()), list((+unmeant).elements())
        if lost and extra:
            code = "transfer-differs"
        elif lost or extra:
            code = "transfer-missing" if lost else "transfer-extra"
        else:
            continue
        difference = _fen(lost) - _fen(extra)
        yield _posting(code, facts, subject, f"the log means {_show(lost)}; posted is {_show(extra)}", difference)


def _posting(code: str, facts: LogFacts, subject: str, detail: str, difference_fen: int) -> Finding:
    return Finding(
        code=code,
        leg=Leg.BOOKS,
        site=facts.key.site,
        subject=subject,
        source=f"record {subject} / its transfers",
        detail=detail,
        difference_fen=difference_fen,
        since_ms=None if facts.last is None else facts.last.received_ms,
    )


def _balances(books: BooksFacts) -> Iterator[Finding]:
    for code, asset in sorted(books.stored.keys() | books.summed.keys()):
        stored, summed = books.stored.get((code, asset), EMPTY), books.summed.get((code, asset), EMPTY)
        if stored != summed:
            yield Finding(
                code="balance-differs",
                leg=Leg.BOOKS,
                site="",
                subject=code,
                source="account / its transfers",
                detail=f"{asset}: account has {stored.debits} debited and {stored.credits} credited, "
                f"its transfers {summed.debits} and {summed.credits}",
                difference_fen=summed.owed - stored.owed if asset == CNY else None,
            )
    for breach in breaches(books.stored, books.leases):
        yield Finding(
            code="books-broken",
            leg=Leg.BOOKS,
            site="",
            subject=breach.account or "all accounts",
            source=f"accounts / {breach.rule}",
            detail=f"{breach.asset}: expected {breach.expected}, got {breach.got}",
            difference_fen=breach.expected - breach.got if breach.asset == CNY else None,
        )


def _counters(logs: list[LogFacts], leases: Mapping[Lease, LeaseCounters]) -> Iterator[Finding]:
    """G, U and R of each lease, as headquarters grants from them, against the logs that they come from."""
    told: dict[Lease, LeaseCounters] = {}
    for facts in logs:
        for lease, counters in lease_counters(*facts.key, facts.counters).items():
            before = told.get(lease, LeaseCounters())
            told[lease] = LeaseCounters(*map(sum, zip(before, counters, strict=True)))
    for lease in sorted(told.keys() | leases.keys()):
        theirs, ours = told.get(lease, LeaseCounters()), leases.get(lease, LeaseCounters())
        if theirs != ours:
            yield Finding(
                code="counter-differs",
                leg=Leg.BOOKS,
                site=lease.site,
                subject=f"{lease.account} at {lease.site}/{lease.epoch}",
                source="site log and headquarters' log / lease",
                detail=f"{lease.asset}: logs say {_show_counters(theirs)}, the lease {_show_counters(ours)}",
                difference_fen=theirs.rights - ours.rights if lease.asset == CNY else None,
            )


def _fen(transfers: Iterable[Transfer]) -> int:
    return sum(transfer.amount for transfer in transfers if transfer.asset == CNY)


def _show(transfers: Iterable[Transfer]) -> str:
    shown = [f"{it.amount} {it.asset} {it.debit} -> {it.credit}" for it in transfers]
    return "; ".join(shown) or "nothing"


def _show_counters(counters: LeaseCounters) -> str:
    return f"granted {counters.granted}, used {counters.used}, returned {counters.returned}"
