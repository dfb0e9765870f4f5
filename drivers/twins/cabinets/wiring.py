"""What hangs on the inputs and outputs of a cabinet's boards?

A `Point` is written `door:3`, `smoke`, or with a `!` before it: turned round. An input is a contact: closed when what
its name says is so. An output does it while it is on.

    inputs    door:N it is open    lock:N it is locked    presence:N something is in    relay:N its charger is on
              charger-fault:N      smoke fire water heat emergency-stop    mains it is there    fan-fault    tamper
    outputs   lock:N    charger:N    mux:N the pack line is on this slot    fan siren heater lamp
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.cabinet import Hazard

SLOT_INPUTS: Final = ("door", "lock", "presence", "relay", "charger-fault")
CABINET_INPUTS: Final = ("smoke", "fire", "water", "heat", "emergency-stop", "mains", "fan-fault", "tamper")
SLOT_OUTPUTS: Final = ("lock", "charger", "mux")
CABINET_OUTPUTS: Final = ("fan", "siren", "heater", "lamp")
HAZARDS: Final = {
    "smoke": Hazard.SMOKE,
    "fire": Hazard.FIRE,
    "water": Hazard.WATER,
    "heat": Hazard.HEAT,
    "emergency-stop": Hazard.EMERGENCY_STOP,
}


@dataclass(frozen=True, slots=True)
class Point:
    """slot: None: of the cabinet. inverted: the contact is open when it is so; the output is on when told off."""

    name: str
    slot: int | None = None
    inverted: bool = False

    def __str__(self) -> str:
        return f"{'!' * self.inverted}{self.name}{'' if self.slot is None else f':{self.slot}'}"


def input_of(text: str, slots: int) -> Point:
    """Raises ValueError that says what there is."""
    return _point(text, slots, SLOT_INPUTS, CABINET_INPUTS)


def output_of(text: str, slots: int) -> Point:
    """Raises ValueError that says what there is."""
    return _point(text, slots, SLOT_OUTPUTS, CABINET_OUTPUTS)


def _point(text: str, slots: int, of_slots: tuple[str, ...], of_cabinet: tuple[str, ...]) -> Point:
    name, _, number = text.removeprefix("!").partition(":")
    inverted = text.startswith("!")
    if name in of_slots and number.isdecimal() and 1 <= int(number) <= slots:
        return Point(name, int(number), inverted)
    if name in of_cabinet and not number:
        return Point(name, None, inverted)
    known = ", ".join([*(f"{one}:1..{slots}" for one in of_slots), *of_cabinet])
    raise ValueError(f"{text!r}: expected one of {known}")
