"""Can this record of a pump or a tank follow those before it? The fuel part of `audit`, apart from the till's own fold.

Every totalizer is followed from reading to reading: what it went on by is a sale, or stands in a record of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from protocols.trade.audit_bill import Fault, Pinned, capture_faults
from protocols.trade.audit_meter import check_measurement
from protocols.trade.audit_trail import Auditor, FuelTrail, RunningFilling, TankTrail
from protocols.trade.fuel_bill import bill_of
from protocols.trade.records import Hold, Move, Record
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelDayClosed,
    FuelReceived,
    FuelUnattributed,
    GradeSum,
    Offered,
    PumpPricesSet,
    PumpTotals,
    PumpTotalsRead,
    TankDipped,
    WetStockClosed,
)

EXCUSES = frozenset({"totalizer-fell", "sale-disagrees", "pump-silent"})
"""Notices after which a pump's totals may stand anywhere."""


def filling_faults(
    opened: FillingOpened, holds: Sequence[Hold], moves: Sequence[Move], closed: FillingClosed, pinned: Pinned
) -> Iterator[Fault]:
    """Everything of a bill that does not add up. holds: all that the filling ever took. moves: of its end."""
    if closed.sold not in opened.offered:
        yield "bill", "the nozzle that sold", f"one of {_offers(opened.offered)}", _offers([closed.sold])
    steps = opened.volume_step_ml, opened.amount_step_fen
    bill = bill_of(closed.volume_ml, closed.sold.price_e3, closed.shown_fen, *steps)
    if bill is None:
        got = f"{closed.shown_fen} fen for {closed.volume_ml} mL"
        yield "bill", "what the pump showed", f"the price at {closed.sold.price_e3} e3 a litre", got
    elif (bill.exact_fen.numerator, bill.exact_fen.denominator) != (closed.exact_num, closed.exact_den):
        yield "bill", "the exact price in fen", bill.exact_fen, f"{closed.exact_num}/{closed.exact_den}"
    lines = [(one.code, one.period, one.quantity, one.price_e3, one.amount_fen) for one in closed.lines]
    meant = [("fuel", closed.sold.nozzle, closed.volume_ml, closed.sold.price_e3, closed.shown_fen)]
    if lines != meant or closed.amount_fen != closed.shown_fen:
        yield "bill", "the bill", f"{meant} and {closed.shown_fen} fen", f"{lines} and {closed.amount_fen} fen"
    drawing = [*holds[1:], holds[0]] if opened.guaranteed else list(holds)
    yield from capture_faults(opened.pins, drawing, moves, closed.lines, closed.overrun_fen, pinned)


def opened(audit: Auditor, record: Record, body: FillingOpened) -> None:
    """A filling begins at the totals that the log knows, at the prices that the pump was set to."""
    trail, court = audit.trail, audit.trail.fuel
    audit.tally.sessions += 1
    for seq, running in court.fillings.items():
        if running.opened.pump == body.pump:
            audit.find("session", f"pump {body.pump}", "no filling", f"filling {seq} is open there")
    audit.begun(record, body.origin, body.clock_lb_ms, body.clock_ub_ms)
    audit.hold(body.holds)
    _totals(audit, body.begin, "totals at the start of the filling", must_agree=True)
    known = court.prices.get(body.pump, [])
    for offer in body.offered:
        if offer not in known:
            audit.find(
                "bill", f"what nozzle {offer.nozzle} of pump {body.pump} shows", _offers(known), _offers([offer])
            )
    court.fillings[trail.size] = RunningFilling(body, list(body.holds), record.stamp, [trail.size])


def closed(audit: Auditor, record: Record, body: FillingClosed) -> None:
    """A filling's bill, its captures, and the totals that it leaves."""
    trail, court = audit.trail, audit.trail.fuel
    day = trail.day
    day.sessions += 1
    day.amount_fen += body.amount_fen
    day.overrun_fen += body.overrun_fen
    running = audit.ended(body.session)
    check_measurement(audit, record, body, running)
    if not isinstance(running, RunningFilling):
        return
    grade = court.grades.setdefault(body.sold.grade, [0, 0, 0, 0])
    for index, value in enumerate((1, body.volume_ml, body.amount_fen)):
        grade[index] += value
    _flow(court, body.sold.tank, 1, body.volume_ml)
    for fault in filling_faults(running.opened, running.holds, record.moves, body, audit.pinned):
        audit.find(*fault)
    audit.tally.bills += 1
    apart_ml = max(running.opened.volume_step_ml, running.opened.total_step_ml)
    for after in body.end.nozzles:
        key = (running.opened.pump, after.nozzle)
        moved_ml = after.volume_ml - court.totals_ml.get(key, after.volume_ml)
        sold_here = after.nozzle == body.sold.nozzle
        sold_ml = body.volume_ml if sold_here else 0
        if 0 <= moved_ml < sold_ml - apart_ml:  # below 0 it has come round
            what = f"totalizer of nozzle {after.nozzle} of pump {running.opened.pump}, gone on by"
            audit.find("totals", what, f"{sold_ml} mL, as was sold", moved_ml)
        if moved_ml > sold_ml + (apart_ml if sold_here else 0):  # a display of 0 may hide some drops
            court.owed_ml[key] = moved_ml - sold_ml
        (court.came_round.add if moved_ml < 0 else court.came_round.discard)(key)
        court.totals_ml[key] = after.volume_ml
    audit.within_rights((move.account, move.asset) for move in record.moves)


