"""When a port session may be settled, and the records that do it: bill, captures, notices, value returned."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from edge.till import purse
from edge.till.port import again, locker
from edge.till.port.cost import Delivery, Terms, bill, delivery_of
from edge.till.port.doubt import too_much
from edge.till.port.pile import pile_doubts
from edge.till.port.policy import PortPolicy
from edge.till.port.progress import Last, PortEnds, PortPhase, PortProgress
from edge.till.port.sight import PortSight
from edge.till.settle import OPERATOR, fold_drafts
from edge.till.state import OpenPort, TillState, lease_key
from protocols.trade.daytime import DAY_MS
from protocols.trade.records import CNY, Draft, Effect, Move, Notice, SessionHeld, SessionVoided, Slice, Stamp
from protocols.trade.records_port import PortClosed
from protocols.trade.tender import MONEY_ALONE, Tenders, owed_by


class Next(StrEnum):
    """What a session can do now."""

    WAIT = "wait"
    HOLD = "hold"  # the end cannot be told: say so in the log and keep the holds
    SETTLE = "settle"


def what_next(session: OpenPort, progress: PortProgress, sight: PortSight, policy: PortPolicy) -> Next:
    """A settlement settles at once, and so does a port that surely never began. All else waits for the board."""
    if progress.last is not None or progress.never:
        return Next.SETTLE
    if session.held is not None:
        lasts = progress.phase is not PortPhase.RUNNING or sight.status_within(policy.silence_s * 1000) is None
        return Next.SETTLE if lasts and progress.waited_ms >= policy.settle_after_s * 1000 else Next.WAIT
    return Next.HOLD if _overdue(session, progress, sight, policy) else Next.WAIT


def power_cut(session: OpenPort) -> Draft:
    """What a board keeps until its door opens cannot be charged on: somebody should tell the owner."""
    said = "the power was cut; its board settles when the door opens, and charges nothing before"
    return Draft(Notice("locker-not-charging", session.place, f"session {session.seq}: {said}"))


def hold_for_review(session: OpenPort, progress: PortProgress, sight: PortSight, policy: PortPolicy) -> Draft:
    """The board does not settle; the customer's rights stay held, and the log says why."""
    silent = sight.status_within(policy.silence_s * 1000) is None
    seen = f"last seen {progress.elapsed_s or 0} s, {progress.energy_wh or 0} Wh"
    if progress.doubt:
        return Draft(SessionHeld(session.seq, "settlement-doubtful", f"{progress.doubt}; {seen}"))
    return Draft(SessionHeld(session.seq, "board-silent" if silent else "settlement-missing", seen))


def settle(
    state: TillState,
    session: OpenPort,
    progress: PortProgress,
    now: Stamp,
    terms: Terms,
    tenders: Tenders = MONEY_ALONE,
    *,
    pile_offset_min: int | None = None,
) -> tuple[Draft, ...]:
    """The records that end a session, in order: closed or voided, notices, value returned.

    pile_offset_min: as of a `PortPlace`: the pile's own bill is compared with ours, and ours is what is charged.
    """
    last = progress.last
    drafts: list[Draft] = []
    reason = progress.reason or PortEnds.NO_SETTLEMENT
    if progress.never or nothing_delivered(session, progress, terms):
        drafts.append(Draft(SessionVoided(session.seq, reason.value)))
    else:
        drafts.append(_closed(state, session, progress, terms, reason, tenders))
    if last is None and not progress.never:
        detail = f"session {session.seq}: no settlement came; closed by what was seen last"
        what = "settlement-doubtful" if progress.doubt else "settlement-missing"
        drafts.append(
            Draft(Notice(what, session.place, detail if not progress.doubt else f"{detail}. {progress.doubt}"))
        )
    for what, detail in _findings(session, last):
        drafts.append(Draft(Notice(what, session.place, f"session {session.seq}: {detail}")))
    if last is not None and pile_offset_min is not None:
        drafts += pile_doubts(session, progress, last, terms, pile_offset_min)
    if progress.detail:
        drafts.append(Draft(Notice("session-ended", session.place, f"session {session.seq}: {progress.detail}")))
    after = fold_drafts(state, drafts, now)
    behind = next((stay for stay in after.ports.stays.values() if stay.place == session.place), None)
    if behind is not None and behind.rest is not None:
        return tuple(drafts)  # it is charged on, by the same payers
    why_not = "" if behind is None or progress.cut else again.why_not(behind, session.seq, reason.value)
    if behind is not None and why_not:
        drafts.append(locker.not_charging(behind, why_not))
        after = fold_drafts(state, drafts, now)
    return (*drafts, *purse.returns(after, [lease_key(hold.account, hold.asset) for hold in session.holds]))


