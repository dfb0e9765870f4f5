"""How does a pack in a locker fare, for whoever stands before it: does its door open, does it charge? Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from edge.ports.ports import PortHall
from edge.till.port.again import flickers
from edge.till.port.door import DoorRow
from edge.till.port.locker import charge_of
from edge.till.state import OpenStay
from protocols.proof.receipt_story import PortStory


@dataclass(frozen=True, slots=True)
class Kept:
    """door, charge: each a word; empty: there is nothing to say of it."""

    door: str = ""
    charge: str = ""


NOTHING = Kept()
"""There is nothing to say."""


def kept(hall: PortHall, stay: OpenStay, row: DoorRow) -> Kept:
    """Of a locker that is somebody's. No I/O."""
    return NOTHING if stay.stored is None else Kept(_door(hall, stay, row), _charge(hall, stay))


def opens_once_shut(hall: PortHall, place: str) -> bool:
    """Whether its owner has asked for a door that stands open for somebody else."""
    found = hall.lockers.desk.stay_at(place)
    return found is not None and kept(hall, *found).door == "door-first-shut"


def after_power_cut(hall: PortHall, story: PortStory, seq: int) -> tuple[str, int | None]:
    """What has become of a charge that the power has ended, and the session that goes on with it, if one does. Empty:
    the pack is out, or it never lay in a locker.
    """
    opened = story.opened
    found = next((one for one, _ in hall.lockers.desk.stays() if _holds(one, opened.board, opened.port, seq)), None)
    if found is None:
        return "", None
    running = hall.ports.session_at(found.place)
    return _charge(hall, found), None if running is None else running[0].seq


def _holds(stay: OpenStay, board: str, port: int, seq: int) -> bool:
    at = (stay.opened.board, stay.opened.port)
    return at == (board, port) and stay.cut is not None and stay.seq < seq <= stay.cut.seq


def _door(hall: PortHall, stay: OpenStay, row: DoorRow) -> str:
    open_now = row.opened or row.ajar_ms is not None
    loop = hall.loops.get(stay.opened.board)
    status = None if loop is None else loop.sight(stay.opened.port).status
    if status is not None and status.door_open is not None:
        open_now = status.door_open
    if stay.act != "collect":
        return "" if not open_now else "door-open" if row.over else "door-staff"
    if not row.over:
        return "door-first-shut" if open_now and not row.told else ""
    if open_now:
        return "door-shut-and-ask"
    return "door-stuck" if row.told else "door-ask-again"


def _charge(hall: PortHall, stay: OpenStay) -> str:
    """Of a power cut, and of a charge that has not come about."""
    running = hall.ports.session_at(stay.place)
    if running is not None:
        goes_on = "cut-went-on" if running[1].ran else "cut-goes-on"
        return "cut-stays" if running[1].cut else goes_on if stay.cuts else ""
    if stay.cut is not None and flickers(stay, stay.cut.seq):
        return "cut-given-up"
    if charge_of(stay) is None:
        return ""
    if hall.lockers.desk.is_charged_no_more(stay):
        return "cut-given-up" if stay.cuts else "not-charged"
    return "cut-goes-on" if stay.cuts else ""
