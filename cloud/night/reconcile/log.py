"""What does a log say? One pass over the stored bytes: its root, its moves, its sessions of every kind, readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

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
    ConfigApplied,
    DayClosed,
    Hold,
    Move,
    Notice,
    Pin,
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
from protocols.trade.records_fleet import PackMarked
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelDayClosed,
    FuelReceived,
    FuelUnattributed,
    PumpPricesSet,
    PumpTotalsRead,
    TankDipped,
    WetStockClosed,
)
from protocols.trade.records_pack import PackNoted, PacksScanned, ShopDayClosed, SwapClosed, SwapOpened
from protocols.trade.records_port import (
    LockerClosed,
    LockerOpened,
    PortClosed,
    PortDayClosed,
    PortOpened,
    PortUnattributed,
)

Opened = TypeVar("Opened", SessionOpened, FillingOpened, SwapOpened, PortOpened, LockerOpened)
Closed = TypeVar("Closed", SessionClosed, FillingClosed, SwapClosed, PortClosed, LockerClosed)


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
class Delivery(Generic[Opened, Closed]):
    """All that the log tells of one session. closed and voided are both None while it runs or is held for review."""

    log: LogKey
    begun: Instant
    opened: Opened
    holds: tuple[Hold, ...]
    ended: Instant | None = None
    closed: Closed | None = None
    voided: SessionVoided | None = None
    held: SessionHeld | None = None
    moves: tuple[Move, ...] = ()

    @property
    def id(self) -> str:
        return session_id(self.log.site, self.log.epoch, self.begun.seq)

    @property
    def account(self) -> str:
        """The payer: the account of the first hold; of a swap the rider, of a locker its owner; else empty."""
        if isinstance(self.opened, SwapOpened | LockerOpened):
            return self.opened.account
        return self.holds[0].account if self.holds else ""

    def pin(self, kind: str) -> Pin | None:
        """Which document of this kind was in force when it began."""
        return next((pin for pin in self.opened.pins if pin.kind == kind), None)

    @property
    def place(self) -> str:
        """The connector, the pump, the cabinet or the port."""
        match self.opened:
            case FillingOpened():
                return self.opened.pump
            case SwapOpened():
                return self.opened.cabinet
            case PortOpened() | LockerOpened():
                return f"{self.opened.board}.{self.opened.port}"
            case _:
                return self.opened.connector


@dataclass(frozen=True, slots=True)
class Session(Delivery[SessionOpened, SessionClosed]):
    """A charge."""


@dataclass(frozen=True, slots=True)
class Filling(Delivery[FillingOpened, FillingClosed]):
    """A filling at a pump."""


@dataclass(frozen=True, slots=True)
class Swap(Delivery[SwapOpened, SwapClosed]):
    """A swap session: packs for packs, or a rented one out or back."""


@dataclass(frozen=True, slots=True)
class PortVisit(Delivery[PortOpened, PortClosed]):
    """A session at a charging port."""


@dataclass(frozen=True, slots=True)
class LockerStay(Delivery[LockerOpened, LockerClosed]):
    """A pack in a locker."""


AnyDelivery: TypeAlias = Session | Filling | Swap | PortVisit | LockerStay
D = TypeVar("D", bound=AnyDelivery)


class Reading(NamedTuple):
    """A register as read. seq: of the record that tells it. what: `begin`, `end` or `total`. session: of those two."""

    at: Instant
    register: Register
    what: str
    session: str


class Told(NamedTuple):
    """A record of pumps and tanks, or one that bears on them. epoch: of its log."""

    epoch: int
    at: Instant
    body: Wire


class OfPacks(NamedTuple):
    """A record that says something of packs, whole: its stamp and moves are needed."""

    at: Instant
    record: Record
    body: Wire


@dataclass(slots=True)
class LogFacts:
    """A log, read. Lists are in the log's order; `missing` holds (first, after the last) of each hole. fuel: what was
    told of pumps and tanks, with the ends that fillings really had, and with notices and configurations, which may
    explain it. packs: what was told of packs, with the openings and ends of their sessions. loose: settlements of ports
    that nobody is charged for, and what days say of ports.
    """

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
    fillings: dict[int, Filling] = field(default_factory=dict)
    fuel: list[Told] = field(default_factory=list)
    swaps: dict[int, Swap] = field(default_factory=dict)
    packs: list[OfPacks] = field(default_factory=list)
    ports: dict[int, PortVisit] = field(default_factory=dict)
    stays: dict[int, LockerStay] = field(default_factory=dict)
    loose: list[Told] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    days: list[tuple[Instant, DayClosed]] = field(default_factory=list)
    last: Instant | None = None

    @property
    def deliveries(self) -> Iterator[AnyDelivery]:
        """Sessions of every kind."""
        tables = (self.sessions, self.fillings, self.swaps, self.ports, self.stays)
        return chain.from_iterable(table.values() for table in tables)


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
        case FillingOpened():
            facts.fillings[stored.seq] = Filling(facts.key, at, body, tuple(body.holds))
        case SwapOpened():
            facts.swaps[stored.seq] = Swap(facts.key, at, body, tuple(body.holds))
            facts.packs.append(OfPacks(at, record, body))
        case SwapClosed() if swap := _running(facts, at, body.session, facts.swaps):
            _put(facts, swap, ended=at, closed=body, moves=tuple(record.moves))
            facts.packs.append(OfPacks(at, record, body))
        case PortOpened():
            facts.ports[stored.seq] = PortVisit(facts.key, at, body, tuple(body.holds))
        case PortClosed() if visit := _running(facts, at, body.session, facts.ports):
            _put(facts, visit, ended=at, closed=body, moves=tuple(record.moves))
        case LockerOpened():
            facts.stays[stored.seq] = LockerStay(facts.key, at, body, tuple(body.holds))
        case LockerClosed() if stay := _running(facts, at, body.stay, facts.stays):
            _put(facts, stay, ended=at, closed=body, moves=tuple(record.moves))
        case PortUnattributed() | PortDayClosed():
            facts.loose.append(Told(facts.key.epoch, at, body))
        case PackNoted() | PacksScanned() | PackMarked() | ShopDayClosed():
            facts.packs.append(OfPacks(at, record, body))
        case SessionExtended() if running := _running(facts, at, body.session, _table(facts, body.session)):
            _put(facts, running, holds=(*running.holds, *body.holds))
        case SessionHeld() if running := _running(facts, at, body.session, _table(facts, body.session)):
            _put(facts, running, held=body)
        case SessionVoided() if running := _running(facts, at, body.session, _table(facts, body.session)):
            _put(facts, running, ended=at, voided=body)
            facts.fuel.append(Told(facts.key.epoch, at, body))
        case SessionClosed() if charge := _running(facts, at, body.session, facts.sessions):
            _put(facts, charge, ended=at, closed=body, moves=tuple(record.moves))
            facts.readings.append(Reading(at, body.end, "end", charge.id))
        case FillingClosed() if filling := _running(facts, at, body.session, facts.fillings):
            _put(facts, filling, ended=at, closed=body, moves=tuple(record.moves))
            facts.fuel.append(Told(facts.key.epoch, at, body))
        case TotalizersRead():
            facts.readings += [Reading(at, register, "total", "") for register in body.registers]
        case DayClosed():
            facts.days.append((at, body))
    if body is not None and type(body) in _FUEL:
        facts.fuel.append(Told(facts.key.epoch, at, body))


_FUEL = {
    FillingOpened,
    FuelUnattributed,
    PumpPricesSet,
    PumpTotalsRead,
    TankDipped,
    FuelReceived,
    WetStockClosed,
    FuelDayClosed,
    ConfigApplied,
    Notice,
}


def _running(facts: LogFacts, at: Instant, seq: int, table: Mapping[int, D]) -> D | None:
    """The delivery of that opening; None, and a fact to be found, when it never began or has ended already."""
    found = table.get(seq)
    if found is None or found.ended is not None:
        facts.orphans.append((at.seq, seq))
        return None
    return found


def _table(facts: LogFacts, seq: int) -> Mapping[int, AnyDelivery]:
    """Where the delivery of that opening stands."""
    for table in (facts.swaps, facts.fillings, facts.ports, facts.stays):
        if seq in table:
            return table
    return facts.sessions


def _put(facts: LogFacts, running: AnyDelivery, **changed: Any) -> None:
    """What is known of it from here on."""
    table: dict[int, Any] = facts.sessions
    if isinstance(running, Filling):
        table = facts.fillings
    elif isinstance(running, Swap):
        table = facts.swaps
    elif isinstance(running, PortVisit):
        table = facts.ports
    elif isinstance(running, LockerStay):
        table = facts.stays
    table[running.begun.seq] = replace(running, **changed)
