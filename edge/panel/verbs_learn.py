"""What the panel can be asked so that a person learns how a cabinet is wired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from edge.daemon_state import Daemon
from edge.panel.messages import Trouble
from edge.panel.messages_learn import LookView, WiredView
from edge.panel.verbs import Declined, NoArgs, Verb, unknown

if TYPE_CHECKING:  # loaded when a site with a cabinet asks
    from drivers.cabinets.cabinet import BoardCabinet
    from drivers.cabinets.evidence import Look


class OneSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """cabinet: its id. slot: as customers read it."""

    cabinet: str
    slot: Annotated[int, msgspec.Meta(ge=1, le=999)]


class PulseAndLook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """before: what was seen last with the door shut."""

    cabinet: str
    slot: Annotated[int, msgspec.Meta(ge=1, le=999)]
    before: LookView


async def wired(daemon: Daemon, args: NoArgs, by: str) -> object:
    """Every slot whose lock's contact, or door, can tell anything."""
    views: list[WiredView] = []
    for name, cabinet in sorted(daemon.premises.cabinets.items()):
        for number, slot in cabinet.wired.items():
            lock, door = slot.lock.ref, slot.door_open
            if lock.channel in slot.lock.board.channels.contacts or door is not None:
                place = None if door is None else f"{door.ref.board}/{door.ref.channel}"
                views.append(WiredView(name, number, lock.board, str(lock), slot.feedback, place))
    return views


async def look(daemon: Daemon, args: OneSlot, by: str) -> object:
    """What the wires say, several times."""
    cabinet = _cabinet(daemon, args.cabinet, args.slot)
    from drivers.cabinets.learn import looks

    return _views(await looks(cabinet, args.slot))


async def pulse(daemon: Daemon, args: PulseAndLook, by: str) -> object:
    """Open the slot, which goes into the log where there is one, and watch its wires."""
    cabinet = _cabinet(daemon, args.cabinet, args.slot)
    shop = None if daemon.site is None else daemon.site.shop
    if shop is None:
        await cabinet.open(args.slot)
    else:
        refused = await shop.open_slot(args.cabinet, args.slot, by, "learn lock-polarity")
        if refused is not None:
            remedy = "Wait until it is over, or cancel it."
            raise Declined(Trouble("cabinet-busy", f"{args.cabinet}: {refused}", remedy, where=args.cabinet))
    from drivers.cabinets.evidence import Look
    from drivers.cabinets.learn import looks_after

    before = Look(args.before.contact, args.before.door)
    return _views(await looks_after(cabinet, args.slot, before))


def _views(looks: list[Look]) -> list[LookView]:
    return [LookView(one.contact, one.door) for one in looks]


def _cabinet(daemon: Daemon, name: str, slot: int) -> BoardCabinet:
    """Raises Declined for one that is not there, and for a slot that it does not have."""
    cabinet = daemon.premises.cabinets.get(name)
    if cabinet is None:
        raise Declined(unknown("cabinet", name, daemon.premises.cabinets))
    if slot not in cabinet.wired:
        raise Declined(unknown("slot", str(slot), [str(number) for number in cabinet.wired]))
    return cabinet


VERBS: dict[str, tuple[type[msgspec.Struct], Verb]] = {
    "learn-slots": (NoArgs, wired),
    "learn-look": (OneSlot, look),
    "learn-pulse": (PulseAndLook, pulse),
}
