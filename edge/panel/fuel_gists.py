"""What does a record of pumps and tanks say in a few words?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.trade import records_fuel as fuel
from protocols.trade.quantities import litres, yuan, yuan_e3
from protocols.trade.value_words import holds_text


def _opened(body: fuel.FillingOpened) -> str:
    order = f"{litres(body.order_limit)} L" if body.order_kind == "volume" else f"¥{yuan(body.order_limit)}"
    stands = ", on a guarantee" if body.guaranteed else ""
    return f"{body.pump}, {order} at most, by {body.origin.via}{stands}: {holds_text(body.holds)}"


def _closed(body: fuel.FillingClosed) -> str:
    over = f", ¥{yuan(body.overrun_fen)} beyond the hold" if body.overrun_fen else ""
    sold = f"{litres(body.volume_ml)} L of {body.sold.grade} at {yuan_e3(body.sold.price_e3)}"
    return f"session {body.session}: {sold}, ¥{yuan(body.amount_fen)}, {body.reason}{over}"


def _unattributed(body: fuel.FuelUnattributed) -> str:
    who = f", {', '.join(body.answers)}" if body.answers else ""
    return f"{body.pump} nozzle {body.nozzle}: {litres(body.volume_ml)} L of {body.grade}, {body.why}{who}"


def _prices(body: fuel.PumpPricesSet) -> str:
    prices = ", ".join(f"{one.nozzle} {one.grade} {yuan_e3(one.price_e3)}" for one in body.prices)
    return f"{body.pump}: {prices}, by {body.by}"


def _totals(body: fuel.PumpTotalsRead) -> str:
    said = (
        f"{one.pump} " + " + ".join(f"{litres(nozzle.volume_ml)} L" for nozzle in one.nozzles) for one in body.pumps
    )
    return ", ".join(said) or "no pump answered"


def _wet_stock(body: fuel.WetStockClosed) -> str:
    variance = "not dipped twice" if body.variance_ml is None else f"variance {litres(body.variance_ml)} L"
    return f"day {body.day}: tank {body.tank}, {litres(body.sold_ml)} L of {body.grade} sold, {variance}"


def _day(body: fuel.FuelDayClosed) -> str:
    sums = (f"{one.grade} {litres(one.volume_ml)} L ¥{yuan(one.amount_fen)}" for one in body.grades)
    return f"day {body.day}: {', '.join(sums) or 'no fuel sold'}"


GISTS: dict[type, Callable[[Any], str]] = {
    fuel.FillingOpened: _opened,
    fuel.FillingClosed: _closed,
    fuel.FuelUnattributed: _unattributed,
    fuel.PumpPricesSet: _prices,
    fuel.PumpTotalsRead: _totals,
    fuel.TankDipped: lambda body: f"tank {body.tank}: {litres(body.volume_ml)} L of {body.grade}, by {body.source}",
    fuel.FuelReceived: lambda body: f"tank {body.tank}: {litres(body.volume_ml)} L of {body.grade}, note {body.number}",
    fuel.WetStockClosed: _wet_stock,
    fuel.FuelDayClosed: _day,
}
