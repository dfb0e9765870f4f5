"""A filling from one look at the pump to the next: where it stands, what the pump is told, whether it must end."""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from drivers.pump import SELLS, Order, PumpState, PumpStatus
from edge.till.fill.point import FuelPoint
from edge.till.fill.policy import FillPolicy
from edge.till.fill.progress import FillEnd, FillPhase, FillProgress
from edge.till.fill.sight import FillSight
from edge.till.fill.verdict import Verdict, judge
from edge.till.state import OpenFilling
from edge.till.waiting import waited_ms

OVER = (PumpState.IDLE, PumpState.CALLING, PumpState.ENDED)
"""States in which no sale is under way at a pump that works."""
ILL = (PumpState.OUT, PumpState.UNPRICED)
MAY_DELIVER = (PumpState.AUTHORISED, PumpState.DELIVERING, PumpState.SUSPENDED)
"""What no pump does without a filling that lets it."""


class FillAct(StrEnum):
    """What to do at the pump next. Each is harmless when repeated."""

    NONE = "none"
    AUTHORISE = "authorise"
    STOP = "stop"
    READ = "read"  # the last sale and all totals, now


def first_progress(filling: OpenFilling) -> FillProgress:
    """The row of a filling that has just been opened."""
    at_ms = filling.stamp.mono_ms
    return FillProgress(filling.seq, filling.account, filling.stamp.boot, FillPhase.ORDERED, at_ms, at_ms)


def resume(progress: FillProgress, boot: bytes, mono_ms: int) -> FillProgress:
    """After a restart of the daemon. An authorisation may have been sent just before it died, and a whole sale may have
    happened since: nothing is told to the pump before its totals have been read.
    """
    unsure = progress.phase == FillPhase.ORDERED
    progress = replace(
        progress, resumed_ms=mono_ms, looked_ms=None, unsure=unsure, unsure_ms=mono_ms, flowed_ms=mono_ms
    )
    if progress.boot == boot:
        return progress
    if progress.phase == FillPhase.PAYING:  # the pump has been read, and may be asked no more
        return replace(progress, boot=boot, since_ms=mono_ms)
    return replace(progress, boot=boot, since_ms=mono_ms, sale=None, end=None)


def authorised(progress: FillProgress, mono_ms: int) -> FillProgress:
    """The pump's own status has shown that it has the order."""
    if progress.phase != FillPhase.ORDERED:
        return progress
    return replace(progress, phase=FillPhase.AUTHORISED, since_ms=mono_ms, unsure=False)


def perhaps_authorised(progress: FillProgress, mono_ms: int) -> FillProgress:
    """An order was sent and nobody knows what became of it: what the pump said before counts no more."""
    if progress.phase == FillPhase.STOPPING:  # while the order was on its way
        return replace(progress, since_ms=mono_ms)
    return replace(progress, unsure=True, unsure_ms=mono_ms) if progress.phase == FillPhase.ORDERED else progress


def stop(progress: FillProgress, reason: FillEnd, mono_ms: int, detail: str = "") -> FillProgress:
    """The filling must end. The first reason stands; saying it again is harmless."""
    if not progress.may_flow:
        return progress
    return replace(progress, phase=FillPhase.STOPPING, since_ms=mono_ms, reason=reason, detail=detail)


def advance(
    filling: OpenFilling, progress: FillProgress, sight: FillSight, point: FuelPoint, policy: FillPolicy, worth_fen: int
) -> FillProgress:
    """The progress after this look. worth_fen: what its holds can pay for fuel."""
    progress = _wait(filling, progress, sight)
    if progress.phase in (FillPhase.ENDED, FillPhase.PAYING):
        return _take_end(progress, sight)
    status = sight.status_within(policy.silence_s * 1000)
    if status is not None:
        progress = _sure_again(filling, progress, status, sight)
        progress = _follow(_count(progress, status, sight), status, sight)
    if progress.may_flow:
        ending = _ending(filling, progress, status, sight, policy, worth_fen)
        if ending is not None:
            progress = stop(progress, ending[0], sight.now.mono_ms, ending[1])
    return progress


def act(
    filling: OpenFilling, progress: FillProgress, sight: FillSight, point: FuelPoint, policy: FillPolicy
) -> FillAct:
    """What the pump should be told or asked now."""
    status = sight.status_within(policy.silence_s * 1000)
    if progress.phase in (FillPhase.ENDED, FillPhase.PAYING) and _goes_on(progress, status, sight):
        return FillAct.STOP
    if progress.phase == FillPhase.ENDED:
        return FillAct.READ if _clean(filling, progress, point) is None else FillAct.NONE
    if status is None or progress.phase == FillPhase.PAYING:
        return FillAct.NONE
    if progress.phase == FillPhase.STOPPING:
        return FillAct.STOP if status.state in SELLS else FillAct.NONE
    if progress.phase != FillPhase.ORDERED:
        return FillAct.NONE
    if progress.unsure:
        return FillAct.READ if status.state in OVER else FillAct.NONE
    if status.state == PumpState.CALLING:
        allowed = [one.nozzle for one in filling.opened.offered]
        return FillAct.AUTHORISE if status.nozzle is None or status.nozzle in allowed else FillAct.NONE
    waits = point.traits.lift_first
    return FillAct.AUTHORISE if status.state in (PumpState.IDLE, PumpState.ENDED) and not waits else FillAct.NONE


def order_of(filling: OpenFilling) -> Order:
    """What the pump is told."""
    opened = filling.opened
    nozzles = tuple(one.nozzle for one in opened.offered)
    return Order(opened.order_kind, opened.order_limit, nozzles, {one.nozzle: one.price_e3 for one in opened.offered})


