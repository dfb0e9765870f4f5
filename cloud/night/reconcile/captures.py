"""Leg 4, what was taken: does each payer of a session bear the part of the bill that falls to it, and no more?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import AnyDelivery, Filling
from protocols.trade import tender
from protocols.trade.records import CNY, Effect, Hold, SessionClosed
from protocols.trade.records_fuel import FillingClosed
from protocols.trade.records_port import LockerClosed, PortClosed
from protocols.trade.tender import MONEY_ALONE, Tenders

AnyBill = SessionClosed | FillingClosed | PortClosed | LockerClosed
TendersByHash = Mapping[bytes, Tenders]
"""What assets may pay, by the SHA-256 of the exact bytes that were signed."""


def captures(
    session: AnyDelivery, closed: AnyBill, drawn_on: Sequence[Hold], tenders: TendersByHash
) -> Iterator[Finding]:
    """What was captured against bill and holds; of several payers or assets, each one's part. drawn_on: the holds in
    the order in which they pay.
    """
    used_fen, overrun_fen = _moved(session, Effect.USED), _moved(session, Effect.OVERRUN)
    held_fen = sum(it.amount for it in drawn_on if it.asset == CNY)
    if closed.overrun_fen:
        detail = f"held {held_fen} fen, the bill is {closed.amount_fen} fen"
        yield about("overrun", session, detail, fen=closed.overrun_fen)
    money_alone = all(it.asset == CNY for it in drawn_on)
    if money_alone and (used_fen + overrun_fen != closed.amount_fen or overrun_fen != closed.overrun_fen):
        detail = (
            f"the bill is {closed.amount_fen} fen with an overrun of {closed.overrun_fen}; "
            f"captured {used_fen}, overrun moved {overrun_fen}"
        )
        yield about("capture-differs", session, detail, fen=closed.amount_fen - used_fen - overrun_fen)
    elif used_fen <= held_fen and (len(drawn_on) > 1 or not money_alone):
        yield from _parts(session, closed, drawn_on, tenders)
    if used_fen > held_fen:
        detail = f"captured {used_fen} fen of {held_fen} fen held"
        yield about("capture-beyond-hold", session, detail, fen=held_fen - used_fen)


def _parts(
    session: AnyDelivery, closed: AnyBill, drawn_on: Sequence[Hold], tenders: TendersByHash
) -> Iterator[Finding]:
    """Each payer's part, drawn again in the stated order."""
    pin = session.pin(tender.KIND)
    if pin is not None and pin.hash not in tenders:
        yield about("tariff-missing", session, f"the session pins {pin.kind} version {pin.version}")
        return
    holds = drawn_on[: tender.HOLDS_MAX]
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
        yield about("capture-differs", session, detail, fen=closed.overrun_fen - drawn.overrun_fen)


def about(
    code: str,
    session: AnyDelivery,
    detail: str,
    *,
    fen: int | None = None,
    wh: int | None = None,
    volume_ml: int | None = None,
) -> Finding:
    """A finding about one delivery, with the records to look at."""
    closing = "" if session.ended is None else f" / record {session.ended.seq}"
    return Finding(
        code=code,
        leg=Leg.FUEL if isinstance(session, Filling) else Leg.ENERGY,
        site=session.log.site,
        subject=session.id,
        source=f"session {session.id}{closing}",
        detail=detail,
        difference_fen=fen,
        difference_wh=wh,
        difference_ml=volume_ml,
        since_ms=None if session.ended is None else session.ended.at_ms,
    )


def _moved(session: AnyDelivery, effect: Effect) -> int:
    return sum(move.amount for move in session.moves if move.effect == effect and move.asset == CNY)
