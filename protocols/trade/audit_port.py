"""Can this record of a port or a locker follow those before it? The part of `audit` for them, apart from the fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from protocols.trade import port_prices
from protocols.trade.audit_bill import Fault, Pinned, capture_faults
from protocols.trade.audit_meter import check_measurement
from protocols.trade.audit_trail import Auditor, PortTrail, RunningPort, RunningStay
from protocols.trade.documents import TARIFF
from protocols.trade.port_bill import bill_of, count_faults
from protocols.trade.port_prices import PortPrice, PortPrices, price_of
from protocols.trade.price import Bill
from protocols.trade.records import BillLine, Hold, Move, Pin, Record
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOpened,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortDayClosed,
    PortOpened,
    PortUnattributed,
)
from protocols.trade.tariff import Tariff


def port_faults(
    opened: PortOpened, holds: Sequence[Hold], moves: Sequence[Move], closed: PortClosed, pinned: Pinned
) -> Iterator[Fault]:
    """Everything of a bill that does not add up. holds: all that the session ever took. moves: of its end."""
    found = _price(opened.pins, opened.price, pinned)
    if found is None:
        yield "document", "the port prices that the session pins", f"content with {opened.price}", "none"
        return
    faults = list(count_faults(found, closed))
    yield from (("bill", *fault) for fault in faults)
    if faults:
        return
    tariff = pinned.read(opened.pins, TARIFF, Tariff) if found.by == "tariff" else None
    try:
        bill = bill_of(found, opened, closed, tariff)
    except ValueError as error:
        yield "bill", "what was delivered", "something that can be priced", error
        return
    if bill is None:
        yield "document", "the tariff that the session pins", "its content", "nothing that hashes to it"
        return
    yield from _bill_faults(bill, closed.lines, closed.amount_fen, closed.exact_num, closed.exact_den)
    yield from capture_faults(opened.pins, holds, moves, closed.lines, closed.overrun_fen, pinned)


def _opened(audit: Auditor, record: Record, body: PortOpened) -> None:
    ports = audit.trail.ports
    audit.tally.sessions += 1
    for seq, running in ports.sessions.items():
        if (running.opened.board, running.opened.port) == (body.board, body.port):
            audit.find("session", f"port {body.board}.{body.port}", "no session", f"session {seq} is open there")
    audit.begun(record, body.origin, body.clock_lb_ms, body.clock_ub_ms)
    audit.hold(body.holds)
    found = _price(body.pins, body.price, audit.pinned)
    if found is not None and found.by == "time":
        most_fen = port_prices.fen_for_time(found, body.time_max_s, body.power_w_max)
        if most_fen > body.prepaid_fen:
            audit.find("bill", f"an order of {body.time_max_s} s", f"{most_fen} fen held for it", body.prepaid_fen)
    ports.sessions[audit.trail.size] = RunningPort(body, list(body.holds), record.stamp, [audit.trail.size])


def _closed(audit: Auditor, record: Record, body: PortClosed) -> None:
    _billed(audit, body)
    sums = audit.trail.ports.sums
    for index, value in enumerate((1, body.energy_wh or 0, body.amount_fen)):
        sums[index] += value
    running = audit.ended(body.session)
    check_measurement(audit, record, body, running)
    if not isinstance(running, RunningPort):
        return
    for fault in port_faults(running.opened, running.holds, record.moves, body, audit.pinned):
        audit.find(*fault)
    audit.tally.bills += 1
    audit.within_rights((move.account, move.asset) for move in record.moves)


def _unattributed(audit: Auditor, record: Record, body: PortUnattributed) -> None:
    ports = audit.trail.ports
    ports.sums[3] += 1
    ports.sums[4] += body.energy_wh or 0
    if body.session is not None and (body.session in ports.sessions or body.session >= audit.trail.size):
        audit.find("session", "the session of a settlement that nobody is charged for", "one that ended", body.session)


def _stay(audit: Auditor, record: Record, body: LockerOpened) -> None:
    ports = audit.trail.ports
    audit.tally.sessions += 1
    for seq, running in ports.stays.items():
        if (running.opened.board, running.opened.port) == (body.board, body.port):
            audit.find("session", f"locker {body.board}.{body.port}", "nobody's", f"stay {seq} is open there")
    audit.begun(record, body.origin, body.clock_lb_ms, body.clock_ub_ms)
    audit.hold(body.holds)
    ports.stays[audit.trail.size] = RunningStay(body, list(body.holds), record.stamp, [audit.trail.size])


def _stored(audit: Auditor, record: Record, body: LockerStored) -> None:
    stay = _open_stay(audit, body.stay)
    if stay is not None and stay.stored:
        audit.find("session", f"stay {body.stay}", "stored once", "stored again")
    if stay is not None:
        stay.stored = True


def _door(audit: Auditor, record: Record, body: LockerDoor) -> None:
    stay = _open_stay(audit, body.stay)
    if stay is not None and body.act == "collect" and not stay.stored:
        audit.find("session", f"stay {body.stay}", "stored before it is collected", "not stored")
    if stay is not None:
        stay.acts.append(body.act)


def _overdue(audit: Auditor, record: Record, body: LockerOverdue) -> None:
    _open_stay(audit, body.stay)


def _stay_closed(audit: Auditor, record: Record, body: LockerClosed) -> None:
    _billed(audit, body)
    sums = audit.trail.ports.sums
    sums[5] += 1
    sums[6] += body.amount_fen
    running = audit.ended(body.stay)
    if not isinstance(running, RunningStay):
        return
    act = "collect" if body.outcome == "collected" else "remove"
    if act not in running.acts:
        audit.find("session", f"stay {body.stay}, {body.outcome}", f"a door opened to {act}", running.acts)
    found = _price(running.opened.pins, running.opened.price, audit.pinned)
    if found is None:
        audit.find("document", "the port prices that the stay pins", f"content with {running.opened.price}", "none")
        return
    bill = port_prices.late_bill(found, body.stay_s)
    for fault in _bill_faults(bill, body.lines, body.amount_fen, body.exact_num, body.exact_den):
        audit.find(*fault)
    pins, holds = running.opened.pins, running.holds
    for fault in capture_faults(pins, holds, record.moves, body.lines, body.overrun_fen, audit.pinned):
        audit.find(*fault)
    audit.tally.bills += 1
    audit.within_rights((move.account, move.asset) for move in record.moves)


def _day(audit: Auditor, record: Record, body: PortDayClosed) -> None:
    ports = audit.trail.ports
    said = [
        body.sessions, body.energy_wh, body.amount_fen, body.unattributed, body.unattributed_wh, body.stays,
        body.late_fen,
    ]  # fmt: skip
    if said != ports.sums or body.day != audit.trail.day.number:
        audit.find("day", f"ports of day {audit.trail.day.number}", ports.sums, f"day {body.day}: {said}")
    ports.sums = PortTrail().sums


def _billed(audit: Auditor, body: PortClosed | LockerClosed) -> None:
    day = audit.trail.day
    day.sessions += 1
    day.amount_fen += body.amount_fen
    day.overrun_fen += body.overrun_fen


def _open_stay(audit: Auditor, seq: int) -> RunningStay | None:
    stay = audit.trail.ports.stays.get(seq)
    if stay is None:
        audit.find("session", "the stay it is about", "an open one", seq)
    return stay


def _price(pins: Sequence[Pin], name: str, pinned: Pinned) -> PortPrice | None:
    prices = pinned.read(pins, port_prices.KIND, PortPrices)
    return None if prices is None else price_of(prices, name)


def _bill_faults(
    bill: Bill, lines: Sequence[BillLine], amount_fen: int, exact_num: int, exact_den: int
) -> Iterator[Fault]:
    if bill.amount_fen != amount_fen:
        yield "bill", "the bill in fen", bill.amount_fen, amount_fen
    if (bill.exact_fen.numerator, bill.exact_fen.denominator) != (exact_num, exact_den):
        yield "bill", "the exact price in fen", bill.exact_fen, f"{exact_num}/{exact_den}"
    if list(bill.lines) != list(lines):
        yield "bill", "the lines of the bill", list(bill.lines), list(lines)


CHECKS: Mapping[type | None, Callable[[Auditor, Record, Any], None]] = {
    PortOpened: _opened,
    PortClosed: _closed,
    PortUnattributed: _unattributed,
    LockerOpened: _stay,
    LockerStored: _stored,
    LockerDoor: _door,
    LockerOverdue: _overdue,
    LockerClosed: _stay_closed,
    PortDayClosed: _day,
}
