"""What a record of pumps and tanks changes in the forecourt's part of the till's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from edge.till.state import Flow, Forecourt, OpenFilling, Tank
from protocols.trade.fuel_terms import use_key
from protocols.trade.records_fuel import (
    FillingClosed,
    FuelDayClosed,
    FuelReceived,
    FuelUnattributed,
    GradeSum,
    PumpPricesSet,
    PumpTotals,
    PumpTotalsRead,
    TankDipped,
    WetStockClosed,
)
from protocols.trade.stock_forecast import MONTH

NOTES_KEPT = 200
"""Delivery notes that a tank remembers: some years of deliveries, so that none is booked twice."""


def opened(court: Forecourt, filling: OpenFilling) -> Forecourt:
    """A filling has begun at these totals."""
    totals = _with_totals(court, filling.opened.begin)
    newest = {**court.newest, filling.opened.pump: filling.seq}
    return replace(totals, fillings={**court.fillings, filling.seq: filling}, newest=newest)


def closed(court: Forecourt, filling: OpenFilling, body: FillingClosed) -> Forecourt:
    """A filling has been billed. The caller takes it off the open ones."""
    court = _with_totals(court, body.end)
    sold = body.sold
    court = _add(court, sold.grade, fillings=1, volume_ml=body.volume_ml, amount_fen=body.amount_fen)
    if sold.tank:
        court = _flowed(court, sold.tank, sold.grade, sold_ml=body.volume_ml)
    return replace(court, used_ml=_used(court.used_ml, filling, body.volume_ml))


def _unattributed(court: Forecourt, body: FuelUnattributed) -> Forecourt:
    court = _add(court, body.grade, unattributed_ml=body.volume_ml)
    totals = court.totals.get(body.pump)
    if totals is not None:
        nozzles = [body.after if one.nozzle == body.nozzle else one for one in totals.nozzles]
        court = _with_totals(court, replace(totals, nozzles=nozzles))
    if body.tank:
        court = _flowed(court, body.tank, body.grade, unattributed_ml=body.volume_ml)
    return court


def _prices(court: Forecourt, body: PumpPricesSet) -> Forecourt:
    return replace(court, prices={**court.prices, body.pump: tuple(body.prices)})


def _totals(court: Forecourt, body: PumpTotalsRead) -> Forecourt:
    """What is read in mid-sale belongs to the filling there, which ends at totals of its own."""
    selling = {filling.opened.pump for filling in court.fillings.values()}
    for totals in body.pumps:
        court = court if totals.pump in selling else _with_totals(court, totals)
    return court


def _dipped(court: Forecourt, body: TankDipped) -> Forecourt:
    """The first dip of a tank opens its book: nothing before it can be reckoned with."""
    tank = court.tanks.get(body.tank)
    if tank is None or tank.opening is None:
        begun = tank or Tank(body.grade)
        return _with_tank(court, body.tank, replace(begun, grade=body.grade, opening=body, flow=Flow()))
    return _with_tank(court, body.tank, replace(tank, grade=body.grade, closing=body, at_closing=tank.flow))


def _received(court: Forecourt, body: FuelReceived) -> Forecourt:
    court = _flowed(court, body.tank, body.grade, received_ml=body.volume_ml)
    tank = court.tanks[body.tank]
    return _with_tank(court, body.tank, replace(tank, notes=(*tank.notes, body.number)[-NOTES_KEPT:]))


def _wet_stock(court: Forecourt, body: WetStockClosed) -> Forecourt:
    """A closed day begins anew at its last dip, with what has flowed since; one without a dip goes on counting."""
    tank = court.tanks.get(body.tank)
    if tank is None or tank.closing is None:
        return court
    since = tank.flow.less(tank.at_closing)
    again = replace(tank, opening=tank.closing, closing=None, flow=since, at_closing=Flow())
    return _with_tank(court, body.tank, again)


def _day(court: Forecourt, body: FuelDayClosed) -> Forecourt:
    tanks = {
        name: replace(tank, today_ml=0, sold_days=(*tank.sold_days, tank.today_ml)[-MONTH:])
        for name, tank in court.tanks.items()
    }
    return replace(court, grades={}, tanks=tanks)


def _used(used_ml: Mapping[str, tuple[int, int]], filling: OpenFilling, volume_ml: int) -> dict[str, tuple[int, int]]:
    """What cards and accounts have had of a local day, this filling included; of days before yesterday nothing.

    One that began before midnight leaves what the new day has counted meanwhile.
    """
    day, credential = filling.opened.local_day, filling.opened.origin.credential
    kept = {key: (on, ml) for key, (on, ml) in used_ml.items() if on >= day - 1}
    for account in dict.fromkeys(hold.account for hold in filling.holds):
        for key in {use_key(account, b""), use_key(account, credential)}:
            on, ml = kept.get(key, (day, 0))
            if on != day + 1:
                kept[key] = (day, volume_ml + (ml if on == day else 0))
    return kept


def _with_totals(court: Forecourt, totals: PumpTotals) -> Forecourt:
    return replace(court, totals={**court.totals, totals.pump: totals})


def _with_tank(court: Forecourt, name: str, tank: Tank) -> Forecourt:
    return replace(court, tanks={**court.tanks, name: tank})


def _flowed(court: Forecourt, name: str, grade: str, **gained: int) -> Forecourt:
    tank = court.tanks.get(name) or Tank(grade)
    flow = replace(tank.flow, **{what: getattr(tank.flow, what) + value for what, value in gained.items()})
    gone_ml = gained.get("sold_ml", 0) + gained.get("unattributed_ml", 0)
    return _with_tank(court, name, replace(tank, flow=flow, today_ml=tank.today_ml + gone_ml))


def _add(court: Forecourt, grade: str, **gained: int) -> Forecourt:
    before = court.grades.get(grade) or GradeSum(grade, 0, 0, 0, 0)
    after = replace(before, **{name: getattr(before, name) + value for name, value in gained.items()})
    return replace(court, grades={**court.grades, grade: after})


FOLDS: Mapping[type, Callable[[Forecourt, Any], Forecourt]] = {
    FuelUnattributed: _unattributed,
    PumpPricesSet: _prices,
    PumpTotalsRead: _totals,
    TankDipped: _dipped,
    FuelReceived: _received,
    WetStockClosed: _wet_stock,
    FuelDayClosed: _day,
}
