"""A totalizer of an idle pump: has it moved, and who might answer for it? Counted, never charged."""

from __future__ import annotations

from msgspec.structs import replace

from edge.till.fill.point import FuelPoint
from edge.till.fill.verdict import moved_ml
from edge.till.state import TillState
from protocols.trade.records import Draft, Notice
from protocols.trade.records_fuel import FuelUnattributed, PumpTotals, PumpTotalsRead


def explain(state: TillState, point: FuelPoint, totals: PumpTotals) -> tuple[Draft, ...]:
    """The records that bring the log to these totals, read while no filling is open at the pump; none: nothing moved.

    The first reading ever is a baseline. Whoever filled last at the pump might answer for a movement.
    """
    newest = state.forecourt.newest.get(point.id)
    answers = [] if newest is None else [f"after session {newest}"]
    before = state.forecourt.totals.get(point.id)
    if before is None:
        return (Draft(PumpTotalsRead([totals])),)
    drafts: list[Draft] = []
    known = {one.nozzle: one for one in before.nozzles}
    told = dict(known)  # what the log says after these records, but for what is read anew
    for after in totals.nozzles:
        if after.nozzle not in known:
            continue
        volume_ml = moved_ml(known[after.nozzle].volume_ml, after.volume_ml, point.traits.total_ml_wraps)
        if volume_ml is None:
            was_ml = known[after.nozzle].volume_ml
            detail = f"nozzle {after.nozzle}: {was_ml} mL when last read, now {after.volume_ml} mL: exchanged or reset"
            drafts.append(Draft(Notice("totalizer-fell", point.id, detail)))
        elif volume_ml:
            told[after.nozzle] = after
            place = point.nozzles[after.nozzle]
            gone = (known[after.nozzle], after, volume_ml, None, answers)
            drafts.append(Draft(FuelUnattributed(point.id, after.nozzle, place.grade, place.tank, "no-sale", *gone)))
    if list(told.values()) != totals.nozzles:  # one fell, came, went, or counted money alone
        drafts.append(Draft(PumpTotalsRead([totals])))
    return tuple(drafts)


def agree(state: TillState, totals: PumpTotals) -> bool:
    """Whether the log's newest totals of this pump are these, so that a filling may begin at them."""
    before = state.forecourt.totals.get(totals.pump)
    if before is None:
        return False
    return replace(before, mono_ms=0, wall_ms=0) == replace(totals, mono_ms=0, wall_ms=0)
