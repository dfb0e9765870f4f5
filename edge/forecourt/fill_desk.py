"""The forecourt's side of the desk: it takes what is seen at pumps, lets the till decide on fillings, and commits.

State, log and documents are the desk's. Beside them stand the rows of open fillings, saved in the same commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from drivers.pump import SELLS, PumpStatus
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.errors import JournalFull
from edge.measurement import MeasurementRecorder
from edge.till.ask import Opening, Refusal, Refused, Source, Want
from edge.till.fill import day, settle, totals, watch
from edge.till.fill.ask import FillAsk
from edge.till.fill.pay import pay
from edge.till.fill.point import FuelPoint
from edge.till.fill.policy import FillPolicy
from edge.till.fill.progress import FillEnd, FillProgress, decode_fill, encode_fill
from edge.till.fill.settle import Next, fuel_worth_fen
from edge.till.fill.sight import FillSight
from edge.till.fill.start import open_filling
from edge.till.fill.watch import FillAct
from edge.till.state import OpenFilling
from protocols.trade import hotlist
from protocols.trade.fuel_prices import PriceList
from protocols.trade.records import Draft, Stamp, TechnicianAct
from protocols.trade.records_fuel import PumpTotals, PumpTotalsRead
from protocols.trade.tender import Tenders


class FillDesk:
    """Fillings as decided and as last seen. Nothing is decided on a filling before its opening record is durable."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        policy: FillPolicy,
        points: Mapping[str, FuelPoint],
        recorder: MeasurementRecorder | None = None,
    ) -> None:
        """`points`: by the pump's id. Every open filling is taken up as its last row left it.

        recorder: None: fillings close without a signed measurement.
        """
        self._recorder = recorder
        self.desk = desk
        self.policy = policy
        self.points = points
        self._clock = clock
        self._unticked: set[int] = set()  # must not be authorised before the rollback counter has been ticked
        self._saved_ms = clock.mono_ms()
        self._rows = self._recover()

    # --- what is true ------------------------------------------------------------------------------------------------

    def filling_at(self, pump: str) -> tuple[OpenFilling, FillProgress] | None:
        """The filling that a pump has; None while its opening record is not durable."""
        return next((found for found in self.fillings() if found[0].opened.pump == pump), None)

    def filling(self, seq: int) -> tuple[OpenFilling, FillProgress] | None:
        """By its number."""
        return next((found for found in self.fillings() if found[0].seq == seq), None)

    def __contains__(self, seq: object) -> bool:
        return seq in self.desk.state.forecourt.fillings

    def now(self) -> Stamp:
        """The box's clocks."""
        return self._clock.stamp()

    def fillings(self) -> list[tuple[OpenFilling, FillProgress]]:
        """All that are open, by number."""
        size, court = self.desk.journal.size, self.desk.state.forecourt
        return [(one, self._row(one)) for seq, one in sorted(court.fillings.items()) if seq < size]

    def hold_fen(self, filling: OpenFilling) -> int:
        """What its holds can pay for fuel."""
        return fuel_worth_fen(filling.holds, self._tenders_of(filling))

    @property
    def prices(self) -> PriceList | None:
        """The price list in force. None: none has come from headquarters yet."""
        return self.desk.papers.prices(self.desk.state.pins.values())

    def rehearse(self, ask: FillAsk, sight: FillSight) -> tuple[Want, ...]:
        """What headquarters should grant before this start, payer by payer. None: value is not what is short."""
        return self._decide(ask, sight).wants

    # --- what to do --------------------------------------------------------------------------------------------------

    async def start(self, ask: FillAsk, sight: FillSight) -> OpenFilling | Refused:
        """Open a filling, durably. Nothing is left of it where the disk has no room for it."""
        decision = self._decide(ask, sight)
        if isinstance(decision, Refused):
            return decision
        desk = self.desk
        tick = desk.guard.next_tick(desk.state.ticks) if ask.alone else []
        seq = desk.state.size
        self._rows.pop(seq, None)
        self._unticked |= {seq} if tick else set()
        try:
            await desk.record([decision.draft, *tick])
        except JournalFull as error:
            self._unticked.discard(seq)
            return Refused(Refusal.DISK_FULL, error.remedy)
        filling = desk.state.forecourt.fillings[seq]
        trouble = await desk.guard.tick(tick)
        if trouble is not None:
            await self.stop(seq, FillEnd.OTHER, trouble.detail)
            return trouble
        self._unticked.discard(seq)
        return filling

    async def stop(self, seq: int, reason: FillEnd, detail: str = "") -> bool:
        """End a filling; durable, so that a restart does not forget it. False: it is not open, or over already."""
        found = self.filling(seq)
        if found is None or not found[1].may_flow:
            return False
        after = watch.stop(found[1], reason, self._clock.mono_ms(), detail)
        self._rows[seq] = after
        with suppress(JournalFull):  # only a restart would forget it then
            await self.desk.record((), {seq: encode_fill(after)})
        return True

    async def pay(self, seq: int, source: Source, *, alone: bool = False) -> OpenFilling | Refused:
        """Another payer for a filling on somebody's guarantee, durably; the filling as it is then."""
        found = self.filling(seq)
        if found is None:
            return Refused(Refusal.NO_SESSION, f"filling {seq} is not open")
        filling, progress = found
        refused = self.desk.no_holds(alone=alone)
        if refused is not None:
            return refused
        hot_list = self.desk.hot_list
        if hot_list is not None and hotlist.contains(hot_list, source.credential):
            return Refused(Refusal.HOT_LISTED, f"the card is on hot list {hot_list.version}")
        point = self.points.get(filling.opened.pump)
        now = self._clock.stamp()
        state, terms = self.desk.state, self.desk.papers.fuel_terms(self.desk.state.pins.values())
        decision = pay(state, filling, progress, source, now, point, terms, self._tenders_of(filling))
        if isinstance(decision, Refused):
            return decision
        tick = self.desk.guard.next_tick(self.desk.state.ticks) if alone else []
        try:
            await self.desk.record([decision.draft, *tick])
        except JournalFull as error:
            return Refused(Refusal.DISK_FULL, error.remedy)
        await self.desk.guard.tick(tick)  # one that fails stops the next start; this fuel is in the tank already
        return self.desk.state.forecourt.fillings.get(seq, filling)

    async def look(self, filling: OpenFilling, sight: FillSight, point: FuelPoint) -> bool:
        """One look at a filling: count, stop, hold, settle, and save what is due, in one commit. Whether it has ended.

        Raises JournalFull: then it goes on, and the next look tries again.
        """
        before, tenders = self._row(filling), self._tenders_of(filling)
        after = watch.advance(filling, before, sight, point, self.policy, fuel_worth_fen(filling.holds, tenders))
        drafts: Sequence[Draft] = ()
        decision = settle.what_next(filling, after, sight, point, self.policy, tenders)
        match decision:
            case Next.WAIT:
                pass
            case Next.HOLD:
                drafts = [settle.hold_for_review(filling, after, sight, self.policy)]
            case Next.PAY:
                after = settle.begin_paying(after, sight.now.mono_ms)
            case Next.SETTLE:
                drafts = self._settlement(filling, after, sight.now, point)
        self._rows[filling.seq] = after
        ends = decision is Next.SETTLE
        await self.desk.record(drafts, {filling.seq: None} if ends else self._due(before, after))
        if ends:
            self._rows.pop(filling.seq, None)
        return ends

    async def settle_held(
        self, filling: OpenFilling, point: FuelPoint, status: PumpStatus | None, by: str, because: str
    ) -> str | None:
        """Close a filling that is held for review, as a person has decided. Why not; None: done. Raises JournalFull."""
        found = self.filling(filling.seq)
        if found is None:
            return "it is not open"
        filling, progress = found  # as it is now: it may have been paid for since
        if filling.held is None:
            return "it is not held for review: it settles by itself"
        if status is not None and status.state in SELLS:
            return "its pump is not at rest"
        act = Draft(TechnicianAct(by, "settle", f"session {filling.seq}: {because}"))
        drafts = self._settlement(filling, progress, self._clock.stamp(), point)
        await self.desk.record([act, *drafts], {filling.seq: None})
        self._rows.pop(filling.seq, None)
        return None

    def act(self, filling: OpenFilling, sight: FillSight, point: FuelPoint) -> FillAct:
        """What its pump should be told or asked now."""
        act = watch.act(filling, self._row(filling), sight, point, self.policy)
        return FillAct.NONE if act is FillAct.AUTHORISE and not self._may_authorise(filling) else act

    async def told(self, filling: OpenFilling, *, surely: bool) -> None:
        """The pump has been given its order; surely: its own status shows it."""
        now_ms = self._clock.mono_ms()
        before = self._row(filling)
        after = watch.authorised(before, now_ms) if surely else watch.perhaps_authorised(before, now_ms)
        self._rows[filling.seq] = after
        with suppress(JournalFull):  # a restart asks the pump
            await self.desk.record((), {filling.seq: encode_fill(after)})

    async def explain(self, point: FuelPoint, seen: PumpTotals) -> None:
        """Bring the log to these totals, read at a pump without a filling. What moved is charged to nobody. After the
        epoch's last record the next epoch's log begins with it.
        """
        if not self.desk.state.closed:
            await self.desk.record(totals.explain(self.desk.state, point, seen))

    def day(self, seen: Sequence[PumpTotals]) -> list[Draft]:
        """What a day close says of fuel, before its own record. seen: the totals of all pumps that answered.

        While the others were read, a filling may have ended beyond them: the log is never set back.
        """
        state = self.desk.state
        selling = {filling.opened.pump for filling in state.forecourt.fillings.values()}
        now = [one for one in seen if one.pump in selling or totals.agree(state, one)]
        read = [Draft(PumpTotalsRead(sorted(now, key=lambda one: one.pump)))] if now else []
        return [*read, *day.day_drafts(self.desk.state)]

    async def save(self) -> None:
        """Save every open filling now, as before an orderly end of the daemon."""
        await self.desk.record((), {one.seq: encode_fill(progress) for one, progress in self.fillings()})

    # --- how ---------------------------------------------------------------------------------------------------------

    def _decide(self, ask: FillAsk, sight: FillSight) -> Opening | Refused:
        desk = self.desk
        refused = desk.no_starts(alone=ask.alone)
        if refused is not None:
            return refused
        pins = desk.state.pins.values()
        return open_filling(
            desk.state,
            ask,
            self.points.get(ask.pump),
            sight,
            desk.papers.prices(pins),
            self.policy,
            terms=desk.papers.fuel_terms(pins),
            hot_list=desk.hot_list,
            tenders=desk.papers.tenders(pins),
            risk_per_card_fen=desk.policy.risk_per_card_fen,
        )

    def _settlement(
        self, filling: OpenFilling, progress: FillProgress, now: Stamp, point: FuelPoint
    ) -> Sequence[Draft]:
        """The records that end a filling, with its signed measurement."""
        state = self.desk.state
        drafts = settle.settle(state, filling, progress, now, point, self._tenders_of(filling))
        return drafts if self._recorder is None else self._recorder.complete(drafts, state, filling, now)

    def _may_authorise(self, filling: OpenFilling) -> bool:
        """Whether the durable log, and the rollback counter, let its pump deliver."""
        return filling.seq < self.desk.journal.size and filling.seq not in self._unticked

    def _due(self, before: FillProgress, after: FillProgress) -> dict[int, bytes | None]:
        """The rows to save now: of a filling that goes another way, and from time to time all of them."""
        now_ms = self._clock.mono_ms()
        if now_ms - self._saved_ms >= self.desk.policy.progress_s * 1000:
            self._saved_ms = now_ms
            return {one.seq: encode_fill(progress) for one, progress in self.fillings()}
        turned = after.phase != before.phase or after.reason != before.reason
        return {after.session: encode_fill(after)} if turned else {}

    def _row(self, filling: OpenFilling) -> FillProgress:
        return self._rows.get(filling.seq) or watch.first_progress(filling)

    def _recover(self) -> dict[int, FillProgress]:
        """Every open filling's last row (its opening where there is none), as the boot makes of it."""
        stamp, rows = self._clock.stamp(), self.desk.journal.progress()
        taken: dict[int, FillProgress] = {}
        for seq, filling in self.desk.state.forecourt.fillings.items():
            row = rows.get(seq)
            progress = decode_fill(row) if row else watch.first_progress(filling)
            taken[seq] = watch.resume(progress, stamp.boot, stamp.mono_ms)
        return taken

    def _tenders_of(self, filling: OpenFilling) -> Tenders:
        return self.desk.papers.tenders(filling.opened.pins)