def nothing_delivered(session: OpenPort, progress: PortProgress, terms: Terms) -> bool:
    """No time, no load, or a board that counts energy and has counted none: nobody pays for that.

    By time, less than a step of the board's counter is something where it has told of any power.
    """
    energy_wh, elapsed_s = _counts(progress)
    last = progress.last
    if energy_wh:
        return False
    if not elapsed_s or terms.price.by != "time" or (last is not None and last.reason is PortEnds.NO_LOAD):
        return True
    drew = progress.peak_w if last is None or last.peak_w is None else last.peak_w
    return session.opened.counts_energy and not drew


def delivered(session: OpenPort, progress: PortProgress, terms: Terms) -> Delivery:
    """What is billed: the board's last word, or where there is none what was known last."""
    last = progress.last
    energy_wh, elapsed_s = _counts(progress)
    if last is None:
        seconds, peak_w = progress.profile.to_s, progress.peak_w
    else:
        seconds, peak_w = elapsed_s or 0, last.peak_w
    slices = _slices(progress, energy_wh or 0) if terms.tariff is not None else ()
    return delivery_of(terms, progress.profile, slices, seconds, energy_wh, peak_w)


def _counts(progress: PortProgress) -> tuple[int | None, int | None]:
    """(energy, time) by the settlement, each as last seen where it does not say."""
    last = progress.last
    if last is None:
        return progress.energy_wh, progress.elapsed_s
    energy_wh = progress.energy_wh if last.energy_wh is None else last.energy_wh
    return energy_wh, progress.elapsed_s if last.elapsed_s is None else last.elapsed_s


def _slices(progress: PortProgress, energy_wh: int) -> tuple[Slice, ...]:
    """The energy of the settlement over time. What was not seen lies between the last sight and the end that the
    board's own count allows; where it counts no time, somewhere in a whole day, so that it costs the cheapest price.
    """
    slices = list(progress.slices)
    rest_wh = energy_wh - sum(piece.energy_wh for piece in slices)
    while rest_wh < 0:  # it settles for less than it had shown: the last word counts
        piece = slices.pop()
        rest_wh += piece.energy_wh
    if rest_wh == 0:
        return tuple(slices)
    _, elapsed_s = _counts(progress)
    to_ms = progress.to_ms + DAY_MS
    if elapsed_s is not None:  # piles count whole minutes, and one whose clock was set in mid-charge counts years
        to_ms = min(to_ms, max(progress.to_ms, progress.begun_ms + (elapsed_s + 60) * 1000))
    return (*slices, Slice(progress.to_ms, to_ms, rest_wh))


def _overdue(session: OpenPort, progress: PortProgress, sight: PortSight, policy: PortPolicy) -> bool:
    """Whether the settlement, or any word, should have come by now."""
    for_ms = sight.now.mono_ms - max(progress.since_ms, progress.resumed_ms or 0)
    waited = for_ms >= policy.settle_wait_s * 1000 or bool(progress.doubt)
    match progress.phase:
        case PortPhase.ENDED | PortPhase.STOPPING:
            return waited
        case PortPhase.ORDERED:
            return waited and for_ms >= policy.start_timeout_s * 1000
        case PortPhase.RUNNING:
            over = for_ms >= (session.opened.time_max_s + policy.settle_wait_s) * 1000
            status = sight.status_within(policy.silence_s * 1000)
            return over and (status is None or status.order is None)


def _closed(
    state: TillState, session: OpenPort, progress: PortProgress, terms: Terms, reason: PortEnds, tenders: Tenders
) -> Draft:
    opened, last = session.opened, progress.last
    delivery = delivered(session, progress, terms)
    cost = bill(terms, delivery, opened.clock_lb_ms, opened.clock_ub_ms)
    moves, overrun_fen = purse.captures(state, session, owed_by(cost.lines), tenders)
    if overrun_fen:
        moves.append(Move(Effect.OVERRUN, OPERATOR, CNY, "", overrun_fen, state.overrun_fen + overrun_fen))
    _, elapsed_s = _counts(progress)
    body = PortClosed(
        session=session.seq,
        reason=reason.value,
        said="" if last is None else last.said,
        settled=last is not None,
        energy_wh=delivery.energy_wh,
        elapsed_s=elapsed_s,
        peak_w=progress.peak_w if last is None else last.peak_w,
        own_fen=None if last is None else last.own_fen,
        register_wh=[] if last is None else list(last.register_wh),
        step_s=list(delivery.step_s),
        slices=list(delivery.slices),
        lines=list(cost.lines),
        amount_fen=cost.amount_fen,
        exact_num=cost.exact_fen.numerator,
        exact_den=cost.exact_fen.denominator,
        overrun_fen=overrun_fen,
        meter_record=None,
    )
    return Draft(body, tuple(moves))


def _findings(session: OpenPort, last: Last | None) -> Iterator[tuple[str, str]]:
    """What a settlement says that its port cannot have done, or that contradicts itself."""
    if last is None:
        return
    if last.doubts:
        yield "pile-bill-faulty", "; ".join(last.doubts)
    said = too_much(session.opened, last.energy_wh, last.elapsed_s)
    if said is not None:
        yield "settlement-implausible", said
