"""What can be told to a site of twins while it serves: one JSON object a line, one JSON answer each."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from drivers.twins.cabinets import commands as shop
from drivers.twins.car import Car
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.ports.yard import AnyPortCommand, Dark, PlugIn, PlugOut, ShutDoor
from drivers.twins.pumps.commands import AnyPumpCommand, PumpCommand, obey
from drivers.twins.site import TwinSite


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """Which one it is stands in `do`."""


class Plug(Command, frozen=True, tag="plug"):
    """Put a car in; fields left out are those of a usual car."""

    outlet: str
    car: Car = Car()


class Unplug(Command, frozen=True, tag="unplug"):
    """Take the car out."""

    outlet: str


class SetFault(Command, frozen=True, tag="fault"):
    """Make a device go wrong."""

    device: str
    fault: Fault


class Clear(Command, frozen=True, tag="clear"):
    """End one kind of fault, or all, on one device or on all."""

    device: str | None = None
    kind: FaultKind | None = None


class Cut(Command, frozen=True, tag="cut"):
    """Take a line away: the adapter is pulled out, the peer's port is closed."""

    line: str


class Restore(Command, frozen=True, tag="restore"):
    """Put a line back: under its symlink, or on the port it had. The answer says where."""

    line: str


class State(Command, frozen=True, tag="state"):
    """Every outlet, device, pump, cabinet and port."""


class Stats(Command, frozen=True, tag="stats"):
    """Every line: what passed, and how late the twins were beyond the wire's own time."""


class Quit(Command, frozen=True, tag="quit"):
    """End."""


AnyCommand = (
    Plug
    | Unplug
    | SetFault
    | Clear
    | Cut
    | Restore
    | State
    | Stats
    | Quit
    | AnyPumpCommand
    | AnyPortCommand
    | shop.AnyShopCommand
)


async def run(site: TwinSite, text: str | bytes) -> tuple[dict[str, Any], bool]:
    """Carry out one command; the answer, and whether to go on. Never raises on what a person may type."""
    try:
        command = msgspec.json.decode(text, type=AnyCommand)
        return {"ok": True, **await _do(site, command)}, not isinstance(command, Quit)
    except KeyError as error:
        return {"ok": False, "error": f"there is no {error.args[0]!r}"}, True
    except (ValueError, OSError) as error:  # msgspec's errors too; a port that is taken
        return {"ok": False, "error": str(error)}, True


def ready(site: TwinSite) -> dict[str, Any]:
    """What is said once everything serves: where each line is, and who is on it."""
    return {
        "ready": True,
        "lines": {name: site.port(name) for name in (*site.wires, *site.forecourt.lines, *site.shop.lines)},
        "devices": {name: {"profile": twin.profile.id, "unit": twin.unit} for name, twin in site.twins.items()},
        **({"pumps": site.forecourt.about()} if site.forecourt.bays else {}),
        **({"shop": site.shop.about()} if site.shop.shop.cabinets else {}),
        **({"boards": {name: line.port for name, line in site.yard.lines.items()}} if site.yard.lines else {}),
    }


async def _do(site: TwinSite, command: AnyCommand) -> dict[str, Any]:
    match command:
        case Plug(outlet=outlet, car=car):
            site.places[outlet].plug(car)
            return site.places[outlet].state()
        case Unplug(outlet=outlet):
            site.places[outlet].unplug()
            return site.places[outlet].state()
        case SetFault(device=device, fault=fault):
            site.twins[device].fault(fault)
            return site.twins[device].state()
        case Clear(device=device, kind=kind):
            for twin in site.twins.values() if device is None else [site.twins[device]]:
                twin.clear(kind)
            return {}
        case Cut(line=line):
            await site.cut(line)
            return {}
        case Restore(line=line):
            await site.restore(line)
            return {"port": site.port(line)}
        case State():
            return {
                "outlets": {name: place.state() for name, place in site.places.items()},
                "devices": {name: twin.state() for name, twin in site.twins.items()},
                **(
                    {"pumps": {name: bay.state() for name, bay in site.forecourt.bays.items()}}
                    if site.forecourt.bays
                    else {}
                ),
                **({"shop": site.shop.shop.state()} if site.shop.shop.cabinets else {}),
                **({"ports": ports} if (ports := site.yard.state()) else {}),
            }
        case Stats():
            wires = {**site.wires, **site.forecourt.lines, **site.shop.lines}
            return {"lines": {name: dataclasses.asdict(wire.stats) for name, wire in wires.items()}}
        case PumpCommand():
            return obey(site.pump(command.pump), command)
        case shop.ShopCommand():
            return shop.obey(site.shop, command)
        case PlugIn() | PlugOut() | ShutDoor() | Dark():
            return site.yard.obey(command)
        case Quit():
            return {}
