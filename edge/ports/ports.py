"""The ports at work: whoever wants something of a charging port asks here; loops and the desk do the rest.

Cards at a board's reader, remote commands, codes on phones and the technician all come to this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from drivers.port_board import PortBoard, PortTraits
from edge.asking import Asking
from edge.clock import Clock
from edge.host import Host
from edge.journal.errors import JournalFull
from edge.ports.board_loop import BoardLoop
from edge.ports.locker_desk import LockerDesk
from edge.ports.lockers import Lockers
from edge.ports.port_desk import PortDesk
from edge.till.ask import Refusal, Refused, Source
from edge.till.port.ask import PortAsk
from edge.till.port.place import PortPlace
from edge.till.port.progress import PortEnds
from edge.till.port.sight import PortSight
from edge.till.state import OpenPort
from protocols.trade.records import Draft, Origin
from protocols.trade.tender import payers
from protocols.trade.wire import Command

STORED_S = 0.25
"""How soon after its door was shut a locker begins to charge."""
ORPHANS_S = 5.0
"""How often sessions at boards that the config does not name any more are looked at."""

log = structlog.get_logger()


class PortHall:
    """What the daemon can be asked to do at its charging ports."""

    def __init__(
        self, site: Host, ports: PortDesk, lockers: LockerDesk, boards: Mapping[str, PortBoard], clock: Clock
    ) -> None:
        """boards: by id; their ports stand in `ports.places`."""
        self.site = site
        self.ports = ports
        self._clock = clock
        self.loops: dict[str, BoardLoop] = {}
        for name, board in boards.items():
            places = {place.port: place for place in ports.places.values() if place.board == name}
            self.loops[name] = BoardLoop(board, places, ports, lockers, clock, site.changed)
        self.lockers = Lockers(self, lockers, self.loops)

    def __contains__(self, place: object) -> bool:
        return place in self.ports.places

    def keep(self, keep: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
        """Start every loop as a task of the daemon."""
        for name, loop in self.loops.items():
            keep(f"board {name}", loop.run())
        keep("boards gone", self._orphans())
        keep("lockers", self._charge_stored())

    def sight(self, place: PortPlace) -> PortSight:
        """A port as last told. No I/O."""
        return self.loops[place.board].sight(place.port)

    # --- customers ---------------------------------------------------------------------------------------------------

    async def start(self, ask: PortAsk) -> OpenPort | Refused:
        """Open a session: port read, rights asked for online where they are short, one commit, then the loop starts
        it.
        """
        place = self.ports.places.get(ask.place)
        if place is None:
            return await self.ports.start(ask, PortSight(self._clock.stamp()))
        if ask.place in self.site.starting or self.ports.session_at(ask.place) is not None:
            return Refused(Refusal.PORT_BUSY, f"port {ask.place} has a session")
        loop = self.loops[place.board]
        self.site.starting.add(ask.place)
        try:
            async with loop.lock:
                outcome = await self._start(loop, place, ask)
        finally:
            self.site.starting.discard(ask.place)
        self.site.changed()
        loop.wake()
        return outcome

    async def stop(self, seq: int, reason: PortEnds, detail: str = "") -> bool:
        """End a session. False: it is not open, or over already."""
        found = self.ports.session(seq)
        stopped = await self.ports.stop(seq, reason, detail)
        if found is not None and found[0].opened.board in self.loops:
            self.loops[found[0].opened.board].wake()
        self.site.changed()
        return stopped

    async def command(self, command: Command) -> str:
        """A command whose signature and number have been checked. What became of it, in a word."""
        if command.verb == "stop":
            found = self.ports.session_at(command.connector)
            if found is None or found[0].seq != command.session:
                return "no-such-session"
            return "stopping" if await self.stop(command.session, PortEnds.REMOTE) else "no-such-session"
        try:
            sources = sources_of(command.account)
        except ValueError as error:
            log.info("command refused", number=command.number, why=str(error))
            return Refusal.UNKNOWN_ACCOUNT.value
        origin = Origin("command", b"", command.number, "")
        outcome = await self.start(PortAsk(command.connector, command.preset, origin, sources))
        return outcome.refusal.value if isinstance(outcome, Refused) else "started"

    # --- staff -------------------------------------------------------------------------------------------------------

    def day(self) -> list[Draft]:
        """What a day close says of ports and lockers."""
        return list(self.ports.day())

    async def settle_held(self, seq: int, by: str, because: str) -> str | None:
        """Close a session that is held for review by what was known last. Why not; None: done. Raises JournalFull."""
        found = self.ports.session(seq)
        if found is None:
            return "it is not open"
        loop = self.loops.get(found[0].opened.board)
        if loop is None:
            return await self.ports.settle_held(seq, PortSight(self._clock.stamp()), by, because)
        async with loop.lock:
            why_not = await self.ports.settle_held(seq, loop.sight(found[0].opened.port), by, because)
        self.site.changed()
        return why_not

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _start(self, loop: BoardLoop, place: PortPlace, ask: PortAsk) -> OpenPort | Refused:
        asking = Asking(self.site.ask_for_grant)
        sight = await loop.look_closely(place.port)
        while await asking.more(self.ports.rehearse(ask, sight)):
            sight = await loop.look_closely(place.port)  # seconds may have passed: the session begins now
        outcome = await self.ports.start(replace(ask, alone=not self.site.is_online()), sight)
        if isinstance(outcome, Refused):
            log.info("refused", port=ask.place, why=outcome.refusal.value, detail=outcome.detail)
            await self.site.in_vain(ask.place, ask.sources, asking)
        return outcome

    async def look_at_orphans(self) -> None:
        """One look at sessions whose board has gone from the config: nobody sees how they end, so they are held, then
        let go.
        """
        for session, _ in self.ports.sessions():
            if session.opened.board not in self.loops and session.seq in self.ports:
                try:
                    await self.ports.look(session, PortSight(self._clock.stamp()), _place_of(session))
                except JournalFull as error:
                    log.error("nothing could be saved", error=str(error), remedy=error.remedy)

    async def charge_stored(self) -> None:
        """Start what shall charge in lockers that have been shut: just now, or before a restart."""
        for stay in self.lockers.to_charge():
            try:
                await self.lockers.charge(stay)
            except JournalFull as error:
                log.error("nothing could be saved", error=str(error), remedy=error.remedy)

    async def _charge_stored(self) -> None:
        while True:
            await self.charge_stored()
            await asyncio.sleep(STORED_S)

    async def _orphans(self) -> None:
        while True:
            await self.look_at_orphans()
            await asyncio.sleep(ORPHANS_S)


def sources_of(accounts: str) -> tuple[Source, ...]:
    """Who pays, named as in `tender.payers`. Raises ValueError."""
    return tuple(Source(payer.account, asset=payer.asset) for payer in payers(accounts))


def _place_of(session: OpenPort) -> PortPlace:
    """A port that has gone, as its session's opening record knows it."""
    opened = session.opened
    traits = PortTraits(
        ports=(opened.port,),
        doors=False,
        feels_plug=False,
        counts_energy=opened.counts_energy,
        energy_step_wh=1,
        power_w_max=opened.power_w_max,
        time_max_s=opened.time_max_s,
    )
    return PortPlace(opened.board, opened.port, opened.price, traits)
