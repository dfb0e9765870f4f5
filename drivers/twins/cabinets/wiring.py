"""What hangs on the channels of a cabinet's boards? Laid out from the very config that the gateway drives it by.

An input is a contact, closed when what its name says is so; an output does it while it is on. Both may be turned round.

    inputs    door: it is open    presence: something is in    bms-silent    smoke fire water heat emergency-stop
              mains: it is there    fan-fault    charger-fault: of any slot
              never: nothing is wired to it
    outputs   charger    mux: the pack line is on this slot    fan siren heater lamp
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from drivers.boards.config import BoardConfig, Feedback
from drivers.boards.registry import known_feedback
from drivers.cabinet import Hazard
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.plan import SlotPlan, slot_plans
from drivers.cabinets.refs import Ref, parse

HAZARDS: Final = {
    "smoke": Hazard.SMOKE,
    "fire": Hazard.FIRE,
    "water": Hazard.WATER,
    "heat": Hazard.HEAT,
    "emergency-stop": Hazard.EMERGENCY_STOP,
}
SIGNALS: Final = ("fan", "siren", "heater", "lamp")
AUX: Final = (
    "fan-fault",
    "charger-fault",
)  # what the cabinet can feel besides, by the names that config gives its inputs
_USUAL_FEEDBACK: Final[Feedback] = "nc"


@dataclass(frozen=True, slots=True)
class Point:
    """What a channel is wired to. slot: None: the whole cabinet."""

    cabinet: str
    name: str
    slot: int | None = None
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class LockPoint:
    """A lock on a channel. feedback: how its contact is truly wired."""

    cabinet: str
    slot: int
    feedback: Feedback


@dataclass(slots=True)
class BoardWiring:
    """By the channel's number, as printed on the board. temps: cabinets whose warmth it measures."""

    locks: dict[int, LockPoint] = field(default_factory=dict)
    inputs: dict[int, Point] = field(default_factory=dict)
    outputs: dict[int, Point] = field(default_factory=dict)
    temps: dict[int, str] = field(default_factory=dict)

    @property
    def points(self) -> list[LockPoint | Point]:
        """Everything that is wired to it, but thermometers."""
        return [*self.locks.values(), *self.inputs.values(), *self.outputs.values()]

    @property
    def cabinets(self) -> list[str]:
        """All that it serves."""
        return list(dict.fromkeys([*(point.cabinet for point in self.points), *self.temps.values()]))


_Put = Callable[[Literal["inputs", "outputs"], Ref | None, Point], None]


def wiring_of(
    boards: Iterable[BoardConfig], cabinets: Iterable[CabinetConfig], truly: dict[str, Feedback] | None = None
) -> dict[str, BoardWiring]:
    """By board. truly: how locks' contacts of a board are wired where config does not know, or is wrong.

    Raises KeyError for a board that is not there.
    """
    configs = {board.id: board for board in boards}
    wiring = {name: BoardWiring() for name in configs}

    def feedback(board: str, said: Feedback | None) -> Feedback:
        own = known_feedback(configs[board].protocol)
        return own or (truly or {}).get(board) or said or configs[board].feedback or _USUAL_FEEDBACK

    def put(table: Literal["inputs", "outputs"], ref: Ref | None, point: Point) -> None:
        if ref is not None:
            turned = Point(point.cabinet, point.name, point.slot, ref.contrary)
            board = wiring[ref.board]
            (board.inputs if table == "inputs" else board.outputs)[ref.channel] = turned

    for cabinet in cabinets:
        for slot in slot_plans(cabinet):
            lock = slot.lock
            wiring[lock.board].locks[lock.channel] = LockPoint(
                cabinet.id, slot.number, feedback(lock.board, slot.feedback)
            )
            _wire_slot(cabinet.id, slot, put)
        for name, text in cabinet.inputs.all():
            word = name.removeprefix("aux.").replace("_", "-")
            known = word in (*HAZARDS, "mains") or (name.startswith("aux.") and word in AUX)
            put("inputs", parse(text), Point(cabinet.id, word if known else "never"))
        for signal, text in cabinet.outputs.all():
            put("outputs", parse(text), Point(cabinet.id, signal))
        if cabinet.inner_temp is not None:
            place = parse(cabinet.inner_temp)
            wiring[place.board].temps[place.channel] = cabinet.id
    return wiring


def _wire_slot(cabinet: str, slot: SlotPlan, put: _Put) -> None:
    put("inputs", slot.door_open, Point(cabinet, "door", slot.number))
    put("inputs", slot.present, Point(cabinet, "presence", slot.number))
    put("outputs", slot.charger, Point(cabinet, "charger", slot.number))
    if slot.pack is not None:
        put("outputs", slot.pack.mux, Point(cabinet, "mux", slot.number))
