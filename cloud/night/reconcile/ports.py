"""Leg 4 for ports: is each bill what the board said at the pinned price, and did a pile's meter count nothing besides?

   before      after | before      after      registers of one gun in the order of the log. Between two sessions it
---|== session ==|---|--|== session ==|---    went on by no more than what settlements without a bill, and bills without
                                              a register, tell of
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cloud.night.reconcile.bills import Tariffs
from cloud.night.reconcile.captures import TendersByHash, about, captures
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LockerStay, LogFacts, PortVisit
from protocols.trade import port_prices, price
from protocols.trade.documents import TARIFF
from protocols.trade.port_prices import PortPrice, PortPrices, late_bill, price_of
from protocols.trade.price import Bill
from protocols.trade.records import BillLine
from protocols.trade.records_port import PortClosed, PortUnattributed

PortPricesByHash = Mapping[bytes, PortPrices]
"""By the SHA-256 of the exact bytes that were signed: what a pin names."""
APART_WH = 2
"""Registers are told in whole Wh, rounded down, at both ends of a gap."""


def reconcile_ports(
    logs: Iterable[LogFacts], lists: PortPricesByHash, tariffs: Tariffs, tenders: TendersByHash
) -> Iterator[Finding]:
    """Findings about each session and stay by itself."""
    for facts in logs:
        for visit in facts.ports.values():
            if visit.closed is not None:
                yield from _visit(visit, visit.closed, lists, tariffs)
                yield from captures(visit, visit.closed, visit.holds, tenders)
        for stay in facts.stays.values():
            if stay.closed is not None:
                found = _price(stay, lists)
                bill = None if found is None else late_bill(found, stay.closed.stay_s)
                yield from _differs(stay, bill, stay.closed.lines, stay.closed.amount_fen)
                yield from captures(stay, stay.closed, stay.holds, tenders)


def register_gaps(site: str, logs: Iterable[LogFacts]) -> Iterator[Finding]:
    """Energy that a pile's meter counted between two sessions, and that no settlement tells of. Logs of all epochs
    stand in one row, for a pile outlives the box.
    """
    last: dict[str, tuple[int, str]] = {}  # (register, its session) by port
    told_wh: dict[str, int] = {}  # by settlements without a bill since then
    for facts in sorted(logs, key=lambda facts: facts.key):
        for seq, place, what in _in_order(facts):
            if isinstance(what, PortUnattributed):
                told_wh[place] = told_wh.get(place, 0) + (what.energy_wh or 0)
                continue
            closed = what.closed
            if closed is None:
                continue
            if len(closed.register_wh) != 2:  # it ended without the meter's word, and was billed all the same
                told_wh[place] = told_wh.get(place, 0) + (closed.energy_wh or 0)
                continue
            before_wh, after_wh = closed.register_wh
            if place in last:
                moved_wh = before_wh - last[place][0]
                if moved_wh < -APART_WH or moved_wh > told_wh.get(place, 0) + APART_WH:
                    yield Finding(
                        code="port-register-gap",
                        leg=Leg.ENERGY,
                        site=site,
                        subject=place,
                        source=f"session {last[place][1]} / session {what.id} / record {seq}",
                        detail=f"ended at {last[place][0]} Wh, began at {before_wh} Wh",
                        difference_wh=moved_wh - told_wh.get(place, 0),
                        since_ms=what.begun.at_ms,
                    )
            last[place], told_wh[place] = (after_wh, what.id), 0


def _in_order(facts: LogFacts) -> Iterator[tuple[int, str, PortVisit | PortUnattributed]]:
    """(seq, port, what ended there), as the log has them."""
    ended: list[tuple[int, str, PortVisit | PortUnattributed]] = [
        (visit.ended.seq, visit.place, visit) for visit in facts.ports.values() if visit.ended is not None
    ]
    ended += (
        (told.at.seq, f"{told.body.board}.{told.body.port}", told.body)
        for told in facts.loose
        if isinstance(told.body, PortUnattributed)
    )
    yield from sorted(ended, key=lambda one: one[0])


def _visit(visit: PortVisit, closed: PortClosed, lists: PortPricesByHash, tariffs: Tariffs) -> Iterator[Finding]:
    if not closed.settled:
        detail = f"closed by what was known last: {closed.energy_wh} Wh, {closed.elapsed_s} s"
        yield about("settlement-missing", visit, detail)
    if len(closed.register_wh) == 2 and closed.energy_wh is not None:
        moved_wh = closed.register_wh[1] - closed.register_wh[0]
        if abs(moved_wh - closed.energy_wh) > 1:
            detail = f"its meter went on by {moved_wh} Wh, billed {closed.energy_wh} Wh"
            yield about("energy-differs", visit, detail, wh=moved_wh - closed.energy_wh)
    found = _price(visit, lists)
    if found is None:
        yield about("tariff-missing", visit, f"no price {visit.opened.price} in the pinned port prices")
        return
    if found.by == "time" and closed.settled and closed.elapsed_s is not None:
        due_s = max(closed.elapsed_s, found.least_s) if closed.elapsed_s else 0
        if sum(closed.step_s) != due_s:
            yield about("slices-differ", visit, f"{sum(closed.step_s)} s billed, {due_s} s by the settlement")
    yield from _differs(visit, _bill(visit, closed, found, tariffs), closed.lines, closed.amount_fen)


def _bill(visit: PortVisit, closed: PortClosed, found: PortPrice, tariffs: Tariffs) -> Bill | None:
    """Worked out again; None: what it rests on is not to be had."""
    opened = visit.opened
    try:
        if found.by != "tariff":
            return port_prices.bill(found, closed.step_s[: len(found.steps)], closed.energy_wh or 0)
        pin = visit.pin(TARIFF)
        if pin is None or pin.hash not in tariffs:
            return None
        slices = tuple(closed.slices)
        return price.bill(tariffs[pin.hash], price.Delivered(slices, 0, opened.clock_lb_ms, opened.clock_ub_ms))
    except ValueError:
        return None


def _differs(
    session: PortVisit | LockerStay, bill: Bill | None, lines: list[BillLine], amount_fen: int
) -> Iterator[Finding]:
    if bill is None:
        yield about("tariff-missing", session, "what the bill rests on is not to be had")
        return
    if sum(line.amount_fen for line in lines) != amount_fen:
        detail = f"lines come to {sum(line.amount_fen for line in lines)} fen, the bill to {amount_fen}"
        yield about("lines-differ", session, detail, fen=sum(line.amount_fen for line in lines) - amount_fen)
    if bill.amount_fen != amount_fen or list(bill.lines) != lines:
        detail = f"by the pinned prices {bill.amount_fen} fen, billed {amount_fen} fen"
        yield about("price-differs", session, detail, fen=bill.amount_fen - amount_fen)


def _price(session: PortVisit | LockerStay, lists: PortPricesByHash) -> PortPrice | None:
    pin = session.pin(port_prices.KIND)
    return None if pin is None or pin.hash not in lists else price_of(lists[pin.hash], session.opened.price)
