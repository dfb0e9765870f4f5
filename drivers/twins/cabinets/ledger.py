"""Where does every pack truly stand, and what moved? The truth that auditors hold a shop's own records against."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

MOVEMENTS_MAX: Final = 200_000  # remembered; the places are kept whatever happens


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of a cabinet, or a person's hands (with their bike). slot: None in hands."""

    where: str
    slot: int | None = None

    def __str__(self) -> str:
        return self.where if self.slot is None else f"{self.where}/{self.slot}"


class Cause(Enum):
    """Why a door moved."""

    PULSE = "pulse"  # its lock was energised
    STRAY_PULSE = "stray-pulse"  # another lock was meant
    FORCED = "forced"
    POPPED = "popped"  # by itself
    KEY = "key"  # staff
    HAND = "hand"  # shut by somebody
    SPRUNG = "sprung"  # shut, and not held by its latch


@dataclass(frozen=True, slots=True)
class DoorMoved:
    """A door opened or shut, whatever its sensor says."""

    at_ms: int
    cabinet: str
    slot: int
    open: bool
    cause: Cause
    by: str


@dataclass(frozen=True, slots=True)
class ThingMoved:
    """Something changed its place. was: None: it came into the world."""

    at_ms: int
    name: str
    was: Place | None
    now: Place
    by: str


@dataclass(frozen=True, slots=True)
class Pulsed:
    """A lock was told to open: what a gateway answers for. via: the board."""

    at_ms: int
    cabinet: str
    slot: int
    via: str


Movement = DoorMoved | ThingMoved | Pulsed
M = TypeVar("M", DoorMoved, ThingMoved, Pulsed)


class Ledger:
    """Every thing has one place, every place in a slot has one thing."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.movements: deque[Movement] = deque(maxlen=MOVEMENTS_MAX)

    def note(self, movement: DoorMoved | Pulsed) -> None:
        self.movements.append(movement)

    def move(self, name: str, now: Place, *, at_ms: int, by: str) -> None:
        """Something is somewhere else. Raises AssertionError when another thing is in that slot."""
        taken = None if now.slot is None else self.at(now)
        assert taken in (None, name), f"{name} and {taken} cannot both be in {now}"
        self.movements.append(ThingMoved(at_ms, name, self.places.get(name), now, by))
        self.places[name] = now

    def at(self, place: Place) -> str | None:
        """What is in a slot."""
        return next((name for name, where in self.places.items() if where == place), None)

    def held_by(self, who: str) -> list[str]:
        """What somebody has."""
        return [name for name, place in self.places.items() if place == Place(who)]

    def doors(self, cabinet: str, slot: int | None = None) -> list[DoorMoved]:
        """The movements of a door, or of all of a cabinet's."""
        return [m for m in self._of(DoorMoved) if m.cabinet == cabinet and slot in (None, m.slot)]

    def things(self, name: str | None = None) -> list[ThingMoved]:
        """The way of one thing, or of all."""
        return [m for m in self._of(ThingMoved) if name in (None, m.name)]

    def pulses(self, cabinet: str, slot: int | None = None) -> list[Pulsed]:
        """How often a lock was told to open."""
        return [m for m in self._of(Pulsed) if m.cabinet == cabinet and slot in (None, m.slot)]

    def _of(self, kind: type[M]) -> Iterable[M]:
        return (movement for movement in self.movements if isinstance(movement, kind))
