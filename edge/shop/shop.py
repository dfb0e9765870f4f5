"""The shop at work: whoever wants something of a cabinet asks here; loops and the desk do the rest.

Cards at a cabinet's reader, codes on phones, remote commands, the panel and the technician all come to this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import structlog

from drivers.cabinet import Cabinet
from edge.asking import Asking
from edge.clock import Clock
from edge.host import Host
from edge.journal.errors import JournalFull
from edge.shop.cabinet_loop import CabinetLoop
from edge.shop.swap_desk import SwapDesk
from edge.till import purse
from edge.till.ask import Opening, Refusal, Refused, Source, Want
from edge.till.state_shop import OpenSwap, PackPlace
from edge.till.swap import rest
from edge.till.swap.ask import SwapAsk
from edge.till.swap.slots import View, empty_of_late
from protocols.trade.grants import hide_credential
from protocols.trade.records import Draft, Origin, Preset, TechnicianAct
from protocols.trade.records_pack import PackNoted, PacksScanned, SlotSet, SwapKind, SwapOpened
from protocols.trade.tender import payers
from protocols.trade.wire import Command

ORPHANS_S = 5.0
"""How often sessions at cabinets that the config does not name any more are looked for."""
ASK_AGAIN_MS = 600_000
"""So long headquarters is not asked again for a plan that it had nothing of, while money pays."""
KINDS: Mapping[str, SwapKind] = {"full": "swap", "swap": "swap", "rent": "rent", "return": "return"}

log = structlog.get_logger()


class Shop:
    """What the daemon can be asked to do at its cabinets."""

    def __init__(self, site: Host, swaps: SwapDesk, cabinets: Mapping[str, Cabinet], clock: Clock) -> None:
        """cabinets: by id, as `swaps.places`."""
        self.site = site
        self.swaps = swaps
        self.loops = {name: CabinetLoop(cabinet, swaps, clock, site.changed) for name, cabinet in cabinets.items()}
        self._numbers = {place.number: place.id for place in swaps.places.values() if place.number}
        self._clock = clock
        self._asked_ms: dict[tuple[str, str], int] = {}  # by account and asset, where something else paid

    def __contains__(self, name: object) -> bool:
        return name in self.loops or name in self._numbers

    def id_of(self, name: str) -> str:
        """A cabinet's id, by its id or the number on it; what is neither stays as it is."""
        return name if name in self.loops else self._numbers.get(name, name)

    def keep(self, keep: Callable[[str, Coroutine[Any, Any, None]], None]) -> None:
        """Start every loop as a task of the daemon."""
        for name, loop in self.loops.items():
            keep(f"cabinet {name}", loop.run())
        keep("cabinets gone", self._orphans())

    # --- customers ---------------------------------------------------------------------------------------------------

    async def start(self, ask: SwapAsk) -> OpenSwap | Refused:
        """Open a session: the slot it would use asked, unless it has been empty all the while; rights asked for online
        where they are short; one commit. Then the loop opens the first door.
        """
        loop = self.loops.get(ask.cabinet)
        if loop is None:
            return await self.swaps.start(ask, None)
        if ask.cabinet in self.site.starting or self.swaps.swap_at(ask.cabinet) is not None:
            return Refused(Refusal.CABINET_BUSY, f"cabinet {ask.cabinet} is in use (F-02)")
        self.site.starting.add(ask.cabinet)
        try:
            outcome = await self._start(loop, ask)
        finally:
            self.site.starting.discard(ask.cabinet)
        self.site.changed()
        loop.wake()
        return outcome

    async def tap(self, cabinet: str, card: str) -> OpenSwap | Refused:
        """A card at a cabinet's reader: a swap; the rider's second tap says that the first has been seen, no more."""
        credential = hide_credential(self.site.credential_key, card)
        name = self.id_of(cabinet)
        running = self.swaps.swap_at(name)
        if running is not None and purse.opens(self.swaps.desk.state, credential, running.account):
            return running
        origin = Origin("card", credential, 0, "")
        return await self.start(SwapAsk(name, "swap", origin, self._clock.mono_ms(), credential=credential))

    async def begin(
        self, cabinet: str, preset: Preset, origin: Origin, account: str, *, offer: str = "", consent: bool = False
    ) -> OpenSwap | Refused:
        """A start from afar, by command or code. Its preset says the kind of session: `swap`, `rent` or `return`;
        `full` is a swap. offer: empty: the first that fits. consent: the rider takes a pack that is not full, too.
        """
        kind = KINDS.get(preset.kind)
        if kind is None:
            return Refused(Refusal.UNKNOWN_PRESET, f"a preset is {', '.join(KINDS)}; not {preset.kind}")
        now_ms = self._clock.mono_ms()
        return await self.start(
            SwapAsk(self.id_of(cabinet), kind, origin, now_ms, account=account, offer=offer, consent=consent)
        )

    async def cancel(self, seq: int, by: str = "") -> bool:
        """End a session as soon as nothing stands in the way. by: staff; it goes into the log. False: it is not open,
        or its pack has been given. Raises JournalFull.
        """
        swap = self.swaps.swap(seq)
        if swap is None or not self.swaps.cancel(seq):
            return False
        if by:
            await self.swaps.desk.record([Draft(TechnicianAct(by, "swap-cancel", f"session {seq}"))])
        if swap.opened.cabinet in self.loops:
            self.loops[swap.opened.cabinet].wake()
        return True

    async def command(self, command: Command) -> str:
        """A command whose signature and number have been checked. What became of it, in a word."""
        name = self.id_of(command.connector)
        if command.verb == "stop":
            found = self.swaps.swap_at(name)
            if found is None or found.seq != command.session:
                return "no-such-session"
            return "stopping" if await self.cancel(command.session) else "no-such-session"
        try:
            account = payers(command.account)[0].account
        except ValueError as error:
            log.info("command refused", number=command.number, why=str(error))
            return Refusal.UNKNOWN_ACCOUNT.value
        origin = Origin("command", b"", command.number, "")
        outcome = await self.begin(name, command.preset, origin, account, offer=command.offer, consent=command.consent)
        return outcome.refusal.value if isinstance(outcome, Refused) else "started"

    # --- staff -------------------------------------------------------------------------------------------------------

    async def open_slot(self, cabinet: str, slot: int, by: str, because: str = "") -> str | None:
        """Open a door by hand; it goes into the log first. Why not; None: the lock has had its pulse.

        Raises DeviceError, JournalFull.
        """
        loop = self.loops[cabinet]
        async with loop.lock:
            if self.swaps.swap_at(cabinet) is not None:
                return "a session is under way"
            code = self.swaps.desk.state.shop.contents.get(f"{cabinet}/{slot}", "")
            act = Draft(TechnicianAct(by, "slot-open", f"{cabinet} slot {slot}: {because}"))
            note = Draft(PackNoted("opened", cabinet, slot, code, code, None, by, because))
            await self.swaps.desk.record([act, note])
            loop.opened_by_hand(slot, by)
            await loop.cabinet.open(slot)
        self.site.changed()
        return None

    async def set_slot(self, cabinet: str, slot: int, on: bool, by: str, because: str) -> None:
        """A slot into use, or out of it; a person's word takes a lock off, too. Raises JournalFull."""
        act = Draft(TechnicianAct(by, "slot-on" if on else "slot-off", f"{cabinet} slot {slot}: {because}"))
        word = Draft(SlotSet(cabinet, slot, "on" if on else "off", because, by, 0))
        await self.swaps.desk.record([act, word])
        self.site.changed()

    async def inspected(self, cabinet: str, slot: int, code: str, by: str, because: str) -> None:
        """A pack has been inspected by a person. Raises JournalFull."""
        act = Draft(TechnicianAct(by, "pack-inspected", f"{code}: {because}"))
        note = Draft(PackNoted("inspected", cabinet, slot, code, code, None, by, because))
        await self.swaps.desk.record([act, note])

    async def explained(self, code: str, by: str, because: str) -> PackPlace | None:
        """A person knows where a pack is that went out of sight: its rider is asked for it no more. None: there is no
        such question. Raises JournalFull.
        """
        place = self.swaps.desk.state.shop.packs.get(code)
        if place is None or place.where != "unknown" or not place.account:
            return None
        act = Draft(TechnicianAct(by, "pack-explained", f"{code} of {place.account}: {because}"))
        note = Draft(PackNoted("explained", place.cabinet, place.slot, code, "", None, by, because))
        await self.swaps.desk.record([act, note])
        self.site.changed()
        return place

    async def scan(self, cabinet: str, by: str = "") -> PacksScanned:
        """What physically stands in each slot now, into the log. Raises JournalFull."""
        loop = self.loops[cabinet]
        async with loop.lock:
            body = rest.scan(await loop.look_closely(), self.swaps.policy)
            act = [Draft(TechnicianAct(by, "packs-scan", cabinet))] if by else []
            await self.swaps.desk.record([*act, Draft(body)])
        self.site.changed()
        return body

    async def day(self) -> list[Draft]:
        """All cabinets scanned, into the log; what a day close says of packs. Raises JournalFull."""
        for name in self.loops:
            if self.swaps.swap_at(name) is None:
                await self.scan(name)
        return self.swaps.day()

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _start(self, loop: CabinetLoop, ask: SwapAsk) -> OpenSwap | Refused:
        """Rights are asked for before the cabinet is held: it may take seconds."""
        asking = Asking(self.site.ask_for_grant)
        view = loop.eye.look()
        while await asking.more(self._wants(rehearsed := self.swaps.rehearse(ask, view))):
            view = loop.eye.look()
        async with loop.lock:
            slots = _slots_of(rehearsed, view) if isinstance(rehearsed, Opening) else []
            view = loop.eye.look()
            unsure = [slot for slot in slots if not empty_of_late(view.slots[slot], view.now_ms, self.swaps.policy)]
            if unsure:  # an empty one takes a second, until its link surely is silent
                view = await loop.look_closely(*unsure)
            outcome = await self.swaps.start(replace(ask, alone=not self.site.is_online()), view)
            if isinstance(outcome, OpenSwap) and outcome.slot in slots:
                loop.has_asked()
        if isinstance(outcome, Refused):
            log.info("refused", cabinet=ask.cabinet, why=outcome.refusal.value, detail=outcome.detail)
            await self.site.in_vain(ask.cabinet, (Source(ask.account, ask.credential),), asking)
        return outcome

    def _wants(self, rehearsed: Opening | tuple[Want, ...]) -> tuple[Want, ...]:
        """What headquarters is asked for. Where money would do, a plan that comes first, one at a time: while there is
        a link, and not at each tap of who has none.
        """
        if not isinstance(rehearsed, Opening):
            return rehearsed
        now_ms = self._clock.mono_ms()
        self._asked_ms = {key: at_ms for key, at_ms in self._asked_ms.items() if now_ms - at_ms < ASK_AGAIN_MS}
        keys = [(want.source.account, want.source.asset) for want in rehearsed.wants] if self.site.is_online() else []
        new = [want for want, key in zip(rehearsed.wants, keys, strict=False) if key not in self._asked_ms]
        self._asked_ms |= dict.fromkeys([(want.source.account, want.source.asset) for want in new[:1]], now_ms)
        return tuple(new[:1])

    async def _orphans(self) -> None:
        while True:
            try:
                await self.swaps.end_orphans(list(self.loops))
            except JournalFull as error:
                log.error("nothing could be saved", error=str(error), remedy=error.remedy)
            await asyncio.sleep(ORPHANS_S)


def _slots_of(opening: Opening, view: View) -> list[int]:
    """The slot that would open first: what it holds is asked just before."""
    body = opening.draft.body
    assert isinstance(body, SwapOpened)
    return [body.slot] if body.slot in view.slots else []