def _unattributed(audit: Auditor, record: Record, body: FuelUnattributed) -> None:
    court, key = audit.trail.fuel, (body.pump, body.nozzle)
    what = f"movement of nozzle {body.nozzle} of pump {body.pump} in mL"
    moved_ml = body.after.volume_ml - body.before.volume_ml
    if moved_ml >= 0 and moved_ml != body.volume_ml:  # below 0 it has come round
        audit.find("totals", what, moved_ml, body.volume_ml)
    came_round = moved_ml < 0 or key in court.came_round
    court.came_round.discard(key)
    round_ml = body.after.volume_ml if came_round else None  # its filling has counted up to here already
    owed_ml = court.owed_ml.pop(key, None)
    if owed_ml is not None and owed_ml != body.volume_ml:
        audit.find("totals", f"{what}, which its filling left", owed_ml, body.volume_ml)
    elif owed_ml is None and court.totals_ml.get(key, body.before.volume_ml) not in (body.before.volume_ml, round_ml):
        audit.find("totals", f"{what}, counted from", court.totals_ml[key], body.before.volume_ml)
    court.totals_ml[key] = body.after.volume_ml
    court.grades.setdefault(body.grade, [0, 0, 0, 0])[3] += body.volume_ml
    _flow(court, body.tank, 2, body.volume_ml)


def _read(audit: Auditor, record: Record, body: PumpTotalsRead) -> None:
    for totals in body.pumps:
        _totals(audit, totals, "totals as read", must_agree=not _selling(audit, totals.pump))
        audit.trail.fuel.excused.discard(totals.pump)


def _selling(audit: Auditor, pump: str) -> bool:
    """Whether the pump may be in the middle of a filling, so that its totals are on their way."""
    return any(running.opened.pump == pump for running in audit.trail.fuel.fillings.values())


def _totals(audit: Auditor, totals: PumpTotals, what: str, *, must_agree: bool) -> None:
    """A pump's totals are those that the log knows: every movement has a record of its own before them."""
    court = audit.trail.fuel
    for one in totals.nozzles:
        key = (totals.pump, one.nozzle)
        known_ml = court.totals_ml.get(key)
        if key in court.owed_ml:
            owed_ml = court.owed_ml.pop(key)
            audit.find(
                "totals", f"what nozzle {one.nozzle} of pump {totals.pump} gave beyond a filling", "a record", owed_ml
            )
        excused = totals.pump in court.excused
        if must_agree and known_ml is not None and known_ml != one.volume_ml and not excused:
            audit.find("totals", f"{what}, nozzle {one.nozzle} of pump {totals.pump}", f"{known_ml} mL", one.volume_ml)
        if must_agree:
            court.totals_ml[key] = one.volume_ml


def _prices(audit: Auditor, record: Record, body: PumpPricesSet) -> None:
    audit.trail.fuel.prices[body.pump] = list(body.prices)


def _dipped(audit: Auditor, record: Record, body: TankDipped) -> None:
    tank = audit.trail.fuel.tanks.setdefault(body.tank, TankTrail())
    if tank.opening_ml is None:
        audit.trail.fuel.tanks[body.tank] = TankTrail(opening_ml=body.volume_ml)
    else:
        tank.closing_ml, tank.at_closing = body.volume_ml, list(tank.flow)


def _received(audit: Auditor, record: Record, body: FuelReceived) -> None:
    notes = audit.trail.fuel.notes.setdefault(body.tank, [])
    if body.number in notes:
        audit.find("number", f"delivery note of tank {body.tank}", "one not booked before", body.number)
    notes.append(body.number)
    _flow(audit.trail.fuel, body.tank, 0, body.volume_ml)


def _flow(court: FuelTrail, tank: str, index: int, volume_ml: int) -> None:
    if tank:
        court.tanks.setdefault(tank, TankTrail()).flow[index] += volume_ml


def _wet_stock(audit: Auditor, record: Record, body: WetStockClosed) -> None:
    court = audit.trail.fuel
    tank = court.tanks.setdefault(body.tank, TankTrail())
    received_ml, sold_ml, unattributed_ml = tank.flow if tank.closing_ml is None else tank.at_closing
    variance_ml = None
    if tank.opening_ml is not None and tank.closing_ml is not None:
        variance_ml = tank.closing_ml - tank.opening_ml - received_ml + sold_ml + unattributed_ml
    meant = (tank.opening_ml, received_ml, sold_ml, unattributed_ml, tank.closing_ml, variance_ml)
    said = (
        body.opening_ml, body.received_ml, body.sold_ml, body.unattributed_ml, body.closing_ml, body.variance_ml,
    )  # fmt: skip
    if meant != said:
        audit.find("day", f"wet stock of tank {body.tank}", meant, said)
    if tank.closing_ml is not None:
        since = [flow - before for flow, before in zip(tank.flow, tank.at_closing, strict=True)]
        court.tanks[body.tank] = TankTrail(opening_ml=tank.closing_ml, flow=since)


def _day(audit: Auditor, record: Record, body: FuelDayClosed) -> None:
    court = audit.trail.fuel
    meant = [GradeSum(code, *sums) for code, sums in sorted(court.grades.items())]
    if meant != body.grades or body.day != audit.trail.day.number:
        audit.find("day", f"fuel of day {audit.trail.day.number}", meant, f"day {body.day}: {body.grades}")
    court.grades = {}


def _offers(offered: Sequence[Offered]) -> str:
    said = (f"nozzle {one.nozzle} {one.grade} at {one.price_e3} e3" for one in offered)
    return ", ".join(said) or "none"


CHECKS: Mapping[type | None, Callable[[Auditor, Record, Any], None]] = {
    FillingOpened: opened,
    FillingClosed: closed,
    FuelUnattributed: _unattributed,
    PumpTotalsRead: _read,
    PumpPricesSet: _prices,
    TankDipped: _dipped,
    FuelReceived: _received,
    WetStockClosed: _wet_stock,
    FuelDayClosed: _day,
}
