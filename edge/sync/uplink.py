"""Tells headquarters everything, in the log's order, until it has acknowledged it; and hears what it has for the site.

    journal -> batch -> headquarters: stored, verified, posted -> cosigned head -> journal
                                      grants, documents, commands -> checked -> site

Whatever fails, nothing is lost and nothing counts twice: records stay in the journal, a repeat is answered with the
same acknowledgement, and grants merge by maximum. The till never waits for any of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import structlog

from edge.clock import Clock
from edge.config import Headquarters
from edge.journal.errors import JournalFull, JournalOverrun, JournalPruned
from edge.journal.journal import Journal
from edge.keys import KeyRing
from edge.site import Site
from edge.sync import key_chain, papers, trust
from edge.sync.client import Hq, HttpsHq
from edge.sync.errors import HqError, HqGarbled, HqRefused, HqUnreachable, LogForked
from edge.sync.trust import HqKeys
from protocols.proof.errors import Unproven
from protocols.proof.note import Note
from protocols.trade import grants
from protocols.trade.codec import NotCanonical, encode
from protocols.trade.records import CNY
from protocols.trade.wire import (
    BATCH_BYTES_MAX,
    BATCH_RECORDS_MAX,
    BEHIND,
    Batch,
    DocumentRef,
    GrantAsk,
    GrantReply,
    RefusalCode,
)

BATCH_ENVELOPE_BYTES = 64 * 1024
"""Room in a batch for all that is not records: 5 bytes before each of them, the checkpoint, the clocks."""
BATCH_RECORDS_MIN = 16
"""A batch is halved each time it does not get through, down to this: some 5 kB, which any link carries."""
BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 1.0, 60.0
"""Pauses double from the first to the last, or to twice poll_s where that is less, each shortened by up to half."""
ASK_OFFLINE_S = 1.0
"""How long a customer waits for a grant over a link that was dead a moment ago: it may just have come back."""
REFUSED_S = 60.0
FROZEN_S = 900.0
"""A refusal is for a person to settle; asking again only finds out whether somebody has."""

NO_FUNDS = "no-funds"
"""A GrantReply's refusal of an account that has no money left at headquarters."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last, for a person. code: a RefusalCode, or the kind of error."""

    code: str
    what: str
    remedy: str
    at_ms: int  # monotonic


@dataclass(frozen=True, slots=True)
class UplinkStatus:
    """How things stand with headquarters. Instants are on the box's monotonic clock.

    since_ms: of the last change of `online`. contact_ms: of the last answer; None: never one in this run. stopped: why
    nothing is uploaded any more, until a person has acted; None: uploading goes on. trouble: None: the last exchange
    went well.
    """

    online: bool
    since_ms: int
    contact_ms: int | None
    size: int
    cosigned: int
    stopped: str | None
    trouble: Trouble | None

    @property
    def backlog(self) -> int:
        """Durable records that headquarters has not acknowledged."""
        return max(0, self.size - self.cosigned)


