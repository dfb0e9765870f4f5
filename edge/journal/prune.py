"""Records that headquarters has acknowledged long ago may go: in their place comes a signed snapshot of their fold.

    0 .. 31   block of record 0: who writes this log         kept
    32 ..     older than the retention time, acknowledged    replayed once more, then dropped, some at a time
              blocks with records of a session that was      kept until it has ended and the base has moved on
              open at the base
    base ..   everything since                               kept

The base lies on a whole subtree, so the roots kept for proofs go on proving every record that is still here. Nothing
is taken on trust: what is to go is audited and folded once more, from the bytes on the disk, and the snapshot is made
of that. Each step is one small transaction, and after a power cut the next one goes on from what it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import structlog

from edge.journal import signed_snapshot
from edge.journal.errors import JournalFull
from edge.journal.journal import Journal
from edge.journal.reading import NODE_LEVEL_MIN
from edge.journal.signed_snapshot import Fold
from edge.journal.step import Step
from edge.till.fold import Contradiction, apply, owned, released
from edge.till.state import TillState
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade.audit import Audit
from protocols.trade.audit_trail import Trail, decode_trail, encode_trail
from protocols.trade.codec import BYTES_MAX, NotCanonical, decode
from protocols.trade.documents import BYTES_MAX as DOCUMENT_BYTES_MAX
from protocols.trade.documents import Document
from protocols.trade.records import ConfigApplied, EpochOpened, Pin, Record, SessionOpened, Stamp, body_of
from protocols.trade.records_fuel import FillingOpened
from protocols.trade.records_port import LockerOpened, PortOpened

BLOCK = 1_024
"""The base moves by so many records, a whole number of kept subtrees."""
KEPT_MIN = 2_048
"""The newest records stay, whatever their age: clocks, snapshots and people go on from them."""
STEP_RECORDS = 128
"""Replayed or dropped in one step: some ten milliseconds on a small board."""

QUIET_S = 0.5
"""Between two steps: a thousand records take some eight seconds, and customers notice nothing."""

DAY_MS, HOUR_S = 86_400_000, 3_600.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why nothing is pruned any more until a person has looked. what: the first finding."""

    what: str
    remedy: ClassVar[str] = "Run `fieldtill verify`; nothing is dropped that does not verify."


class Pruner:
    """Prunes one journal, a step at a time. Use it from the event loop that the journal is used from."""

    def __init__(self, journal: Journal, now: Callable[[], Stamp], retain_days: int, software: str) -> None:
        """now: its lower bound alone is believed. retain_days: at least 1."""
        assert retain_days >= 1, "0 days of retention mean that nothing is pruned"
        self._journal = journal
        self._now = now
        self._retain_ms = retain_days * DAY_MS
        self._software = software
        self._base = pruned_fold(journal)
        self._ahead: _Replay | None = None
        self._sweep: _Sweep | None = None
        self.stopped: Stopped | None = None

    async def step(self) -> bool:
        """Do a little. False: nothing is due now. Raises what the journal's commit does."""
        if self.stopped is not None:
            return False
        if await self._drop() or await self._forget():
            return True
        target = self._target()
        if target is None:
            self._ahead = None
            return False
        if self._ahead is None:
            self._ahead = _Replay(self._journal, self._base)
        self._ahead.go_on(target)
        self.stopped = self._ahead.trouble()
        if self.stopped is None and self._ahead.size == target:
            await self._move_base(self._ahead.fold)
        return self.stopped is None

    def _target(self) -> int | None:
        """Where the base may move to next: everything before it is acknowledged, and older than the retention time.

        A record of unknown time is as old as the next one that says how late it can be at most.
        """
        cosigned = self._journal.cosigned()
        end = min(cosigned[0] if cosigned is not None else 0, self._journal.size - KEPT_MIN)
        latest_ms = self._now().lb_ms - self._retain_ms
        for target in range(self._base.size + BLOCK, end + 1, BLOCK):
            ub_ms = _record(self._journal, target - 1).stamp.ub_ms
            if ub_ms is not None:
                return target if ub_ms <= latest_ms else None
        return None

    async def _move_base(self, fold: Fold) -> None:
        opened = body_of(_record(self._journal, 0))
        assert isinstance(opened, EpochOpened), "the audit has begun with it"
        data = self._journal.sign_fold(opened, fold, self._software)
        await self._journal.commit(Step(base=(fold.size, data)))
        self._base, self._ahead, self._sweep = fold, None, _Sweep(self._journal, fold.state)

    async def _drop(self) -> bool:
        """Drop records before the base, the oldest first. False: all are gone that may go."""
        trail = self._base.trail
        told = [seq for session in trail.sessions.values() for seq in session.records]
        told += [seq for filling in trail.fuel.fillings.values() for seq in filling.records]
        told += [seq for swap in trail.swaps.sessions.values() for seq in swap.records]
        kept = {0, *(seq >> NODE_LEVEL_MIN for seq in told)}
        gone = self._journal.pruned_away(kept, STEP_RECORDS) if self._base.size else []
        if gone:
            await self._journal.commit(Step(prune=gone))
        return bool(gone)

    async def _forget(self) -> bool:
        """Drop documents that no record names any more. False: all have been looked at since the base moved."""
        if self._sweep is None:
            return False
        if not self._sweep.go_on():
            return True
        forget, self._sweep = self._sweep.unnamed(), None
        if forget:
            await self._journal.commit(Step(forget=forget))
        return True


