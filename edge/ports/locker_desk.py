"""The lockers' side of the desk: whose each one is, what its door does, and what is committed of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from msgspec.structs import replace

from edge.clock import Clock
from edge.desk import Desk
from edge.journal.errors import JournalFull
from edge.till.ask import Opening, Refusal, Refused, Want
from edge.till.port import door, locker
from edge.till.port.ask import StayAsk
from edge.till.port.door import DoorAct, DoorRow, decode_door, encode_door
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.sight import PortSight
from edge.till.state import OpenStay
from protocols.trade.port_prices import PortPrice, price_of
from protocols.trade.records import Draft, Origin, TechnicianAct
from protocols.trade.records_port import LockerDoor


class LockerDesk:
    """Stays as decided, and doors as last seen. No door is opened before the record that lets it is durable."""

    def __init__(self, desk: Desk, clock: Clock, policy: PortPolicy, places: Mapping[str, PortPlace]) -> None:
        """places: by the port's id; those with doors are lockers."""
        self.desk = desk
        self.policy = policy
        self.places = {name: place for name, place in places.items() if place.locker}
        self._clock = clock
        self._due: dict[int, DoorAct] = {}  # what was seen, and the disk had no room for
        self._seen_ms: dict[int, int] = {}  # when a door was last seen
        self._unwanted: set[int] = set()  # stays whose customer has been told no meanwhile
        self._rows = self._recover()

    # --- what is true ------------------------------------------------------------------------------------------------

    def stays(self) -> list[tuple[OpenStay, DoorRow]]:
        """All that are open and durable, by number."""
        size, ports, now = self.desk.journal.size, self.desk.state.ports, self._clock.stamp()
        return [
            (stay, door.row_of(stay, self._rows.get(seq), now))
            for seq, stay in sorted(ports.stays.items())
            if seq < size
        ]

    def stay_at(self, place: str) -> tuple[OpenStay, DoorRow] | None:
        """Whose the locker is; None: nobody's."""
        return next((found for found in self.stays() if found[0].place == place), None)

    def stay(self, seq: int) -> tuple[OpenStay, DoorRow] | None:
        """By its number."""
        return next((found for found in self.stays() if found[0].seq == seq), None)

    def now_ms(self) -> int:
        """Monotonic."""
        return self._clock.mono_ms()

    def unfit(self, place: PortPlace, sight: PortSight) -> Refused | None:
        """Why this locker cannot be given to anybody now."""
        return locker.locker_unfit(self.desk.state, place, sight, self.policy)

    def rehearse(self, ask: StayAsk, sight: PortSight) -> tuple[Want, ...]:
        """What headquarters should grant before this, payer by payer. None: value is not what is short."""
        return self._decide(ask, sight).wants

    # --- what to do --------------------------------------------------------------------------------------------------

    async def store(self, ask: StayAsk, sight: PortSight) -> OpenStay | Refused:
        """Give a locker to somebody, durably; its loop then opens the door."""
        decision = self._decide(ask, sight)
        if isinstance(decision, Refused):
            return decision
        tick = self.desk.guard.next_tick(self.desk.state.ticks) if ask.alone else []
        seq = self.desk.state.size
        for kept in (self._rows, self._due):
            kept.pop(seq, None)
        self._unwanted.discard(seq)
        try:
            await self.desk.record([decision.draft, *tick])
            await self.desk.guard.tick(tick)  # one that fails stops the next start; here only late days are at stake
        except JournalFull as error:
            return Refused(Refusal.DISK_FULL, error.remedy)
        except asyncio.CancelledError:  # the record goes its way all the same
            self._unwanted.add(seq)
            raise
        return self.desk.state.ports.stays[seq]

    async def collect(
        self, stay: OpenStay, origin: Origin, *, account: str = "", pin: bool = False
    ) -> OpenStay | Refused:
        """Let the owner take the pack out, durably; its loop then opens the door."""
        now_open = self.desk.state.ports.stays.get(stay.seq)
        if now_open is None:  # while a PIN was compared
            return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {stay.place} any more")
        decision = locker.open_again(self.desk.state, now_open, origin, self._clock.stamp(), account=account, pin=pin)
        if isinstance(decision, Refused):
            return decision
        if door.is_for(self._row(now_open), "look", "remove"):
            return Refused(Refusal.PORT_BUSY, f"staff are opening locker {stay.place}: ask again")
        return await self._open(stay, [decision])

    async def open_by_staff(self, stay: OpenStay, by: str, why: str, *, remove: bool) -> OpenStay | Refused:
        """A technician opens it, to look or to take the pack out for good; the log says who and why."""
        act: Literal["remove", "look"] = "remove" if remove else "look"
        if not remove and door.is_for(self._row(stay), "collect"):
            return Refused(Refusal.PORT_BUSY, f"locker {stay.place} is opening to its owner")
        told = Draft(TechnicianAct(by, f"locker-{act}", f"{stay.place}, stay {stay.seq}: {why}"))
        return await self._open(stay, [told, Draft(LockerDoor(stay.seq, act, Origin("panel", b"", 0, by), why[:64]))])

    async def remove_by_hand(self, stay: OpenStay, by: str, why: str) -> OpenStay | Refused:
        """A technician has taken the pack out of a locker whose board is gone; said and closed in one commit."""
        now = self._clock.stamp()
        told = Draft(TechnicianAct(by, "locker-remove", f"{stay.place}, stay {stay.seq}, by hand: {why}"))
        opened = Draft(LockerDoor(stay.seq, "remove", Origin("panel", b"", 0, by), why[:64]))
        tenders = self.desk.papers.tenders(stay.opened.pins)
        taken = replace(stay, act="remove")
        ends = locker.closed(self.desk.state, taken, now, self.price_of_stay(stay), tenders)
        outcome = await self._open(stay, [told, opened, *ends], {stay.seq: None})
        if isinstance(outcome, OpenStay):
            for kept in (self._rows, self._due, self._seen_ms):
                kept.pop(stay.seq, None)
        return outcome

    async def look(self, stay: OpenStay, sight: PortSight) -> DoorAct:
        """One look at a door: what follows is committed, and told.

        Raises JournalFull: what was seen stays known, is written as soon as there is room, and nothing else follows
        from this door before.
        """
        now, seq = sight.now, stay.seq
        before = door.row_of(stay, self._rows.get(seq), now)
        row, act = before, self._due.get(seq, DoorAct.NONE)
        if act is DoorAct.NONE and seq in self._unwanted and not before.told:
            act = DoorAct.VOID
        elif act is DoorAct.NONE:
            status = sight.status_within(self.policy.silence_s * 1000)
            row, act = door.look(stay, before, status, now, self.policy, self._unseen_ms(before, sight))
        ends = act in (DoorAct.VOID, DoorAct.OUT)
        drafts = self._drafts(stay, row, act, sight)
        self._rows[seq] = row  # before it is saved: a PIN may be tried meanwhile
        if act is not DoorAct.OPEN:
            self._due[seq] = act
        if drafts or row != before:
            await self.desk.record(drafts, {seq: None if ends else encode_door(row)})
        self._due.pop(seq, None)
        if ends:
            self._unwanted.discard(seq)
            self._rows.pop(seq, None)
            self._seen_ms.pop(seq, None)
        return act

    def waits_for_door(self, stay: OpenStay) -> bool:
        """Whether its door has been told to open, and nobody has seen yet that it did."""
        return door.waits(self._row(stay))

    async def telling(self, stay: OpenStay) -> None:
        """Its door is told to open: durable before it is, so that a restart knows that it may have been opened.

        Raises JournalFull: then it is not told.
        """
        now = self._clock.stamp()
        before = door.row_of(stay, self._rows.get(stay.seq), now)
        row = door.told(before, now)
        if row != before:
            await self.desk.record((), {stay.seq: encode_door(row)})
        self._rows[stay.seq] = door.told(door.row_of(stay, self._rows.get(stay.seq), now), now)

    def answered(self, stay: OpenStay, *, opens: bool) -> None:
        """Its board says that the door opens; False: no answer has come. A restart knows neither."""
        row = self._row(stay)
        self._rows[stay.seq] = door.answered(row, opens=opens)

    async def tried(self, stay: OpenStay, *, right: bool) -> None:
        """A PIN has been given; durable, so that a restart gives no further tries."""
        now, now_open = self._clock.stamp(), self.desk.state.ports.stays.get(stay.seq)
        if now_open is None:
            return
        row = door.pin_tried(door.row_of(now_open, self._rows.get(stay.seq), now), now, self.policy, right=right)
        self._rows[stay.seq] = row
        with suppress(JournalFull):
            await self.desk.record((), {stay.seq: encode_door(row)})

    async def not_charged(self, stay: OpenStay, why: str) -> None:
        """What lies there is not charged: said once, over restarts too. Raises JournalFull: then it is not said yet."""
        if stay.seq not in self.desk.state.ports.stays:
            return
        before = self._row(stay)
        row = replace(before, uncharged=stay.cuts)
        self._rows[stay.seq] = row  # before it is saved: its door may be looked at meanwhile
        try:
            await self.desk.record([locker.not_charging(stay, why)], {stay.seq: encode_door(row)})
        except JournalFull:
            self._rows[stay.seq] = replace(self._row(stay), uncharged=before.uncharged)
            raise

    def is_charged_no_more(self, stay: OpenStay) -> bool:
        """Whether that has been said of it as it is now."""
        return self._row(stay).uncharged == stay.cuts

    def pin_locked(self, stay: OpenStay) -> bool:
        """Whether no PIN is taken for it now."""
        now = self._clock.stamp()
        return door.pin_locked(door.row_of(stay, self._rows.get(stay.seq), now), now, self.policy)

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _open(
        self, stay: OpenStay, drafts: Sequence[Draft], rows: Mapping[int, bytes | None] | None = None
    ) -> OpenStay | Refused:
        if self.desk.state.closed:
            return Refused(Refusal.EPOCH_CLOSING, "the epoch has been closed")
        if stay.seq not in self.desk.state.ports.stays:
            return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {stay.place} any more")
        try:
            await self.desk.record(drafts, rows)
        except JournalFull as error:
            return Refused(Refusal.DISK_FULL, error.remedy)
        return self.desk.state.ports.stays.get(stay.seq, stay)

    def _decide(self, ask: StayAsk, sight: PortSight) -> Opening | Refused:
        desk = self.desk
        refused = desk.no_starts(alone=ask.alone)
        if refused is not None:
            return refused
        pins = desk.state.pins.values()
        return locker.open_stay(
            desk.state,
            ask,
            self.places.get(ask.place),
            sight,
            desk.papers.port_prices(pins),
            desk.tariff,
            self.policy,
            hot_list=desk.hot_list,
            tenders=desk.papers.tenders(pins),
        )

    def _row(self, stay: OpenStay) -> DoorRow:
        return door.row_of(stay, self._rows.get(stay.seq), self._clock.stamp())

    def _unseen_ms(self, row: DoorRow, sight: PortSight) -> int:
        """How long nobody has seen a door that was told to open: before its newest word, or since."""
        seen_ms = max(row.since_ms, self._seen_ms.get(row.stay, 0))
        told_ms = max(row.since_ms, sight.status_ms or 0)
        self._seen_ms[row.stay] = told_ms
        return max(told_ms - seen_ms, sight.now.mono_ms - told_ms)

    def _drafts(self, stay: OpenStay, row: DoorRow, act: DoorAct, sight: PortSight) -> Sequence[Draft]:
        state, now = self.desk.state, sight.now
        match act:
            case DoorAct.STORED | DoorAct.UNSURE:
                return locker.stored(stay, unsure=act is DoorAct.UNSURE)
            case DoorAct.VOID:
                return locker.void(state, stay, now, "door-stuck" if row.told and not row.resumed else "not-opened")
            case DoorAct.OUT:
                tenders = self.desk.papers.tenders(stay.opened.pins)
                return locker.closed(state, stay, now, self.price_of_stay(stay), tenders)
            case DoorAct.STUCK:
                return (locker.door_stuck(stay),)
            case DoorAct.LEFT_OPEN:
                return (locker.door_open(stay),)
            case DoorAct.FORCED:
                return (locker.door_forced(stay),)
            case DoorAct.NONE | DoorAct.OPEN:
                return locker.overdue(stay, now, self.policy)

    def price_of_stay(self, stay: OpenStay) -> PortPrice:
        prices = self.desk.papers.port_prices(stay.opened.pins)
        price = None if prices is None else price_of(prices, stay.opened.price)
        assert price is not None, f"stay {stay.seq} pins no price {stay.opened.price}"
        return price

    def _recover(self) -> dict[int, DoorRow]:
        stamp, rows = self._clock.stamp(), self.desk.journal.progress()
        taken: dict[int, DoorRow] = {}
        for seq, stay in self.desk.state.ports.stays.items():
            row = decode_door(rows[seq]) if seq in rows else None
            taken[seq] = door.resume(door.row_of(stay, row, stamp), stamp)
        return taken
