"""When an ended filling may be settled, and the records that do it: bill, captures, what nobody explains, returns."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec.structs import replace

from drivers.pump import SELLS
from edge.till import purse
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.policy import FillPolicy
from edge.till.fill.progress import FillEnd, FillPhase, FillProgress
from edge.till.fill.sight import FillSight
from edge.till.fill.verdict import Verdict, judge, total_of
from edge.till.settle import OPERATOR, fold_drafts
from edge.till.state import OpenFilling, TillState, lease_key
from protocols.trade.records import (
    CNY,
    BillLine,
    Draft,
    Effect,
    Hold,
    Move,
    Notice,
    SessionHeld,
    SessionVoided,
    Stamp,
)
from protocols.trade.records_fuel import FillingClosed, FuelUnattributed, NozzleTotals, PumpTotals, PumpTotalsRead
from protocols.trade.tender import MONEY_ALONE, Tenders, tender_of, worth_fen

NO_GRADE = "unknown"
"""Of a nozzle that no config and no record names."""


class Next(StrEnum):
    """What a filling can do now."""

    WAIT = "wait"
    HOLD = "hold"  # the end cannot be told: say so in the log and keep the holds
    PAY = "pay"  # what it was is known; who pays is not
    SETTLE = "settle"


def fuel_worth_fen(holds: Sequence[Hold], tenders: Tenders) -> int:
    """What these holds can pay for fuel."""
    found = ((hold, tender_of(hold.asset, tenders)) for hold in holds)
    return sum(
        worth_fen(h.amount, one) for h, one in found if one is not None and (not one.lines or "fuel" in one.lines)
    )


def what_next(
    filling: OpenFilling,
    progress: FillProgress,
    sight: FillSight,
    point: FuelPoint,
    policy: FillPolicy,
    tenders: Tenders = MONEY_ALONE,
) -> Next:
    """Decide on a filling that is stopping, has ended, or waits for a payer. Anything else waits."""
    for_ms = sight.now.mono_ms - max(progress.since_ms, progress.resumed_ms or 0)
    late = for_ms >= policy.stuck_after_s * 1000
    if progress.phase == FillPhase.PAYING:
        verdict = judge(filling, progress, point)
        paid = verdict is None or verdict.bill is None or _others_pay(filling, verdict.bill.amount_fen, tenders)
        return Next.SETTLE if paid or for_ms >= policy.pay_within_s * 1000 else Next.WAIT
    if progress.phase == FillPhase.ENDED:
        verdict = judge(filling, progress, point)
        if verdict is not None and (verdict.fits or late):
            return Next.PAY if filling.opened.guaranteed and verdict.bill is not None else Next.SETTLE
    elif progress.phase != FillPhase.STOPPING:
        return Next.WAIT
    if filling.held is None:
        return Next.HOLD if late else Next.WAIT
    return Next.SETTLE if progress.waited_ms >= policy.settle_after_s * 1000 else Next.WAIT


def begin_paying(progress: FillProgress, mono_ms: int) -> FillProgress:
    """The sale is known; whoever pays has some time to come."""
    return replace(progress, phase=FillPhase.PAYING, since_ms=mono_ms)


def hold_for_review(filling: OpenFilling, progress: FillProgress, sight: FillSight, policy: FillPolicy) -> Draft:
    """The pump cannot say what it sold, or does not stop; the customer's rights stay held, and the log says why."""
    status = sight.status_within(policy.silence_s * 1000)
    sells = status is not None and status.state in SELLS
    finding = "pump-does-not-stop" if sells else "pump-silent"
    return Draft(SessionHeld(filling.seq, finding, f"last seen {progress.volume_ml} mL, {progress.amount_fen} fen"))


def settle(
    state: TillState,
    filling: OpenFilling,
    progress: FillProgress,
    now: Stamp,
    point: FuelPoint,
    tenders: Tenders = MONEY_ALONE,
) -> tuple[Draft, ...]:
    """The records that end a filling, in order: closed or voided, what no sale explains, notices, value returned."""
    verdict = judge(filling, progress, point)
    reason = progress.reason or FillEnd.OTHER
    drafts: list[Draft] = []
    if verdict is None:
        drafts.append(Draft(SessionVoided(filling.seq, "pump-silent")))
        drafts.append(_notice("pump-silent", filling, f"not billed: last seen {progress.volume_ml} mL"))
    elif verdict.sold is not None and verdict.bill is not None:
        drafts.append(_closed(state, filling, progress, verdict, reason, tenders))
    else:
        drafts.append(Draft(SessionVoided(filling.seq, reason.value if verdict.fits else "sale-disagrees")))
    if verdict is not None:
        assert progress.end is not None
        drafts += _unexplained(filling, progress.end, verdict, point)
        if not verdict.fits:
            drafts.append(_notice("sale-disagrees", filling, f"not billed: {verdict.why}"))
            drafts.append(Draft(PumpTotalsRead([progress.end])))
    if progress.detail:
        drafts.append(_notice("session-ended", filling, progress.detail))
    after = fold_drafts(state, drafts, now)
    keys = [lease_key(hold.account, hold.asset) for hold in filling.holds]
    return (*drafts, *purse.returns(after, keys))