class Uplink:
    """The site's side of the exchange with headquarters."""

    def __init__(
        self,
        config: Headquarters,
        journal: Journal,
        clock: Clock,
        site: Site,
        hq: Hq,
        pinned: HqKeys,
        *,
        jitter: Callable[[float, float], float] | None = None,
    ) -> None:
        """The journal holds its first record. jitter: (low, high) -> somewhere between; for simulations."""
        self._config = config
        self._journal = journal
        self._clock = clock
        self._site = site
        self._hq = hq
        self.believed = pinned
        self._jitter = jitter or SystemRandom().uniform
        acknowledged = journal.cosigned()
        self._cosigned = acknowledged[0] if acknowledged else 0
        self._next_seq = self._cosigned  # the first record that headquarters may lack
        self._records_max = BATCH_RECORDS_MAX
        self._commands: set[bytes] = set()  # that have run, and are still repeated
        self._failures = 0
        self._online = False
        self._since_ms = clock.mono_ms()
        self._contact_ms: int | None = None
        self._stopped: str | None = None
        self._trouble: Trouble | None = None
        self._wake = asyncio.Event()
        self._acknowledged = asyncio.Event()  # another one for each acknowledgement

    @classmethod
    def over_https(cls, config: Headquarters, journal: Journal, clock: Clock, ring: KeyRing, site: Site) -> Uplink:
        """With the keys pinned in `keys_file` and followed since. Raises protocols.door.Refused for a bad file,
        KeyUnusable.
        """
        hq = HttpsHq(config, journal.site, journal.epoch, ring.log(journal.epoch), clock.bounds)
        believed = trust.load(Path(config.keys_file))
        key_chain.restore(believed, ring.directory / key_chain.FILE)
        return cls(config, journal, clock, site, hq, believed)

    # --- what is true ------------------------------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        """Whether the last exchange got an answer."""
        return self._online

    def status(self) -> UplinkStatus:
        return UplinkStatus(
            online=self._online,
            since_ms=self._since_ms,
            contact_ms=self._contact_ms,
            size=self._journal.size,
            cosigned=self._cosigned,
            stopped=self._stopped,
            trouble=self._trouble,
        )

    # --- what to do --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Exchange until cancelled. While this runs, the site's news wake it and the till may ask for grants.

        Raises JournalError when the journal has failed for good.
        """
        self._site.on_change.append(self.nudge)
        self._site.ask_for_grant = self.ask_grant
        self._site.is_online = lambda: self._online
        try:
            while True:
                self._wake.clear()
                wait_s = await self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
        finally:
            self._site.on_change.remove(self.nudge)
            self._site.ask_for_grant = None
            self._site.is_online = lambda: False
            self._hq.close()

    def nudge(self) -> None:
        """There may be something to send. Does not shorten a pause after a failure: the log grows offline, too."""
        if self._failures == 0 and self._stopped is None and self._journal.size > self._next_seq:
            self._wake.set()

    def news(self) -> None:
        """Somebody heard of headquarters: it has something for this site, and so the link is there."""
        self._wake.set()

    async def ask_grant(self, credential: bytes, account: str, want: int, asset: str = CNY) -> bool:
        """Ask for `want` of the asset in total for the account behind a card; True: more was granted, and is in the log
        by now.

        Takes at most `ask_timeout_s`, since a customer waits; less while the link is known to be down. False says only
        that nothing new came.
        """
        timeout_s = self._config.ask_timeout_s if self._online else min(ASK_OFFLINE_S, self._config.ask_timeout_s)

        def ask() -> GrantAsk:
            version, head = self._site.credential_key.version, self._journal.checkpoint()
            return GrantAsk(version, credential, account, asset, want, head)

        try:
            async with asyncio.timeout(timeout_s) as limit:
                size = self._journal.size
                reply = await self._granted(ask)
                if _falls_short(reply, want) and await self._acknowledged_up_to(size, limit.when()):
                    reply = await self._granted(ask)
        except (TimeoutError, HqUnreachable) as error:
            log.info("no grant in time", timeout_s=timeout_s, why=str(error))
            if self._online:
                self._set_online(False)
                self.news()  # let the uplink find out whether the link is really down
            return False
        except LogForked as error:
            await self._stop(error)
            return False
        except HqError as error:
            log.info("no grant", why=error.what)
            return False
        self._answered()
        if self._failures:
            self.news()  # the link is back
        if reply.refusal:
            log.info("no grant", why=reply.refusal)
        return bool(reply.grant) and await self._take_grants([reply.grant]) > 0

    async def _granted(self, ask: Callable[[], GrantAsk]) -> GrantReply:
        """The answer to an ask, which is made anew where a batch has overtaken it. Raises LogForked, HqError."""
        reply = await self._hq.grant(ask())
        if reply.refusal == BEHIND and reply.size <= self._journal.size:
            reply = await self._hq.grant(ask())
        if reply.size > self._journal.size:
            raise LogForked(f"headquarters has {reply.size} records of this log, this disk {self._journal.size}")
        return reply

    async def _acknowledged_up_to(self, size: int, until_s: float | None) -> bool:
        """Wait until headquarters has so many records that it lacked: among them may be what this very account has just
        given back here. False: it lacked none, or did not get them until half of the loop's time to until_s had passed.
        """
        if self._cosigned >= size or self._stopped is not None or until_s is None:
            return False
        self.nudge()
        now_s = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(now_s + (until_s - now_s) / 2):
                while self._cosigned < size:
                    await self._acknowledged.wait()
        return self._cosigned >= size

    # --- one exchange ------------------------------------------------------------------------------------------------

    async def _turn(self) -> float:
        """One exchange. How many seconds to wait for a reason for the next."""
        before = self._trouble
        try:
            await self._exchange()
        except LogForked as error:
            return await self._stop(error)
        except HqRefused as error:
            return await self._refused(error)
        except HqError as error:
            return self._failed(error)
        except (JournalFull, JournalOverrun, JournalPruned) as error:
            self._failures += 1
            self._note("journal", error.what, error.remedy)
            return self._pause_s()
        self._failures = 0
        self._stopped = None
        await self._site.desk.dispute(None)
        if self._trouble is before:
            self._trouble = None
        return 0 if self._next_seq < self._journal.size else self._config.poll_s

    async def _exchange(self) -> None:
        """Send the next batch and take in the answer, what cannot wait first."""
        batch = self._batch()
        asked_ms = self._clock.mono_ms()
        reply = await self._hq.batch(batch)
        self._answered()
        heard_ms = self._clock.mono_ms()
        await self._follow_keys(reply.documents)  # first: what else came may be signed by them
        await self._take_acknowledgement(reply.cosigned, batch)
        self._learn(reply.time_ms, asked_ms, heard_ms)  # only of whom the pinned key has spoken for
        self._records_max = min(BATCH_RECORDS_MAX, self._records_max * 2)
        await self._take_grants(reply.grants)
        await self._take_commands(reply.commands)
        await self._take_documents(reply.documents)
        await self._site.desk.agreed()
        await self._site.heard()

    def _batch(self) -> Batch:
        """The next records, and the head right after them: headquarters compares roots at the end of each batch."""
        first, size = self._next_seq, self._journal.size
        limit = min(self._records_max, size - first)
        records = self._journal.read(first, limit, BATCH_BYTES_MAX - BATCH_ENVELOPE_BYTES) if limit else []
        assert records or not limit, f"record {first} is not in the journal, which has {size}"
        stamp = self._clock.stamp()
        checkpoint = self._journal.checkpoint_at(first + len(records))
        return Batch(first, records, checkpoint, stamp.boot, stamp.mono_ms, stamp.wall_ms)

    def _learn(self, time_ms: int, asked_ms: int, heard_ms: int) -> None:
        """Headquarters read its clock between our question and its answer."""
        if not self._clock.learn(time_ms, time_ms + heard_ms - asked_ms + 1, at_mono_ms=heard_ms):
            what = "headquarters' time contradicts what it said before"
            self._note("clock", what, "Check the clock of headquarters' machine (`chronyc tracking`).")

    async def _follow_keys(self, refs: Sequence[DocumentRef]) -> None:
        try:
            await key_chain.follow(self._hq, self.believed, self._journal.site, refs)
        except (Unproven, NotCanonical, HqRefused) as error:
            self._note("keys", str(error), "Pin what `fieldtill-hq keys` prints at headquarters.")

    async def _take_acknowledgement(self, note: bytes, batch: Batch) -> None:
        """Keep the cosigned head, when it is one of this very log. Raises LogForked, HqGarbled."""
        end = batch.first_seq + len(batch.records)
        try:
            head = trust.check_cosignature(self.believed, note, self._journal.origin)
        except Unproven as error:
            raise HqGarbled(f"the acknowledgement: {error}") from error
        if head.size > self._journal.size:
            raise LogForked(f"headquarters has {head.size} records of this log, this disk {self._journal.size}")
        if head.size < end:
            raise HqGarbled(f"{head.size} records acknowledged of {end} sent")
        ours = batch.checkpoint if head.size == end else self._journal.checkpoint_at(head.size)
        if Note.parse(note).text != Note.parse(ours).text:
            raise LogForked(f"the first {head.size} records at headquarters are others than those on this disk")
        if head.size > self._cosigned:
            await self._journal.store_cosignature(note, head.size)
            self._cosigned = head.size
            self._acknowledged.set()
            self._acknowledged = asyncio.Event()
        self._next_seq = head.size

    async def _take_grants(self, signed: Sequence[bytes]) -> int:
        """Hand on what headquarters signed for this log. How many told something new."""
        good: list[bytes] = []
        for one in signed:
            try:
                trust.check_grant(self.believed, one, self._journal.site, self._journal.epoch)
            except (Unproven, NotCanonical) as error:
                self._note("grant", str(error), error.remedy)
            else:
                good.append(one)
        return await self._site.take_grants(good) if good else 0

    async def _take_commands(self, signed: Sequence[bytes]) -> None:
        """Headquarters repeats a command until it expires; the site runs each at most once. One is had once it has run:
        a turn that is cut short leaves those behind it for the next.
        """
        self._commands &= set(signed)
        for one in signed:
            if one in self._commands:
                continue
            try:
                outcome = await self._site.command(trust.check_command(self.believed, one))
            except (Unproven, NotCanonical) as error:
                self._note("command", str(error), error.remedy)
            else:
                log.info("command", outcome=outcome)
            self._commands.add(one)

    async def _take_documents(self, refs: Sequence[DocumentRef]) -> None:
        """Fetch what is newer than what is in force here, and put it in force."""
        for ref in refs:
            held = self._site.desk.state.pins.get(ref.kind)
            if ref.kind not in papers.CONTENT or (held is not None and ref.version <= held.version):
                continue
            try:
                document = await papers.fetch(self._hq, self.believed, self._journal, ref, held)
                faults = papers.faults_in(document, self._site.credential_key)
            except (Unproven, NotCanonical, HqRefused) as error:
                self._note("document", f"{ref.kind} {ref.version}: {error}", error.remedy)
                continue
            if faults:
                self._note("document", f"{ref.kind} {ref.version}: {faults[0]}", "Publish it again, as it must be.")
            else:
                await self._site.take_documents([encode(document)])
                log.info("document in force", kind=ref.kind, version=ref.version)

    # --- what follows from a failure ---------------------------------------------------------------------------------

    def _answered(self) -> None:
        self._contact_ms = self._clock.mono_ms()
        self._set_online(True)

    def _set_online(self, online: bool) -> None:
        if online != self._online:
            self._online, self._since_ms = online, self._clock.mono_ms()
            log.info("headquarters reached" if online else "headquarters lost")

    async def _refused(self, error: HqRefused) -> float:
        self._answered()
        if error.code is RefusalCode.GAP and error.size < self._next_seq:
            log.warning("headquarters has less than it acknowledged", first_seq=self._next_seq, has=error.size)
            self._next_seq = error.size
            return 0
        if error.code in (RefusalCode.FORK, RefusalCode.EPOCH_FROZEN):
            return await self._stop(error)
        self._note(error.refusal.code, error.what, error.remedy)
        sent = min(self._records_max, self._journal.size - self._next_seq)
        if error.code in (RefusalCode.TOO_LARGE, RefusalCode.NOT_CANONICAL) and sent > 1:
            self._records_max = sent // 2  # so that all before the record that is at fault gets through
            return 0
        return REFUSED_S

    async def _stop(self, error: HqError) -> float:
        """Upload nothing more until a person has acted. What this log sold from here on might be sold twice: no new
        sessions, and running ones finish.
        """
        code = error.refusal.code if isinstance(error, HqRefused) else RefusalCode.FORK.value
        if self._stopped is None:
            log.error("uploading stopped", why=error.what, remedy=error.remedy)
        await self._site.desk.dispute(error.what)
        self._stopped = error.what
        self._note(code, error.what, error.remedy)
        return FROZEN_S

    def _failed(self, error: HqError) -> float:
        self._failures += 1
        self._records_max = max(BATCH_RECORDS_MIN, self._records_max // 2)
        if isinstance(error, HqUnreachable):
            self._set_online(False)
        self._note(type(error).__name__, error.what, error.remedy)
        return self._pause_s()

    def _pause_s(self) -> float:
        longest_s = min(BACK_OFF_MAX_S, 2 * self._config.poll_s)
        pause_s = min(longest_s, BACK_OFF_FIRST_S * 2 ** min(self._failures - 1, 10))
        return self._jitter(pause_s / 2, pause_s)

    def _note(self, code: str, what: str, remedy: str) -> None:
        if self._trouble is None or (self._trouble.code, self._trouble.what) != (code, what):
            log.warning("headquarters", code=code, what=what, remedy=remedy)
        self._trouble = Trouble(code, what, remedy, self._clock.mono_ms())


def _falls_short(reply: GrantReply, want: int) -> bool:
    """Whether headquarters would have granted more, had it had the money. One that cannot be read says nothing."""
    if reply.refusal:
        return reply.refusal == NO_FUNDS
    try:
        return grants.split(reply.grant)[0].granted < want
    except NotCanonical:
        return False
