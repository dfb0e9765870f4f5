"""Leg 4, second half: is each bill what the meter, the pinned tariff and the agreed rounding make it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

from cloud.night.reconcile.captures import TendersByHash, about, captures
from cloud.night.reconcile.findings import Finding
from cloud.night.reconcile.log import LogFacts, Session
from protocols.trade import price
from protocols.trade.documents import TARIFF
from protocols.trade.records import SessionClosed
from protocols.trade.tariff import Tariff

Tariffs = Mapping[bytes, Tariff]
"""By the SHA-256 of the exact bytes that were signed: what a pin names."""


def reconcile_bills(
    logs: Iterable[LogFacts], tariffs: Tariffs, tenders: TendersByHash = MappingProxyType({})
) -> Iterator[Finding]:
    """Findings about each closed session by itself: energy, slices, lines, captures, price, and overruns."""
    for facts in logs:
        for session in facts.sessions.values():
            if session.closed is not None:
                yield from _energy(session, session.closed)
                yield from _sums(session, session.closed)
                yield from captures(session, session.closed, session.holds, tenders)
                yield from _price(session, session.closed, tariffs)


def _energy(session: Session, closed: SessionClosed) -> Iterator[Finding]:
    begin, end = session.opened.begin, closed.end
    if begin.meter != end.meter:
        yield about("meter-changed", session, f"begins on {begin.meter}, ends on {end.meter}")
        return
    counted_wh = end.energy_wh - begin.energy_wh
    if counted_wh != closed.energy_wh:
        detail = f"{end.energy_wh} - {begin.energy_wh} = {counted_wh} Wh, the session says {closed.energy_wh} Wh"
        yield about("energy-differs", session, detail, wh=counted_wh - closed.energy_wh)


def _sums(session: Session, closed: SessionClosed) -> Iterator[Finding]:
    """Parts against their total."""
    sliced_wh = sum(it.energy_wh for it in closed.slices)
    if sliced_wh != closed.energy_wh:
        detail = f"slices hold {sliced_wh} Wh, the session says {closed.energy_wh} Wh"
        yield about("slices-differ", session, detail, wh=closed.energy_wh - sliced_wh)
    billed_wh = sum(it.quantity for it in closed.lines if it.code == "energy")
    if billed_wh != closed.energy_wh:
        detail = f"the bill's energy lines hold {billed_wh} Wh, the session says {closed.energy_wh} Wh"
        yield about("lines-differ", session, detail, wh=closed.energy_wh - billed_wh)
    lines_fen = sum(it.amount_fen for it in closed.lines)
    if lines_fen != closed.amount_fen:
        detail = f"the bill's lines hold {lines_fen} fen, the bill is {closed.amount_fen} fen"
        yield about("lines-differ", session, detail, fen=closed.amount_fen - lines_fen)


def _price(session: Session, closed: SessionClosed, tariffs: Tariffs) -> Iterator[Finding]:
    """The bill worked out again, to the fen and to the exact fraction before rounding."""
    pin = session.pin(TARIFF)
    if pin is None or pin.hash not in tariffs:
        named = "no tariff" if pin is None else f"{pin.kind} version {pin.version}, {pin.hash.hex()[:16]}"
        yield about("tariff-missing", session, f"the session pins {named}")
        return
    try:
        delivered = price.Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms)
        bill = price.bill(tariffs[pin.hash], delivered)
    except ValueError as error:  # slices or bounds that no session can have
        yield about("price-differs", session, f"cannot be priced: {error}")
        return
    exact_fen = Fraction(closed.exact_num, closed.exact_den) if closed.exact_den else None
    if (bill.amount_fen, bill.lines, bill.exact_fen) != (closed.amount_fen, tuple(closed.lines), exact_fen):
        detail = (
            f"tariff version {pin.version} gives {bill.amount_fen} fen ({bill.exact_fen} exact), "
            f"the bill is {closed.amount_fen} fen ({exact_fen} exact)"
        )
        yield about("price-differs", session, detail, fen=bill.amount_fen - closed.amount_fen)
