"""Does a pump show what its list says, and what must it be told? The same on the pole, at the pump and in the bill."""

from __future__ import annotations

from collections.abc import Mapping

from edge.till.fill.point import FuelPoint
from edge.till.state import TillState
from protocols.trade.fuel_prices import PriceList, due_prices
from protocols.trade.records import Draft, Stamp
from protocols.trade.records_fuel import Offered, PumpPricesSet


def due(state: TillState, point: FuelPoint, prices: PriceList, now: Stamp) -> dict[int, int]:
    """price_e3 that each nozzle should show now. One whose grade is not on the list is missing: it sells nothing."""
    logged = {one.grade: one.price_e3 for one in state.forecourt.prices.get(point.id, ())}
    by_grade = due_prices(prices, now, logged)
    return {nozzle: by_grade[at.grade] for nozzle, at in point.nozzles.items() if at.grade in by_grade}


def shown(state: TillState, point: FuelPoint, told: Mapping[int, int] | None) -> dict[int, int]:
    """price_e3 that each nozzle shows: by the pump's own word, else as the log says that it was set."""
    logged = {one.nozzle: one.price_e3 for one in state.forecourt.prices.get(point.id, ())}
    return {**logged, **(told or {})}


def to_set(state: TillState, point: FuelPoint, should: Mapping[int, int], told: Mapping[int, int] | None) -> bool:
    """Whether the pump must be told its prices: it shows others, or the log does not say that it shows these, with the
    grades and tanks that are behind its nozzles now.
    """
    logged = list(state.forecourt.prices.get(point.id, ()))
    differs = any(told.get(nozzle, price) != price for nozzle, price in should.items()) if told else False
    return bool(should) and (differs or logged != offers(point, should))


def applied(point: FuelPoint, should: Mapping[int, int], by: str = "price-list") -> Draft:
    """The record that the pump has been seen to show these."""
    return Draft(PumpPricesSet(point.id, offers(point, should), by))


def offers(point: FuelPoint, should: Mapping[int, int]) -> list[Offered]:
    """What the pump sells at these prices, as records name it, rising by nozzle."""
    return [point.offered(nozzle, price_e3) for nozzle, price_e3 in sorted(should.items())]
