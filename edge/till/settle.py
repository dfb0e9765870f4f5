"""When a stopped session may be settled, and the records that do it: bill, captures, returns, notices, in one step."""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from edge.till import purse
from edge.till.fold import apply
from edge.till.policy import Policy
from edge.till.progress import Phase, Progress, StopReason
from edge.till.sight import Sight
from edge.till.state import OpenSession, TillState, lease_key
from protocols.trade.price import bill
from protocols.trade.records import (
    CNY,
    Draft,
    Effect,
    Move,
    Notice,
    SessionClosed,
    SessionHeld,
    SessionVoided,
    Stamp,
    seal,
)
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders, draw, owed_by

OPERATOR = "operator"
"""The account that a site's overruns are booked to."""


class Next(StrEnum):
    """What a stopped session can do now."""

    WAIT = "wait"
    IDLE = "idle"  # the place is blocked, and that costs
    HOLD = "hold"  # the end cannot be told: say so in the log and keep the holds
    SETTLE = "settle"


def what_next(
    session: OpenSession,
    progress: Progress,
    sight: Sight,
    tariff: Tariff,
    policy: Policy,
    tenders: Tenders = MONEY_ALONE,
) -> Next:
    """Decide on a session in STOPPING or IDLE. Anything else waits."""
    now_ms = sight.now.mono_ms
    status = sight.status_within(policy.silence_s * 1000)
    if progress.phase == Phase.IDLE:
        unseen = status is None and progress.had_time_to_ask(now_ms, policy.silence_s * 1000)
        gone = unseen or (status is not None and not status.plugged)  # a silent charger shows no car in the way
        return Next.SETTLE if gone or _idle_spent(session, progress, tariff, tenders) else Next.WAIT
    if progress.phase != Phase.STOPPING or progress.stopping_ms is None:
        return Next.WAIT
    told_ms = max(progress.stopping_ms, progress.resumed_ms or 0)  # a daemon that was dead told the charger nothing
    stuck = now_ms - told_ms >= policy.stuck_after_s * 1000
    if progress.finding is not None and (progress.off_ms is not None or stuck):
        return Next.SETTLE  # nothing more will be billed, so no register is waited for
    read_ms = progress.register.mono_ms if progress.boot == sight.now.boot else -1
    if progress.off_ms is not None and read_ms >= progress.off_ms:
        return Next.IDLE if _may_idle(progress, sight, tariff, policy) else Next.SETTLE
    speaks = now_ms - read_ms <= policy.silence_s * 1000
    if stuck and speaks and read_ms >= told_ms:
        return Next.SETTLE  # at what flows past a stuck relay now; a silent meter may yet tell what has flowed
    if session.held is None:
        return Next.HOLD if stuck else Next.WAIT
    return Next.SETTLE if progress.waited_ms >= policy.settle_after_s * 1000 else Next.WAIT


def settle(
    state: TillState,
    session: OpenSession,
    progress: Progress,
    now: Stamp,
    tariff: Tariff,
    tenders: Tenders = MONEY_ALONE,
    *,
    stuck: bool,
) -> tuple[Draft, ...]:
    """The records that end a session, in order: closed (or voided), notices, value returned."""
    drafts: list[Draft] = []
    if progress.energy_wh == 0:
        drafts.append(Draft(SessionVoided(session.seq, (progress.reason or StopReason.OTHER).value)))
    else:
        drafts.append(_closed(state, session, progress, tariff, tenders))
    if progress.finding is not None:
        drafts.append(Draft(Notice(progress.finding, session.opened.begin.meter, progress.detail)))
    elif progress.detail:
        drafts.append(Draft(Notice("session-ended", session.opened.connector, progress.detail)))
    if stuck:
        drafts.append(
            Draft(Notice("stuck-relay", session.opened.connector, "still delivers after it was told to stop"))
        )
    after = fold_drafts(state, drafts, now)
    keys = [lease_key(hold.account, hold.asset) for hold in session.holds]
    return (*drafts, *purse.returns(after, keys))


def hold_for_review(session: OpenSession, progress: Progress) -> Draft:
    """The meter is silent, so the bill must wait; the customer's rights stay held, and the log says why."""
    detail = f"last register {progress.register.energy_wh} Wh of {progress.register.meter}"
    return Draft(SessionHeld(session.seq, "meter-silent", detail))


def begin_idle(progress: Progress, mono_ms: int) -> Progress:
    """Delivery is over, the car still blocks the place."""
    return replace(progress, phase=Phase.IDLE, idle_from_ms=mono_ms, stopping_ms=None)


def fold_drafts(state: TillState, drafts: list[Draft], stamp: Stamp) -> TillState:
    """The state as it will be once these drafts are in the log."""
    for draft in drafts:
        state = apply(state, seal(draft, stamp))
    return state


def _closed(state: TillState, session: OpenSession, progress: Progress, tariff: Tariff, tenders: Tenders) -> Draft:
    cost = bill(tariff, progress.delivered(tariff))
    moves, overrun_fen = purse.captures(state, session, owed_by(cost.lines), tenders)
    if overrun_fen:
        moves.append(Move(Effect.OVERRUN, OPERATOR, CNY, "", overrun_fen, state.overrun_fen + overrun_fen))
    body = SessionClosed(
        session=session.seq,
        reason=(progress.reason or StopReason.OTHER).value,
        end=progress.register,
        energy_wh=progress.energy_wh,
        slices=list(progress.slices),
        idle_s=progress.delivered(tariff).idle_s,
        clock_lb_ms=progress.clock_lb_ms,
        clock_ub_ms=progress.clock_ub_ms,
        lines=list(cost.lines),
        amount_fen=cost.amount_fen,
        exact_num=cost.exact_fen.numerator,
        exact_den=cost.exact_fen.denominator,
        overrun_fen=overrun_fen,
        meter_record=None,
    )
    return Draft(body, tuple(moves))


def _may_idle(progress: Progress, sight: Sight, tariff: Tariff, policy: Policy) -> bool:
    """Only a car that is full and stays runs up an idle fee; whoever was stopped has paid for what was promised."""
    status = sight.status_within(policy.silence_s * 1000)
    plugged = status is not None and status.plugged
    first_time = progress.idle_from_ms is None
    return plugged and first_time and tariff.idle_e3_per_min > 0 and progress.reason == StopReason.STOPPED_BY_EV


def _idle_spent(session: OpenSession, progress: Progress, tariff: Tariff, tenders: Tenders) -> bool:
    """Idle fees accrue within the holds alone: one more minute would pass what they can pay."""
    owed = owed_by(bill(tariff, progress.delivered(tariff)).lines)
    owed["idle"] = owed.get("idle", 0) + tariff.idle_e3_per_min // 1000 + 1
    return draw(owed, session.holds, tenders).overrun_fen > 0
