"""Leg 4, second half: is each bill what the meter, the pinned tariff and the agreed rounding make it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, Session
from protocols.trade import price, tender
from protocols.trade.documents import TARIFF
from protocols.trade.records import CNY, Effect, Pin, SessionClosed
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders

Tariffs = Mapping[bytes, Tariff]
"""By the SHA-256 of the exact bytes that were signed: what a pin names."""


TendersByHash = Mapping[bytes, Tenders]
"""The same of what assets may pay."""


def reconcile_bills(
    logs: Iterable[LogFacts], tariffs: Tariffs, tenders: TendersByHash = MappingProxyType({})
) -> Iterator[Finding]:
    """Findings about each closed session by itself: energy, slices, lines, captures, price, and overruns."""
    for facts in logs:
        for session in facts.sessions.values():
            if session.closed is not None:
                yield from _energy(session, session.closed)
                yield from _sums(session, session.closed)
                yield from _captures(session, session.closed, tenders)
                yield from _price(session, session.closed, tariffs)


def tariff_pin(session: Session) -> Pin | None:
    return next((pin for pin in session.opened.pins if pin.kind == TARIFF), None)


def _energy(session: Session, closed: SessionClosed) -> Iterator[Finding]:
    begin, end = session.opened.begin, closed.end
    if begin.meter != end.meter:
        yield _find("meter-changed", session, f"begins on {begin.meter}, ends on {end.meter}")
        return
    counted_wh = end.energy_wh - begin.energy_wh
    if counted_wh != closed.energy_wh:
        detail = f"{end.energy_wh} - {begin.energy_wh} = {counted_wh} Wh, the session says {closed.energy_wh} Wh"
        yield _find("energy-differs", session, detail, wh=counted_wh - closed.energy_wh)


def _sums(session: Session, closed: SessionClosed) -> Iterator[Finding]:
    """Parts against their total."""
    sliced_wh = sum(it.energy_wh for it in closed.slices)
    if sliced_wh != closed.energy_wh:
        detail = f"slices hold {sliced_wh} Wh, the session says {closed.energy_wh} Wh"
        yield _find("slices-differ", session, detail, wh=closed.energy_wh - sliced_wh)
    billed_wh = sum(it.quantity for it in closed.lines if it.code == "energy")
    if billed_wh != closed.energy_wh:
        detail = f"the bill's energy lines hold {billed_wh} Wh, the session says {closed.energy_wh} Wh"
        yield _find("lines-differ", session, detail, wh=closed.energy_wh - billed_wh)
    lines_fen = sum(it.amount_fen for it in closed.lines)
    if lines_fen != closed.amount_fen:
        detail = f"the bill's lines hold {lines_fen} fen, the bill is {closed.amount_fen} fen"
        yield _find("lines-differ", session, detail, fen=closed.amount_fen - lines_fen)


def _captures(session: Session, closed: SessionClosed, tenders: TendersByHash) -> Iterator[Finding]:
    """What was captured against bill and holds; of several payers or assets, each one's part."""
    used_fen, overrun_fen = _moved(session, Effect.USED), _moved(session, Effect.OVERRUN)
    held_fen = sum(it.amount for it in session.holds if it.asset == CNY)
    if closed.overrun_fen:
        detail = f"held {held_fen} fen, the bill is {closed.amount_fen} fen"
        yield _find("overrun", session, detail, fen=closed.overrun_fen)
    money_alone = all(it.asset == CNY for it in session.holds)
    if money_alone and (used_fen + overrun_fen != closed.amount_fen or overrun_fen != closed.overrun_fen):
        detail = (
            f"the bill is {closed.amount_fen} fen with an overrun of {closed.overrun_fen}; "
            f"captured {used_fen}, overrun moved {overrun_fen}"
        )
        yield _find("capture-differs", session, detail, fen=closed.amount_fen - used_fen - overrun_fen)
    elif used_fen <= held_fen and (len(session.holds) > 1 or not money_alone):
        yield from _parts(session, closed, tenders)
    if used_fen > held_fen:
        detail = f"captured {used_fen} fen of {held_fen} fen held"
        yield _find("capture-beyond-hold", session, detail, fen=held_fen - used_fen)


def _parts(session: Session, closed: SessionClosed, tenders: TendersByHash) -> Iterator[Finding]:
    """Each payer's part, drawn again in the stated order."""
    pin = next((pin for pin in session.opened.pins if pin.kind == tender.KIND), None)
    if pin is not None and pin.hash not in tenders:
        yield _find("tariff-missing", session, f"the session pins {pin.kind} version {pin.version}")
        return
    holds = session.holds[: tender.HOLDS_MAX]
    drawn = tender.draw(tender.owed_by(closed.lines), holds, MONEY_ALONE if pin is None else tenders[pin.hash])
    due, used = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for hold, capture in zip(holds, drawn.captures, strict=True):
        due[hold.account, hold.asset] += capture.units
    for move in session.moves:
        if move.effect == Effect.USED:
            used[move.account, move.asset] += move.amount
    if +due != +used or drawn.overrun_fen != closed.overrun_fen:
        told = ", ".join(f"{units} {asset} of {account}" for (account, asset), units in sorted((+used).items()))
        meant = ", ".join(f"{units} {asset} of {account}" for (account, asset), units in sorted((+due).items()))
        detail = f"captured {told or 'nothing'}; in the stated order it is {meant or 'nothing'}"
        yield _find("capture-differs", session, detail, fen=closed.overrun_fen - drawn.overrun_fen)


def _price(session: Session, closed: SessionClosed, tariffs: Tariffs) -> Iterator[Finding]:
    """The bill worked out again, to the fen and to the exact fraction before rounding."""
    pin = tariff_pin(session)
    if pin is None or pin.hash not in tariffs:
        named = "no tariff" if pin is None else f"{pin.kind} version {pin.version}, {pin.hash.hex()[:16]}"
        yield _find("tariff-missing", session, f"the session pins {named}")
        return
    try:
        delivered = price.Delivered(tuple(closed.slices), closed.idle_s, closed.clock_lb_ms, closed.clock_ub_ms)
        bill = price.bill(tariffs[pin.hash], delivered)
    except ValueError as error:  # slices or bounds that no session can have
        yield _find("price-differs", session, f"cannot be priced: {error}")
        return
    exact_fen = Fraction(closed.exact_num, closed.exact_den) if closed.exact_den else None
    if (bill.amount_fen, bill.lines, bill.exact_fen) != (closed.amount_fen, tuple(closed.lines), exact_fen):
        detail = (
            f"tariff version {pin.version} gives {bill.amount_fen} fen ({bill.exact_fen} exact), "
            f"the bill is {closed.amount_fen} fen ({exact_fen} exact)"
        )
        yield _find("price-differs", session, detail, fen=bill.amount_fen - closed.amount_fen)


def _moved(session: Session, effect: Effect) -> int:
    return sum(move.amount for move in session.moves if move.effect == effect and move.asset == CNY)


def _find(code: str, session: Session, detail: str, *, fen: int | None = None, wh: int | None = None) -> Finding:
    closing = "" if session.ended is None else f" / record {session.ended.seq}"
    return Finding(
        code=code,
        leg=Leg.ENERGY,
        site=session.log.site,
        subject=session.id,
        source=f"session {session.id}{closing}",
        detail=detail,
        difference_fen=fen,
        difference_wh=wh,
        since_ms=None if session.ended is None else session.ended.at_ms,
    )
