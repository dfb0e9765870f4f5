"""The shop's side of the desk: it takes what is seen at cabinets, lets the till decide on packs, and commits.

State, log and documents are the desk's. Where a session stands is in the log; what it waits for is in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.clock import Clock
from edge.desk import Desk
from edge.journal.errors import JournalFull
from edge.measurement import MeasurementRecorder
from edge.till.ask import Opening, Refusal, Refused, Want
from edge.till.state_shop import OpenSwap, slot_key
from edge.till.swap import progress as steps
from edge.till.swap import rest
from edge.till.swap.ask import SwapAsk
from edge.till.swap.case import Case
from edge.till.swap.choose import Papers
from edge.till.swap.next import End, Go, Next, Wait
from edge.till.swap.place import CabinetPlace
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.progress import Progress
from edge.till.swap.settle import settle
from edge.till.swap.slots import View
from edge.till.swap.start import open_swap, untimed
from edge.till.swap.watch import advance, pulsed
from protocols.trade.records import Draft, Notice, Origin, Pin, Stamp
from protocols.trade.records_pack import PackNoted, SwapStepped
from protocols.trade.tender import Tenders


class SwapDesk:
    """Swap sessions as decided. No door moves before the record that opens it is durable."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        policy: SwapPolicy,
        places: Mapping[str, CabinetPlace],
        recorder: MeasurementRecorder | None = None,
    ) -> None:
        """`places`: by the cabinet's id. recorder: None: sessions close without a signed measurement."""
        self.desk = desk
        self.policy = policy
        self.places = places
        self._clock = clock
        self._recorder = recorder
        self._progress: dict[int, Progress] = {}
        self._unticked: set[int] = set()  # must not open a door before the rollback counter has been ticked
        self._said: dict[int, str] = {}

    # --- what is true ------------------------------------------------------------------------------------------------

    def swap_at(self, cabinet: str) -> OpenSwap | None:
        """The session that a cabinet has; None while its opening record is not durable."""
        return next((swap for swap in self.swaps() if swap.opened.cabinet == cabinet), None)

    def swap(self, seq: int) -> OpenSwap | None:
        """By its number."""
        return next((swap for swap in self.swaps() if swap.seq == seq), None)

    def swaps(self) -> list[OpenSwap]:
        """All that are open, by number."""
        size = self.desk.journal.size
        return [swap for seq, swap in sorted(self.desk.state.shop.swaps.items()) if seq < size]

    def __contains__(self, seq: object) -> bool:
        return seq in self.desk.state.shop.swaps

    def progress_of(self, seq: int) -> Progress | None:
        """None: it has not been looked at since the daemon started."""
        return self._progress.get(seq)

    def said(self, seq: int) -> str:
        """Why its last step was necessary, for the rider; empty: it is the usual way."""
        return self._said.get(seq, "")

    def now(self) -> Stamp:
        """The box's clocks."""
        return self._clock.stamp()

    @property
    def papers(self) -> Papers:
        """What headquarters says of packs, as in force."""
        return self._papers(list(self.desk.state.pins.values()))

    def rehearse(self, ask: SwapAsk, view: View | None) -> Opening | tuple[Want, ...]:
        """The opening as it would be; otherwise what headquarters should grant before this start, payer by payer."""
        decision = self._decide(ask, view)
        return decision if isinstance(decision, Opening) else decision.wants

    def closed_to_all(self, view: View, *, alone: bool) -> Refused | None:
        """Why nobody's session could start at this cabinet now, whoever asks; None: nothing like that."""
        nobody = SwapAsk(view.cabinet, "swap", Origin("panel", b"", 0, ""), view.now_ms, alone=alone)
        decision = self._decide(nobody, view)
        known = isinstance(decision, Refused) and decision.refusal is not Refusal.UNKNOWN_ACCOUNT
        return decision if known and isinstance(decision, Refused) else None

    # --- what to do --------------------------------------------------------------------------------------------------

    async def start(self, ask: SwapAsk, view: View | None) -> OpenSwap | Refused:
        """Open a session, durably. Nothing is left of it where the disk has no room for it."""
        decision = self._decide(ask, view)
        if isinstance(decision, Refused) or view is None:
            return decision if isinstance(decision, Refused) else Refused(Refusal.UNKNOWN_CABINET, ask.cabinet)
        desk = self.desk
        tick = desk.guard.next_tick(desk.state.ticks) if ask.alone else []
        seq = desk.state.size
        self._unticked |= {seq} if tick else set()
        try:
            await desk.record([decision.draft, *untimed(desk.state, decision.draft, view), *tick])
        except JournalFull as error:
            self._unticked.discard(seq)
            return Refused(Refusal.DISK_FULL, error.remedy)
        swap = desk.state.shop.swaps[seq]
        self._progress[seq] = steps.begin(swap, view)
        trouble = await desk.guard.tick(tick)
        if trouble is not None:
            await self._end(
                swap, _orphaned(swap, ""), (Draft(Notice("session-ended", swap.opened.cabinet, trouble.detail)),)
            )
            return trouble
        self._unticked.discard(seq)
        return swap

    def cancel(self, seq: int) -> bool:
        """The session is to end as soon as nothing stands in the way. False: it is not open, or its pack is given."""
        swap, progress = self.swap(seq), self._progress.get(seq)
        if swap is None or progress is None or swap.given:
            return False
        self._progress[seq] = steps.cancel(progress)
        return True

    async def look(self, swap: OpenSwap, view: View) -> Next:
        """One look at a session: what follows goes into the log; what is to be done at the slot is told.

        Raises JournalFull: then it goes on where it was, and the next look tries again.
        """
        if swap.slot not in view.slots:
            await self._end(swap, _orphaned(swap))
            return Wait()
        before = self._progress.get(swap.seq) or steps.resume(swap, view)
        case = Case(self.desk.state, swap, before, view, self._papers(swap.opened.pins), self.policy)
        after, following = advance(case)
        if after.opened_ms != before.opened_ms:  # it has been seen, whether or not the disk takes what follows
            before = self._progress[swap.seq] = replace(before, opened_ms=after.opened_ms)
        match following:
            case Go():
                await self._go(swap, following, view, after)
            case End():
                await self._end(swap, following)
            case Wait() if following.tell:
                detail = f"session {swap.seq}: {following.detail} ({following.tell})"
                await self.desk.record([Draft(Notice("door-open", swap.opened.cabinet, detail))])
                self._progress[swap.seq] = after
            case _:
                self._progress[swap.seq] = after
        return following

    def may_pulse(self, swap: OpenSwap) -> bool:
        """Whether the durable log, and the rollback counter, let the door of its newest step open."""
        newest = self.desk.state.shop.touched.get(slot_key(swap.opened.cabinet, swap.slot), swap.seq)
        return max(swap.seq, newest) < self.desk.journal.size and swap.seq not in self._unticked

    def has_pulsed(self, seq: int, failed: str = "") -> None:
        """The lock has had its pulse; failed: what the board said instead."""
        progress = self._progress.get(seq)
        if progress is not None:
            self._progress[seq] = pulsed(progress, self._clock.mono_ms(), failed)

    async def end_orphans(self, cabinets: Sequence[str]) -> None:
        """Sessions at cabinets that the config does not name any more: nobody sees how they end. Raises JournalFull."""
        for swap in self.swaps():
            if swap.opened.cabinet not in cabinets:
                await self._end(swap, _orphaned(swap))

    # --- how ---------------------------------------------------------------------------------------------------------

    def _decide(self, ask: SwapAsk, view: View | None) -> Opening | Refused:
        desk = self.desk
        refused = desk.no_starts(alone=ask.alone)
        if refused is not None:
            return refused
        pins = list(desk.state.pins.values())
        return open_swap(
            desk.state,
            ask,
            view,
            self._papers(pins),
            self.policy,
            hot_list=desk.hot_list,
            tenders=desk.papers.tenders(pins),
        )

    async def _go(self, swap: OpenSwap, go: Go, view: View, progress: Progress) -> None:
        step = SwapStepped(swap.seq, go.step.value, go.slot, go.pack, go.fault)
        await self.desk.record([*go.first, Draft(step), *go.notes])
        after = self.desk.state.shop.swaps[swap.seq]
        self._progress[swap.seq] = steps.begin(after, view, progress)
        self._said[swap.seq] = go.why

    async def _end(self, swap: OpenSwap, end: End, more: Sequence[Draft] = ()) -> None:
        desk = self.desk
        terms, tenders = self._papers(swap.opened.pins).terms, self._tenders_of(swap)
        now = self._clock.stamp()
        drafts: Sequence[Draft] = settle(desk.state, swap, end, now, terms, tenders)
        if self._recorder is not None:
            drafts = self._recorder.complete(drafts, desk.state, swap, now)
        await desk.record([*drafts, *more])
        self._progress.pop(swap.seq, None)
        self._said.pop(swap.seq, None)

    def _papers(self, pins: Sequence[Pin]) -> Papers:
        """Prices as the session pins them; of single packs what is known now: a pack may be lost meanwhile."""
        papers = self.desk.papers
        return Papers(papers.swap_terms(pins), papers.packs(self.desk.state.pins.values()))

    def _tenders_of(self, swap: OpenSwap) -> Tenders:
        return self.desk.papers.tenders(swap.opened.pins)

    def day(self) -> list[Draft]:
        """What a day close says of packs, before its own record."""
        return rest.day_drafts(self.desk.state)


def _orphaned(swap: OpenSwap, fault: str = "F-01") -> End:
    """Nobody sees how it ends: what was put in stays, nothing is charged, and a pack that was given is out of sight."""
    notes: list[Draft] = []
    if swap.given and swap.offered is not None and swap.offered_slot is not None:
        cabinet, slot, code = swap.opened.cabinet, swap.offered_slot, swap.offered.code
        notes.append(Draft(PackNoted("vanished", cabinet, slot, code, code, swap.seq, "", "nobody sees its slot")))
    return End("cancelled" if swap.returned is None else "kept", fault, notes=tuple(notes))
