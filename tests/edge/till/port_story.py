"""A port, its customers and the till told as a story: the board does what boards do, the decisions are the real ones.

Nothing here does I/O. `PortStory` keeps the log as a list of records and folds it like the daemon does. The board's own
count and its settlements outlive every death of the till.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drivers.errors import DeviceError, Transient
from drivers.port_board import PortTraits
from edge.till.ask import Opening, Refused, Source
from edge.till.fold import apply
from edge.till.port import late, settle, watch
from edge.till.port.ask import PortAsk
from edge.till.port.cost import Terms
from edge.till.port.day import day_drafts
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.progress import PortEnds, PortProgress
from edge.till.port.settle import Next
from edge.till.port.sight import PortSight
from edge.till.port.start import open_port, order_of, port_worth_fen
from edge.till.port.watch import PortAct
from edge.till.state import Lease, OpenPort, TillState, lease_key
from protocols.trade.grants import Grant, join
from protocols.trade.port_prices import PortPrice, PortPrices
from protocols.trade.records import (
    CNY,
    ClockQuality,
    ConfigApplied,
    Draft,
    EpochOpened,
    GrantAccepted,
    Origin,
    Pin,
    Preset,
    Record,
    Stamp,
    body_of,
    seal,
)
from protocols.trade.records_port import PortClosed, PortUnattributed
from protocols.trade.tender import MONEY_ALONE
from tests.edge.desk_rig import Time
from tests.edge.ports.port_rig import BY_TIME, POLICY, TRAITS, Board
from tests.edge.till.story import FLAT

T = TypeVar("T")


def done(act: Coroutine[Any, Any, T]) -> T:
    """What comes of an act that waits for nothing but its own turn."""
    while True:
        try:
            act.send(None)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # its value is the act's


@dataclass
class PortStory:
    """One board, one price list, and whoever comes."""

    price: PortPrice = BY_TIME
    traits: PortTraits = TRAITS
    policy: PortPolicy = POLICY
    time: Time = field(default_factory=Time)
    state: TillState = field(default_factory=TillState)
    log: list[Record] = field(default_factory=list)
    rows: dict[int, PortProgress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board = Board("rack", self.time, self.traits)
        self.place = PortPlace("rack", 1, self.price.name, self.traits)
        self.prices = PortPrices("east", 1, "UTC", FLAT.offsets, [self.price])
        self.terms = Terms(self.price, FLAT if self.price.by == "tariff" else None)
        self.ordered: set[bytes] = set()  # numbers that the board may have been told
        self.write(Draft(EpochOpened("hz-1", 1, bytes(32), b"spki", b"sig", "test")))
        self.write(Draft(ConfigApplied([Pin("port-prices", 1, bytes(32)), Pin("tariff", 1, bytes(32))])))

    # --- the world ---------------------------------------------------------------------------------------------------

    def now(self) -> Stamp:
        time = self.time
        return Stamp(time.boot, time.mono_ms, time.wall_ms, ClockQuality.SYNCHRONISED, time.wall_ms, time.wall_ms)

    def sight(self) -> PortSight:
        told = self.board._told.get(1)
        settled = tuple(one for one in self.board.settlements() if one.port == 1)
        return PortSight(self.now(), None if told is None else told[0], None if told is None else told[1], settled)

    def restart(self, *, power_cut: bool) -> None:
        if power_cut:
            self.time.boot = b"boot-%03d" % (int(self.time.boot[-3:]) + 1)
            self.time.mono_ms = 500
            self.board._told = {}
        now = self.now()
        for seq, session in self.state.ports.sessions.items():
            row = self.rows.get(seq) or watch.first_progress(session)
            self.rows[seq] = watch.resume(row, now.boot, now.mono_ms)

    # --- the till ----------------------------------------------------------------------------------------------------

    def write(self, *drafts: Draft) -> None:
        for draft in drafts:
            record = seal(draft, self.now())
            self.state = apply(self.state, record)
            self.log.append(record)

    def grant(self, account: str, total: int) -> None:
        grant = Grant(account, CNY, "hz-1", 1, 1, total, 0, 4_000_000_000, 0, total, 1, [b"card0001"])
        self.write(Draft(GrantAccepted(join(grant, bytes(64)))))

    def ask(self, preset: Preset, account: str = "ann") -> OpenPort | Refused:
        ask = PortAsk("rack.1", preset, Origin("panel", b"", 0, "li"), (Source(account),))
        decision = open_port(self.state, ask, self.place, self.sight(), self.prices, FLAT, self.policy)
        if isinstance(decision, Refused):
            return decision
        assert isinstance(decision, Opening)
        seq = self.state.size
        self.write(decision.draft)
        return self.state.ports.sessions[seq]

    def stop(self) -> None:
        for seq, session in self.state.ports.sessions.items():
            self.rows[seq] = watch.stop(self.row(session), PortEnds.LOCAL, self.time.mono_ms)

    def row(self, session: OpenPort) -> PortProgress:
        return self.rows.get(session.seq) or watch.first_progress(session)

    def pass_time(self, seconds: int, step_s: int = 5) -> None:
        """Time passes, and whoever is there looks."""
        for _ in range(-(-seconds // step_s)):
            self.time += step_s * 1000
            self.board.advance(step_s)
            self.look()

    def look(self) -> None:
        """As the board's loop does."""
        for session in list(self.state.ports.sessions.values()):
            self._serve(session)
        for one in self.board.settlements():
            if late.waits_for(self.state, "rack", one):
                continue
            if not late.is_told(self.state.ports, "rack", one):
                ordered = one.number in self.ordered
                self.write(late.unattributed(self.state, "rack", one, ordered=ordered))
            self.try_(self.board.acknowledge(one))

    def _serve(self, session: OpenPort) -> None:
        sight, worth_fen = self.sight(), port_worth_fen(session.holds, self.price.by, MONEY_ALONE)
        row = watch.advance(session, self.row(session), sight, self.place, self.terms, self.policy, worth_fen, 1)
        self.rows[session.seq] = row
        match settle.what_next(session, row, sight, self.policy):
            case Next.HOLD:
                self.write(settle.hold_for_review(session, row, sight, self.policy))
            case Next.SETTLE:
                self.write(*settle.settle(self.state, session, row, sight.now, self.terms))
                del self.rows[session.seq]
                return
            case Next.WAIT:
                pass
        order = order_of(session, 1)
        self.ordered.add(order.number)
        match watch.act(session, row, sight, self.policy):
            case PortAct.START:
                self.rows[session.seq] = watch.perhaps_begun(row, self.time.mono_ms)
                try:
                    done(self.board.start(1, order))
                    self.rows[session.seq] = watch.begun(session, self.rows[session.seq], self.time.mono_ms)
                except Transient:
                    pass
                except DeviceError as error:
                    self.rows[session.seq] = watch.refused(self.rows[session.seq], self.time.mono_ms, error.what)
            case PortAct.STOP:
                try:
                    done(self.board.stop(1, order.number))
                    self.rows[session.seq] = watch.told_to_stop(row, self.time.mono_ms)
                except DeviceError:
                    pass
            case PortAct.READ:
                self.try_(self.board.read_status(1))
            case PortAct.NONE:
                pass

    def try_(self, act: Coroutine[Any, Any, object]) -> None:
        try:
            done(act)
        except DeviceError:
            pass

    # --- what came of it ---------------------------------------------------------------------------------------------

    def bodies(self, kind: type[T]) -> list[T]:
        return [body for body in map(body_of, self.log) if isinstance(body, kind)]

    def lease(self, account: str = "ann") -> Lease:
        return self.state.leases[lease_key(account, CNY)]

    def close_day(self) -> None:
        self.write(*day_drafts(self.state))

    def audit(self) -> None:
        """Each order is billed at most once, within its hold; what is not used goes back."""
        bills = self.bodies(PortClosed)
        assert len({bill.session for bill in bills}) == len(bills)
        holds = {seq: body for seq, body in enumerate(map(body_of, self.log)) if hasattr(body, "prepaid_fen")}
        for bill in bills:
            held_fen = sum(hold.amount for hold in holds[bill.session].holds)  # type: ignore[union-attr]  # an opening
            assert bill.amount_fen - bill.overrun_fen <= held_fen
        lease = self.lease()
        assert lease.used == sum(bill.amount_fen - bill.overrun_fen for bill in bills)
        open_ones = self.state.ports.sessions.values()
        assert lease.held == sum(hold.amount for one in open_ones for hold in one.holds)
        assert {loose.why for loose in self.bodies(PortUnattributed)} <= {"late", "second", "unordered"}
