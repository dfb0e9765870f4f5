"""What must be written down about a cabinet?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.config import Feedback, Name
from drivers.cabinets.refs import InRef, OutRef
from drivers.packs.config import PackLinkConfig

BY_LOCK: Final = "unlocked"
DoorOpen = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(unlocked|(not )?[A-Za-z0-9{][A-Za-z0-9._{}-]{0,37}/[1-9][0-9]{0,2})$",
        description='an input such as "di-1/7" or "not di-1/7", or "unlocked" where only the lock\'s contact tells',
    ),
]


class PackConfig(PackLinkConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data wire of a slot (docs/packs.md). line: `{slot}` in it stands for the slot's number.

    mux: the output that connects this slot's pack to a line which several slots share; None: the line is its own.
    settle_ms: from that switch to the first question.
    """

    mux: OutRef | None = None
    settle_ms: Annotated[int, msgspec.Meta(ge=0, le=5_000)] = 50


class SlotConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One slot, or a run of `count` slots whose channels count up.

    number: as customers read it; of a run, the first one's. lock: the channel that opens it. feedback: how its lock's
    contact is wired; None: as the board says. door_open: the input that is true while the door is open. present: true
    while something is in the slot. charger: its relay; charge_power_w_max: the most it draws. meter: the [[device]]
    that measures what the charger takes or gives. pack: None: packs say nothing in this slot.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=999)]
    lock: OutRef
    count: Annotated[int, msgspec.Meta(ge=1, le=200)] = 1
    feedback: Feedback | None = None
    door_open: DoorOpen | None = None
    present: InRef | None = None
    charger: OutRef | None = None
    charge_power_w_max: Annotated[int, msgspec.Meta(ge=1, le=20_000)] | None = None
    meter: str | None = None
    pack: PackConfig | None = None

    def __post_init__(self) -> None:
        if (self.charger is None) != (self.charge_power_w_max is None):
            raise ValueError("`charger` and `charge_power_w_max` go together: a power budget needs both")

    @property
    def numbers(self) -> range:
        return range(self.number, self.number + self.count)


class CabinetInputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cabinet.inputs]`: what the whole cabinet feels; each name says what is so while its inputs are true.

    Several inputs of a hazard: any of them. mains: the supply is there. aux: others by names of yours, shown and not
    acted upon.
    """

    smoke: tuple[InRef, ...] = ()
    fire: tuple[InRef, ...] = ()
    water: tuple[InRef, ...] = ()
    heat: tuple[InRef, ...] = ()
    emergency_stop: tuple[InRef, ...] = ()
    mains: InRef | None = None
    aux: dict[str, InRef] = {}

    def hazards(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each hazard's name here with its inputs."""
        for name in HAZARDS:
            yield name, getattr(self, name)

    def all(self) -> Iterator[tuple[str, str]]:
        """Every input with its key."""
        for name, refs in self.hazards():
            yield from ((name, ref) for ref in refs)
        if self.mains is not None:
            yield "mains", self.mains
        yield from ((f"aux.{name}", ref) for name, ref in self.aux.items())


HAZARDS: Final = ("smoke", "fire", "water", "heat", "emergency_stop")
Signal = Literal["fan", "siren", "heater", "lamp"]


class CabinetOutputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cabinet.outputs]`: what the whole cabinet can do."""

    fan: OutRef | None = None
    siren: OutRef | None = None
    heater: OutRef | None = None
    lamp: OutRef | None = None

    def all(self) -> Iterator[tuple[Signal, str]]:
        """Every output that is there, by its name."""
        pairs: tuple[tuple[Signal, str | None], ...] = (
            ("fan", self.fan),
            ("siren", self.siren),
            ("heater", self.heater),
            ("lamp", self.lamp),
        )
        yield from ((name, ref) for name, ref in pairs if ref is not None)


class CabinetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[cabinet]]`: slots, and what the whole cabinet feels and does.

    number: what customers read on it; None: nothing but its id. serial: what stands on its plate. inner_temp: a
    thermometer's channel. pack_poll_s: from one reading of a pack to the next, where its line keeps up; well below
    `silent_s` of charging, or its charger goes off in between. wake_pulse_s: how long the charger is on to wake a pack
    that only its voltage wakes.
    """

    id: Name
    slot: tuple[SlotConfig, ...]
    number: Annotated[int, msgspec.Meta(ge=1, le=999)] | None = None
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    inputs: CabinetInputs = CabinetInputs()
    outputs: CabinetOutputs = CabinetOutputs()
    inner_temp: OutRef | None = None
    pack_poll_s: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 5.0
    wake_pulse_s: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 2.0

    def __post_init__(self) -> None:
        if not self.slot:
            raise ValueError("a cabinet has at least one `slot`")
