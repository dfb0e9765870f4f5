"""The forecourt at work: whoever wants something of a pump asks here; loops and the desk do the rest.

Cards at an island's reader, remote commands, codes on phones, the attendant and the technician all come to this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from drivers.errors import DeviceError
from drivers.pump import Pump, PumpTraits
from edge.asking import Asking
from edge.clock import Clock
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.pump_loop import PumpLoop
from edge.forecourt.tanks import Tanks
from edge.host import Host
from edge.journal.errors import JournalFull
from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.ask import FillAsk
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.progress import FillEnd
from edge.till.fill.sight import FillSight
from edge.till.state import OpenFilling
from protocols.trade.records import Draft, Origin, TechnicianAct
from protocols.trade.records_fuel import PumpTotals
from protocols.trade.tender import payers
from protocols.trade.wire import Command

ORPHANS_S = 5.0
"""How often fillings at pumps that the config does not name any more are looked at."""

log = structlog.get_logger()


class Islands:
    """What the daemon can be asked to do at its pumps."""

    def __init__(
        self,
        site: Host,
        fills: FillDesk,
        pumps: Mapping[str, Pump],
        numbers: Mapping[str, str],
        clock: Clock,
        tanks: Tanks | None = None,
    ) -> None:
        """pumps: by id, as `fills.points`. numbers: of pumps as customers read them, to their ids."""
        self.site = site
        self.fills = fills
        self.loops = {
            name: PumpLoop(pump, fills.points[name], fills, clock, site.changed) for name, pump in pumps.items()
        }
        self.tanks = Tanks(fills.desk, clock, {}, {}) if tanks is None else tanks
        self._numbers = numbers
        self._clock = clock

    def __contains__(self, name: object) -> bool:
        return name in self.loops or name in self._numbers

    def id_of(self, name: str) -> str:
        """A pump's id, by its id or its number; what is neither stays as it is."""
        return name if name in self.loops else self._numbers.get(name, name)

    def keep(self, keep: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
        """Start every loop as a task of the daemon."""
        for name, loop in self.loops.items():
            keep(f"pump {name}", loop.run())
        keep("pumps gone", self._orphans())
        keep("tanks", self.tanks.run())

    # --- customers ---------------------------------------------------------------------------------------------------

    async def start(self, ask: FillAsk) -> OpenFilling | Refused:
        """Open a filling: pump read, rights asked for online where they are short, one commit, then the loop
        authorises.
        """
        loop = self.loops.get(ask.pump)
        if loop is None:
            return await self.fills.start(ask, FillSight(self._clock.stamp()))
        if ask.pump in self.site.starting or self.fills.filling_at(ask.pump) is not None:
            return Refused(Refusal.PUMP_BUSY, f"pump {ask.pump} has a filling")
        self.site.starting.add(ask.pump)
        try:
            async with loop.lock:
                outcome = await self._start(loop, ask)
        finally:
            self.site.starting.discard(ask.pump)
        self.site.changed()
        loop.wake()
        return outcome

    async def stop(self, seq: int, reason: FillEnd, detail: str = "") -> bool:
        """End a filling. False: it is not open, or over already."""
        found = self.fills.filling(seq)
        stopped = await self.fills.stop(seq, reason, detail)
        if found is not None and found[0].opened.pump in self.loops:
            self.loops[found[0].opened.pump].wake()
        self.site.changed()
        return stopped

    async def pay(self, seq: int, source: Source) -> OpenFilling | Refused:
        """Another payer for a filling on somebody's guarantee, with rights asked for online where they are short."""
        asking = Asking(self.site.ask_for_grant)
        outcome = await self.fills.pay(seq, source, alone=not self.site.is_online())
        while isinstance(outcome, Refused) and await asking.more(outcome.wants):
            outcome = await self.fills.pay(seq, source, alone=not self.site.is_online())
        if isinstance(outcome, Refused):
            await self.site.in_vain("", (source,), asking)
        self.site.changed()
        return outcome

    async def command(self, command: Command) -> str:
        """A command whose signature and number have been checked. What became of it, in a word."""
        pump = self.id_of(command.connector)
        if command.verb == "stop":
            found = self.fills.filling_at(pump)
            if found is None or found[0].seq != command.session:
                return "no-such-session"
            return "stopping" if await self.stop(command.session, FillEnd.REMOTE) else "no-such-session"
        try:
            sources = sources_of(command.account)
        except ValueError as error:
            log.info("command refused", number=command.number, why=str(error))
            return Refusal.UNKNOWN_ACCOUNT.value
        origin = Origin("command", b"", command.number, "")
        outcome = await self.start(FillAsk(pump, command.preset, origin, sources))
        return outcome.refusal.value if isinstance(outcome, Refused) else "started"

    # --- staff -------------------------------------------------------------------------------------------------------

    async def tell(self, pump: str, verb: str, by: str) -> None:
        """`stop`, `suspend` or `resume` a pump; it goes into the log. Raises DeviceError."""
        loop = self.loops[pump]
        await self.fills.desk.record([Draft(TechnicianAct(by, f"pump-{verb}", pump))])
        found = self.fills.filling_at(pump)
        if verb == "stop" and found is not None:
            await self.stop(found[0].seq, FillEnd.LOCAL, f"by {by} at the panel")
            return
        async with loop.lock:
            await {"stop": loop.pump.stop, "suspend": loop.pump.suspend, "resume": loop.pump.resume}[verb]()
        loop.wake()

    async def day(self) -> list[Draft]:
        """All pumps and gauges read that answer, the log brought to it; what a day close says of fuel.

        Raises JournalFull.
        """
        await self.tanks.dip_all()
        return self.fills.day(await self.read_totals())

    async def read_totals(self) -> list[PumpTotals]:
        """Of all pumps that answer, now; the log is brought to those of pumps without a filling. Raises JournalFull."""
        seen = await asyncio.gather(*(self._totals(loop) for loop in self.loops.values()))
        return [totals for totals in seen if totals is not None]

    async def settle_held(self, seq: int, by: str, because: str) -> str | None:
        """Close a filling that is held for review by what is known of it. Why not; None: done. Raises JournalFull."""
        found = self.fills.filling(seq)
        if found is None:
            return "it is not open"
        loop = self.loops.get(found[0].opened.pump)
        if loop is None:
            why_not = await self.fills.settle_held(found[0], _point_of(found[0]), None, by, because)
        else:
            async with loop.lock:
                status = loop.eye.sight().status_within(self.fills.policy.silence_s * 1000)
                why_not = await self.fills.settle_held(found[0], loop.point, status, by, because)
        self.site.changed()
        return why_not

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _start(self, loop: PumpLoop, ask: FillAsk) -> OpenFilling | Refused:
        asking = Asking(self.site.ask_for_grant)
        sight = await loop.look_closely()
        while await asking.more(self.fills.rehearse(ask, sight)):
            sight = await loop.look_closely()  # seconds may have passed: the filling begins now
        outcome = await self.fills.start(replace(ask, alone=not self.site.is_online()), sight)
        if isinstance(outcome, Refused):
            log.info("refused", pump=ask.pump, why=outcome.refusal.value, detail=outcome.detail)
            await self.site.in_vain(ask.pump, ask.sources, asking)
        return outcome

    async def _totals(self, loop: PumpLoop) -> PumpTotals | None:
        """One pump's, now; None: it does not answer, or has a filling that gives none."""
        async with loop.lock:
            try:
                return await loop.read_totals()
            except DeviceError as error:
                log.info("no totals now", pump=loop.point.id, error=str(error))
                return None

    async def look_at_orphans(self) -> None:
        """One look at fillings whose pump has gone from the config: nobody sees how they end, so they are held, then
        let go.
        """
        for filling, _ in self.fills.fillings():
            if filling.opened.pump not in self.loops and filling.seq in self.fills:
                try:
                    await self.fills.look(filling, FillSight(self._clock.stamp()), _point_of(filling))
                except JournalFull as error:
                    log.error("nothing could be saved", error=str(error), remedy=error.remedy)

    async def _orphans(self) -> None:
        while True:
            await self.look_at_orphans()
            await asyncio.sleep(ORPHANS_S)


def sources_of(accounts: str) -> tuple[Source, ...]:
    """Who pays, named as in `tender.payers`. Raises ValueError."""
    return tuple(Source(payer.account, asset=payer.asset) for payer in payers(accounts))


def _point_of(filling: OpenFilling) -> FuelPoint:
    """A pump that has gone, as its filling's opening record knows it."""
    opened = filling.opened
    traits = PumpTraits(
        nozzles=tuple(one.nozzle for one in opened.offered),
        volume_step_ml=opened.volume_step_ml,
        amount_step_fen=opened.amount_step_fen,
        price_step_e3=1,
        total_step_ml=opened.total_step_ml,
        total_ml_wraps=2**53,
        amount_max_fen=0,
        volume_max_ml=0,
        price_max_e3=0,
        lift_first=False,
        can_suspend=False,
    )
    return FuelPoint(opened.pump, {one.nozzle: NozzlePlace(one.grade, one.tank) for one in opened.offered}, traits)
