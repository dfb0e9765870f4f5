"""Does the bill of a filling add up? Display, totalizers, price list and what was captured, worked out again.

The same rules as the audit's of a whole log, as far as the records of one filling reach. What stays open is said with
its numbers.
"""

from __future__ import annotations

from protocols.proof.capture_check import check_captures, check_clock, check_holds, check_order
from protocols.proof.lines import Fact, Line, either, failed, open_
from protocols.proof.measurement_check import check_measurement
from protocols.proof.pinned import Documents, read_pinned
from protocols.proof.receipt_story import FillingStory, total_ml
from protocols.trade import fuel_prices
from protocols.trade.fuel_bill import bill_of
from protocols.trade.fuel_prices import PriceList, prices_between
from protocols.trade.records_fuel import FillingClosed


def check_filling(story: FillingStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a filling whose records are. device_key: SubjectPublicKeyInfo of the box."""
    if story.closed is None:
        return [either(not story.moves, "not-billed"), check_clock(story, "fill-clock")]
    closed, drawing = story.closed, story.drawing_order
    return [
        _totals(story, closed),
        _display(story, closed),
        _offered(story, closed),
        check_captures(story, closed, documents, drawing),
        check_holds(story),
        *check_order(story, {"fuel": closed.amount_fen}, documents, drawing),
        *_prices(story, closed, documents),
        check_clock(story, "fill-clock"),
        check_measurement(story, device_key),
    ]


def _totals(story: FillingStory, closed: FillingClosed) -> Line:
    """The totalizer went on by what was sold, as near as the pump's steps let anybody say.

    Less than was sold is a lie. More is no harm to whoever paid, and stands in a record of its own.
    """
    opened, nozzle = story.opened, closed.sold.nozzle
    before_ml, after_ml = total_ml(opened.begin, nozzle), total_ml(closed.end, nozzle)
    facts: dict[str, Fact] = {
        "nozzle": nozzle,
        "before_ml": "?" if before_ml is None else before_ml,
        "after_ml": "?" if after_ml is None else after_ml,
        "volume_ml": closed.volume_ml,
    }
    if before_ml is None or after_ml is None or not opened.pump == opened.begin.pump == closed.end.pump:
        return failed("totals", **facts)
    moved_ml, apart_ml = after_ml - before_ml, max(opened.volume_step_ml, opened.total_step_ml)
    if moved_ml < 0:
        return open_("totals-round", **facts)
    if moved_ml > closed.volume_ml + apart_ml:
        return open_("totals", **facts)
    return either(moved_ml >= closed.volume_ml - apart_ml, "totals", **facts)


def _display(story: FillingStory, closed: FillingClosed) -> Line:
    """The amount shown is the price of the volume shown, within the pump's own steps; and it is the bill."""
    opened, price_e3 = story.opened, closed.sold.price_e3
    bill = bill_of(closed.volume_ml, price_e3, closed.shown_fen, opened.volume_step_ml, opened.amount_step_fen)
    lines = [(one.code, one.period, one.quantity, one.price_e3, one.amount_fen) for one in closed.lines]
    holds = (
        bill is not None
        and (closed.exact_num, closed.exact_den) == (bill.exact_fen.numerator, bill.exact_fen.denominator)
        and lines == [("fuel", closed.sold.nozzle, closed.volume_ml, price_e3, closed.shown_fen)]
        and closed.amount_fen == closed.shown_fen
    )
    return either(holds, "display", volume_ml=closed.volume_ml, price_e3=price_e3, amount_fen=closed.shown_fen)


def _offered(story: FillingStory, closed: FillingClosed) -> Line:
    """The nozzle that sold is one that the filling was opened for, with its grade and price."""
    sold = closed.sold
    return either(sold in story.opened.offered, "offered", nozzle=sold.nozzle, grade=sold.grade, price_e3=sold.price_e3)


def _prices(story: FillingStory, closed: FillingClosed, documents: Documents) -> list[Line]:
    """The price list is the one that was pinned when the filling began, and said this price then."""
    kind, disorder = fuel_prices.KIND, fuel_prices.disorder
    listed, line = read_pinned(story, documents, kind, PriceList, disorder, "price-list")
    if listed is None:
        return [line]
    sold, opened = closed.sold, story.opened
    may_hold = prices_between(listed, opened.clock_lb_ms, opened.clock_ub_ms)
    said = any(step.get(sold.grade) == sold.price_e3 for step in may_hold)
    return [
        line,
        either(said, "listed", grade=sold.grade, price_e3=sold.price_e3),
    ]