def _goes_on(progress: FillProgress, status: PumpStatus | None, sight: FillSight) -> bool:
    """Whether the pump may deliver after the sale was seen to be over: by an attendant's key, or it was not over."""
    return status is not None and status.state in MAY_DELIVER and (sight.status_ms or 0) >= progress.since_ms


def _clean(filling: OpenFilling, progress: FillProgress, point: FuelPoint) -> Verdict | None:
    """What was sold, once everything that the pump says of it fits together."""
    verdict = judge(filling, progress, point)
    return verdict if verdict is not None and verdict.fits else None


def _wait(filling: OpenFilling, progress: FillProgress, sight: FillSight) -> FillProgress:
    if filling.held is None:
        return progress
    waited = waited_ms(filling.held, progress.waited_ms, progress.looked_ms, sight.now)
    return replace(progress, waited_ms=waited, looked_ms=sight.now.mono_ms)


def _take_end(progress: FillProgress, sight: FillSight) -> FillProgress:
    """What was read of the pump's memory and totals since the sale ended; the newest counts."""
    if sight.sale is not None and sight.sale.mono_ms >= progress.since_ms and progress.phase == FillPhase.ENDED:
        progress = replace(progress, sale=sight.sale)
    if sight.totals is not None and sight.totals.mono_ms >= progress.since_ms and progress.phase == FillPhase.ENDED:
        progress = replace(progress, end=sight.totals)
    return progress


def _sure_again(filling: OpenFilling, progress: FillProgress, status: PumpStatus, sight: FillSight) -> FillProgress:
    """Totals read since then, while it does not sell, say whether it has sold on the order that it may have had."""
    totals = sight.totals
    if not progress.unsure or totals is None or totals.mono_ms < progress.unsure_ms or status.state in SELLS:
        return progress
    if progress.phase != FillPhase.ORDERED or totals.nozzles == filling.opened.begin.nozzles:
        return replace(progress, unsure=False)
    return replace(progress, unsure=False, phase=FillPhase.ENDED, since_ms=totals.mono_ms, reason=FillEnd.HUNG_UP)


def _count(progress: FillProgress, status: PumpStatus, sight: FillSight) -> FillProgress:
    """The display, as far as it belongs to this filling: before anything flows it may show the sale before."""
    if status.state not in SELLS or progress.phase == FillPhase.ENDED:
        return progress
    nozzle = status.nozzle or progress.nozzle
    if status.state == PumpState.AUTHORISED:
        return replace(progress, nozzle=nozzle, suspended=False)
    volume_ml = progress.volume_ml if status.volume_ml is None else max(progress.volume_ml, status.volume_ml)
    amount_fen = progress.amount_fen if status.amount_fen is None else max(progress.amount_fen, status.amount_fen)
    grew = volume_ml > progress.volume_ml or amount_fen > progress.amount_fen
    flowed_ms = sight.now.mono_ms if grew else progress.flowed_ms
    return replace(
        progress,
        nozzle=nozzle,
        volume_ml=volume_ml,
        amount_fen=amount_fen,
        flowed_ms=flowed_ms,
        suspended=status.state == PumpState.SUSPENDED,
    )


def _follow(progress: FillProgress, status: PumpStatus, sight: FillSight) -> FillProgress:
    """Phases that follow from the pump's own state."""
    now_ms = sight.now.mono_ms
    if progress.phase == FillPhase.ENDED or (sight.status_ms or 0) < progress.since_ms:
        return progress
    if progress.phase == FillPhase.ORDERED:
        if status.state not in SELLS:
            return progress
        phase = FillPhase.AUTHORISED if status.state == PumpState.AUTHORISED else FillPhase.DELIVERING
        return replace(progress, phase=phase, since_ms=now_ms, unsure=False)
    if status.state in OVER:
        return replace(progress, phase=FillPhase.ENDED, since_ms=now_ms, reason=progress.reason or FillEnd.HUNG_UP)
    if status.state in ILL:
        reason = progress.reason or FillEnd.POWER_LOSS
        return replace(progress, phase=FillPhase.ENDED, since_ms=now_ms, reason=reason, detail=status.reason)
    if progress.phase == FillPhase.AUTHORISED and status.state != PumpState.AUTHORISED:
        progress = replace(progress, phase=FillPhase.DELIVERING, since_ms=now_ms)
    if progress.phase == FillPhase.DELIVERING and status.state == PumpState.REACHED and progress.reason is None:
        progress = replace(progress, reason=FillEnd.PRESET)
    return progress


def _ending(
    filling: OpenFilling,
    progress: FillProgress,
    status: PumpStatus | None,
    sight: FillSight,
    policy: FillPolicy,
    worth_fen: int,
) -> tuple[FillEnd, str] | None:
    """The first reason, in order of urgency, for which the filling must end now."""
    if status is not None and status.alarm is not None:
        return FillEnd.EMERGENCY, f"the pump reports {status.alarm}"
    if status is not None and status.state in ILL:  # before it had the order; later this ends it by itself
        return FillEnd.OTHER, f"the pump is {status.state.value}: {status.reason}"
    if progress.phase == FillPhase.DELIVERING:
        offered = {one.nozzle for one in filling.opened.offered}
        if progress.nozzle is not None and progress.nozzle not in offered:
            return FillEnd.WRONG_GRADE, f"nozzle {progress.nozzle} was not allowed"
        if progress.amount_fen > worth_fen + policy.margin_fen:
            return FillEnd.OUT_OF_CREDIT, "the pump went on beyond what it was told"
    still_ms = sight.now.mono_ms - progress.flowed_ms
    limit_s = policy.still_s if progress.phase == FillPhase.DELIVERING else policy.start_timeout_s
    return (FillEnd.TIMEOUT, f"nothing flowed for {limit_s} s") if still_ms >= limit_s * 1000 else None
