"""Who says that nothing was lost, invented, doubled or given to the wrong person? A few dictionaries of integers.

The auditor shares no arithmetic with the till, the books or the reconciliation. It is told what was really paid in,
sees what really flowed, reads each record as it becomes durable and headquarters' database after each of its answers
(`sim_books`), and stops the run at the first thing that does not fit.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from sim_books import Books, whose
from sim_fuel import Filling, Fuel, FuelView
from sim_orders import Order, Orders, OrderView, Stay
from sim_packs import Packs, PackView, Swap
from sim_places import Places
from sim_plant import WH, Stand
from sim_wrong import Wrong, expect

from edge.journal.journal import Journal
from edge.journal.step import Sealed
from protocols.proof import ocmf
from protocols.trade.codec import decode, encode
from protocols.trade.records import (
    RISK,
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
from protocols.trade.tariff import Tariff

CLOCK_MS = 180_000
"""How wrong a clock may be that counts as synchronised (JJG 1148-2022): prices of this long before and after count."""
RISK_PER_CARD_FEN = 600
"""What the sites of the simulation let one card draw on the operator's pool."""
FORGIVEN_MS = 30_000
"""A start that was under way when headquarters refused the log may still be committed."""
ROUNDING_WH = 2
"""A whole register at the beginning and one at the end."""

Opened = SessionOpened | FillingOpened | SwapOpened | PortOpened | LockerOpened

Place = tuple[str, str]
"""(branch, connector)"""
Purse = tuple[str, str]
"""(branch, whose)"""


@dataclass
class Visit:
    """A session as the auditor sees it. holds: by whose they are. energy: the stand's, in W·ms, when the begin register
    was read. inherited: it was begun by another box, before its disk was copied: that box alone may have seen the meter
    jump since, and for one that wakes without the time nothing tells a jump from energy that flowed.
    """

    place: Place
    holds: dict[str, int]
    tariff: bytes
    opened_ms: int
    energy: int
    inherited: bool = False


