"""The till's desk: the one object of the daemon that changes. It takes events, lets the till decide, and commits.

Decisions are the till's (pure), bytes are the journal's. Here they meet: what was decided is sealed and folded at once,
so that the next decision stands on it; what follows from it happens only after its commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

import msgspec

from edge.clock import Clock
from edge.epochs import CLOSING, Closing, EpochOver, decode_closing
from edge.folded import fold_log
from edge.journal.errors import JournalFull, JournalOverrun
from edge.journal.journal import Journal
from edge.journal.step import Sealed, Step
from edge.meter_record import MeterRecorder
from edge.papers import Papers
from edge.rollback import Guard
from edge.till import purse
from edge.till.charge import advance, resume, stop, wait
from edge.till.fold import apply
from edge.till.meter_rules import exchanged
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, Progress, StopReason, decode_progress, encode_progress
from edge.till.settle import Next, begin_idle, hold_for_review, settle, what_next
from edge.till.sight import Sight
from edge.till.start import Ask, Opening, Refusal, Refused, Source, Want, extend_session, first_progress, open_session
from edge.till.state import Lease, OpenSession, encode_state, lease_key
from protocols.trade import documents, hotlist
from protocols.trade.codec import decode
from protocols.trade.daytime import next_boundary_ms
from protocols.trade.documents import Document, pin
from protocols.trade.hotlist import HotList
from protocols.trade.records import (
    ConfigApplied,
    DayClosed,
    Draft,
    EpochClosed,
    GrantAccepted,
    Register,
    SessionOpened,
    TechnicianAct,
    TotalizersRead,
)
from protocols.trade.tariff import Tariff
from protocols.trade.tender import Tenders, all_worth_fen

DISPUTED = "disputed"
"""The fact that says why headquarters does not go on from this log."""
SNAPSHOT_RECORDS = 500
"""A snapshot of the fold every so many records: a restart folds at most this many."""


class Desk:
    """State as decided, sessions as last seen, and the way into the journal."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        policy: Policy,
        places: Mapping[str, Connector],
        meter_recorder: MeterRecorder | None = None,
        guard: Guard | None = None,
    ) -> None:
        """`places`: by connector id. The journal's whole log is folded here, before anything is served.

        meter_recorder: None: sessions close without a signed meter record. guard: the rollback counter, which
        `check_counter` must have compared with the log before anything starts; None: there is none.
        """
        self.journal = journal
        self._clock = clock
        self._policy = policy
        self.places = places
        self._meter_recorder = meter_recorder
        told = journal.fact(DISPUTED)
        self.disputed = None if told is None else told.decode()
        """Why headquarters does not go on from this log (a fork, an older disk): no new sessions then."""
        self.guard = guard or Guard()
        self._unticked: set[int] = set()  # sessions that must not deliver before the counter has been ticked
        asked = journal.fact(CLOSING)
        self.closing = None if asked is None else decode_closing(asked)
        """Who wants the epoch closed: no new sessions; None: nobody does."""
        self.state = fold_log(journal)
        self._snapshot_size = self.state.size
        self.papers = Papers(journal)
        self._running = self._recover()
        self._saved_ms = clock.mono_ms()
        self._boundary_ms = self._next_boundary_ms()

    # --- what is true ------------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        return self._policy

    def session_at(self, connector: str) -> tuple[OpenSession, Progress] | None:
        """The session that a connector has, whatever its phase."""
        for session in self.state.sessions.values():
            if session.opened.connector == connector:
                return session, self._running[session.seq]
        return None

    def sessions(self) -> list[tuple[OpenSession, Progress]]:
        return [(session, self._running[seq]) for seq, session in sorted(self.state.sessions.items())]

    def wants_delivery(self, connector: str) -> bool:
        """Whether the durable log lets this connector deliver now."""
        found = self.session_at(connector)
        if found is None or found[0].seq in self._unticked:
            return False
        return found[0].seq < self.journal.size and found[1].wants_delivery

    def tariff_of(self, session: OpenSession) -> Tariff:
        """The tariff that the session's opening record pins."""
        tariff = self.papers.tariff(session.opened.pins)
        assert tariff is not None, f"session {session.seq} pins no tariff"
        return tariff

    def hold_fen(self, session: OpenSession) -> int:
        """What all its holds are worth."""
        return all_worth_fen(session.holds, self._tenders_of(session))

    @property
    def tariff(self) -> Tariff | None:
        """The tariff in force for new sessions. None: none has come from headquarters yet."""
        return self.papers.tariff(self.state.pins.values())

    @property
    def hot_list(self) -> HotList | None:
        """The list of stolen cards in force for new sessions. None: none has come from headquarters yet."""
        return self.papers.hot_list(self.state.pins.values())

    def no_starts(self, *, alone: bool) -> Refused | None:
        """Why no session starts here now, whoever asks and wherever; None: nothing like that. alone: as of an ask."""
        if self.closing is not None or self.state.closed:
            why = self.closing.why if self.closing is not None else "it has been closed"
            return Refused(Refusal.EPOCH_CLOSING, f"epoch {self.state.epoch} is being closed: {why}")
        return self.no_holds(alone=alone)

    # --- what to do --------------------------------------------------------------------------------------------------

    async def start(self, ask: Ask, sight: Sight) -> OpenSession | Refused:
        """Open a session, durably. Nothing is left of it where the disk has no room for it."""
        decision = self._decide(ask, sight)
        if isinstance(decision, Refused):
            return decision
        tick = self.guard.next_tick(self.state.ticks) if ask.alone else []
        assert isinstance(decision.draft.body, SessionOpened)
        notices = exchanged(self.state, [decision.draft.body.begin])
        seq = self.state.size + len(notices)
        try:
            sealed = self._seal([*notices, decision.draft, *tick])
            session = self.state.sessions[seq]
            progress = first_progress(seq, session.opened, session.stamp)
            self._running[seq] = progress
            self._unticked |= {seq} if tick else set()
            self._boundary_ms = self._next_boundary_ms()
            await self._commit(sealed, {seq: progress})
        except JournalFull as error:
            self._unticked.discard(seq)
            return Refused(Refusal.DISK_FULL, error.remedy)
        trouble = await self.guard.tick(tick)
        if trouble is not None:
            await self.stop(seq, StopReason.OTHER, trouble.detail)
            return trouble
        self._unticked.discard(seq)
        return session

    async def extend(
        self, seq: int, source: Source, *, most_fen: int | None = None, alone: bool = False
    ) -> OpenSession | Refused:
        """A further hold for a running session, durably; the session as it is then. most_fen, alone: as of a start."""
        session, progress = self.state.sessions.get(seq), self._running.get(seq)
        if session is None or progress is None:
            return Refused(Refusal.NO_SESSION, f"session {seq} is not open")
        refused = self.no_holds(alone=alone)
        if refused is not None:
            return refused
        if self.hot_list is not None and hotlist.contains(self.hot_list, source.credential):
            return Refused(Refusal.HOT_LISTED, f"the card is on hot list {self.hot_list.version}")
        decision = extend_session(
            self.state, session, progress, source, self._clock.stamp(), self._policy, self._tenders_of(session),
            most_fen=most_fen,
        )  # fmt: skip
        if isinstance(decision, Refused):
            return decision
        tick = self.guard.next_tick(self.state.ticks) if alone else []
        try:
            await self.record([decision.draft, *tick])
        except JournalFull as error:
            return Refused(Refusal.DISK_FULL, error.remedy)
        await self.guard.tick(tick)  # one that fails stops the next start; this customer's charger delivers already
        return self.state.sessions.get(seq, session)

    async def stop(self, seq: int, reason: StopReason, detail: str = "") -> bool:
        """End a session; durable, so that a restart does not forget it. False: there is no such session.

        A disk without room keeps nobody charging: only a restart would then forget it.
        """
        progress = self._running.get(seq)
        if progress is None:
            return False
        self._running[seq] = stop(progress, reason, self._clock.mono_ms(), detail)
        with suppress(JournalFull):
            await self._commit([], {seq: self._running[seq]})
        return True

    async def settle_held(self, seq: int, sight: Sight, by: str, because: str) -> str | None:
        """Close a session that is held for review at its last register, as a person has decided. Why not; None: done.

        Raises JournalFull: then it stays held.
        """
        session, before = self.state.sessions.get(seq), self._running.get(seq)
        if session is None or before is None:
            return "it is not open"
        if session.held is None or before.wants_delivery:
            return "it is not held for review: it settles by itself"
        if self._delivers(sight):
            return "its charger still delivers"
        act = Draft(TechnicianAct(by, "settle", f"session {seq}: {because}"))
        sealed = self._seal([act, *self._settlement(session, before, sight, stuck=False)])
        del self._running[seq]
        await self._commit(sealed, {seq: None})
        return None

    async def look(self, sights: Mapping[str, Sight]) -> None:
        """One look at every connector that has a session: count, stop, settle, and save what is due, in one commit."""
        changed: dict[int, Progress | None] = {}
        sealed: list[Sealed] = []
        ended: dict[int, Progress] = {}
        for session, before in self.sessions():
            if session.opened.connector in self.places:
                sight = sights.get(session.opened.connector)
            else:
                sight = Sight(self._clock.stamp(), None, None, None)
            if sight is None:
                continue
            after, drafts = self._look_at(session, before, sight)
            if drafts:
                sealed += self._seal(drafts)
            if session.seq not in self.state.sessions:
                del self._running[session.seq]
                ended[session.seq] = after
                changed[session.seq] = None
                continue
            self._running[session.seq] = after
            if after.phase != before.phase or after.reason != before.reason:
                changed[session.seq] = after
        if self._save_is_due():
            changed |= {seq: progress for seq, progress in self._running.items() if seq not in changed}
        if not sealed and not changed:
            return
        try:
            await self._commit(sealed, changed)
        except JournalFull:  # their ends are void, but not that they were stopped: the saved rows may not know it yet
            self._running |= {seq: progress for seq, progress in ended.items() if seq in self.state.sessions}
            raise

    async def take_grants(self, grants: Iterable[bytes]) -> int:
        """Accept grants whose signatures have been checked, and that say more than is known. How many did."""
        if self.state.closed:
            return 0
        drafts = [Draft(GrantAccepted(grant)) for grant in grants if purse.is_news(self.state, grant)]
        await self.record(drafts)
        return len(drafts)

    async def give_back(self, leases: Iterable[Lease]) -> list[Lease]:
        """Return what their grants do not let stay here. Those that had something to give back."""
        excess = [lease for lease in leases if lease.rights > lease.may_stay and not self.state.closed]
        await self.record(purse.returns(self.state, [lease_key(lease.account, lease.asset) for lease in excess]))
        return excess

    async def take_documents(self, signed: Sequence[bytes]) -> None:
        """Keep documents whose signatures have been checked, and put them in force from the next session on."""
        decoded = [decode(data, Document, bytes_max=documents.BYTES_MAX) for data in signed]
        pins = [pin(document) for document in decoded]
        if not pins or self.state.closed:
            return
        for document, pinned in zip(decoded, pins, strict=True):
            self.papers.remember(document, pinned)
        sealed = self._seal([Draft(ConfigApplied(pins))])
        await self._commit(sealed, {}, documents=tuple(signed))

    async def close_day(self, registers: Sequence[Register], fuel: Sequence[Draft] = ()) -> DayClosed:
        """End the site day with a reading of all totalizers. Running sessions go on and count in the next day.

        fuel: what the day says of pumps and tanks, before its own record.
        """
        day = self.state.day
        body = DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
        notices = exchanged(self.state, registers)
        await self.record([*notices, Draft(TotalizersRead(list(registers))), *fuel, Draft(body)])
        return body

    async def check_counter(self) -> None:
        """Compare the rollback counter with the log; once, before anything starts."""
        await self._write_down(await self.guard.check(self.state.ticks))

    async def agreed(self) -> None:
        """Headquarters has just acknowledged this log and knows no newer one."""
        if not self.state.closed:
            await self._write_down(await self.guard.agreed(self.state.ticks))

    async def dispute(self, why: str | None) -> None:
        """Headquarters does not go on from this log; None: it does, after all. Restarts without a link remember it."""
        if why == self.disputed:
            return
        self.disputed = why
        with suppress(JournalFull, JournalOverrun):  # only a restart would forget it then
            await self.journal.commit(Step(facts={DISPUTED: None if why is None else why.encode()}))

    async def ask_to_close(self, closing: Closing | None) -> None:
        """From now on no session starts, restart or not. None: the wish is taken back. Raises EpochOver."""
        if self.state.closed:
            raise EpochOver(f"epoch {self.state.epoch} has been closed")
        await self.journal.commit(Step(facts={CLOSING: None if closing is None else msgspec.msgpack.encode(closing)}))
        self.closing = closing

    async def close_epoch(self, closing: Closing, registers: Sequence[Register], fuel: Sequence[Draft] = ()) -> None:
        """Give everything back, and write the epoch's last record; one commit. No session is open. fuel: as of a day.

        Raises EpochOver when that has been done before.
        """
        self.closing, day = closing, self.state.day
        drafts = [
            Draft(TechnicianAct(closing.by, "epoch-close", closing.why)),
            *exchanged(self.state, registers),
            Draft(TotalizersRead(list(registers))),
            *fuel,
            Draft(DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)),
            *purse.returns(self.state, self.state.leases, all_of_it=True),
            Draft(EpochClosed(closing.why[:64])),
        ]
        await self.record(drafts)

    async def record(self, drafts: Sequence[Draft], rows: Mapping[int, bytes | None] | None = None) -> None:
        """Put these into the log, durably; with the rows of other sessions than charging ones, in the same commit."""
        if drafts or rows:
            await self._commit(self._seal(drafts) if drafts else (), {}, rows=rows or {})

    async def save(self) -> None:
        """Save every running session now, as before an orderly end of the daemon."""
        if self._running:
            await self._commit([], dict(self._running))

    def boundary_in_ms(self) -> int | None:
        """Until the next change of price that touches a running session. None: none is running, or time is unknown."""
        if not self._running:
            return None
        wall_ms = self._clock.wall_ms()
        boundaries = [next_boundary_ms(self.tariff_of(session), wall_ms) for session, _ in self.sessions()]
        return min((boundary - wall_ms for boundary in boundaries if boundary is not None), default=None)

    def rehearse(self, ask: Ask, sight: Sight) -> tuple[Want, ...]:
        """What headquarters should grant before this start, payer by payer. None: value is not what is short."""
        return self._decide(ask, sight).wants

    # --- how ---------------------------------------------------------------------------------------------------------

    def _decide(self, ask: Ask, sight: Sight) -> Opening | Refused:
        refused = self.no_starts(alone=ask.alone)
        if refused is not None:
            return refused
        place, tenders = self.places.get(ask.connector), self.papers.tenders(self.state.pins.values())
        return open_session(self.state, ask, place, sight, self.tariff, self._policy, self.hot_list, tenders)

    def no_holds(self, *, alone: bool) -> Refused | None:
        """Why nobody's rights may be set aside here now."""
        if self.disputed is not None:
            return Refused(Refusal.LOG_DISPUTED, self.disputed)
        if self.journal.full:
            return Refused(Refusal.DISK_FULL, "the disk is full; running sessions finish, new ones wait")
        return self.guard.refuses(alone=alone)

    async def _write_down(self, drafts: Sequence[Draft]) -> None:
        """A disk without room for a notice is told of elsewhere."""
        with suppress(JournalFull):
            await self.record(drafts)

    def _look_at(self, session: OpenSession, before: Progress, sight: Sight) -> tuple[Progress, Sequence[Draft]]:
        place, tariff = self.places.get(session.opened.connector), self.tariff_of(session)
        tenders = self._tenders_of(session)
        if place is None:
            detail = f"{session.opened.connector} is not in the config any more"
            after = stop(wait(session, before, sight.now), StopReason.OTHER, sight.now.mono_ms, detail)
        else:
            after = advance(session, before, sight, tariff, place, self._policy, tenders)
        match what_next(session, after, sight, tariff, self._policy, tenders):
            case Next.WAIT:
                return after, ()
            case Next.IDLE:
                return begin_idle(after, sight.now.mono_ms), ()
            case Next.HOLD:
                return after, (hold_for_review(session, after),)
            case Next.SETTLE:
                stuck = self._delivers(sight) and after.phase == Phase.STOPPING
                return after, self._settlement(session, after, sight, stuck=stuck)

    def _settlement(self, session: OpenSession, progress: Progress, sight: Sight, *, stuck: bool) -> Sequence[Draft]:
        """The records that end a session, with its meter record."""
        tariff, tenders = self.tariff_of(session), self._tenders_of(session)
        drafts: Sequence[Draft] = settle(self.state, session, progress, sight.now, tariff, tenders, stuck=stuck)
        if self._meter_recorder is not None:
            drafts = self._meter_recorder.complete(drafts, self.state, session, progress, sight.now, tariff)
        return drafts

    def _delivers(self, sight: Sight) -> bool:
        """Whether energy is seen to flow; False, too, where nobody can tell."""
        status = sight.status_within(self._policy.silence_s * 1000)
        return status is not None and status.delivering

    def _save_is_due(self) -> bool:
        """The period has passed, or a price has changed since the last save."""
        now_ms = self._clock.mono_ms()
        crossed = self._boundary_ms is not None and self._clock.wall_ms() >= self._boundary_ms
        if not self._running or not (crossed or now_ms - self._saved_ms >= self._policy.progress_s * 1000):
            return False
        self._saved_ms = now_ms
        self._boundary_ms = self._next_boundary_ms()
        return True

    def _next_boundary_ms(self) -> int | None:
        """The Unix instant of what `boundary_in_ms` waits for."""
        left_ms = self.boundary_in_ms()
        return None if left_ms is None else self._clock.wall_ms() + left_ms

    def _seal(self, drafts: Sequence[Draft]) -> Sequence[Sealed]:
        if self.journal.failed is not None:
            raise self.journal.failed
        if self.state.closed:
            raise EpochOver(f"epoch {self.state.epoch} has had its last record")
        if self.state.size != self.journal.next_seq:  # a commit has just failed, and its waiter has yet to hear of it
            self._stand_on_the_disk()
            raise JournalFull("decided on records that the disk had no room for; nothing was kept")
        sealed = self.journal.seal(drafts, self._clock.stamp())
        for one in sealed:
            self.state = apply(self.state, one.record)
        return sealed

    async def _commit(
        self,
        sealed: Sequence[Sealed],
        progress: Mapping[int, Progress | None],
        documents: tuple[bytes, ...] = (),
        rows: Mapping[int, bytes | None] = MappingProxyType({}),
    ) -> None:
        snapshot = None
        if self.state.size - self._snapshot_size >= SNAPSHOT_RECORDS:
            snapshot, self._snapshot_size = encode_state(self.state), self.state.size
        own = {seq: None if row is None else encode_progress(row) for seq, row in progress.items()}
        step = Step(sealed=tuple(sealed), progress={**own, **rows}, documents=documents, snapshot=snapshot)
        try:
            await self.journal.commit(step)
        except JournalFull:
            self._stand_on_the_disk()
            raise

    def _stand_on_the_disk(self) -> None:
        """A commit found no space: what was sealed since is void. Go back to the durable log; sessions go on.

        Every waiter of the failed commit comes here; only the first finds a state that is ahead of the log.
        """
        if self.state.size == self.journal.next_seq:
            return
        self.state = fold_log(self.journal)
        self._snapshot_size = min(self._snapshot_size, self.state.size)
        before, self._running = self._running, self._recover()
        self._running |= {seq: progress for seq, progress in before.items() if seq in self._running}

    def _recover(self) -> dict[int, Progress]:
        """Every open session's last row (its opening where there is none), resumed or settled according to the boot."""
        stamp = self._clock.stamp()
        rows = self.journal.progress()
        running: dict[int, Progress] = {}
        for seq, session in self.state.sessions.items():
            row = rows.get(seq)
            progress = decode_progress(row) if row else first_progress(seq, session.opened, session.stamp)
            running[seq] = resume(progress, stamp.boot, stamp.mono_ms)
        return running

    def _tenders_of(self, session: OpenSession) -> Tenders:
        return self.papers.tenders(session.opened.pins)
