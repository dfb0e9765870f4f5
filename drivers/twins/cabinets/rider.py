"""Who stands at a cabinet: hands that put packs in, take them out, shut doors, and do all that with the wrong ones.

A rider is a list of steps, in the shop's own time. Riders know what they see: which door opens, what stands behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drivers.twins.cabinets.ledger import Cause
from drivers.twins.cabinets.pack import Pack, Thing
from drivers.twins.cabinets.shop import STREET, Shop

_PATIENCE_MS: Final = 180_000
_GLANCE_MS: Final = 200  # how often somebody who waits looks at the doors


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long."""

    ms: int


@dataclass(frozen=True, slots=True)
class Show:
    """A card or a code, to the cabinet's reader."""

    credential: str


@dataclass(frozen=True, slots=True)
class WaitDoor:
    """Until a door opens that was shut when this began, or is open and not yet known; leave after `ms_max`.

    slot: only this one. From then on this is the rider's door.
    """

    ms_max: int = _PATIENCE_MS
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Bring:
    """Something new is in the rider's hands."""

    thing: Thing


@dataclass(frozen=True, slots=True)
class Put:
    """Into the rider's door. name: of the thing; None: what the rider has had longest."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What is behind the rider's door. drops: it does not stay with the rider: it is left in the street."""

    drops: bool = False


@dataclass(frozen=True, slots=True)
class Shut:
    """The rider's door."""


@dataclass(frozen=True, slots=True)
class Slam:
    """The rider's door, which springs back `times`, `ms` apart, before it holds."""

    times: int = 2
    ms: int = 300


@dataclass(frozen=True, slots=True)
class Pull:
    """At a door until it opens or is let go of. beside: slots from the rider's own, or from the first one."""

    beside: int = 0


@dataclass(frozen=True, slots=True)
class Force:
    """A door, against its lock. slot: which one; None: `beside` the rider's own. It is the rider's from then on."""

    slot: int | None = None
    beside: int = 0


@dataclass(frozen=True, slots=True)
class Ride:
    """Away, using so much of the charge of every pack in hand, and back."""

    ms: int
    permille: int


Step = Wait | Show | WaitDoor | Bring | Put | Take | Shut | Slam | Pull | Force | Ride


class Rider:
    """Does its steps one after the other; whoever loses patience leaves things as they are."""

    def __init__(self, name: str, cabinet: str, steps: Sequence[Step], *, kind: str = "rider") -> None:
        self.name = name
        self.cabinet = cabinet
        self.kind = kind
        self.slot: int | None = None  # the rider's door
        self.gave_up = False
        self._steps = list(steps)
        self._at = 0
        self._since_ms: int | None = None  # when the present step began
        self._shut_before: set[int] = set()
        self._slams = 0

    def step(self, shop: Shop) -> bool:
        """Do what can be done now. True: gone."""
        while self._at < len(self._steps):
            if self._since_ms is None:
                self._since_ms = shop.now_ms
                self._begin(self._steps[self._at], shop)
            if not self._over(self._steps[self._at], shop, shop.now_ms - self._since_ms):
                return False
            self._at, self._since_ms = self._at + 1, None
        return True

    def idle_ms(self, shop: Shop) -> int:
        """Until its pause is over, or its next look at the doors; 0 while it acts."""
        step = self._steps[self._at] if self._at < len(self._steps) else None
        if self._since_ms is None or not isinstance(step, Wait | Ride | WaitDoor):
            return 0
        return _GLANCE_MS if isinstance(step, WaitDoor) else self._since_ms + step.ms - shop.now_ms

    def _begin(self, step: Step, shop: Shop) -> None:
        match step:
            case Show(credential):
                shop.tap(self.cabinet, self.name, credential)
            case WaitDoor():
                doors = shop.cabinets[self.cabinet].slots
                self._shut_before = {n for n, slot in doors.items() if not slot.door_open or n != self.slot}
            case Bring(thing):
                shop.bring(thing, self.name)
            case Put(name):
                held = self._thing(shop, name)
                if self.slot is not None and held is not None:
                    shop.put(self.cabinet, self.slot, held, self.name)
            case Take(drops):
                if self.slot is not None:
                    shop.take(self.cabinet, self.slot, STREET if drops else self.name)
            case Shut():
                if self.slot is not None:
                    shop.shut(self.cabinet, self.slot, self.name)
            case Slam(times):
                self._slams = times
            case Pull(beside):
                shop.cabinets[self.cabinet].slots[self._beside(shop, beside)].pull(self.name)
            case Force(slot, beside):
                self.slot = self._beside(shop, beside) if slot is None else slot
                shop.force(self.cabinet, self.slot, self.name)
            case Ride(_, permille):
                for thing in shop.hands(self.name):
                    if isinstance(thing, Pack):
                        thing.drain(thing.full_mj * permille // 1_000)
            case Wait():
                pass

    def _over(self, step: Step, shop: Shop, ms: int) -> bool:
        match step:
            case Wait(wait_ms) | Ride(wait_ms, _):
                return ms >= wait_ms
            case WaitDoor(ms_max, slot):
                return self._sees_door(shop, slot) or self._leaves(ms >= ms_max)
            case Slam(_, every_ms):
                return self._slams_shut(shop, ms, every_ms)
            case _:
                return True

    def _sees_door(self, shop: Shop, wanted: int | None) -> bool:
        slots = shop.cabinets[self.cabinet].slots
        for number in [wanted] if wanted is not None else sorted(self._shut_before):
            if slots[number].door_open:
                self.slot = number
                return True
        self._shut_before |= {number for number, slot in slots.items() if not slot.door_open}
        return False

    def _slams_shut(self, shop: Shop, ms: int, every_ms: int) -> bool:
        """Every `every_ms` shut and sprung open again; at last it holds."""
        if self.slot is None:
            return True
        while self._slams and ms >= every_ms * (self._slams_done(shop) + 1):
            shop.shut(self.cabinet, self.slot, self.name)
            shop.force(self.cabinet, self.slot, self.name, cause=Cause.SPRUNG)
            self._slams -= 1
        if self._slams:
            return False
        shop.shut(self.cabinet, self.slot, self.name)
        return True

    def _slams_done(self, shop: Shop) -> int:
        step = self._steps[self._at]
        return step.times - self._slams if isinstance(step, Slam) else 0

    def _leaves(self, out_of_patience: bool) -> bool:
        if out_of_patience:
            self._at, self.gave_up = len(self._steps), True
        return out_of_patience

    def _thing(self, shop: Shop, name: str | None) -> Thing | None:
        hands = shop.hands(self.name)
        return next((thing for thing in hands if name in (None, thing.name)), None)

    def _beside(self, shop: Shop, beside: int) -> int:
        cabinet = shop.cabinets[self.cabinet]
        return cabinet.beside(self.slot or min(cabinet.slots), beside)
