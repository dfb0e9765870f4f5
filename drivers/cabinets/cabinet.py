"""A cabinet put together from boards, sensors and pack links, as the daemon's cabinet kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final, NoReturn, TypeVar

from drivers.api import Charger, Iec61851, Link, LinkState, Meter, Point, Quality, Reading
from drivers.boards.board import Board, now_ms
from drivers.boards.config import Feedback
from drivers.cabinet import CabinetSight, Hazard, PackWord, SlotSight, SlotTraits
from drivers.cabinets.packs import PackRounds, SlotPack
from drivers.cabinets.refs import Ref
from drivers.errors import DeviceError, Transient, Unsupported

V = TypeVar("V")

OFFLINE_FIRST: Final = (LinkState.OFFLINE, LinkState.NEW, LinkState.ONLINE)


@dataclass(frozen=True, slots=True)
class Wire:
    """One channel of a board that is there."""

    board: Board
    ref: Ref

    def input(self) -> Reading[bool]:
        """What it says, by what is meant."""
        reading = self.board.input(self.ref.channel)
        if reading.value is None or not self.ref.contrary:
            return reading
        return Reading(not reading.value, reading.quality, reading.at_ms)

    def says(self) -> bool | None:
        """As `input`. None: it does not say just now."""
        return _good(self.input())

    async def switch(self, on: bool) -> None:
        await self.board.switch(self.ref.channel, on)


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot is wired to. feedback: None: nothing is made of its lock's contact, where there is one.

    source: a charger that tells what it gives. meter: what measures that; perhaps the same device. door_by_lock: the
    contact is the door's sensor as well.
    """

    number: int
    lock: Wire
    feedback: Feedback | None
    door_open: Wire | None
    door_by_lock: bool
    present: Wire | None
    charger: Wire | None
    charge_power_w_max: int
    source: Charger | None
    meter: Meter | None
    pack: SlotPack | None

    @property
    def traits(self) -> SlotTraits:
        locks = self.lock.board.channels.contacts
        feedback = self.feedback is not None and self.lock.ref.channel in locks
        return SlotTraits(
            door=self.door_open is not None or (self.door_by_lock and feedback),
            feedback=feedback,
            presence=self.present is not None,
            pack_link=self.pack is not None,
            charger=self.charger is not None,
            charge_power_w_max=self.charge_power_w_max,
            pack_line="" if self.pack is None else self.pack.line,
        )

    def boards(self) -> list[Board]:
        """Each once."""
        wires = (self.lock, self.door_open, self.present, self.charger)
        return list(dict.fromkeys(wire.board for wire in wires if wire is not None))

    def locked(self) -> Reading[bool]:
        """By the lock's own contact."""
        contact = self.lock.board.contact(self.lock.ref.channel)
        if self.feedback is None or contact.value is None:
            return Reading(None, Quality.NONE, contact.at_ms)
        return Reading(contact.value is (self.feedback == "nc"), contact.quality, contact.at_ms)

    def door(self) -> Reading[bool]:
        """True: open."""
        if self.door_open is not None:
            return self.door_open.input()
        locked = self.locked()
        if not self.door_by_lock or locked.value is None:
            return Reading(None, Quality.NONE, locked.at_ms)
        return Reading(not locked.value, locked.quality, locked.at_ms)


@dataclass(frozen=True, slots=True)
class Common:
    """What the whole cabinet is wired to."""

    hazards: Mapping[Hazard, tuple[Wire, ...]]
    mains: Wire | None
    aux: Mapping[str, Wire]
    outputs: Mapping[str, Wire]
    inner_temp: Wire | None

    def boards(self) -> Iterable[Board]:
        wires = chain(*self.hazards.values(), self.aux.values(), self.outputs.values())
        yield from (wire.board for wire in wires)
        yield from (wire.board for wire in (self.mains, self.inner_temp) if wire is not None)


