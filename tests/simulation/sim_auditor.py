"""Who says that nothing was lost, invented, doubled or given to the wrong person? A few dictionaries of integers.

The auditor shares no arithmetic with the till, the books or the reconciliation. It is told what was really paid in,
sees what really flowed, reads each record as it becomes durable and headquarters' database after each of its answers
(`sim_books`), and stops the run at the first thing that does not fit.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sim_books import Books, whose
from sim_fuel import Filling, Fuel, FuelView
from sim_orders import Order, Orders, OrderView, Stay
from sim_packs import Packs, PackView, Swap
from sim_places import Places
from sim_plant import Stand
from sim_rights import Opened, Rights
from sim_visits import CLOCK_MS, Visit, Visits, VisitView, dearest
from sim_wrong import Wrong, expect

from edge.journal.journal import Journal
from edge.journal.step import Sealed
from protocols.trade.codec import decode, encode
from protocols.trade.records import (
    ConfigApplied,
    DayClosed,
    Effect,
    Hold,
    Notice,
    Record,
    SessionClosed,
    SessionExtended,
    SessionHeld,
    SessionOpened,
    SessionVoided,
    body_of,
)
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelDayClosed, FuelUnattributed, PumpTotalsRead
from protocols.trade.records_pack import (
    PackNoted,
    PacksScanned,
    ShopDayClosed,
    SlotSet,
    SwapClosed,
    SwapOpened,
    SwapStepped,
)
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOpened,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortDayClosed,
    PortOpened,
    PortUnattributed,
)

Purse = tuple[str, str]
"""(branch, whose)"""
Session = Visit | Filling | Swap | Order | Stay
Closed = SessionClosed | FillingClosed | SwapClosed | PortClosed | LockerClosed


@dataclass(frozen=True)
class View:
    """What the auditor knows of a branch when somebody copies its disk."""

    branch: str
    log: list[bytes]
    purses: dict[str, tuple[int, int, int]]
    overrun: int
    day: list[int]
    visits: VisitView
    fuel: FuelView
    packs: PackView
    orders: OrderView


@dataclass
class Auditor:
    """The truth, and what is claimed.

    A branch is one history of a log. A log (`site/epoch`) has one, which bears its name, until its disk is set back or
    copied.
    """

    start_utc_ms: int
    used: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    returned: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    overrun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    logs: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    days: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    log_of: dict[str, str] = field(default_factory=dict)
    inherited: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    lost_fen: dict[str, int] = field(default_factory=dict)
    sessions: int = 0
    billed_fen: int = 0
    steps: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    trace: hashlib._Hash = field(default_factory=hashlib.sha256)
    _perhaps: dict[str, list[Sealed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rights = Rights(self._see)
        self.visits = Visits(self.start_utc_ms, self._see)
        self.fuel = Fuel(self.start_utc_ms, CLOCK_MS, self._see)
        self.packs = Packs(self.start_utc_ms, self._see)
        self.orders = Orders(self.start_utc_ms, self.visits.tariffs, dearest, self._see)
        self.books = Books(lambda place: [self.logs[branch] for branch, log in self.log_of.items() if log == place])

    def note(self, *what: object) -> None:
        """One more line of what happened, for the hash by which two runs are compared."""
        self.trace.update(repr(what).encode())

    def hq_answered(self) -> None:
        """Headquarters has committed something."""
        self.steps += 1
        self.books.answered()

    # --- histories ---------------------------------------------------------------------------------------------------

    def begin(self, place: str, places: Places) -> None:
        """A new log, at these places."""
        self.log_of[place] = place
        self.stand_at(place, places)

    def forked(self, place: str) -> bool:
        """Whether there is, or was, more than one history of this log."""
        return list(self.log_of.values()).count(place) > 1

    def view(self, branch: str) -> View:
        whose = {account for at, account in (*self.used, *self.returned, *self.held) if at == branch}
        purses = {a: (self.used[branch, a], self.returned[branch, a], self.held[branch, a]) for a in sorted(whose)}
        log, day = list(self.logs[branch]), list(self.days[branch])
        parts = (self.visits.view(branch), self.fuel.view(branch), self.packs.view(branch), self.orders.view(branch))
        return View(branch, log, purses, self.overrun[branch], day, *parts)

    def fork(self, view: View, branch: str, places: Places) -> None:
        """A box goes on from there, at these places, whatever else has followed."""
        self.note("fork", branch, len(view.log))
        self.log_of[branch] = self.log_of[view.branch]
        self.logs[branch], self.overrun[branch], self.days[branch] = list(view.log), view.overrun, list(view.day)
        for account, (used, returned, held) in view.purses.items():
            purse = (branch, account)
            self.used[purse], self.returned[purse], self.held[purse] = used, returned, held
            self.inherited[purse] = used
        self.visits.fork(view.visits, branch, places.stands)
        self.fuel.fork(view.fuel, branch, places.pumps)
        self.packs.fork(view.packs, branch, places.shop)
        self.orders.fork(view.orders, branch, places.boards)

    def stand_at(self, branch: str, places: Places) -> None:
        """What the boxes of this branch sell flows at these places from now on."""
        self.visits.stand_at(branch, places.stands)
        self.fuel.stand_at(branch, places.pumps)
        self.packs.stand_at(branch, places.shop)
        self.orders.stand_at(branch, places.boards)

    def abandon(self, branch: str) -> None:
        """No box lives this history any more; what it sold stays sold."""
        self.visits.abandon(branch)
        self.fuel.abandon(branch)
        self.packs.abandon(branch)
        self.orders.abandon(branch)

    # --- at a site ---------------------------------------------------------------------------------------------------

    def committed(self, site: str, sealed: Sequence[Sealed]) -> None:
        """These records are durable from here on."""
        self.steps += 1
        for one in sealed:
            log = self.logs[site]
            expect("log-without-gaps", f"{site}: seq", len(log), one.seq)
            log.append(one.data)
            self.trace.update(one.data)
            self._record(site, one.seq, decode(one.data, Record))

    def perhaps(self, site: str, sealed: Sequence[Sealed]) -> None:
        """The disk died while these were written: all of them will be there, or none."""
        self.seen["commit that was cut short"] += 1
        self._perhaps[site] = list(sealed)

    def reopened(self, site: str, journal: Journal) -> None:
        """A new daemon has opened the journal: what was durable must be there, and nothing else but a whole commit."""
        self.note("open", site, journal.size)
        found = [encode(record) for record in journal.records()]
        log, perhaps = self.logs[site], self._perhaps.pop(site, [])
        if perhaps and found == log + [one.data for one in perhaps]:
            self.seen["commit that was cut short and kept"] += 1
            self.committed(site, perhaps)
        elif found != log:
            raise Wrong("durable-is-durable", f"{site}: {len(log)} records were durable, {len(found)} are")

    def crashed(self, site: str, task: str, error: BaseException) -> None:
        raise Wrong("no-crash", f"{site}: {task}: {type(error).__name__}: {error}") from error

    def energised(self, site: str, stand: Stand) -> None:
        """A relay closes on a car."""
        self.note("on", site, stand.name)
        self.visits.energised(site, stand)

    def _record(self, site: str, seq: int, record: Record) -> None:
        body = body_of(record)
        captured: dict[str, int] = {}
        for move in record.moves:
            effect = Effect(move.effect)
            if effect is Effect.USED:
                its = whose(move.account, move.asset)
                captured[its] = captured.get(its, 0) + move.amount
            if effect is Effect.OVERRUN:
                self.overrun[site] += move.amount
                expect("counters", f"{site}: overrun", self.overrun[site], move.counter)
                continue
            totals, its = self.used if effect is Effect.USED else self.returned, whose(move.account, move.asset)
            totals[site, its] += move.amount
            expect("counters", f"{site}: {effect} of {its}", totals[site, its], move.counter)
        self.seen[record.kind] += 1
        match body:
            case SessionOpened():
                self._begin(site, body, record, self.visits.opened(site, seq, body))
            case SessionExtended():
                self._hold(site, self._open(site, body.session), body.holds)
            case SessionClosed():
                self._end(site, body, self.visits.closed(site, body, captured), body.energy_wh)
            case SessionVoided():
                self.seen[f"voided {body.reason}"] += 1
                self._let_go(site, self._voided(site, body))
            case FillingOpened():
                self._begin(site, body, record, self.fuel.opened(site, seq, body, record))
            case FillingClosed():
                self._filling_closed(site, body, self.fuel.closed(site, body, captured))
            case FuelUnattributed():
                self.seen[f"unattributed: {body.why}"] += 1
                self.fuel.unattributed(site, body, record)
            case PumpTotalsRead():
                self.fuel.totals_read(site, body)
            case FuelDayClosed():
                self.fuel.day_closed(site, body)
            case SwapOpened():
                self._begin(site, body, record, self.packs.opened(site, seq, body))
            case SwapClosed():
                self._end(site, body, self.packs.closed(site, body, captured))
            case ConfigApplied():
                self.packs.applied(site, body)
            case SwapStepped() | PackNoted() | SlotSet() | PacksScanned() | ShopDayClosed():
                self.packs.told(site, body)
            case PortOpened():
                order = self.orders.opened(site, seq, body, self._epoch(site), record.stamp)
                self._begin(site, body, record, order)
            case LockerOpened():
                self._begin(site, body, record, self.orders.stay_opened(site, seq, body))
            case PortClosed():
                self._end(site, body, self.orders.closed(site, body, captured))
            case LockerClosed():
                self._end(site, body, self.orders.stay_closed(site, body, captured))
            case LockerStored() | LockerDoor() | LockerOverdue() | PortUnattributed() | PortDayClosed():
                self.orders.told(site, body)
            case SessionHeld() if self.orders.has(site, body.session):
                self.orders.held(site, body)
            case SessionHeld() if (site, body.session) in self.fuel.fillings:
                self.fuel.held(site, body)
            case DayClosed():
                told = [body.sessions, body.energy_wh, body.amount_fen]
                expect("day-sums", f"{site}: day {body.day}", self.days.pop(site, [0, 0, 0]), told)
            case Notice():
                self.seen[f"notice {body.what}"] += 1
        for move in record.moves:
            if move.effect != Effect.OVERRUN:
                self._purse(site, whose(move.account, move.asset))

    def _open(self, site: str, session: int) -> Session:
        return self.fuel.fillings.get((site, session)) or self.visits.visits[site, session]

    def _hold(self, site: str, visit: Session, holds: Sequence[Hold]) -> None:
        for hold in holds:
            its = whose(hold.account, hold.asset)
            visit.holds[its] = visit.holds.get(its, 0) + hold.amount
            self.held[site, its] += hold.amount
            self._purse(site, its)

    def _begin(self, site: str, body: Opened, record: Record, one: Session) -> None:
        """A session is open: what is set aside for it, and whether it may be."""
        self._hold(site, one, body.holds)
        self.rights.opened(site, body, record.stamp, one.opened_ms)
        self.sessions += 1

    def _end(self, site: str, body: Closed, one: Session, energy_wh: int = 0) -> None:
        """It has its bill, which counts in its day."""
        self._let_go(site, one.holds)
        day = self.days[site]
        day[0] += 1
        day[1] += energy_wh
        day[2] += body.amount_fen
        self.billed_fen += body.amount_fen

    def _filling_closed(self, site: str, body: FillingClosed, filling: Filling) -> None:
        self.seen[f"filling {body.reason}"] += 1
        self.seen["overrun of a pump"] += body.overrun_fen > 0
        if body.meter_record is None:
            raise Wrong("meter-record", f"{site}/{body.session} has none")
        self._end(site, body, filling)

    def _voided(self, site: str, body: SessionVoided) -> dict[str, int]:
        """What was set aside for it."""
        if (site, body.session) in self.fuel.fillings:
            return self.fuel.voided(site, body).holds
        if self.orders.has(site, body.session):
            return self.orders.voided(site, body).holds
        return self.visits.voided(site, body.session).holds

    def _let_go(self, site: str, holds: dict[str, int]) -> None:
        for its, units in holds.items():
            self.held[site, its] -= units

    def _epoch(self, branch: str) -> int:
        return int(self.log_of[branch].split("/")[1])

    def _see(self, what: str) -> None:
        self.seen[what] += 1

    def _purse(self, site: str, account: str) -> None:
        """Neither the site nor all sites together may give out more than there is."""
        purse, books = (site, account), self.books
        taken = self.used[purse] + self.returned[purse] + self.held[purse]
        granted = books.granted[self.log_of[site], account]
        if self.held[purse] < 0 or taken > granted:
            raise Wrong("within-the-grant", f"{site}: {taken} fen of {granted} granted to {account}")
        spent = sum(units - self.inherited[at, its] for (at, its), units in self.used.items() if its == account)
        funded = books.paid_in[account] + books.loaned(account) + books.given_back(account)
        if spent > funded + self._at_risk(account):
            raise Wrong("captured-within-funded", f"{account}: {spent} fen spent of {funded} paid in and lent")
        self.lost_fen[account] = max(0, spent - books.paid_in[account] - books.given_back(account))

    def _at_risk(self, account: str) -> int:
        """What may be sold twice: each further history of a log can give out once more what was granted there."""
        return sum(self.books.granted[log, account] for branch, log in self.log_of.items() if branch != log)
