"""The fuel part of a day close: fillings by grade, and the wet stock of each tank."""

from __future__ import annotations

from fractions import Fraction

from edge.till.state import Tank, TillState
from protocols.trade.quantities import round_half_up
from protocols.trade.records import Draft
from protocols.trade.records_fuel import FuelDayClosed, WetStockClosed


def day_drafts(state: TillState) -> tuple[Draft, ...]:
    """What stands right before the day's own record; none at a site without pumps and tanks."""
    court = state.forecourt
    day = state.day.number
    drafts = [Draft(wet_stock(day, name, tank)) for name, tank in sorted(court.tanks.items())]
    if court.totals or court.grades:
        drafts.append(Draft(FuelDayClosed(day, [court.grades[grade] for grade in sorted(court.grades)])))
    return tuple(drafts)


def wet_stock(day: int, name: str, tank: Tank) -> WetStockClosed:
    """A tank's book from its opening dip to its newest: what should have been in it then, and what was.

    What flows after the newest dip counts in the next day. Without a second dip the book stays open: the next close
    covers both days.
    """
    opening_ml = None if tank.opening is None else tank.opening.volume_ml
    closing_ml = None if tank.closing is None else tank.closing.volume_ml
    flow = tank.flow if tank.closing is None else tank.at_closing
    gone_ml = flow.sold_ml + flow.unattributed_ml
    variance_ml = None
    if opening_ml is not None and closing_ml is not None:
        variance_ml = closing_ml - (opening_ml + flow.received_ml - gone_ml)
    ppm = None if variance_ml is None or not gone_ml else round_half_up(Fraction(variance_ml * 1_000_000, gone_ml))
    return WetStockClosed(
        day=day,
        tank=name,
        grade=tank.grade,
        opening_ml=opening_ml,
        received_ml=flow.received_ml,
        sold_ml=flow.sold_ml,
        unattributed_ml=flow.unattributed_ml,
        closing_ml=closing_ml,
        variance_ml=variance_ml,
        variance_ppm=ppm,
    )
