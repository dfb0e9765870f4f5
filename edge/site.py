"""The site at work: taps, commands and looks go in; the desk decides and commits; drives and the uplink are woken.

One object for whoever asks the running daemon for something: readers, the panel, the uplink.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from drivers.errors import DeviceError
from edge.asking import AskForGrant, Asking
from edge.clock import Clock
from edge.desk import Desk
from edge.host import Hall
from edge.journal.errors import JournalFull
from edge.plant.drive import Drive
from edge.plant.watch import Watch
from edge.till import purse
from edge.till.command import vet
from edge.till.progress import Phase, StopReason
from edge.till.sight import Sight
from edge.till.start import Ask, Refusal, Refused, Source, ask_of
from edge.till.state import Lease, OpenSession
from protocols.trade.codec import decode
from protocols.trade.grants import CredentialKey, hide_credential
from protocols.trade.records import ClockMoved, DayClosed, Draft, Notice, Origin, Preset, TechnicianAct
from protocols.trade.wire import Command

if TYPE_CHECKING:  # a box without pumps, ports or cabinets never loads them
    from edge.forecourt.islands import Islands
    from edge.ports.ports import PortHall
    from edge.shop.shop import Shop

LOOK_S = 0.25
"""How often every running session is looked at. Readings change with the poll period of the devices."""
BOUNDARY_LEAD_MS = 150
"""Meters are asked this long before a price changes and again right after, so that little energy lies across it."""

JOIN_S = 180
"""A code for a connector joins the session that a card has begun there for so long after its start."""
IN_VAIN_MAX = 100
"""Starts that came to nothing and whose grants may still arrive; those of older ones go back after a next session."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a tap came to: a session opened or ended, or why not."""

    connector: str
    session: OpenSession | None
    ended: bool
    refused: Refused | None


