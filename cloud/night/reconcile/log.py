"""What does a log say? One pass over the stored bytes: its root, its moves, its sessions and its register readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from cloud.calendar import effective_ms
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.books import (
    CounterBreak,
    CounterKey,
    Transfer,
    check_counters,
    counters_after,
    transfers,
)
from protocols.trade.codec import NotCanonical, Wire, decode
from protocols.trade.records import (
    ClockQuality,
    DayClosed,
    Hold,
    Move,
    Record,
    Register,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    TotalizersRead,
    body_of,
    session_id,
)


class LogKey(NamedTuple):
    """A log: site "" is headquarters' own."""

    site: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.site or 'headquarters'}/{self.epoch}"


class Stored(NamedTuple):
    """A record as headquarters keeps it. received_ms: Unix ms at which it came in. date: its business day, ISO."""

    seq: int
    data: bytes
    received_ms: int
    date: str


class Instant(NamedTuple):
    """Where a record stands: in the log's order, and for people. at_ms: its Unix ms as well as can be said."""

    seq: int
    boot: bytes
    mono_ms: int
    at_ms: int
    received_ms: int
    quality: ClockQuality
    date: str


@dataclass(frozen=True, slots=True)
class Session:
    """All that the log tells of one session. closed and voided are both None while it runs or is held for review."""

    log: LogKey
    begun: Instant
    opened: SessionOpened
    holds: tuple[Hold, ...]
    ended: Instant | None = None
    closed: SessionClosed | None = None
    voided: SessionVoided | None = None
    held: SessionHeld | None = None
    moves: tuple[Move, ...] = ()

    @property
    def id(self) -> str:
        return session_id(self.log.site, self.log.epoch, self.begun.seq)

    @property
    def account(self) -> str:
        """The payer: the account of the first hold; empty without one."""
        return self.holds[0].account if self.holds else ""


class Reading(NamedTuple):
    """A register as read. seq: of the record that tells it. what: `begin`, `end` or `total`. session: of those two."""

    at: Instant
    register: Register
    what: str
    session: str


@dataclass(slots=True)
class LogFacts:
    """A log, read. Lists are in the log's order; `missing` holds (first, after the last) of each hole."""

    key: LogKey
    size: int = 0
    root: bytes = b""
    missing: list[tuple[int, int]] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    breaks: list[tuple[int, CounterBreak]] = field(default_factory=list)
    orphans: list[tuple[int, int]] = field(default_factory=list)  # (seq, session that never began)
    meant: dict[int, list[Transfer]] = field(default_factory=dict)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    days: list[tuple[Instant, DayClosed]] = field(default_factory=list)
    last: Instant | None = None


def read(key: LogKey, records: Iterable[Stored]) -> LogFacts:
    """The facts of a log from its records in order of seq. Whatever is wrong with one is a fact too, and reading goes
    on.
    """
    facts = LogFacts(key)
    hashes: list[bytes] = []
    for stored in records:
        if stored.seq > facts.size:
            facts.missing.append((facts.size, stored.seq))
        facts.size = stored.seq + 1
        hashes.append(leaf_hash(stored.data))
        try:
            record = decode(stored.data, Record)
        except NotCanonical as error:
            facts.unreadable.append((stored.seq, str(error)))
            continue
        try:
            body = body_of(record)
        except NotCanonical as error:  # its moves count all the same
            facts.unreadable.append((stored.seq, str(error)))
            body = None
        _take(facts, stored, record, body)
    facts.root = Frontier().append_many(hashes).root()
    return facts


def _take(facts: LogFacts, stored: Stored, record: Record, body: Wire | None) -> None:
    at = Instant(
        stored.seq,
        record.stamp.boot,
        record.stamp.mono_ms,
        effective_ms(record.stamp, stored.received_ms),
        stored.received_ms,
        record.stamp.quality,
        stored.date,
    )
    facts.last = at
    facts.breaks += [(stored.seq, it) for it in check_counters(facts.counters, record.moves)]
    facts.counters |= counters_after(record.moves)
    meant = transfers(facts.key.site, facts.key.epoch, record)
    if meant:
        facts.meant[stored.seq] = meant
    match body:
        case SessionOpened():
            session = Session(facts.key, at, body, tuple(body.holds))
            facts.sessions[stored.seq] = session
            facts.readings.append(Reading(at, body.begin, "begin", session.id))
        case SessionExtended() if running := _running(facts, at, body.session):
            facts.sessions[body.session] = replace(running, holds=(*running.holds, *body.holds))
        case SessionHeld() if running := _running(facts, at, body.session):
            facts.sessions[body.session] = replace(running, held=body)
        case SessionVoided() if running := _running(facts, at, body.session):
            facts.sessions[body.session] = replace(running, ended=at, voided=body)
        case SessionClosed() if running := _running(facts, at, body.session):
            facts.sessions[body.session] = replace(running, ended=at, closed=body, moves=tuple(record.moves))
            facts.readings.append(Reading(at, body.end, "end", running.id))
        case TotalizersRead():
            facts.readings += [Reading(at, register, "total", "") for register in body.registers]
        case DayClosed():
            facts.days.append((at, body))


def _running(facts: LogFacts, at: Instant, seq: int) -> Session | None:
    """The session of that opening; None, and a fact to be found, when it never began or has ended already."""
    session = facts.sessions.get(seq)
    if session is None or session.ended is not None:
        facts.orphans.append((at.seq, seq))
        return None
    return session
