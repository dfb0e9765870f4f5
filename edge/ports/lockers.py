"""The lockers at work: who wants to put a pack in, or take it out, by card, code, PIN, command or as staff."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import structlog

from drivers.errors import DeviceError
from edge.asking import Asking
from edge.host import Host
from edge.ports.board_loop import BoardLoop
from edge.ports.locker_desk import LockerDesk
from edge.ports.port_desk import PortDesk
from edge.till.ask import Refusal, Refused
from edge.till.port import locker
from edge.till.port.again import costs_twice
from edge.till.port.ask import PortAsk, StayAsk
from edge.till.port.place import PortPlace
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort, OpenStay, lease_key
from protocols.trade import locker_pin
from protocols.trade.records import Origin

CHARGE_AGAIN_S = 30
CHARGE_TRIES = 20
"""A charge that has to wait is tried so often: a board that was away with the box speaks again within minutes."""
PASSING = (Refusal.PORT_SILENT, Refusal.PORT_BUSY, Refusal.DISK_FULL)
"""What may be over the next time."""

log = structlog.get_logger()


class ChargingPorts(Protocol):
    """The ports beside the lockers: what is stored in one may be charged there. `edge.ports.ports.PortHall`."""

    site: Host
    ports: PortDesk

    async def start(self, ask: PortAsk) -> OpenPort | Refused:
        """Open a session at a port."""

    async def stop(self, seq: int, reason: PortEnds, detail: str = "") -> bool:
        """End a session. False: it is not open, or over already."""


class Lockers:
    """What can be asked at lockers. The hall's loops open the doors."""

    def __init__(self, hall: ChargingPorts, desk: LockerDesk, loops: Mapping[str, BoardLoop]) -> None:
        self.desk = desk
        self._hall = hall
        self._loops = loops
        self._tries: dict[
            tuple[int, int], tuple[int, int]
        ] = {}  # by stay and power cut: how often its charge was tried, and when again

    def __contains__(self, place: object) -> bool:
        return place in self.desk.places

    async def store(self, ask: StayAsk, *, pin: str = "") -> OpenStay | Refused:
        """Give somebody a locker: that of the ask, or any that is free."""
        place = self.free_one(ask.place)
        if isinstance(place, Refused):
            return place
        ask = replace(ask, place=place.id)
        site, loop = self._hall.site, self._loops[place.board]
        if place.id in site.starting:
            return Refused(Refusal.PORT_BUSY, f"locker {place.id} is being given to somebody")
        site.starting.add(place.id)
        try:
            if pin:
                if not locker_pin.is_pin(pin):
                    return Refused(Refusal.WRONG_PIN, "a PIN has 4 to 10 digits, not all the same")
                salt = secrets.token_bytes(locker_pin.SALT_BYTES)
                secret = await asyncio.to_thread(locker_pin.secret_of, site.credential_key, salt, pin)
                ask = replace(ask, secret=secret)
            async with loop.lock:
                outcome = await self._store(loop, place, ask)
        finally:
            site.starting.discard(place.id)
        site.changed()
        loop.wake()
        return outcome

    async def collect(self, place: str, origin: Origin, *, account: str = "", pin: str = "") -> OpenStay | Refused:
        """Let the owner take the pack out. What charges there ends first."""
        found = self.desk.stay_at(place)
        if found is None:
            return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {place}")
        stay = found[0]
        right = False
        if pin:
            if self.desk.pin_locked(stay):
                return Refused(Refusal.PIN_LOCKED, f"too many wrong PINs at {place}")
            await self.desk.tried(
                stay, right=False
            )  # counted before it is looked at: neither haste nor a death is a try
            key = self._hall.site.credential_key
            right = await asyncio.to_thread(locker_pin.opens, key, stay.opened.secret, pin)
            if not right:
                return Refused(Refusal.WRONG_PIN, f"not the PIN of {place}")
            await self.desk.tried(stay, right=True)
        outcome = await self.desk.collect(stay, origin, account=account, pin=right)
        if isinstance(outcome, OpenStay) and stay.opened.board not in self._loops:  # their late days end all the same
            return Refused(Refusal.PORT_SILENT, f"the board of {place} is not in the config any more: staff open it")
        return outcome if isinstance(outcome, Refused) else await self._opening(outcome, PortEnds.COLLECTED)

    async def open_by_staff(
        self, place: str, by: str, why: str, *, remove: bool, by_hand: bool = False
    ) -> OpenStay | Refused:
        """A technician opens a locker that is somebody's; `remove`: and takes the pack out for good. by_hand:
        and has done so, as no door will say it: its board is gone or dead, or its switch is broken.
        """
        found = self.desk.stay_at(place)
        if found is None:
            return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {place}")
        stay, row = found
        loop = self._loops.get(stay.opened.board)
        if loop is None:
            if not remove:
                return Refused(
                    Refusal.PORT_SILENT, f"the board of {place} is not in the config any more: open it by hand"
                )
            return await self.desk.remove_by_hand(stay, by, why)
        silent = loop.sight(stay.opened.port).status_within(self.desk.policy.silence_s * 1000) is None
        by_hand = by_hand and remove
        if stay.stored is None and not (by_hand and (row.warned or silent)):
            return Refused(Refusal.PORT_BUSY, f"locker {place} is being filled")
        if by_hand:
            async with loop.lock:  # it looks at no stay that ends meanwhile
                if self.desk.stay(stay.seq) is None:
                    return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {place} any more")
                outcome = await self.desk.remove_by_hand(stay, by, why)
        else:
            outcome = await self.desk.open_by_staff(stay, by, why, remove=remove)
        if isinstance(outcome, Refused):
            return outcome
        return await self._opening(outcome, PortEnds.COLLECTED if remove else PortEnds.LOCAL)

    async def open_free(self, place: str, by: str, why: str) -> None:
        """A technician opens a locker that is nobody's. Raises DeviceError, JournalFull."""
        await self._hall.site.note(by, "locker-open", f"{place}: {why}")
        at = self.desk.places[place]
        loop = self._loops[at.board]
        async with loop.lock:
            await loop.board.open_door(at.port)

    def free_one(self, place: str) -> PortPlace | Refused:
        """That locker, or of all the first that may be given to somebody now."""
        if place:
            at = self.desk.places.get(place)
            return at if at is not None else Refused(Refusal.UNKNOWN_PORT, f"no locker {place} at this site")
        for at in self.desk.places.values():
            taken = at.id in self._hall.site.starting
            if not taken and self.desk.unfit(at, self._loops[at.board].sight(at.port)) is None:
                return at
        return Refused(Refusal.LOCKER_FULL, "no locker is free")

    def to_charge(self) -> list[OpenStay]:
        """Stays that are shut, and whose charge is to be started now; by the log, so that a restart forgets none."""
        now_ms = self.desk.now_ms()
        stays = [stay for stay, _ in self.desk.stays() if stay.opened.board in self._loops]
        keys = {(stay.seq, stay.cuts) for stay in stays}
        self._tries = {key: tried for key, tried in self._tries.items() if key in keys}
        due = [stay for stay in stays if locker.charge_of(stay) is not None and not self.desk.is_charged_no_more(stay)]
        return [stay for stay in due if now_ms >= self._tries.get((stay.seq, stay.cuts), (0, 0))[1]]

    async def charge(self, stay: OpenStay) -> None:
        """Start what shall charge there; what only has to be waited for is tried again. Not from its board's loop.

        Raises JournalFull.
        """
        ask = locker.charge_of(stay)
        if ask is None:
            return
        key, now_ms = (stay.seq, stay.cuts), self.desk.now_ms()
        tries = self._tries.get(key, (0, 0))[0] + 1
        self._tries[key] = tries, now_ms + CHARGE_AGAIN_S * 1000
        outcome = self._not_twice(stay) or await self._hall.start(ask)
        if not isinstance(outcome, Refused):
            self._tries.pop(key, None)
        elif outcome.refusal not in PASSING or tries >= CHARGE_TRIES:
            log.warning("locker does not charge", place=stay.place, why=outcome.refusal.value, detail=outcome.detail)
            await self.desk.not_charged(stay, f"{outcome.refusal.value}: {outcome.detail}")
            if stay.cut is not None:
                leases = self.desk.desk.state.leases
                await self.desk.desk.give_back([leases[lease_key(one.account, one.asset)] for one in stay.cut.holds])

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _store(self, loop: BoardLoop, place: PortPlace, ask: StayAsk) -> OpenStay | Refused:
        site = self._hall.site
        asking = Asking(site.ask_for_grant)
        sight = await loop.look_closely(place.port)
        while await asking.more(self.desk.rehearse(ask, sight)):
            sight = await loop.look_closely(place.port)
        outcome = await self.desk.store(replace(ask, alone=not site.is_online()), sight)
        if isinstance(outcome, Refused):
            log.info("refused", locker=place.id, why=outcome.refusal.value, detail=outcome.detail)
            await site.in_vain(place.id, ask.sources, asking)
        return outcome

    def _not_twice(self, stay: OpenStay) -> Refused | None:
        """Why what a power cut ended is not charged on."""
        if stay.rest is None or stay.cut is None or not costs_twice(self._hall.ports.terms_of(stay.cut)):
            return None
        return Refused(Refusal.NO_PRICES, "the power was cut, and a second session would cost its fee once more")

    async def _opening(self, stay: OpenStay, reason: PortEnds) -> OpenStay:
        """The record is durable: what charges behind the door is stopped now, then the loop opens it."""
        running = self._hall.ports.session_at(stay.place)
        loop = self._loops[stay.opened.board]
        if running is not None:
            session = running[0]
            await self._hall.stop(session.seq, reason)
            try:
                async with loop.lock:
                    await loop.board.stop(session.opened.port, self._hall.ports.order_of(session).number)
            except DeviceError as error:
                log.info("not stopped before its door opens", locker=stay.place, error=str(error))
        self._hall.site.changed()
        loop.wake()
        return stay
