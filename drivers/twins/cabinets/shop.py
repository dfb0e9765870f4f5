"""A shop front in time: cabinets, packs in slots and on bikes, riders, and the ledger that knows where everything is.

Time is told by `run` (a test, a simulation) or by `catch_up` (a wire); nothing here looks at a clock of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from drivers.twins.cabinets.cabinet import STEP_MS, Cabinet
from drivers.twins.cabinets.faults import CabinetFaults
from drivers.twins.cabinets.ledger import Cause, Ledger, Place
from drivers.twins.cabinets.pack import Pack, Thing
from drivers.twins.cabinets.slot import Slot, SlotMake

THIEF: Final = "thief"
STREET: Final = "street"
_LONGEST_STEP_MS: Final = 60_000
_STALL_S: Final = 0.1


class Actor(Protocol):
    """Somebody at a cabinet."""

    name: str
    cabinet: str

    def step(self, shop: Shop) -> bool:
        """Do what can be done now. True: gone."""
        ...

    def idle_ms(self, shop: Shop) -> int:
        """For how long it surely does nothing, whatever happens meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Tap:
    """A rider shows a card or a code at a cabinet."""

    at_ms: int
    cabinet: str
    rider: str
    credential: str


class Shop:
    """The whole of it.

    clock: in seconds, for `catch_up`; None: time is told by `run` alone. speed: how much faster this world's time runs
    than the clock's. Hands reach through open doors only: `put` and `take` say whether they could.
    taps: told of every card that is shown. reflexes: what boards do by themselves, at every step.
    """

    def __init__(self, *, speed: int = 1, clock: Callable[[], float] | None = None, ambient_dc: int = 250) -> None:
        self.ledger = Ledger()
        self.cabinets: dict[str, Cabinet] = {}
        self.things: dict[str, Thing] = {}
        self.taps: list[Callable[[Tap], None]] = []
        self.reflexes: list[Callable[[], None]] = []
        self.now_ms = 0
        self.speed = speed
        self.ambient_dc = ambient_dc
        self._clock = clock
        self._start_s: float | None = None
        self._start_ms = 0
        self._later: list[tuple[int, Callable[[], None]]] = []
        self._here: list[Actor] = []
        self._queues: list[tuple[deque[Actor], Iterator[Actor]]] = []

    # How it is built.

    def add_cabinet(
        self,
        id: str,  # noqa: A002  (the word of the config)
        slots: Mapping[int, SlotMake],
        *,
        faults: CabinetFaults | None = None,
        standby_w: int = 15,
    ) -> Cabinet:
        """An empty one, all doors shut."""
        assert id not in self.cabinets
        cabinet = Cabinet(id, slots, self.ledger, faults=faults, standby_w=standby_w, ambient_dc=self.ambient_dc)
        cabinet.lose = lambda slot: self._carry(slot, cabinet, THIEF)
        self.cabinets[id] = cabinet
        return cabinet

    def bring(self, thing: Thing, who: str = STREET) -> Thing:
        """Something comes into this world, into somebody's hands."""
        assert thing.name not in self.things, f"there is a {thing.name}"
        self.things[thing.name] = thing
        if isinstance(thing, Pack):
            thing.now_ms = self.now_ms
            thing.wake()
        self.ledger.move(thing.name, Place(who), at_ms=self.now_ms, by=who)
        return thing

    def stock(self, cabinet: str, slot: int, thing: Thing) -> None:
        """Something stands in a slot from the start, or as staff puts it there."""
        self.bring(thing, "staff")
        bay = self.cabinets[cabinet].slots[slot]
        assert bay.thing is None
        bay.thing = thing
        self.ledger.move(thing.name, Place(cabinet, slot), at_ms=self.now_ms, by="staff")

    def add(self, actor: Actor) -> None:
        """Somebody is here now, whoever else is."""
        self._here.append(actor)

    def send_away(self, cabinet: str) -> None:
        """Those who are at this cabinet go, and leave everything as it is. Whoever is in a queue stays."""
        self._here = [actor for actor in self._here if actor.cabinet != cabinet]

    def queue(self, actors: Iterable[Actor]) -> None:
        """These come one after the other; may be endless."""
        self._queues.append((deque(), iter(actors)))

    # What hands do.

    def put(self, cabinet: str, slot: int, thing: Thing, who: str) -> bool:
        """From hands into a slot. False: its door is shut, it is taken, or the thing is not in these hands."""
        bay = self.cabinets[cabinet].slots[slot]
        if not bay.door_open or bay.thing is not None or self.ledger.places.get(thing.name) != Place(who):
            return False
        bay.thing = thing
        self.ledger.move(thing.name, Place(cabinet, slot), at_ms=self.now_ms, by=who)
        return True

    def take(self, cabinet: str, slot: int, who: str) -> Thing | None:
        """Out of a slot. None: its door is shut, or nothing is in it."""
        bay = self.cabinets[cabinet].slots[slot]
        if not bay.door_open or bay.thing is None:
            return None
        return self._carry(bay, self.cabinets[cabinet], who)

    def force(self, cabinet: str, slot: int, who: str, *, cause: Cause = Cause.FORCED) -> None:
        """A door is opened against its lock, or by key."""
        self.cabinets[cabinet].slots[slot].open(cause, who)

    def shut(self, cabinet: str, slot: int, who: str) -> bool:
        """Push a door shut; whether it stays so."""
        return self.cabinets[cabinet].slots[slot].shut(who)

    def give(self, thing: Thing, whom: str) -> None:
        """From hands to hands."""
        assert self.ledger.places[thing.name].slot is None
        self.ledger.move(thing.name, Place(whom), at_ms=self.now_ms, by=whom)

    def tap(self, cabinet: str, rider: str, credential: str) -> None:
        for told in tuple(self.taps):
            told(Tap(self.now_ms, cabinet, rider, credential))

    def hands(self, who: str) -> list[Thing]:
        """What somebody has, in the order in which they got it."""
        return [self.things[name] for name in self.ledger.held_by(who)]

    # What time does.

    @property
    def busy(self) -> bool:
        """Somebody is at a cabinet."""
        return bool(self._actors)

    def later(self, ms: int, what: Callable[[], None]) -> None:
        """Do it then."""
        self._later.append((self.now_ms + ms, what))

    def catch_up(self) -> None:
        """Bring everything up to the wall clock, where there is one.

        Where nobody looked for longer than `_STALL_S` the world stood still for the rest of it: on a busy machine a
        door would otherwise open, be reached through and shut between two questions of its board.
        """
        if self._clock is None:
            return
        now_s = self._clock()
        if self._start_s is None:
            self._start_s, self._start_ms = now_s, self.now_ms
        due_ms = self._start_ms + int((now_s - self._start_s) * 1_000 * self.speed)
        if (ms := min(due_ms - self.now_ms, int(_STALL_S * 1_000 * self.speed))) > 0:
            self.run(ms)
        if due_ms > self.now_ms:
            self._start_s, self._start_ms = now_s, self.now_ms

    def run(self, ms: int) -> None:
        """Let so much time pass."""
        end_ms = self.now_ms + ms
        while True:
            self._do_due()
            for cabinet in self.cabinets.values():
                cabinet.befall()
            for reflex in self.reflexes:
                reflex()
            self._serve()
            if (left_ms := end_ms - self.now_ms) <= 0:
                return
            self._advance(min(left_ms, self._step_ms))

    def audit(self) -> list[str]:
        """Where ledger and world disagree. Never, or a twin is wrong."""
        wrong = []
        for cabinet in self.cabinets.values():
            for number, slot in cabinet.slots.items():
                noted, true = self.ledger.at(cabinet.place(number)), None if slot.thing is None else slot.thing.name
                if noted != true:
                    wrong.append(f"{cabinet.place(number)}: {noted} by the ledger, {true} in truth")
        if self.ledger.places.keys() != self.things.keys():
            wrong.append(f"unknown: {sorted(self.ledger.places.keys() ^ self.things.keys())}")
        for name, cabinet in self.cabinets.items():
            account = cabinet.account
            if account.lost_mj < 0:
                wrong.append(f"{name}: packs kept more than came in: {account}")
        return wrong

    def state(self) -> dict[str, Any]:
        """Where everything stands, for a person or a test."""
        return {
            "cabinets": {name: cabinet.state() for name, cabinet in self.cabinets.items()},
            "places": {name: str(place) for name, place in self.ledger.places.items()},
            "here": [actor.name for actor in self._actors],
        }

    # Below: how.

    @property
    def _step_ms(self) -> int:
        steps = [cabinet.step_ms for cabinet in self.cabinets.values()]
        steps += [due_ms - self.now_ms for due_ms, _ in self._later]
        steps += [max(STEP_MS, actor.idle_ms(self)) for actor in self._actors]
        return min(steps, default=_LONGEST_STEP_MS)

    @property
    def _actors(self) -> list[Actor]:
        return [*self._here, *(queue[0] for queue, _ in self._queues if queue)]

    def _do_due(self) -> None:
        for due in [one for one in self._later if one[0] <= self.now_ms]:
            self._later.remove(due)
            due[1]()

    def _serve(self) -> None:
        gone = [actor for actor in tuple(self._here) if actor.step(self)]
        self._here = [actor for actor in self._here if actor not in gone]
        for queue, coming in self._queues:
            while True:
                if not queue:
                    actor = next(coming, None)
                    if actor is None:
                        break
                    queue.append(actor)
                if not queue[0].step(self):
                    break
                queue.popleft()

    def _advance(self, ms: int) -> None:
        self.now_ms += ms
        for cabinet in self.cabinets.values():
            cabinet.advance(ms)
        for name, place in self.ledger.places.items():
            if place.slot is None and isinstance(pack := self.things[name], Pack):
                pack.charger_voltage, pack.flow_w = False, 0
                pack.advance(ms, self.ambient_dc)

    def _carry(self, slot: Slot, cabinet: Cabinet, who: str) -> Thing:
        thing = slot.thing
        assert thing is not None
        slot.thing = None
        if isinstance(thing, Pack):
            thing.charger_voltage, thing.flow_w = False, 0
        self.ledger.move(thing.name, Place(who), at_ms=self.now_ms, by=who)
        return thing
