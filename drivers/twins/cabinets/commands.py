"""What can be told to a simulated shop front while it serves: one JSON object a line, one JSON answer each."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.ledger import Cause, ThingMoved
from drivers.twins.cabinets.rider_words import parse_riders

_Number = Annotated[int, msgspec.Meta(ge=1, le=999)]


class ShopCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Which one it is stands in `do`."""

    cabinet: str


class Visit(ShopCommand, frozen=True, tag="rider"):
    """A rider comes at once; `who` as `parse_riders` reads it, but for `random`."""

    who: str
    seed: int = 0


class Leave(ShopCommand, frozen=True, tag="leave"):
    """Whoever is at the cabinet goes at once, and leaves everything as it is."""


class Pry(ShopCommand, frozen=True, tag="force"):
    """A door is opened against its lock; by key: as staff does."""

    slot: _Number
    by_key: bool = False


class ShutDoor(ShopCommand, frozen=True, tag="shut"):
    """A door is pushed shut."""

    slot: _Number


class PutIn(ShopCommand, frozen=True, tag="put"):
    """Something that is in `person`'s hands goes into a slot; name: as the ledger knows it."""

    slot: _Number
    name: str
    person: str = "staff"


class TakeOut(ShopCommand, frozen=True, tag="take"):
    """What is behind an open door goes to `person`."""

    slot: _Number
    person: str = "staff"


class CabinetGoesWrong(ShopCommand, frozen=True, tag="cabinet-fault"):
    """Make a cabinet, a board, a slot or a pack go wrong."""

    fault: CabinetFault


class CabinetGoesRight(ShopCommand, frozen=True, tag="cabinet-clear"):
    """End those faults that match all that is said."""

    kind: CabinetFaultKind | None = None
    slot: _Number | None = None
    board: str | None = None


class Moves(ShopCommand, frozen=True, tag="moves"):
    """What has gone into the cabinet's slots and out of them, in order: the truth for an auditor."""


AnyShopCommand = Visit | Leave | Moves | Pry | ShutDoor | PutIn | TakeOut | CabinetGoesWrong | CabinetGoesRight


def obey(front: ShopFront, command: AnyShopCommand) -> dict[str, Any]:
    """Carry it out; how the cabinet stands then, or what was asked. Raises ValueError, LookupError."""
    shop = front.shop
    shop.catch_up()
    cabinet = front.cabinet(command.cabinet)
    match command:
        case Visit(who=who, seed=seed):
            if who.split(":")[0] == "random":
                raise ValueError("random riders have no end: they stand in the shop's config")
            for rider in parse_riders([who], seed, cabinet.id, front.config.people):
                shop.add(rider)
        case Leave():
            shop.send_away(cabinet.id)
        case Moves():
            return {"moves": [_said(moved) for moved in shop.ledger.things() if _touches(moved, cabinet.id)]}
        case Pry(slot=slot, by_key=by_key):
            who, cause = ("staff", Cause.KEY) if by_key else ("somebody", Cause.FORCED)
            shop.force(cabinet.id, _there(cabinet, slot), who, cause=cause)
        case ShutDoor(slot=slot):
            shop.shut(cabinet.id, _there(cabinet, slot), "somebody")
        case PutIn(slot=slot, name=name, person=person):
            if not shop.put(cabinet.id, _there(cabinet, slot), shop.things[name], person):
                raise ValueError(f"{person} cannot put {name} into slot {slot}: see the door, the slot, and who has it")
        case TakeOut(slot=slot, person=person):
            if shop.take(cabinet.id, _there(cabinet, slot), person) is None:
                raise ValueError(f"nothing can be taken out of slot {slot}: see the door, and the slot")
        case CabinetGoesWrong(fault=fault):
            if fault.slot is not None:
                _there(cabinet, fault.slot)
            cabinet.faults.set(fault)
        case CabinetGoesRight(kind=kind, slot=slot, board=board):
            cabinet.faults.clear(kind, slot, board)
    shop.run(0)
    return cabinet.state()


def _touches(moved: ThingMoved, cabinet: str) -> bool:
    return cabinet in (moved.now.where, None if moved.was is None else moved.was.where)


def _said(moved: ThingMoved) -> dict[str, Any]:
    return {"at_ms": moved.at_ms, "name": moved.name, "was": str(moved.was or ""), "now": str(moved.now)}


def _there(cabinet: Cabinet, slot: int) -> int:
    """Raises KeyError."""
    if slot not in cabinet.slots:
        raise KeyError(f"slot {slot}")
    return slot
