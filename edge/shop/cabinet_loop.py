"""One cabinet's loop: looks, lets the till decide, and does what it says. Nothing is decided here.

    with a session      look -> what follows is committed -> a pulse of the lock, or waking the pack -> look again
    without one         what has come, gone or moved by itself is told; a physical scan when the daemon starts

What a board fails to do is a fact for the next look. After any crash the loop begins anew from the log and the sensors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from drivers.cabinet import Cabinet
from drivers.errors import DeviceError
from edge.clock import Clock
from edge.device_loop import DeviceLoop
from edge.notices import Notices
from edge.shop.eye import Eye
from edge.shop.swap_desk import SwapDesk
from edge.till.state_shop import OpenSwap, Shop, slot_key
from edge.till.swap import rest
from edge.till.swap.next import End, Pulse, Wake
from edge.till.swap.slots import View, is_shut
from protocols.trade.records import Draft

ASK_S = 1.0
"""How often the slot of a session is asked for all that it can tell, while that decides what follows."""
AT_ONCE = 8
"""So many slots are asked at once: packs on a shared line answer one by one, and silent ones take their time."""

log = structlog.get_logger()


class CabinetLoop(DeviceLoop):
    """One cabinet's."""

    look_s = 0.1

    def __init__(self, cabinet: Cabinet, swaps: SwapDesk, clock: Clock, changed: Callable[[], None]) -> None:
        super().__init__(cabinet.id, clock)
        self.cabinet = cabinet
        contents = swaps.desk.state.shop.contents
        empty = [slot for slot in cabinet.slots if contents.get(slot_key(cabinet.id, slot)) == ""]
        self.eye = Eye(cabinet, clock, swaps.policy, empty)
        self._swaps = swaps
        self._changed = changed
        by_hand = swaps.desk.state.shop.by_hand
        self._by_hand = {slot: by_hand[key] for slot in cabinet.slots if (key := slot_key(cabinet.id, slot)) in by_hand}
        self._may_open = set(self._by_hand)  # opened by a session or a person, and not shut since
        self._pulsed_ms: dict[int, int] = {}
        self._unseen: set[int] | None = None  # not compared with the log since the daemon started; None: not begun
        self._notices = Notices(swaps.desk, cabinet.id)
        self.error: DeviceError | None = None
        """What the last act at it failed with; None: it did not."""

    def troubles(self) -> list[str]:
        """What a technician should know."""
        return [*([] if self.error is None else [f"{self.error}. {self.error.remedy}"]), *self._notices.lasting]

    def opened_by_hand(self, slot: int, by: str) -> None:
        """A person has it opened: no forced door, and what comes or goes is theirs. The caller holds the lock."""
        self._may_open.add(slot)
        self._by_hand[slot] = by
        self._pulsed_ms[slot] = self._clock.mono_ms()
        self.eye.vouch(slot)

    def forbidden(self) -> frozenset[int]:
        """Slots that must not be charged now, for reasons of the shop: a door that is not surely shut, a session that
        is about it, or a fault for which it was locked. What else speaks against it, the plant knows.
        """
        ajar = {slot for slot, track in self.eye.look().slots.items() if track.shut_ms is None}
        return frozenset(self.locked() | ajar | _about(self._swaps.swap_at(self.cabinet.id)))

    def locked(self) -> frozenset[int]:
        """Slots that a fault has shut, until a person unlocks them."""
        shop, cabinet = self._swaps.desk.state.shop, self.cabinet
        return frozenset(slot for slot in cabinet.slots if _is_locked(shop, cabinet.id, slot))

    async def turn(self) -> None:
        if self.eye.unasked:
            await self.eye.ask(*self.eye.unasked[:AT_ONCE])
        swap = self._swaps.swap_at(self.cabinet.id)
        if swap is not None:
            await self._serve(swap)
        if not self._swaps.desk.state.closed and not self.eye.unasked:
            await self._rest(swap)

    async def look_closely(self, *slots: int) -> View:
        """All witnesses of these slots, or of all, as they are now. The caller holds the lock."""
        asked = list(slots or self.cabinet.slots)
        for begin in range(0, len(asked), AT_ONCE):
            await self.eye.ask(*asked[begin : begin + AT_ONCE])
            self.looked_ms = self._clock.mono_ms()
        return self.eye.look()

    def has_asked(self) -> None:
        """The slot of a session that begins has been looked at for it: its first pulse waits for no second time, which
        is a second for an empty slot, whose pack link is asked until it surely is silent.
        """
        self._put_off("ask", ASK_S)

    # --- with a session ----------------------------------------------------------------------------------------------

    async def _serve(self, swap: OpenSwap) -> None:
        self._may_open.add(swap.slot)
        view = self.eye.look()
        track = view.slots.get(swap.slot)
        if track is not None and track.shut_ms is not None and not self._must_wait("ask"):
            self._put_off("ask", ASK_S)
            view = await self.look_closely(swap.slot)
        size = self._swaps.desk.state.size
        following = await self._swaps.look(swap, view)
        if isinstance(following, Wake):
            await self._try("pack not woken", self.cabinet.wake(following.slot))
            view = self.eye.look()  # what it has just said counts: it may be asleep again when it is asked next
            following = await self._swaps.look(swap, view)
        if self._swaps.desk.state.size != size:
            self._put_off("ask", 0)
            self._changed()
        match following:
            case End():  # doors that stand open now have been told of
                self._may_open |= {slot for slot, track in view.slots.items() if track.open_ms is not None}
            case Pulse(slot) if self._swaps.may_pulse(swap):
                await self._pulse(swap, slot)

    async def _pulse(self, swap: OpenSwap, slot: int) -> None:
        self._pulsed_ms[slot] = self._clock.mono_ms()
        error = await self._try("lock not pulsed", self.cabinet.open(slot))
        self._swaps.has_pulsed(swap.seq, "" if error is None else str(error))
        if error is None:
            log.info("door told to open", cabinet=self.cabinet.id, slot=slot, session=swap.seq, step=swap.step)

    # --- without one -------------------------------------------------------------------------------------------------

    async def _rest(self, swap: OpenSwap | None) -> None:
        """Doors that move by themselves, packs that come and go, and what staff should hear of."""
        view, desk, policy = self.eye.look(), self._swaps.desk, self._swaps.policy
        shop, drafts = desk.state.shop, list[Draft]()
        if self._unseen is None:
            self._unseen = set(view.slots)
            self._may_open |= {slot for slot, track in view.slots.items() if track.shut_ms is None}
            if not any(slot_key(view.cabinet, slot) in shop.contents for slot in view.slots):
                drafts.append(Draft(rest.scan(view, policy)))
        about = _about(swap)
        for slot in rest.forced(view, policy, self._may_open | about):
            self._may_open.add(slot)
            drafts += rest.force_drafts(view, slot)
        settled = {slot for slot, track in view.slots.items() if is_shut(track, view.now_ms, policy)}
        known: set[int] = set()  # what staff had opened, and is shut and plain again
        settled -= {slot for slot in self._pulsed_ms if self._may_spring(slot, view)}
        if swap is None and not drafts:
            self._may_open -= settled
            shut_by_hand = [slot for slot in self._by_hand if slot in settled]
            if shut_by_hand and not self._must_wait("ask by hand"):
                self._put_off("ask by hand", ASK_S)
                view = await self.look_closely(*shut_by_hand)
                known = {slot for slot in shut_by_hand if rest.is_plain(view, slot, policy)}
                drafts += rest.shut_by_hand(view, {slot: self._by_hand[slot] for slot in known})
            drafts += rest.compare(shop, view, policy, self._may_open, self._unseen, self._by_hand)
        if drafts:
            await desk.record(drafts)
            self._changed()
        if swap is None:
            self._unseen -= settled
            self._by_hand = {slot: by for slot, by in self._by_hand.items() if slot not in known}
        await self._tell(view)

    def _may_spring(self, slot: int, view: View) -> bool:
        """Whether a pulse may yet open its door, or be seen to have: nothing has been seen of it since."""
        pulsed_ms, shut_ms = self._pulsed_ms[slot], view.slots[slot].shut_ms
        apart_ms = self._swaps.policy.pulse_apart_s * 1000
        return (shut_ms is None or shut_ms <= pulsed_ms) and view.now_ms - pulsed_ms < apart_ms

    async def _tell(self, view: View) -> None:
        """Alarms and doors that stand open: once for as long as they last."""
        said = ", ".join(sorted(hazard.value for hazard in view.hazards))
        if said:
            await self._notices.tell("cabinet-alarm", f"{said} (F-50)", said)
        else:
            self._notices.over("cabinet-alarm")
        if view.silent:
            await self._notices.tell("cabinet-silent", f"{', '.join(view.silent)} (F-60)", view.silent)
        else:
            self._notices.over("cabinet-silent")
        long_ms = self._swaps.policy.door_alarm_s * 1000
        ajar = [n for n, one in view.slots.items() if one.open_ms is not None and view.now_ms - one.open_ms >= long_ms]
        if ajar:
            await self._notices.tell("door-ajar", f"slot {', '.join(map(str, ajar))} (F-04)", tuple(ajar))
        else:
            self._notices.over("door-ajar")

    async def _try(self, what: str, asked: Awaitable[None]) -> DeviceError | None:
        """Do it; what goes wrong is told, and the next look shows what came of it."""
        try:
            await asked
        except DeviceError as error:
            log.warning(what, cabinet=self.cabinet.id, error=str(error))
            self.error = error
            return error
        self.error = None
        return None


def _is_locked(shop: Shop, cabinet: str, slot: int) -> bool:
    word = shop.slots.get(slot_key(cabinet, slot))
    return word is not None and word.state == "locked"


def _about(swap: OpenSwap | None) -> set[int]:
    """The slots that a session has to do with."""
    slots = () if swap is None else (swap.slot, swap.returned_slot, swap.offered_slot)
    return {slot for slot in slots if slot is not None}
