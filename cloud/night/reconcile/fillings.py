"""Leg 4 for fuel: is each filling's bill what the pump showed, at the price that the pinned list has?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

from cloud.night.reconcile.captures import TendersByHash, about, captures
from cloud.night.reconcile.findings import Finding
from cloud.night.reconcile.log import Filling, LogFacts
from protocols.trade import fuel_prices
from protocols.trade.fuel_bill import UNITS, bill_of
from protocols.trade.fuel_prices import PriceList, prices_at
from protocols.trade.quantities import round_half_up
from protocols.trade.records import BillLine, Hold
from protocols.trade.records_fuel import FillingClosed, Offered

PriceLists = Mapping[bytes, PriceList]
"""By the SHA-256 of the exact bytes that were signed: what a pin names."""


def reconcile_fillings(
    logs: Iterable[LogFacts], lists: PriceLists, tenders: TendersByHash = MappingProxyType({})
) -> Iterator[Finding]:
    """Findings about each filling by itself: what was offered, the display, the bill's lines, and who paid."""
    for facts in logs:
        for filling in facts.fillings.values():
            yield from _offered(filling, lists)
            if filling.closed is not None:
                yield from _bill(filling, filling.closed)
                yield from captures(filling, filling.closed, drawn_on(filling), tenders)


def drawn_on(filling: Filling) -> tuple[Hold, ...]:
    """The holds in the order in which they pay: who stands in for a later payer, pays what all others leave."""
    return (*filling.holds[1:], *filling.holds[:1]) if filling.opened.guaranteed else filling.holds


def _offered(filling: Filling, lists: PriceLists) -> Iterator[Finding]:
    """The price at every nozzle that might be used is one that the list may have had when it began."""
    pin = filling.pin(fuel_prices.KIND)
    if pin is None or pin.hash not in lists:
        named = "no price list" if pin is None else f"{pin.kind} version {pin.version}, {pin.hash.hex()[:16]}"
        yield about("price-list-missing", filling, f"the filling pins {named}")
        return
    for one in filling.opened.offered:
        listed = _may_hold(lists[pin.hash], one.grade, filling.opened.clock_lb_ms, filling.opened.clock_ub_ms)
        if one.price_e3 not in listed:
            told = " or ".join(map(str, listed)) or "none"
            detail = f"{_named(one)}: {one.price_e3} thousandths of a fen per litre; version {pin.version} has {told}"
            yield about("price-not-listed", filling, detail)


def _may_hold(prices: PriceList, grade: str, lb_ms: int, ub_ms: int | None) -> list[int]:
    """Every price of the grade at some instant within the bounds."""
    instants = [lb_ms // 1000]
    ub_s = None if ub_ms is None else ub_ms // 1000
    instants += [it.from_s for it in prices.steps if it.from_s > instants[0] and (ub_s is None or it.from_s <= ub_s)]
    found = (prices_at(prices, at_s).get(grade) for at_s in instants)
    return sorted({price_e3 for price_e3 in found if price_e3 is not None})


def _bill(filling: Filling, closed: FillingClosed) -> Iterator[Finding]:
    sold = closed.sold
    if sold not in filling.opened.offered:
        yield about("price-not-offered", filling, f"{_named(sold)} at {sold.price_e3} was not offered as such")
    steps = filling.opened.volume_step_ml, filling.opened.amount_step_fen
    exact_fen = Fraction(closed.volume_ml * sold.price_e3, UNITS)
    told_fen = Fraction(closed.exact_num, closed.exact_den) if closed.exact_den else None
    bill = bill_of(closed.volume_ml, sold.price_e3, closed.shown_fen, *steps)
    if bill is None or told_fen != exact_fen:
        detail = (
            f"{closed.volume_ml} mL at {sold.price_e3} is {exact_fen} fen exactly; shown {closed.shown_fen} fen, "
            f"said to be {told_fen} exactly"
        )
        yield about("display-differs", filling, detail, fen=round_half_up(exact_fen) - closed.shown_fen)
    line = BillLine("fuel", sold.nozzle, closed.volume_ml, sold.price_e3, closed.shown_fen)
    if closed.lines != [line] or closed.amount_fen != closed.shown_fen:
        detail = (
            f"shown {closed.volume_ml} mL, {closed.shown_fen} fen; the bill's lines hold "
            f"{sum(it.quantity for it in closed.lines)} mL, {sum(it.amount_fen for it in closed.lines)} fen, "
            f"the bill is {closed.amount_fen} fen"
        )
        yield about("lines-differ", filling, detail, fen=closed.shown_fen - closed.amount_fen)


def _named(one: Offered) -> str:
    return f"nozzle {one.nozzle}, {one.grade}"