@dataclass(frozen=True)
class View:
    """What the auditor knows of a branch when somebody copies its disk."""

    branch: str
    log: list[bytes]
    purses: dict[str, tuple[int, int, int]]
    overrun: int
    visits: dict[int, Visit]
    day: list[int]
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
    stands: dict[Place, Stand] = field(default_factory=dict)
    tariffs: dict[bytes, Tariff] = field(default_factory=dict)
    used: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    returned: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    overrun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    logs: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    visits: dict[tuple[str, int], Visit] = field(default_factory=dict)
    days: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    hot: dict[int, frozenset[bytes]] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    commands: set[tuple[str, bytes, int]] = field(default_factory=set)
    noticed: dict[Place, int] = field(default_factory=dict)
    log_of: dict[str, str] = field(default_factory=dict)
    inherited: dict[Purse, int] = field(default_factory=lambda: defaultdict(int))
    risked: dict[tuple[str, bytes], int] = field(default_factory=lambda: defaultdict(int))
    barred: set[str] = field(default_factory=set)
    told_off: dict[str, int] = field(default_factory=dict)
    starts: set[tuple[str, str, int]] = field(default_factory=set)
    left: dict[Place, int] = field(default_factory=dict)
    lost_fen: dict[str, int] = field(default_factory=dict)
    sessions: int = 0
    billed_fen: int = 0
    steps: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    trace: hashlib._Hash = field(default_factory=hashlib.sha256)
    _perhaps: dict[str, list[Sealed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fuel = Fuel(self.start_utc_ms, CLOCK_MS, self._see)
        self.packs = Packs(self.start_utc_ms, self._see)
        self.orders = Orders(self.start_utc_ms, self.tariffs, dearest, self._see)
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
        visits = {seq: _copied(visit) for (at, seq), visit in self.visits.items() if at == branch}
        log, day = list(self.logs[branch]), list(self.days[branch])
        places = (self.fuel.view(branch), self.packs.view(branch), self.orders.view(branch))
        return View(branch, log, purses, self.overrun[branch], visits, day, *places)

    def fork(self, view: View, branch: str, places: Places) -> None:
        """A box goes on from there, at these places, whatever else has followed."""
        self.note("fork", branch, len(view.log))
        self.log_of[branch] = self.log_of[view.branch]
        self.logs[branch], self.overrun[branch], self.days[branch] = list(view.log), view.overrun, list(view.day)
        self.pages[branch] = sum(decode(data, Record).kind == "session-closed" for data in view.log)
        for account, (used, returned, held) in view.purses.items():
            purse = (branch, account)
            self.used[purse], self.returned[purse], self.held[purse] = used, returned, held
            self.inherited[purse] = used
        self._charges_at(branch, places)
        self.fuel.fork(view.fuel, branch, places.pumps)
        self.packs.fork(view.packs, branch, places.shop)
        self.orders.fork(view.orders, branch, places.boards)
        for stand in places.stands.values():
            stand.excused = True
        for seq, visit in view.visits.items():
            self.visits[branch, seq] = replace(_copied(visit), place=(branch, visit.place[1]), inherited=True)

    def stand_at(self, branch: str, places: Places) -> None:
        """What the boxes of this branch sell flows at these places from now on."""
        self.fuel.stand_at(branch, places.pumps)
        self.packs.stand_at(branch, places.shop)
        self.orders.stand_at(branch, places.boards)
        self._charges_at(branch, places)

    def _charges_at(self, branch: str, places: Places) -> None:
        for name, stand in places.stands.items():
            stand.settle()
            self.stands[branch, name], self.left[branch, name] = stand, stand.energy

    def abandon(self, branch: str) -> None:
        """No box lives this history any more; what it sold stays sold."""
        self.visits = {key: visit for key, visit in self.visits.items() if key[0] != branch}
        self.stands = {place: stand for place, stand in self.stands.items() if place[0] != branch}
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

    def heard(self, branch: str, now_ms: int, *, agreed: bool) -> None:
        """Headquarters goes on from this history, or has just refused to."""
        if agreed:
            self.barred.discard(branch)
        else:
            self.told_off.setdefault(branch, now_ms)
            self.seen["fork refused"] += 1

    def crashed(self, site: str, task: str, error: BaseException) -> None:
        raise Wrong("no-crash", f"{site}: {task}: {type(error).__name__}: {error}") from error

    def energised(self, site: str, stand: Stand) -> None:
        """A relay closes on a car."""
        self.note("on", site, stand.name)
        found = [visit for visit in self.visits.values() if visit.place == (site, stand.name)]
        if not found:
            raise Wrong("durable-before-acting", f"{site} {stand.name} delivers, and no durable record says for whom")
        if not any(found[0].holds.values()):
            raise Wrong("hold-before-start", f"{site} {stand.name} delivers, and nothing is set aside for it")

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
                self._opened(site, seq, body)
            case SessionExtended():
                self._hold(site, self._open(site, body.session), body.holds)
            case SessionClosed():
                self._closed(site, body, captured)
            case SessionVoided():
                self.seen[f"voided {body.reason}"] += 1
                if (site, body.session) in self.fuel.fillings:
                    self._let_go(site, self.fuel.voided(site, body).holds)
                elif self.orders.has(site, body.session):
                    self._let_go(site, self.orders.voided(site, body).holds)
                else:
                    self._unbilled(self._ended(site, body.session), 0)
            case FillingOpened():
                self._filling_opened(site, seq, body, record)
            case FillingClosed():
                self._filling_closed(site, body, captured)
            case FuelUnattributed():
                self.seen[f"unattributed: {body.why}"] += 1
                self.fuel.unattributed(site, body, record)
            case PumpTotalsRead():
                self.fuel.totals_read(site, body)
            case FuelDayClosed():
                self.fuel.day_closed(site, body)
            case SwapOpened():
                self._swap_opened(site, seq, body)
            case SwapClosed():
                self._swap_closed(site, body, captured)
            case SwapStepped() | PackNoted() | SlotSet() | PacksScanned() | ShopDayClosed():
                self.packs.told(site, body)
            case PortOpened():
                self._order_opened(site, seq, body, record)
            case LockerOpened():
                self._stay_opened(site, seq, body)
            case PortClosed():
                self._order_closed(site, self.orders.closed(site, body, captured), body)
            case LockerClosed():
                self._order_closed(site, self.orders.stay_closed(site, body, captured), body)
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
                for place, stand in self.stands.items():
                    if place[0] == site and body.subject in (stand.name, stand.meter_id):
                        self.noticed[place] = seq
        for move in record.moves:
            if move.effect != Effect.OVERRUN:
                self._purse(site, whose(move.account, move.asset))

    def _open(self, site: str, session: int) -> Visit | Filling:
        return self.fuel.fillings.get((site, session)) or self.visits[site, session]

    def _hold(self, site: str, visit: Visit | Filling | Swap | Order | Stay, holds: Sequence[Hold]) -> None:
        for hold in holds:
            its = whose(hold.account, hold.asset)
            visit.holds[its] = visit.holds.get(its, 0) + hold.amount
            self.held[site, its] += hold.amount
            self._purse(site, its)

    def _opened(self, site: str, seq: int, body: SessionOpened) -> None:
        place = (site, body.connector)
        stand = self.stands[place]
        if any(visit.place == place for visit in self.visits.values()):
            raise Wrong("one-session-each", f"{site} {body.connector} has two sessions")
        stand.settle()
        begin = (body.begin.energy_wh - stand.base_wh) * WH
        same_register = 0 <= begin <= stand.energy  # nothing has befallen the meter between the reading and this record
        energy = begin if same_register else stand.energy
        tariff = next(pin.hash for pin in body.pins if pin.kind == "tariff")
        visit = Visit(place, {}, tariff, stand.now_ms(), energy)
        self.stray(place, energy)
        self.visits[site, seq] = visit
        if same_register and not stand.faulty:
            stand.excused = False
        self._hold(site, visit, body.holds)
        self._by_right(site, body, seq, stand.now_ms())
        self.sessions += 1

    def _by_right(self, site: str, body: Opened, seq: int, now_ms: int) -> None:
        """A start by code or command runs once; a hot-listed card opens nothing; each card keeps to the pool's cap."""
        if site in self.barred:
            raise Wrong("counter", f"{site}: the disk is older than its counter says, and a session opens unheard")
        if now_ms - self.told_off.get(site, 10**12) > FORGIVEN_MS:
            raise Wrong("fork-stops-trade", f"{site}: a session opens, and headquarters has refused this log")
        origin, card = body.origin, body.origin.credential
        if origin.via == "command":
            key = (site, decode(self.logs[site][seq], Record).stamp.boot, origin.number)
            if key in self.commands:
                raise Wrong("commands-run-once", f"{site}: command {origin.number} ran twice")
            self.commands.add(key)
        if origin.via == "qr":
            start = (site, getattr(body, "account", "") or body.holds[0].account, origin.number)
            if start in self.starts:
                raise Wrong("starts-run-once", f"{site}: start {origin.number} of {body.holds[0].account} ran twice")
            self.starts.add(start)
        listed = {self.hot.get(pin.version, frozenset()) for pin in body.pins if pin.kind == "hot-list"}
        if any(card in cards for cards in listed):
            raise Wrong("hot-listed", f"{site}: a card opens a session that the hot list in force has")
        risked = sum(hold.amount for hold in body.holds if hold.account == RISK)
        if risked:
            self.seen["session on the operator's risk"] += 1
            self.risked[site, card] += risked
            if self.risked[site, card] > RISK_PER_CARD_FEN:
                raise Wrong("risk-per-card", f"{site}: {self.risked[site, card]} fen for one card")
        self.seen["session of several payers"] += len({hold.account for hold in body.holds}) > 1
        self.seen[f"opened by {origin.via}"] += 1

    def _closed(self, site: str, body: SessionClosed, captured: dict[str, int]) -> None:
        visit = self._ended(site, body.session)
        stand = self.stands[visit.place]
        self.seen[f"closed {body.reason}"] += 1
        self.seen["overrun"] += body.overrun_fen > 0
        self.seen["priced by an uncertain clock"] += body.clock_lb_ms != body.clock_ub_ms
        for its, units in captured.items():
            if units > visit.holds.get(its, 0):
                raise Wrong("capture-within-hold", f"{site}/{body.session}: {units} of {visit.holds} of {its}")
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", f"{site}/{body.session}", body.amount_fen, paid_fen + body.overrun_fen)
        if body.overrun_fen and not stand.excused:
            raise Wrong("cut-off", f"{site}/{body.session}: {body.overrun_fen} fen beyond holds of {visit.holds}")
        delivered_wh = Fraction(stand.energy - visit.energy, WH)
        jumped = body.energy_wh > delivered_wh + 1
        if jumped and not visit.inherited:
            text = f"{site}/{body.session}: billed {body.energy_wh} Wh, {float(delivered_wh):.1f} Wh flowed"
            raise Wrong("only-what-flowed", text)
        dearest_fen = self._dearest_fen(visit, stand, body.idle_s)
        if body.amount_fen > dearest_fen and not jumped:
            raise Wrong("never-above-the-price", f"{site}/{body.session}: {body.amount_fen} of {dearest_fen} fen")
        self._unbilled(visit, body.energy_wh)
        self._metered(site, body)
        day = self.days[site]
        day[0] += 1
        day[1] += body.energy_wh
        day[2] += body.amount_fen
        self.billed_fen += body.amount_fen

    def _metered(self, site: str, body: SessionClosed) -> None:
        """The signed record of each session, one page after the other, says the register that is billed."""
        if body.meter_record is None:
            raise Wrong("meter-record", f"{site}/{body.session} has none")
        self.pages[site] += 1
        record = ocmf.parse(body.meter_record)
        end_wh = int(record.readings[1]["RV"] * 1000)
        expect("meter-record", f"{site}/{body.session}: page", self.pages[site], record.page)
        expect("meter-record", f"{site}/{body.session}: Wh at the end", body.end.energy_wh, end_wh)

    def _ended(self, site: str, session: int) -> Visit:
        visit = self.visits.pop((site, session))
        self._let_go(site, visit.holds)
        stand = self.stands[visit.place]
        stand.settle()
        self.left[visit.place] = stand.energy
        return visit

    def _let_go(self, site: str, holds: dict[str, int]) -> None:
        for its, units in holds.items():
            self.held[site, its] -= units

    def _filling_opened(self, site: str, seq: int, body: FillingOpened, record: Record) -> None:
        filling = self.fuel.opened(site, seq, body, record)
        self._hold(site, filling, body.holds)
        self._by_right(site, body, seq, filling.opened_ms)
        self.sessions += 1

    def _filling_closed(self, site: str, body: FillingClosed, captured: dict[str, int]) -> None:
        self._let_go(site, self.fuel.closed(site, body, captured).holds)
        self.seen[f"filling {body.reason}"] += 1
        self.seen["overrun of a pump"] += body.overrun_fen > 0
        if body.meter_record is None:
            raise Wrong("meter-record", f"{site}/{body.session} has none")
        day = self.days[site]
        day[0] += 1
        day[2] += body.amount_fen
        self.billed_fen += body.amount_fen

    def _swap_opened(self, site: str, seq: int, body: SwapOpened) -> None:
        swap = self.packs.opened(site, seq, body)
        self._hold(site, swap, body.holds)
        self._by_right(site, body, seq, swap.opened_ms)
        self.sessions += 1

    def _swap_closed(self, site: str, body: SwapClosed, captured: dict[str, int]) -> None:
        self._let_go(site, self.packs.closed(site, body, captured).holds)
        day = self.days[site]
        day[0] += 1
        day[2] += body.amount_fen
        self.billed_fen += body.amount_fen

    def _order_opened(self, site: str, seq: int, body: PortOpened, record: Record) -> None:
        order = self.orders.opened(site, seq, body, int(self.log_of[site].split("/")[1]), record.stamp)
        self._hold(site, order, body.holds)
        self._by_right(site, body, seq, order.opened_ms)
        self.sessions += 1

    def _stay_opened(self, site: str, seq: int, body: LockerOpened) -> None:
        stay = self.orders.stay_opened(site, seq, body)
        self._hold(site, stay, body.holds)
        self._by_right(site, body, seq, stay.opened_ms)
        self.sessions += 1

    def _order_closed(self, site: str, one: Order | Stay, body: PortClosed | LockerClosed) -> None:
        self._let_go(site, one.holds)
        day = self.days[site]
        day[0] += 1
        day[2] += body.amount_fen
        self.billed_fen += body.amount_fen

    def _see(self, what: str) -> None:
        self.seen[what] += 1

    def _unbilled(self, visit: Visit, billed_wh: int) -> None:
        """Energy of a session that its bill leaves out needs a physical fault and, in the end, a notice."""
        stand = self.stands[visit.place]
        missing_wh = (stand.energy - visit.energy) // WH - billed_wh
        if missing_wh >= ROUNDING_WH and not stand.excused:
            raise Wrong("every-wh", f"{visit.place}: {missing_wh} Wh flowed in a session and are in no bill")

    def stray(self, place: Place, energy: int) -> None:
        """Energy between two sessions likewise: it shows in the registers, and belongs to a fault."""
        stray_wh = (energy - self.left.get(place, 0)) // WH
        if stray_wh >= ROUNDING_WH and not self.stands[place].excused:
            raise Wrong("every-wh", f"{place}: {stray_wh} Wh flowed outside all sessions")

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

    def _dearest_fen(self, visit: Visit, stand: Stand, idle_s: int) -> int:
        """What the energy that flowed could cost at most: each piece at the dearest price around its true time."""
        tariff = self.tariffs[visit.tariff]
        e6 = Fraction(0)
        before = 0
        for from_ms, to_ms, flow in reversed(stand.flows):
            if to_ms <= visit.opened_ms - 60_000:
                break
            e6 += Fraction(flow, WH) * dearest(tariff, self.start_utc_ms + from_ms, self.start_utc_ms + to_ms)
            before += flow
        e6 += ROUNDING_WH * max(period.energy_e3 + period.service_e3 for period in tariff.periods)
        fees = Fraction(tariff.session_e3, 1000) + Fraction(idle_s * tariff.idle_e3_per_min, 60_000)
        return ceil(e6 / 1_000_000 + fees)


def _copied(visit: Visit) -> Visit:
    return replace(visit, holds=dict(visit.holds))


def dearest(tariff: Tariff, from_ms: int, to_ms: int) -> int:
    """Highest price (e3 per kWh) from CLOCK_MS before to CLOCK_MS after, told from the table minute by minute.

    Tariffs of the simulation have one offset and change on whole minutes.
    """
    prices = []
    for at_ms in range(from_ms - CLOCK_MS, to_ms + CLOCK_MS + 60_000, 60_000):
        second = (at_ms // 1000 + tariff.offsets[0].offset_s) % 86_400
        holding = [period for period in tariff.periods if period.from_s <= second] or [tariff.periods[-1]]
        prices.append(holding[-1].energy_e3 + holding[-1].service_e3)
    return max(prices)
