"""Leg 1: do headquarters' books say what the site logs say? Record by record, then account by account."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts
from protocols.trade.books import (
    EMPTY,
    QUARANTINE,
    Books,
    Lease,
    LeaseCounters,
    Transfer,
    breaches,
    quarantined,
)
from protocols.trade.records import CNY, SessionClosed


@dataclass(frozen=True, slots=True)
class Head:
    """What headquarters has cosigned of a log: so many records, with this root. unproven: why the site's own signature
    of it does not hold; empty when it does.
    """

    size: int
    root: bytes
    unproven: str = ""


def reconcile_log(
    facts: LogFacts, head: Head, posted: Mapping[int, list[Transfer]], reasons: Mapping[int, str]
) -> Iterator[Finding]:
    """A stored log, read up to the cosigned size, against its cosigned head and against what was posted in its name.

    posted, reasons: transfers, and why one went into quarantine, by seq.
    """
    yield from _against_head(facts, head)
    yield from _against_postings(facts, posted, reasons)
    yield from _against_day_closes(facts)


def reconcile_accounts(
    stored: Books,
    summed: Books,
    leases: Mapping[Lease, LeaseCounters] | None,
    told: Mapping[Lease, LeaseCounters],
) -> Iterator[Finding]:
    """The accounts against the transfers, and the leases against the logs.

    stored: the balances as the accounts keep them. summed: the fold of every transfer posted so far. leases: the
    counters that headquarters grants from; None when the logs were read only in part, so that they cannot be compared.
    told: the same from the logs.
    """
    yield from _balances(stored, summed, leases)
    if leases is not None:
        yield from _counters(leases, told)


def _against_head(facts: LogFacts, head: Head) -> Iterator[Finding]:
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
    if facts.size < head.size:
        holes.append((facts.size, head.size))
    for first, after in holes:
        yield finding("record-missing", f"{facts.key}/{first}", f"records {first} to {after - 1} are not stored")
    if head.unproven:
        yield finding("head-unproven", str(facts.key), head.unproven)
    if not holes and facts.root != head.root:
        detail = f"{facts.size} records give root {facts.root.hex()[:16]}, cosigned is {head.root.hex()[:16]}"
        yield finding("root-differs", str(facts.key), detail)
    for seq, error in facts.unreadable:
        yield finding("record-unreadable", f"{facts.key}/{seq}", error)
    for seq, broken in facts.breaks:
        key = broken.key
        detail = f"{key.effect} of {key.account} in {key.asset}: expected {broken.expected}, got {broken.got}"
        yield finding("counter-breaks", f"{facts.key}/{seq}", detail)
    for seq, session in facts.orphans:
        yield finding("session-unknown", f"{facts.key}/{session}", f"record {seq} is about it")


def _against_postings(
    facts: LogFacts, posted: Mapping[int, list[Transfer]], reasons: Mapping[int, str]
) -> Iterator[Finding]:
    """Each record's moves are posted once, as meant or quarantined; and nothing else is posted in its name."""
    for seq in sorted(facts.meant.keys() | posted.keys()):
        meant, done = facts.meant.get(seq, []), posted.get(seq, [])
        parked = [it for it in done if it.debit == QUARANTINE]
        if parked:
            detail = f"{_show(parked)}: {reasons.get(seq, 'no reason is stored')}"
            yield _posting("quarantined", facts, seq, detail, _fen(parked))
        elif meant == done:
            continue
        unposted, unmeant = Counter(meant) - Counter(done), Counter(done) - Counter(meant)
        for transfer in list(unposted.elements()):
            stand_in = quarantined(transfer)
            if unmeant[stand_in]:
                unposted[transfer] -= 1
                unmeant[stand_in] -= 1
        lost, extra = list(unposted.elements()), list(unmeant.elements())
        if lost or extra:
            code = "transfer-differs" if lost and extra else "transfer-missing" if lost else "transfer-extra"
            detail = f"the log means {_show(lost)}; posted is {_show(extra)}"
            if seq in reasons and not parked:
                detail += f": {reasons[seq]}"
            yield _posting(code, facts, seq, detail, _fen(lost) - _fen(extra))


def _against_day_closes(facts: LogFacts) -> Iterator[Finding]:
    """The site's own day totals against the sessions that it closed within them."""
    closed = sorted(((it.ended.seq, it.closed) for it in facts.deliveries if it.ended and it.closed), key=itemgetter(0))
    seqs = [seq for seq, _ in closed]
    for at, day in facts.days:
        within = [it for _, it in closed[bisect_left(seqs, day.first_seq) : bisect_left(seqs, at.seq)]]
        sums = (
            len(within),
            sum(it.energy_wh for it in within if isinstance(it, SessionClosed)),
            sum(it.amount_fen for it in within),
            sum(it.overrun_fen for it in within),
        )
        told = (day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
        if sums != told:
            yield Finding(
                code="day-differs",
                leg=Leg.BOOKS,
                site=facts.key.site,
                subject=f"{facts.key} day {day.day}",
                source=f"record {facts.key}/{at.seq} / sessions closed since record {day.first_seq}",
                detail="sessions, Wh, fen and fen of overrun: the sessions give {}, {}, {}, {}; the site's total says "
                "{}, {}, {}, {}".format(*sums, *told),
                difference_fen=sums[2] - told[2],
                difference_wh=sums[1] - told[1],
                since_ms=at.at_ms,
            )


def _posting(code: str, facts: LogFacts, seq: int, detail: str, difference_fen: int) -> Finding:
    subject = f"{facts.key}/{seq}"
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


def _balances(stored: Books, summed: Books, leases: Mapping[Lease, LeaseCounters] | None) -> Iterator[Finding]:
    for code, asset in sorted(stored.keys() | summed.keys()):
        has, should = stored.get((code, asset), EMPTY), summed.get((code, asset), EMPTY)
        if has != should:
            yield Finding(
                code="balance-differs",
                leg=Leg.BOOKS,
                site="",
                subject=code,
                source="account / its transfers",
                detail=f"{asset}: the account has {has.debits} debited and {has.credits} credited, "
                f"its transfers {should.debits} and {should.credits}",
                difference_fen=should.owed - has.owed if asset == CNY else None,
            )
    for breach in breaches(stored, leases):
        yield Finding(
            code="books-broken",
            leg=Leg.BOOKS,
            site="",
            subject=breach.account or "all accounts",
            source=f"accounts / {breach.rule}",
            detail=f"{breach.asset}: expected {breach.expected}, got {breach.got}",
            difference_fen=breach.expected - breach.got if breach.asset == CNY else None,
        )


def _counters(leases: Mapping[Lease, LeaseCounters], told: Mapping[Lease, LeaseCounters]) -> Iterator[Finding]:
    """G, U and R of each lease, as headquarters grants from them, against the logs that they come from."""
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
    return f"granted {counters.granted}, used {counters.used}, returned {counters.returned}, freed {counters.freed}"