class BoardCabinet:
    """A `drivers.cabinet.Cabinet`. Its boards poll by themselves; its `run` asks the packs."""

    profile_id = "cabinet"

    def __init__(
        self, name: str, slots: Sequence[Slot], common: Common, rounds: Sequence[PackRounds], wake_pulse_s: float
    ) -> None:
        self.id = name
        self.wired = {slot.number: slot for slot in sorted(slots, key=lambda slot: slot.number)}
        self.slots: Mapping[int, SlotTraits] = {number: slot.traits for number, slot in self.wired.items()}
        self._boards_of = {number: slot.boards() for number, slot in self.wired.items()}
        self.boards = list(dict.fromkeys(chain(*self._boards_of.values(), common.boards())))
        self._common = common
        self._rounds = rounds
        self._wake_pulse_s = wake_pulse_s
        self._charging = {number: asyncio.Lock() for number in self.wired}
        self._off = {number: asyncio.Event() for number in self.wired}  # set: no pulse goes on against it
        self._words = dict.fromkeys(self.wired, 0)  # how often `charge` was asked: only the newest word counts

    # What is known. No I/O.

    def link(self) -> Link:
        """Of all its boards together, with the counts of its pack links."""
        links = [board.link() for board in self.boards]
        states = {link.state for link in links}
        state = LinkState.ONLINE if LinkState.ONLINE in states else next(s for s in OFFLINE_FIRST if s in states)
        counts: dict[str, int] = {}
        for slot in self.wired.values():
            for kind, count in slot.pack.link.link().counts.items() if slot.pack is not None else ():
                counts[kind] = counts.get(kind, 0) + count
        good = [link.last_good_ms for link in links if link.last_good_ms is not None]
        silent = self._silent()
        return Link(
            state=state,
            since_ms=max(link.since_ms for link in links if link.state is state),
            last_good_ms=max(good, default=None),
            error=f"{', '.join(silent)}: no answer. `fieldtill devices` says why." if silent else None,
            counts=counts,
        )

    def points(self) -> list[Point]:
        points: list[Point] = []
        for number, slot in self.wired.items():
            present = None if slot.present is None else slot.present.input()
            points += [
                _point(f"{number} door", slot.door(), "open", "closed", (slot.door_open or slot.lock).ref),
                _point(f"{number} lock", slot.locked(), "locked", "unlocked", slot.lock.ref),
            ]
            if slot.present is not None and present is not None:
                points.append(_point(f"{number} presence", present, "present", "empty", slot.present.ref))
            if slot.pack is not None:
                points.append(_pack_point(number, slot.pack))
        return points

    def sight(self) -> CabinetSight:
        common = self._common
        temp = None if common.inner_temp is None else common.inner_temp.board.temp_dc(common.inner_temp.ref.channel)
        aux = {name: wire.says() for name, wire in common.aux.items()}
        return CabinetSight(
            slots={number: self._slot_sight(slot) for number, slot in self.wired.items()},
            hazards=frozenset(hazard for hazard, wires in common.hazards.items() if any(wire.says() for wire in wires)),
            mains=None if common.mains is None else common.mains.says(),
            inner_dc=None if temp is None else _good(temp),
            silent=self._silent(),
            aux={name: value for name, value in aux.items() if value is not None},
        )

    # What is asked.

    async def run(self) -> NoReturn:
        async with asyncio.TaskGroup() as group:
            for rounds in self._rounds:
                group.create_task(rounds.run())
            await asyncio.get_running_loop().create_future()
        raise AssertionError("packs are asked for ever")

    async def read_slot(self, slot: int) -> SlotSight:
        wired, began_ms = self._slot(slot), now_ms()
        async with asyncio.TaskGroup() as group:
            for board in self._boards_of[slot]:
                group.create_task(_attempt(board.refresh()))
            if wired.meter is not None:
                group.create_task(_attempt(wired.meter.read_now()))
            if wired.pack is not None:
                group.create_task(wired.pack.read(anew=True))
        return self._slot_sight(wired, began_ms)

    async def open(self, slot: int) -> None:
        lock = self._slot(slot).lock
        await lock.board.open(lock.ref.channel)

    async def charge(self, slot: int, on: bool) -> None:
        charger = self._charger(slot)
        self._words[slot] = word = self._words[slot] + 1
        if not on:  # waits for nobody: something may be hot
            self._off[slot].set()
            await charger.switch(False)
            return
        async with self._charging[slot]:
            if self._words[slot] != word:
                raise Transient(f"slot {slot} has been told otherwise meanwhile", where=self.id)
            await charger.switch(True)

    async def wake(self, slot: int) -> None:
        """The charger is left as it was."""
        wired = self._slot(slot)
        if wired.pack is None:
            raise Unsupported(f"slot {slot} has no pack link", where=self.id)
        if wired.pack.link.wakes_by == "charger":
            await self._pulse_charger(slot)
        else:
            await wired.pack.wake()
            await wired.pack.read(anew=True)

    async def signal(self, name: str, on: bool) -> None:
        output = self._common.outputs.get(name)
        if output is None:
            raise Unsupported(f"it has no output `{name}`", where=self.id)
        await output.switch(on)

    # Below: how.

    async def _pulse_charger(self, slot: int) -> None:
        """The pack is read while the charger's voltage is there: it may fall asleep again at once. `charge` to off ends
        it.
        """
        charger, pack = self._charger(slot), self._slot(slot).pack
        assert pack is not None
        async with self._charging[slot]:
            relay = charger.board.output(charger.ref.channel)
            if relay.value and relay.quality is Quality.GOOD:
                await pack.read(anew=True)  # its voltage has been there all the time
                return
            off = self._off[slot]
            off.clear()
            try:
                await charger.switch(True)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._wake_pulse_s):
                        await off.wait()
                if not off.is_set():
                    await pack.read(anew=True)
            finally:
                await asyncio.shield(asyncio.ensure_future(charger.switch(False)))

    def _slot(self, slot: int) -> Slot:
        wired = self.wired.get(slot)
        if wired is None:
            raise Unsupported(f"it has no slot {slot}", where=self.id)
        return wired

    def _charger(self, slot: int) -> Wire:
        charger = self._slot(slot).charger
        if charger is None:
            raise Unsupported(f"slot {slot} has no charger", where=self.id)
        return charger

    def _silent(self) -> tuple[str, ...]:
        return tuple(board.id for board in self.boards if board.silent)

    def _slot_sight(self, slot: Slot, since_ms: int | None = None) -> SlotSight:
        """since_ms: nothing older counts."""

        def fresh(reading: Reading[V] | None) -> Reading[V] | None:
            if reading is None or reading.at_ms is None:
                return None
            good = reading.quality is Quality.GOOD if since_ms is None else reading.at_ms >= since_ms
            return reading if good else None

        door, locked = fresh(slot.door()), fresh(slot.locked())
        present = None if slot.present is None else fresh(slot.present.input())
        charger = slot.charger
        relay = None if charger is None else fresh(charger.board.output(charger.ref.channel))
        pack = slot.pack
        read = [reading.at_ms for reading in (door, locked, present) if reading is not None]
        current_ma, power_w = _draw(slot.source, slot.meter)
        return SlotSight(
            door_open=_value(door),
            locked=_value(locked),
            present=_value(present),
            pack=None if pack is None else pack.reading,
            pack_at_ms=None if pack is None else pack.at_ms,
            pack_word=PackWord.UNASKED if pack is None else pack.word,
            pack_asked_ms=None if pack is None else pack.asked_ms,
            pack_faults=0 if pack is None else pack.faults,
            relay_on=_value(relay),
            charge_ma=current_ma,
            charge_power_w=power_w,
            faults=tuple(_faults(slot, self._boards_of[slot.number])),
            at_ms=min((at_ms for at_ms in read if at_ms is not None), default=None),
        )