async def prune_quietly(pruner: Pruner, journal: Journal, quiet_s: float = QUIET_S) -> None:
    """For ever: all that is due, a step at a time, while nothing waits for the disk; then again after an hour."""
    told: Stopped | None = None
    while True:
        if journal.waiting_s() > 0:
            await asyncio.sleep(quiet_s)
            continue
        try:
            more = await pruner.step()
        except JournalFull as error:
            log.warning("pruning waits for space", why=error.what)
            more = False
        if pruner.stopped is not told:
            told = pruner.stopped
            log.error("pruning has stopped", why=pruner.stopped and pruner.stopped.what, next=Stopped.remedy)
        await asyncio.sleep(quiet_s if more else HOUR_S)


def pruned_fold(journal: Journal) -> Fold:
    """What the pruned records come to; the empty fold while there are none. The journal was checked when opened."""
    data = journal.base()
    return Fold(Frontier(), TillState(), Trail()) if data is None else signed_snapshot.read(data).fold


class _Replay:
    """The fold from the base on, as far as it has come."""

    def __init__(self, journal: Journal, base: Fold) -> None:
        self._journal = journal
        trail = decode_trail(encode_trail(base.trail))  # the audit changes its own
        self._audit = Audit(journal.site, journal.epoch, self._payload_of, trail=trail)
        self._state = owned(base.state)
        self._frontier = base.frontier
        self._contradiction: str | None = None

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def fold(self) -> Fold:
        return Fold(self._frontier, released(self._state), self._audit.trail)

    def go_on(self, target: int) -> None:
        """STEP_RECORDS more, or up to `target`."""
        at = self._frontier.size
        leaves = self._journal.read(at, min(STEP_RECORDS, target - at), STEP_RECORDS * BYTES_MAX)
        for data in leaves:
            record, _ = self._audit.take(data)
            if record is None:
                return
            try:
                self._state = apply(self._state, record)
            except (Contradiction, NotCanonical) as error:
                self._contradiction = str(error)
                return
        self._frontier = self._frontier.append_many(map(leaf_hash, leaves))

    def trouble(self) -> Stopped | None:
        for finding in self._audit.findings:
            return Stopped(f"record {finding.seq}: {finding.what}: expected {finding.expected}, got {finding.got}")
        return None if self._contradiction is None else Stopped(self._contradiction)

    def _payload_of(self, pin: Pin) -> bytes | None:
        data = self._journal.document(pin.kind, pin.version, pin.hash)
        return None if data is None else decode(data, Document, bytes_max=DOCUMENT_BYTES_MAX).payload


class _Sweep:
    """Which documents does any record that is still here name?"""

    def __init__(self, journal: Journal, base: TillState) -> None:
        self._journal = journal
        self._at, self._end = base.size, journal.size
        self._there = journal.documents_named()
        opened = [pin for session in base.sessions.values() for pin in session.opened.pins]
        opened += [pin for filling in base.forecourt.fillings.values() for pin in filling.opened.pins]
        opened += [pin for swap in base.shop.swaps.values() for pin in swap.opened.pins]
        opened += [pin for port in base.ports.sessions.values() for pin in port.opened.pins]
        opened += [pin for stay in base.ports.stays.values() for pin in stay.opened.pins]
        self._named = {pin.hash for pin in (*base.pins.values(), *opened)}

    def go_on(self) -> bool:
        """Read some records more. True: that was the last."""
        leaves = self._journal.read(self._at, min(STEP_RECORDS, self._end - self._at), STEP_RECORDS * BYTES_MAX)
        for data in leaves:
            record = decode(data, Record)
            names = ("session-opened", "filling-opened", "port-opened", "locker-opened", "config-applied")
            body = body_of(record) if record.kind in names else None
            if isinstance(body, SessionOpened | FillingOpened | PortOpened | LockerOpened | ConfigApplied):
                self._named.update(pin.hash for pin in body.pins)
        self._at += len(leaves)
        return self._at >= self._end

    def unnamed(self) -> list[bytes]:
        """Older versions alone: the newest of a kind may be on its way into force."""
        newest = {kind: version for kind, version, _ in sorted(self._there)}
        return [its for kind, version, its in self._there if its not in self._named and version < newest[kind]]


def _record(journal: Journal, seq: int) -> Record:
    (data,) = journal.read(seq, 1, BYTES_MAX)
    return decode(data, Record)
