"""What can be told to simulated pumps while they serve: one JSON object a line, one JSON answer each."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import parse_customers
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind

_Nozzle = Annotated[int, msgspec.Meta(ge=1, le=15)]
_Number = Annotated[int, msgspec.Meta(ge=0)]


class PumpCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Which one it is stands in `do`."""

    pump: str


class Come(PumpCommand, frozen=True, tag="customer"):
    """Customers come, after those who stand there; `who` as `parse_customers` reads it."""

    who: str
    seed: int = 0


class Lift(PumpCommand, frozen=True, tag="lift"):
    """A hand lifts a nozzle."""

    nozzle: _Nozzle


class HangUp(PumpCommand, frozen=True, tag="hang-up"):
    """A hand hangs a nozzle up; without `nozzle` the selected one."""

    nozzle: _Nozzle | None = None


class Squeeze(PumpCommand, frozen=True, tag="squeeze"):
    """A hand squeezes the trigger; ml: and lets go when so much has flowed. room_ml: into a tank with so much room."""

    ml_s: _Number = 700
    ml: _Number | None = None
    room_ml: _Number | None = None


class GoWrong(PumpCommand, frozen=True, tag="pump-fault"):
    """Make a pump go wrong."""

    fault: PumpFault


class GoRight(PumpCommand, frozen=True, tag="pump-clear"):
    """End one kind of fault, or all."""

    kind: PumpFaultKind | None = None


AnyPumpCommand = Come | Lift | HangUp | Squeeze | GoWrong | GoRight


def obey(bay: Bay, command: AnyPumpCommand) -> dict[str, Any]:
    """Carry it out; how the pump stands then. Raises ValueError, LookupError."""
    bay.catch_up()
    pump = bay.pump
    match command:
        case Come(who=who, seed=seed):
            if who.split(":")[0] == "random":
                raise ValueError("random customers have no end: they stand in the pump's config")
            for customer in parse_customers([who], seed, tuple(pump.nozzles)):
                bay.add(customer)
        case Lift(nozzle=nozzle):
            if nozzle not in pump.nozzles:
                raise KeyError(f"nozzle {nozzle}")
            pump.lift(nozzle)
        case HangUp(nozzle=nozzle):
            pump.hang_up(nozzle)
        case Squeeze(ml_s=ml_s, ml=ml, room_ml=room_ml):
            pump.park(room_ml)
            pump.squeeze(ml_s, ml)
        case GoWrong(fault=fault):
            bay.faults.set(fault)
        case GoRight(kind=kind):
            bay.faults.clear(kind)
    bay.run(0)
    return bay.state()
