"""What may be written into a tank's book, and what in a tank should call a person? Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge.till.state import Flow, Tank
from protocols.trade.quantities import litres
from protocols.trade.records import Draft, Notice
from protocols.trade.records_fuel import TankDipped

Strapping = Sequence[tuple[int, int]]
"""(level in mm, volume in litres), both rising: what a level means in this tank."""


@dataclass(frozen=True, slots=True)
class TankLimits:
    """What is fixed about a tank. strapping: empty: its gauge knows the volume, or nobody reads a level here.

    water_mm_max, low_ml, leak_ml: beyond these a person is told; 0: never.
    """

    id: str
    grade: str
    capacity_ml: int
    strapping: Strapping = ()
    water_mm_max: int = 0
    low_ml: int = 0
    leak_ml: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """A tank as its gauge showed it when nothing flowed any more. told: a leak has been reported since."""

    volume_ml: int
    flow: Flow
    told: bool = False


def volume_at(strapping: Strapping, level_mm: int) -> int | None:
    """mL at this level, by straight lines between the table's rows, rounded down. None: above the table."""
    rows = [(0, 0), *strapping] if strapping and strapping[0][0] > 0 else list(strapping)
    at = bisect_right([level for level, _ in rows], level_mm)
    if not rows or at == 0 or (at == len(rows) and level_mm > rows[-1][0]):
        return None
    (low_mm, low_l), (high_mm, high_l) = rows[at - 1], rows[min(at, len(rows) - 1)]
    if high_mm == low_mm:
        return low_l * 1000
    return low_l * 1000 + (level_mm - low_mm) * (high_l - low_l) * 1000 // (high_mm - low_mm)


def strapping_disorder(strapping: Strapping) -> str | None:
    """What is wrong with a strapping table; None: nothing."""
    for (level, volume), (later, more) in pairwise(strapping):
        if later <= level or more <= volume:
            return f"{later} mm, {more} L after {level} mm, {volume} L"
    return None


def book_ml(tank: Tank) -> int | None:
    """What should be in it now, by its last close, deliveries and pumps. None: it has never been dipped."""
    if tank.opening is None:
        return None
    flow = tank.flow
    return tank.opening.volume_ml + flow.received_ml - flow.sold_ml - flow.unattributed_ml


def dip_refused(limits: TankLimits, volume_ml: int) -> str | None:
    """Why a dip cannot be so; None: it can."""
    if volume_ml > limits.capacity_ml:
        return f"{litres(volume_ml)} L in a tank of {litres(limits.capacity_ml)} L"
    return None


def delivery_refused(limits: TankLimits, tank: Tank | None, volume_ml: int, note: str) -> str | None:
    """Why a delivery is not booked; None: it is."""
    if tank is not None and note in tank.notes:
        return f"delivery note {note} has been booked for tank {limits.id}"
    held_ml = (book_ml(tank) or 0) if tank is not None else 0
    if held_ml + volume_ml > limits.capacity_ml:
        room_ml = max(0, limits.capacity_ml - held_ml)
        return f"{litres(volume_ml)} L do not fit: by its book tank {limits.id} has room for {litres(room_ml)} L"
    return None


def alarms(
    limits: TankLimits, volume_ml: int, water_mm: int | None, told: frozenset[str]
) -> tuple[list[Draft], frozenset[str]]:
    """(notices to write now, alarms that stand). told: those that stood at the last look: each is written once."""
    stand: dict[str, str] = {}
    if limits.water_mm_max and water_mm is not None and water_mm > limits.water_mm_max:
        stand["tank-water"] = f"{water_mm} mm of water, at most {limits.water_mm_max} mm are safe to sell from"
    if limits.low_ml and volume_ml < limits.low_ml:
        stand["tank-low"] = f"{litres(volume_ml)} L left, below {litres(limits.low_ml)} L"
    drafts = [Draft(Notice(what, limits.id, detail)) for what, detail in stand.items() if what not in told]
    return drafts, frozenset(stand)


def leak(
    limits: TankLimits, rest: Rest | None, volume_ml: int, flow: Flow, *, still: bool
) -> tuple[Rest | None, list[Draft]]:
    """(what to compare with next, notices). still: no filling is open. A level that falls while nothing flows is told
    once until something flows again.
    """
    if not still or not limits.leak_ml:
        return None, []
    if rest is None or rest.flow != flow or volume_ml > rest.volume_ml:
        return Rest(volume_ml, flow), []
    gone_ml = rest.volume_ml - volume_ml
    if rest.told or gone_ml <= limits.leak_ml:
        return rest, []
    detail = f"{litres(gone_ml)} L less than when nothing flowed any more: {litres(volume_ml)} L left"
    return Rest(rest.volume_ml, flow, told=True), [Draft(Notice("tank-leak", limits.id, detail))]


def difference_ml(tank: Tank) -> int | None:
    """Newest dip less what the book said at that moment. None: it has not been dipped since its last close."""
    if tank.opening is None or tank.closing is None:
        return None
    flow = tank.at_closing
    return tank.closing.volume_ml - (tank.opening.volume_ml + flow.received_ml - flow.sold_ml - flow.unattributed_ml)


def newest_dip(tank: Tank) -> TankDipped | None:
    return tank.closing or tank.opening
