"""The ports' side of the desk: it takes what is seen at ports, lets the till decide on sessions, and commits.

State, log and documents are the desk's. Beside them stand the rows of open sessions, saved in the same commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from drivers.port_board import PortOrder, Settlement, session_of
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.errors import JournalFull, JournalPruned
from edge.measurement import MeasurementRecorder
from edge.till.ask import Opening, Refusal, Refused, Source, Want
from edge.till.port import day, late, settle, watch
from edge.till.port.ask import PortAsk
from edge.till.port.cost import Terms
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.progress import PortEnds, PortProgress, decode_port, encode_port
from edge.till.port.settle import Next
from edge.till.port.sight import PortSight
from edge.till.port.start import open_port, order_of, port_worth_fen
from edge.till.port.watch import PortAct
from edge.till.state import OpenPort
from protocols.trade.codec import BYTES_MAX, decode
from protocols.trade.port_prices import PortPrices, price_of
from protocols.trade.records import Draft, Origin, Preset, Record, Stamp, TechnicianAct, body_of
from protocols.trade.records_port import PortOpened
from protocols.trade.tender import Tenders


class PortDesk:
    """Sessions as decided and as last seen. Nothing is told to a board before the opening record is durable."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        policy: PortPolicy,
        places: Mapping[str, PortPlace],
        recorder: MeasurementRecorder | None = None,
    ) -> None:
        """places: by the port's id. Every open session is taken up as its last row left it.

        recorder: None: sessions close without a signed measurement.
        """
        self.desk = desk
        self.policy = policy
        self.places = places
        self._clock = clock
        self._recorder = recorder
        self._unticked: set[int] = set()  # must not start before the rollback counter has been ticked
        self._unwanted: set[int] = set()  # whoever asked has been told no meanwhile: never started, and let go
        self._saved_ms = clock.mono_ms()
        self._rows = self._recover()

    # --- what is true ------------------------------------------------------------------------------------------------

    def session_at(self, place: str) -> tuple[OpenPort, PortProgress] | None:
        """The session that a port has; None while its opening record is not durable."""
        return next((found for found in self.sessions() if found[0].place == place), None)

    def session(self, seq: int) -> tuple[OpenPort, PortProgress] | None:
        """By its number."""
        return next((found for found in self.sessions() if found[0].seq == seq), None)

    def __contains__(self, seq: object) -> bool:
        return seq in self.desk.state.ports.sessions

    def sessions(self) -> list[tuple[OpenPort, PortProgress]]:
        """All that are open, by number."""
        size, ports = self.desk.journal.size, self.desk.state.ports
        return [(one, self._row(one)) for seq, one in sorted(ports.sessions.items()) if seq < size]

    def has_ended(self, number: bytes) -> bool:
        """Whether an order is one of this log, and its session is over."""
        named, state = session_of(number), self.desk.state
        if named is None or named[0] != state.epoch:
            return False
        session = state.ports.sessions.get(named[1])
        return named[1] < self.desk.journal.size and (session is None or session.number(state.epoch) != number)

    def now(self) -> Stamp:
        """The box's clocks."""
        return self._clock.stamp()

    def hold_fen(self, session: OpenPort) -> int:
        """What its holds can pay."""
        by = self.terms_of(session).price.by
        return port_worth_fen(session.holds, by, self._tenders_of(session))

    def order_of(self, session: OpenPort) -> PortOrder:
        """What its port is told."""
        return order_of(session, self.desk.state.epoch)

    def terms_of(self, session: OpenPort) -> Terms:
        """The price that its opening record pins."""
        papers, pins = self.desk.papers, session.opened.pins
        prices = papers.port_prices(pins)
        price = None if prices is None else price_of(prices, session.opened.price)
        assert price is not None, f"session {session.seq} pins no price {session.opened.price}"
        return Terms(price, papers.tariff(pins) if price.by == "tariff" else None)

    @property
    def prices(self) -> PortPrices | None:
        """The prices in force. None: none have come from headquarters yet."""
        return self.desk.papers.port_prices(self.desk.state.pins.values())

    def rehearse(self, ask: PortAsk, sight: PortSight) -> tuple[Want, ...]:
        """What headquarters should grant before this start, payer by payer. None: value is not what is short."""
        return self._decide(ask, sight).wants

    def closed_to_all(self, place: PortPlace, sight: PortSight, *, alone: bool) -> Refused | None:
        """Why nobody's session could start at this port now, whoever asks; None: nothing like that."""
        nobody = PortAsk(place.id, Preset("full", 0), Origin("panel", b"", 0, ""), (Source(""),), alone=alone)
        decision = self._decide(nobody, sight)
        known = isinstance(decision, Refused) and decision.refusal is not Refusal.UNKNOWN_ACCOUNT
        return decision if known and isinstance(decision, Refused) else None

    # --- what to do --------------------------------------------------------------------------------------------------

    async def start(self, ask: PortAsk, sight: PortSight) -> OpenPort | Refused:
        """Open a session, durably. Nothing is left of it where the disk has no room for it.

        Cancelled, it may be in the log all the same: then its port is told nothing, and what it holds goes back.
        """
        decision = self._decide(ask, sight)
        if isinstance(decision, Refused):
            return decision
        desk = self.desk
        tick = desk.guard.next_tick(desk.state.ticks) if ask.alone else []
        seq = desk.state.size
        self._rows.pop(seq, None)
        self._unwanted.discard(seq)
        self._unticked |= {seq} if tick else set()
        try:
            await desk.record([decision.draft, *tick])
            session = desk.state.ports.sessions[seq]
            trouble = await desk.guard.tick(tick)
        except JournalFull as error:
            self._unticked.discard(seq)
            return Refused(Refusal.DISK_FULL, error.remedy)
        except asyncio.CancelledError:  # the record goes its way all the same
            self._unwanted.add(seq)
            raise
        if trouble is not None:
            await self.stop(seq, PortEnds.OTHER, trouble.detail)
            return trouble
        self._unticked.discard(seq)
        return session

    async def look(self, session: OpenPort, sight: PortSight, place: PortPlace) -> bool:
        """One look at a session: count, stop, hold, settle, and save what is due, in one commit. Whether it has ended.

        Raises JournalFull: then it goes on, and the next look tries again.
        """
        before, terms, worth_fen = self._row(session), self.terms_of(session), self.hold_fen(session)
        if session.seq in self._unwanted:
            before = watch.stop(before, PortEnds.NOT_STARTED, sight.now.mono_ms, "nobody waited for it any more")
        after = watch.advance(session, before, sight, place, terms, self.policy, worth_fen, self.desk.state.epoch)
        drafts: Sequence[Draft] = ()
        decision = settle.what_next(session, after, sight, self.policy)
        if decision is Next.HOLD:
            drafts = [settle.hold_for_review(session, after, sight, self.policy)]
        elif decision is Next.SETTLE:
            drafts = self._settlement(session, after, sight.now, place.pile_offset_min)
        if after.cut and not before.cut:
            drafts = [settle.power_cut(session), *drafts]
        self._rows[session.seq] = after
        ends = decision is Next.SETTLE
        try:
            await self.desk.record(drafts, {session.seq: None} if ends else self._due(before, after))
        except JournalFull:  # what has not been said is said by the next look
            self._rows[session.seq] = replace(self._row(session), cut=before.cut)
            raise
        if ends:
            self._rows.pop(session.seq, None)
            self._unwanted.discard(session.seq)
            self._unticked.discard(session.seq)
        return ends

    def act(self, session: OpenPort, sight: PortSight) -> PortAct:
        """What its port should be told or asked now."""
        act = watch.act(session, self._row(session), sight, self.policy)
        may_start = session.seq < self.desk.journal.size and session.seq not in self._unticked | self._unwanted
        return PortAct.NONE if act is PortAct.START and not may_start else act

    async def stop(self, seq: int, reason: PortEnds, detail: str = "") -> bool:
        """End a session; durable, so that a restart does not forget it. False: there is none, or it is over already."""
        found = self.desk.state.ports.sessions.get(seq)
        before = None if found is None else self._row(found)
        if before is None or not before.may_flow:
            return False
        await self._keep(watch.stop(before, reason, self._clock.mono_ms(), detail))
        return True

    async def telling(self, session: OpenPort) -> None:
        """Its start is on its way: from here on only the board knows whether it has begun."""
        self._rows[session.seq] = watch.perhaps_begun(self._row(session), self._clock.mono_ms())

    async def begun(self, session: OpenPort) -> None:
        """Its board has taken the order."""
        await self._keep(watch.begun(session, self._row(session), self._clock.mono_ms()))

    async def took_stop(self, session: OpenPort) -> None:
        """Its board has taken the stop, or had nothing to stop."""
        await self._keep(watch.told_to_stop(self._row(session), self._clock.mono_ms()))

    async def refused(self, session: OpenPort, why: str) -> None:
        """Its board has said no."""
        await self._keep(watch.refused(self._row(session), self._clock.mono_ms(), why))

    async def settle_held(self, seq: int, sight: PortSight, by: str, because: str) -> str | None:
        """Close a session that is held for review, by what was known last. Why not; None: done. Raises JournalFull."""
        found = self.session(seq)
        if found is None:
            return "it is not open"
        session, progress = found
        if session.held is None:
            return "it is not held for review: it settles by itself"
        status = sight.status_within(self.policy.silence_s * 1000)
        if status is not None and status.order == self.order_of(session).number:
            return "its port still runs"
        act = Draft(TechnicianAct(by, "settle", f"session {seq}: {because}"))
        drafts = self._settlement(session, progress, self.now(), None)
        await self.desk.record([act, *drafts], {seq: None})
        self._rows.pop(seq, None)
        return None

    async def write_down(self, board: str, settlement: Settlement, *, may_write: bool = True) -> bool:
        """A settlement that may be acknowledged: whether the log has it durably now, written down where it was news.

        False: an open session waits for it, or it is news, and nothing may be written. Raises JournalFull.
        """
        desk = self.desk
        if late.waits_for(desk.state, board, settlement):
            return False
        if late.is_told(desk.state.ports, board, settlement) or desk.state.closed:
            return not desk.state.closed
        if not may_write:
            return False
        ordered = self._is_ordered(board, settlement)
        await desk.record([late.unattributed(desk.state, board, settlement, ordered=ordered)])
        return True

    def day(self) -> tuple[Draft, ...]:
        """What a day close says of ports and lockers, before its own record."""
        return day.day_drafts(self.desk.state)

    async def save(self) -> None:
        """Save every open session now, as before an orderly end of the daemon."""
        await self.desk.record((), {one.seq: encode_port(progress) for one, progress in self.sessions()})

    # --- how ---------------------------------------------------------------------------------------------------------

    def _decide(self, ask: PortAsk, sight: PortSight) -> Opening | Refused:
        desk = self.desk
        refused = desk.no_starts(alone=ask.alone)
        if refused is not None:
            return refused
        return open_port(
            desk.state,
            ask,
            self.places.get(ask.place),
            sight,
            self.prices,
            desk.tariff,
            self.policy,
            hot_list=desk.hot_list,
            tenders=desk.papers.tenders(desk.state.pins.values()),
            risk_per_card_fen=desk.policy.risk_per_card_fen,
        )

    def _is_ordered(self, board: str, settlement: Settlement) -> bool:
        """Whether this log has ordered it, of this very board. Of what has been pruned the number alone is believed."""
        named, journal = session_of(settlement.number), self.desk.journal
        if named is None or named[0] != self.desk.state.epoch or named[1] >= journal.size:
            return False
        try:
            found = journal.read(named[1], 1, BYTES_MAX)
        except JournalPruned:
            return True
        record = decode(found[0], Record) if found else None
        body = None if record is None else body_of(record)
        if record is None or not isinstance(body, PortOpened) or body.board != board:
            return False
        opened = OpenPort(named[1], record.stamp, body, ())
        return opened.number(named[0]) == settlement.number

    def _due(self, before: PortProgress, after: PortProgress) -> dict[int, bytes | None]:
        """The rows to save now: of a session that goes another way, and from time to time all of them."""
        now_ms = self._clock.mono_ms()
        if now_ms - self._saved_ms >= self.desk.policy.progress_s * 1000:
            self._saved_ms = now_ms
            return {one.seq: encode_port(progress) for one, progress in self.sessions()}
        turned = (after.phase, after.reason, after.ran, after.cut) != (
            before.phase,
            before.reason,
            before.ran,
            before.cut,
        )
        return {after.session: encode_port(after)} if turned else {}

    async def _keep(self, row: PortProgress) -> None:
        self._rows[row.session] = row
        with suppress(JournalFull):  # a restart asks the board
            await self.desk.record((), {row.session: encode_port(row)})

    def _row(self, session: OpenPort) -> PortProgress:
        return self._rows.get(session.seq) or watch.first_progress(session)

    def _recover(self) -> dict[int, PortProgress]:
        """Every open session's last row (its opening where there is none), as the boot makes of it."""
        stamp, rows = self._clock.stamp(), self.desk.journal.progress()
        taken: dict[int, PortProgress] = {}
        for seq, session in self.desk.state.ports.sessions.items():
            row = rows.get(seq)
            progress = decode_port(row) if row else watch.first_progress(session)
            taken[seq] = watch.resume(progress, stamp.boot, stamp.mono_ms)
        return taken

    def _settlement(
        self, session: OpenPort, progress: PortProgress, now: Stamp, pile_offset_min: int | None
    ) -> Sequence[Draft]:
        """The records that end a session, with its signed measurement."""
        state, terms, tenders = self.desk.state, self.terms_of(session), self._tenders_of(session)
        drafts = settle.settle(state, session, progress, now, terms, tenders, pile_offset_min=pile_offset_min)
        return drafts if self._recorder is None else self._recorder.complete(drafts, state, session, now)

    def _tenders_of(self, session: OpenPort) -> Tenders:
        return self.desk.papers.tenders(session.opened.pins)