class Site:
    """What the daemon can be asked to do."""

    def __init__(
        self, desk: Desk, watch: Watch, clock: Clock, drives: Mapping[str, Drive], credential_key: CredentialKey
    ) -> None:
        self.desk = desk
        self.watch = watch
        self.clock = clock
        self.drives = drives
        self.looked_ms = clock.mono_ms()
        self.on_change: list[Callable[[], None]] = []
        self.ask_for_grant: AskForGrant | None = None
        self.is_online: Callable[[], bool] = lambda: False
        self.credential_key = credential_key
        self._command_ran = 0
        self._disk_full = False
        self.starting: set[str] = set()
        """Connectors and pumps where a start is under way."""
        self.islands: Islands | None = None
        """The pumps. None: this site has none."""
        self.ports: PortHall | None = None
        """The charging ports and lockers. None: this site has none."""
        self.shop: Shop | None = None
        """The cabinets. None: this site has none."""
        self._in_vain: deque[tuple[Source, ...]] = deque(maxlen=IN_VAIN_MAX)
        self._kept: dict[str, int] = {}
        self._left_over = {key for key, lease in desk.state.leases.items() if lease.rights > lease.may_stay}

    async def tap(self, connector: str, card: str) -> Tapped:
        """A card at a reader: stops the session that it pays for, else starts one."""
        credential = hide_credential(self.credential_key, card)
        found = self.desk.session_at(connector)
        if found is not None:
            session, progress = found
            if progress.phase != Phase.STOPPING and purse.may_stop(self.desk.state, session, credential):
                await self.stop(session.seq, StopReason.LOCAL)
                return Tapped(connector, session, ended=True, refused=None)
        origin = Origin("card", credential, 0, "")
        outcome = await self.start(Ask(connector, credential, "", Preset("full", 0), origin))
        if isinstance(outcome, Refused):
            return Tapped(connector, None, ended=False, refused=outcome)
        return Tapped(connector, outcome, ended=False, refused=None)

    async def start(self, ask: Ask) -> OpenSession | Refused:
        """Open a session: register read, rights asked for online where they are short, one commit, then energy."""
        if ask.connector in self.starting:
            return Refused(Refusal.CONNECTOR_BUSY, f"{ask.connector} is being started")
        self.starting.add(ask.connector)
        try:
            return await self._start(ask)
        finally:
            self.starting.discard(ask.connector)

    async def join(self, connector: str, source: Source) -> OpenSession | Refused:
        """A further payer for the session that a card has just begun at a connector; any other may be a stranger's."""
        found = self.desk.session_at(connector)
        if found is None:
            return Refused(Refusal.NO_SESSION, f"{connector} has no session")
        session, now = found[0], self.clock.stamp()
        just_now = session.stamp.boot == now.boot and now.mono_ms - session.stamp.mono_ms <= JOIN_S * 1000
        if session.opened.origin.via != "card" or not just_now:
            return Refused(Refusal.CONNECTOR_BUSY, f"{connector} has a session that is not this customer's")
        return await self.extend(session.seq, source)

    async def extend(self, seq: int, source: Source, most_fen: int | None = None) -> OpenSession | Refused:
        """A further hold for a running session, with rights asked for online where they are short."""
        outcome = await self.desk.extend(seq, source, most_fen=most_fen, alone=not self.is_online())
        if isinstance(outcome, Refused) and outcome.wants and self.ask_for_grant is not None:
            want = outcome.wants[0]
            await self.ask_for_grant(source.credential, want.source.account, want.total, source.asset)
            outcome = await self.desk.extend(seq, source, most_fen=most_fen, alone=not self.is_online())
        self.changed()
        return outcome

    async def stop(self, seq: int, reason: StopReason, detail: str = "") -> bool:
        """End a session. False: it is not open."""
        stopped = await self.desk.stop(seq, reason, detail)
        self.changed()
        return stopped

    async def settle_held(self, seq: int, by: str, because: str) -> str | None:
        """Close a session whose meter stays silent, now. Why not; None: done. Raises JournalFull."""
        session = self.desk.state.sessions.get(seq)
        if session is None:
            return "it is not open"
        sight = await self._see(session.opened.connector)
        why_not = await self.desk.settle_held(seq, sight, by, because)
        self.changed()
        return why_not

    async def command(self, payload: bytes) -> str:
        """A command whose signature has been checked. What became of it, in a word."""
        command = decode(payload, Command)
        refusal = vet(command, self.desk.state, self._command_ran, self.clock.stamp())
        if refusal is not None:
            log.info("command refused", number=command.number, why=refusal.value)
            return refusal.value
        self._command_ran = command.number
        halls: tuple[Hall | None, ...] = (self.islands, self.ports, self.shop)
        for hall in halls:
            if hall is not None and command.connector in hall:
                return await hall.command(command)
        if command.verb == "stop":
            found = self.desk.session_at(command.connector)
            if found is None or found[0].seq != command.session:
                return "no-such-session"
            return "stopping" if await self.stop(command.session, StopReason.REMOTE) else "no-such-session"
        origin = Origin("command", b"", command.number, "")
        try:
            ask = ask_of(command.connector, command.account, command.preset, origin)
        except ValueError as error:
            log.info("command refused", number=command.number, why=str(error))
            return Refusal.UNKNOWN_ACCOUNT.value
        outcome = await self.start(ask)
        return outcome.refusal.value if isinstance(outcome, Refused) else "started"

    async def close_day(self, by: str) -> DayClosed:
        """Read every meter that answers, and end the site day."""
        await asyncio.gather(*(self._try_read(connector) for connector in self.watch.outlets))
        await self.desk.record([Draft(TechnicianAct(by, "day-close", ""))])
        body = await self.desk.close_day(self.watch.registers(), await self._day())
        self.changed()
        return body

    async def _day(self) -> list[Draft]:
        """What a day says of pumps, tanks, cabinets and ports, before its own record."""
        if self.shop is not None:
            await self.shop.day()  # its cabinets are scanned; a filling may end meanwhile
        fuel = [] if self.islands is None else await self.islands.day()
        packs = [] if self.shop is None else self.shop.swaps.day()  # from here on nothing can end any more
        return [*fuel, *packs, *([] if self.ports is None else self.ports.day())]

    async def note(self, by: str, verb: str, detail: str) -> None:
        """A technician's act goes into the log."""
        await self.desk.record([Draft(TechnicianAct(by, verb, detail))])

    async def take_grants(self, grants: Sequence[bytes]) -> int:
        """Grants whose signatures have been checked. How many were news."""
        taken = await self.desk.take_grants(grants)
        if taken:
            await self._give_back()
            self.changed()
        return taken

    async def accept(self, grant: bytes, key: str) -> bool:
        """A grant that a customer has brought, its signature checked, and its lease. True: it was news, and is durable
        now.
        """
        news = bool(await self.desk.take_grants([grant]))
        if news:
            self._left_over.discard(key)
            self.changed()
        return news

    def keep(self, key: str, until_s: int) -> None:
        """A start that came by code was refused: what the code brought for this lease stays until the start has
        expired, since its customer may plug in the car and show the code again. Then it goes back.
        """
        self._kept[key] = max(until_s, self._kept.get(key, 0))

    async def heard(self) -> None:
        """Headquarters has just been heard: what nobody will use here any more goes back, for use elsewhere."""
        if self.starting:
            return
        now_s, leases = self.clock.stamp().lb_ms // 1000, self.desk.state.leases
        late = {key for key, until_s in self._kept.items() if now_s > until_s}
        expired = {key for key, lease in leases.items() if purse.expired(lease, now_s * 1000)}
        self._kept = {key: until_s for key, until_s in self._kept.items() if key not in late}
        keys = (self._left_over | late | expired) & leases.keys()
        self._left_over = set()
        with suppress(JournalFull):  # then it goes back another time
            await self.desk.give_back([leases[key] for key in sorted(keys)])

    async def take_documents(self, documents: Sequence[bytes]) -> None:
        """Documents whose signatures have been checked."""
        await self.desk.take_documents(documents)
        self.changed()

    async def save(self) -> None:
        """Save whatever runs now, as before an orderly end of the daemon."""
        await self.desk.save()
        if self.islands is not None:
            await self.islands.fills.save()
        if self.ports is not None:
            await self.ports.ports.save()

    async def run(self) -> None:
        """Look at every running session, for ever."""
        while True:
            await self._look()
            wait_s = LOOK_S
            boundary_ms = self.desk.boundary_in_ms()
            if boundary_ms is not None and boundary_ms <= LOOK_S * 1000 + BOUNDARY_LEAD_MS:
                await self._read_at_boundary(boundary_ms)
                continue
            await asyncio.sleep(wait_s)

    async def _look(self) -> None:
        before = self.desk.state.size
        moved = self.clock.moved()
        try:
            if moved is not None and not self.desk.state.closed:
                old_ms, new_ms = moved
                log.warning("the clock was set", old_ms=old_ms, new_ms=new_ms)
                await self.desk.record([Draft(ClockMoved(old_ms, new_ms, self.clock.stamp().quality))])
            await self.desk.look(self._sights())
            await self._tell_of_disk()
            await self._close_if_asked()
        except JournalFull as error:
            log.error("nothing could be saved", error=str(error), remedy=error.remedy)
        self.looked_ms = self.clock.mono_ms()
        if self.desk.state.size != before:
            self.changed()
        for drive in self.drives.values():
            drive.wake()

    async def _tell_of_disk(self) -> None:
        """A full disk is told once, in the journal of the system and in the site's log, where headquarters sees it."""
        journal = self.desk.journal
        if journal.full == self._disk_full or self.desk.state.closed:
            return
        self._disk_full = journal.full
        if not journal.full:
            log.info("the disk has room again")
            return
        log.error(
            "the disk is full", remedy="Free space on the journal's file system; the ballast comes back by itself."
        )
        detail = "the ballast is used up by running sessions, which finish; no session begins"
        await self.desk.record([Draft(Notice("disk-full", journal.site, detail))])

    async def _close_if_asked(self) -> None:
        """CLOSE, once nobody charges or fills any more and nobody is about to."""
        desk = self.desk
        state = desk.state
        besides = state.forecourt.fillings or state.shop.swaps or state.ports.sessions or state.ports.stays
        running = desk.sessions() or besides or self.starting
        if desk.closing is None or desk.state.closed or running:
            return
        if desk.disputed is not None or desk.guard.waiting is not None:
            return  # this may not be the log that headquarters knows
        await asyncio.gather(*(self._try_read(connector) for connector in self.watch.outlets))
        await desk.close_epoch(desk.closing, self.watch.registers(), await self._day())
        log.warning("the epoch is closed", epoch=desk.state.epoch, records=desk.state.size, why=desk.closing.why)

    def _sights(self) -> dict[str, Sight]:
        """What is seen everywhere, and since when it can be the outcome of what the charger was told last."""
        sights = self.watch.sights()
        for connector, drive in self.drives.items():
            quiet_ms = drive.quiet_ms()
            if connector in sights and quiet_ms is not None:
                seen = sights[connector]
                order_ms = max(0, seen.now.mono_ms - quiet_ms)
                sights[connector] = replace(seen, order_ms=order_ms, paused=drive.paused)
        return sights

    async def _read_at_boundary(self, boundary_ms: int) -> None:
        """One reading right before the price changes and one right after: what lies between takes the cheaper price."""
        connectors = [session.opened.connector for session, _ in self.desk.sessions()]
        running = [connector for connector in connectors if connector in self.watch.outlets]
        await asyncio.sleep(max(0, boundary_ms - BOUNDARY_LEAD_MS) / 1000)
        await asyncio.gather(*(self._try_read(connector) for connector in running))
        await self._look()
        left_ms = self.desk.boundary_in_ms()
        if left_ms is not None and left_ms <= BOUNDARY_LEAD_MS:
            await asyncio.sleep(left_ms / 1000)
        await asyncio.gather(*(self._try_read(connector) for connector in running))
        await self._look()

    async def _try_read(self, connector: str) -> None:
        try:
            await self.watch.read_now(connector)
        except DeviceError as error:
            log.debug("no register now", connector=connector, error=str(error))

    async def _start(self, ask: Ask) -> OpenSession | Refused:
        sight = await self._see(ask.connector)
        asking = Asking(self.ask_for_grant)
        while await asking.more(self.desk.rehearse(ask, sight)):
            sight = await self._see(ask.connector)  # seconds may have passed: the session begins now
        outcome = await self.desk.start(replace(ask, alone=not self.is_online()), sight)
        self.changed()
        if isinstance(outcome, Refused):
            log.info("refused", connector=ask.connector, why=outcome.refusal.value, detail=outcome.detail)
            await self.in_vain(ask.connector, ask.sources, asking)
            return outcome
        drive = self.drives.get(ask.connector)
        if drive is not None:
            drive.wake()
        return outcome

    async def in_vain(self, place: str, sources: tuple[Source, ...], asking: Asking) -> None:
        """A start came to nothing: what was granted for it goes back, now or as soon as it has come."""
        if asking.may_come_late:
            self._in_vain.append(sources)
        if asking.granted:
            await self._give_back(besides=place)

    async def _give_back(self, besides: str = "") -> None:
        """What was granted for a start that came to nothing (the answer may come late), and what is a frozen account's:
        nobody uses it here, and the customer may want it elsewhere. Headquarters has just been heard, and will know.
        """
        if self.starting - {besides}:
            return  # one of them may be about to use it
        state = self.desk.state
        asked = {sources: [self._lease(source) for source in sources] for sources in self._in_vain}
        frozen = [lease for lease in state.leases.values() if lease.frozen]
        with suppress(JournalFull):  # then it goes back another time
            named = [lease for leases in asked.values() for lease in leases]
            returned = await self.desk.give_back([lease for lease in (*named, *frozen) if lease is not None])
            still = (sources for sources, leases in asked.items() if not any(lease in returned for lease in leases))
            self._in_vain = deque(still, maxlen=IN_VAIN_MAX)

    def _lease(self, source: Source) -> Lease | None:
        return purse.lease_of(self.desk.state, account=source.account, credential=source.credential, asset=source.asset)

    async def _see(self, connector: str) -> Sight:
        """The connector with its meter read just now, if it answers."""
        if connector not in self.watch.outlets:
            return Sight(self.clock.stamp(), None, None, None)
        await self._try_read(connector)
        return self.watch.sight(connector)

    def changed(self) -> None:
        """The log, or what is seen, may be another now: whoever tells of it is woken."""
        for callback in self.on_change:
            callback()
