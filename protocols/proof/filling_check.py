"""Does the bill of a filling add up? Display, totalizers, price list and what was captured, worked out again.

The same rules as the audit's of a whole log, as far as the records of one filling reach. What stays open is said with
its numbers.
"""

from __future__ import annotations

from hashlib import sha256

from protocols.proof import fuel_record, keys
from protocols.proof.capture_check import Documents, check_captures, check_holds, check_order, payload_of, pin_of
from protocols.proof.errors import Unproven
from protocols.proof.fuel_record import Filling
from protocols.proof.lines import Fact, Line, either, failed, open_, proven
from protocols.proof.receipt_story import FillingStory, total_ml
from protocols.trade import fuel_prices
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.fuel_bill import bill_of
from protocols.trade.fuel_prices import PriceList, prices_between
from protocols.trade.records import ClockQuality
from protocols.trade.records_fuel import FillingClosed


def check_filling(story: FillingStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a filling whose records are. device_key: SubjectPublicKeyInfo of the box."""
    if story.closed is None:
        return [either(not story.moves, "not-billed"), _clock(story)]
    closed, drawing = story.closed, story.drawing_order
    return [
        _totals(story, closed),
        _display(story, closed),
        _offered(story, closed),
        check_captures(story, closed, documents, drawing),
        check_holds(story),
        *check_order(story, {"fuel": closed.amount_fen}, documents, drawing),
        *_prices(story, closed, documents),
        _clock(story),
        _measurement(story, closed, device_key),
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
    pin, payload = pin_of(story, fuel_prices.KIND), payload_of(documents, fuel_prices.KIND)
    if pin is None:
        return [failed("price-list")]
    if payload is None:
        return [open_("price-list", version=pin.version)]
    listed = _read_prices(payload) if sha256(payload).digest() == pin.hash else None
    if listed is None:
        return [failed("price-list", version=pin.version)]
    sold, opened = closed.sold, story.opened
    may_hold = prices_between(listed, opened.clock_lb_ms, opened.clock_ub_ms)
    said = any(step.get(sold.grade) == sold.price_e3 for step in may_hold)
    return [
        proven("price-list", id=listed.id, version=pin.version),
        either(said, "listed", grade=sold.grade, price_e3=sold.price_e3),
    ]


def _read_prices(payload: bytes) -> PriceList | None:
    try:
        listed = decode(payload, PriceList)
    except NotCanonical:
        return None
    return None if fuel_prices.disorder(listed) else listed


def _measurement(story: FillingStory, closed: FillingClosed, device_key: bytes) -> Line:
    """What the box signed as the filling's measurement says the same as the log."""
    if closed.meter_record is None:
        return open_("measurement")
    filling = Filling(story.site, story.epoch, story.seq, story.began, story.opened, closed, story.ended)
    try:
        record = fuel_record.verified(closed.meter_record, keys.device_public_from_spki(device_key))
    except Unproven:
        return failed("measurement")
    if any(fuel_record.disagreements(record, filling)):
        return failed("measurement")
    return proven("measurement", page=record.page)


def _clock(story: FillingStory) -> Line:
    sure = story.began.quality is story.ended.quality is ClockQuality.SYNCHRONISED
    instants = {"began_ms": story.began.wall_ms, "ended_ms": story.ended.wall_ms}
    return proven("clock", **instants) if sure else open_("fill-clock", **instants)