def _faults(slot: Slot, boards: Iterable[Board]) -> Iterable[str]:
    for board in boards:
        if board.silent:
            yield f"{board.id} does not answer"
        elif board.fault is not None:
            yield board.fault
    meter = slot.meter
    if meter is not None and _good(meter.reading()) is None and meter.link().state is LinkState.OFFLINE:
        yield f"{meter.id} does not answer"
    status = None if slot.source is None else _good(slot.source.status())
    if slot.source is not None and status is not None and status.iec in (Iec61851.E, Iec61851.F):
        yield f"{slot.source.id}: {status.reason}"


def _draw(source: Charger | None, meter: Meter | None) -> tuple[int | None, int | None]:
    """Current in mA and power in W: the meter's word goes before the charger's own."""
    status = None if source is None else _good(source.status())
    reading = None if meter is None else _good(meter.reading())
    current_ma = None if status is None else status.current_ma
    if reading is not None and reading.power_w is not None:
        return current_ma, reading.power_w
    return current_ma, None if status is None else status.power_w


def _good(reading: Reading[V]) -> V | None:
    return reading.value if reading.quality is Quality.GOOD else None


def _value(reading: Reading[V] | None) -> V | None:
    return None if reading is None else reading.value


async def _attempt(question: Awaitable[object]) -> None:
    """What does not answer stays old, and so counts as unknown."""
    with suppress(DeviceError):
        await question


def _point(name: str, reading: Reading[bool], true: str, false: str, where: Ref) -> Point:
    text = "-" if reading.value is None else true if reading.value else false
    return Point(name, text, reading.quality, reading.at_ms, None, str(where))


def _pack_point(number: int, pack: SlotPack) -> Point:
    reading = pack.reading
    said: list[str] = []
    if reading is not None:
        said = [
            reading.serial or "no code",
            "" if reading.soc_permille is None else f"{reading.soc_permille / 10:.1f} %",
            "" if reading.voltage_mv is None else f"{reading.voltage_mv / 1000:.2f} V",
        ]
    error = "; ".join(pack.link.findings()) or (None if pack.error is None else str(pack.error))
    quality = Quality.NONE if reading is None else Quality.GOOD
    text = " ".join(filter(None, said)) or "-"
    return Point(f"{number} pack", text, quality, pack.at_ms, None, pack.link.profile_id, error)