def _closed(
    state: TillState,
    filling: OpenFilling,
    progress: FillProgress,
    verdict: Verdict,
    reason: FillEnd,
    tenders: Tenders,
) -> Draft:
    sold, bill, end = verdict.sold, verdict.bill, progress.end
    assert sold is not None
    assert bill is not None
    assert end is not None
    line = BillLine("fuel", sold.nozzle, verdict.volume_ml, sold.price_e3, bill.amount_fen)
    payers = replace(filling, holds=drawing_order(filling))
    moves, overrun_fen = purse.captures(state, payers, {"fuel": bill.amount_fen}, tenders)
    if overrun_fen:
        moves.append(Move(Effect.OVERRUN, OPERATOR, CNY, "", overrun_fen, state.overrun_fen + overrun_fen))
    body = FillingClosed(
        session=filling.seq,
        reason=_why_it_ended(filling, verdict, reason).value,
        sold=sold,
        volume_ml=verdict.volume_ml,
        shown_fen=bill.amount_fen,
        end=end,
        lines=[line],
        amount_fen=bill.amount_fen,
        exact_num=bill.exact_fen.numerator,
        exact_den=bill.exact_fen.denominator,
        overrun_fen=overrun_fen,
        meter_record=None,
    )
    return Draft(body, tuple(moves))


def _why_it_ended(filling: OpenFilling, verdict: Verdict, reason: FillEnd) -> FillEnd:
    """A pump that gave all that it was told stopped by itself, whether or not that was seen before it was hung up."""
    opened, bill = filling.opened, verdict.bill
    if reason is not FillEnd.HUNG_UP or bill is None:
        return reason
    given = {"volume": verdict.volume_ml, "amount": bill.amount_fen}.get(opened.order_kind)
    return FillEnd.PRESET if given is not None and given >= opened.order_limit else reason


def drawing_order(filling: OpenFilling) -> tuple[Hold, ...]:
    """The holds as they are drawn on: a guarantor's, the first, stands in for what all others leave."""
    if not filling.opened.guaranteed:
        return filling.holds
    return (*filling.holds[1:], filling.holds[0])


def _others_pay(filling: OpenFilling, amount_fen: int, tenders: Tenders) -> bool:
    return fuel_worth_fen(filling.holds[1:], tenders) >= amount_fen


def _unexplained(filling: OpenFilling, end: PumpTotals, verdict: Verdict, point: FuelPoint) -> list[Draft]:
    """What the totalizers went on by and no bill explains. Nobody is charged for it."""
    by = filling.opened.origin.by
    answers = [f"session {filling.seq}", *([by] if by else [])]
    drafts: list[Draft] = []
    for nozzle, volume_ml in sorted(verdict.left_ml.items()):
        after, before = total_of(end, nozzle), total_of(filling.opened.begin, nozzle)
        why = "sale-disagrees" if not verdict.fits else "no-sale"
        if verdict.sold is not None and nozzle == verdict.sold.nozzle:
            before_ml = (after.volume_ml - volume_ml) % point.traits.total_ml_wraps
            before, why = NozzleTotals(nozzle, before_ml, None), "beyond-sale"
        place, pump = _place(filling, point, nozzle), filling.opened.pump
        gone = (before, after, volume_ml, filling.seq, answers)
        drafts.append(Draft(FuelUnattributed(pump, nozzle, place.grade, place.tank, why, *gone)))
    return drafts


def _place(filling: OpenFilling, point: FuelPoint, nozzle: int) -> NozzlePlace:
    """What is behind a nozzle: as it was offered, for the config may have changed since; else as the config has it."""
    offered = next((NozzlePlace(one.grade, one.tank) for one in filling.opened.offered if one.nozzle == nozzle), None)
    return offered or point.nozzles.get(nozzle) or NozzlePlace(NO_GRADE)


def _notice(what: str, filling: OpenFilling, detail: str) -> Draft:
    return Draft(Notice(what, filling.opened.pump, f"session {filling.seq}: {detail}"))
