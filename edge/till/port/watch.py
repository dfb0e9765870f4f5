"""A port session from one look to the next: where it stands, what the board is told, whether it must end."""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from drivers.port_board import PortEnd, PortState, PortStatus, Settlement
from edge.till.port import begin
from edge.till.port.cost import Terms, delivery_of, most_fen
from edge.till.port.doubt import doubt, of_session
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.progress import Last, PortEnds, PortPhase, PortProgress
from edge.till.port.sight import PortSight
from edge.till.state import OpenPort
from edge.till.waiting import waited_ms
from protocols.trade import price
from protocols.trade.port_prices import observe
from protocols.trade.records import Slice

OVER = (PortState.IDLE, PortState.PLUGGED)
"""States in which no order runs."""
OVERLOAD_PERCENT = 120
"""Boards have an overload limit of their own; one that lets more than this pass is stopped."""


class PortAct(StrEnum):
    """What to do at the port next. Each is harmless when repeated."""

    NONE = "none"
    START = "start"
    STOP = "stop"
    READ = "read"  # its status, now


def first_progress(session: OpenPort) -> PortProgress:
    """The row of a session that has just been opened."""
    at_ms = session.stamp.mono_ms
    first = PortProgress(session.seq, session.account, session.stamp.boot, PortPhase.ORDERED, at_ms)
    return begin.told_nothing(first, at_ms)


def resume(progress: PortProgress, boot: bytes, mono_ms: int) -> PortProgress:
    """After a restart of the daemon. A start may have been sent just before it died: the board is asked before it is
    told again. What it does meanwhile is its own, and its settlement waits for us.
    """
    unsure = progress.phase is PortPhase.ORDERED
    again = replace(progress, resumed_ms=mono_ms, looked_ms=None, bare_ms=None, unsure=unsure, unsure_ms=mono_ms)
    if progress.boot == boot:
        return again
    return begin.unheard(replace(again, boot=boot, since_ms=mono_ms, told_ms=None))


def begun(session: OpenPort, progress: PortProgress, mono_ms: int) -> PortProgress:
    """The board has taken the order."""
    if progress.phase is not PortPhase.ORDERED:
        return progress
    began_ms = _since_opening_ms(session, progress, mono_ms)
    running = replace(progress, phase=PortPhase.RUNNING, since_ms=mono_ms, unsure=False, begun_ms=began_ms)
    return begin.taken(running, mono_ms)


def perhaps_begun(progress: PortProgress, mono_ms: int) -> PortProgress:
    """A start was sent and nobody knows what became of it: only what the board says from now on counts."""
    return replace(progress, unsure=True, unsure_ms=mono_ms) if progress.phase is PortPhase.ORDERED else progress


def refused(progress: PortProgress, mono_ms: int, detail: str) -> PortProgress:
    """The board has said no, so nothing flows on this order."""
    if progress.phase not in (PortPhase.ORDERED, PortPhase.STOPPING):
        return progress
    ended = replace(progress, phase=PortPhase.ENDED, since_ms=mono_ms, never=True, unsure=False)
    return replace(ended, reason=progress.reason or PortEnds.NOT_STARTED, detail=progress.detail or detail)


def stop(progress: PortProgress, reason: PortEnds, mono_ms: int, detail: str = "") -> PortProgress:
    """The session must end. The first reason stands; saying it again is harmless.

    A port that has surely been told nothing yet is never told anything.
    """
    if not progress.may_flow:
        return progress
    if progress.phase is PortPhase.ORDERED and not progress.unsure:
        return refused(replace(progress, reason=reason), mono_ms, detail)
    return replace(progress, phase=PortPhase.STOPPING, since_ms=mono_ms, reason=reason, detail=detail)


def told_to_stop(progress: PortProgress, mono_ms: int) -> PortProgress:
    """The board has taken the stop."""
    return replace(progress, told_ms=mono_ms)


def advance(
    session: OpenPort,
    progress: PortProgress,
    sight: PortSight,
    place: PortPlace,
    terms: Terms,
    policy: PortPolicy,
    worth_fen: int,
    epoch: int,
) -> PortProgress:
    """The progress after this look. worth_fen: what its holds can pay."""
    number = session.number(epoch)
    progress = _wait(session, progress, sight)
    told = of_session(sight.settlements, number)
    doubts = [doubt(session, one, by_energy=terms.price.by != "time") for one in told]
    if None in doubts:
        return _ended_by(progress, told[doubts.index(None)], sight)
    progress = replace(progress, doubt=next((why for why in doubts if why is not None), ""))
    status = sight.status_within(policy.silence_s * 1000)
    if status is None or (sight.status_ms or 0) < progress.unsure_ms:
        return progress
    if status.order == number and status.state is not PortState.OUT:
        progress = _runs(session, progress, status, sight, terms)
    elif _shows_another(progress, status):
        progress = _runs_not(progress, sight)
    progress = begin.listen(progress, status, sight, policy, number)
    ending = _ending(session, progress, status, sight, place, terms, policy, worth_fen)
    return progress if ending is None else stop(progress, ending[0], sight.now.mono_ms, ending[1])


def act(session: OpenPort, progress: PortProgress, sight: PortSight, policy: PortPolicy) -> PortAct:
    """What the port should be told or asked now. After a power cut at the box nobody waits there any more: an order
    that the board has not got by then is not given any more.
    """
    if progress.last is not None or progress.never:
        return PortAct.NONE
    status = sight.status_within(policy.silence_s * 1000)
    heard_since = status is not None and (sight.status_ms or 0) >= progress.unsure_ms
    match progress.phase:
        case PortPhase.ORDERED:
            if not progress.unsure:
                return PortAct.START
            if not heard_since:
                return PortAct.READ
            assert status is not None
            free = status.order is None and status.state in (*OVER, PortState.FULL)
            waits = not progress.gap and sight.now.mono_ms - progress.since_ms < policy.start_timeout_s * 1000
            return PortAct.START if free and waits and session.stamp.boot == progress.boot else PortAct.NONE
        case PortPhase.STOPPING:
            taken = progress.told_ms is not None and not progress.ran
            return PortAct.READ if taken else PortAct.STOP
        case PortPhase.ENDED:
            return PortAct.READ
        case PortPhase.RUNNING:
            return PortAct.NONE


def last_of(settlement: Settlement) -> Last:
    """A settlement as a row and a record keep it."""
    return Last(
        reason=PortEnds(settlement.end.value),
        said=settlement.reason[:64],
        energy_wh=settlement.energy_wh,
        elapsed_s=settlement.elapsed_s,
        peak_w=settlement.peak_w,
        own_fen=settlement.amount_fen,
        register_wh=settlement.register_wh or (),
        parts=tuple((part.period, part.energy_wh, part.amount_fen) for part in settlement.parts),
        began_ms=settlement.began_ms,
        ended_ms=settlement.ended_ms,
        doubts=settlement.doubts,
    )


def _wait(session: OpenPort, progress: PortProgress, sight: PortSight) -> PortProgress:
    if session.held is None:
        return progress
    waited = waited_ms(session.held, progress.waited_ms, progress.looked_ms, sight.now)
    return replace(progress, waited_ms=waited, looked_ms=sight.now.mono_ms)


def _ended_by(progress: PortProgress, settlement: Settlement, sight: PortSight) -> PortProgress:
    """The board's last word, whatever it was thought to do."""
    last = last_of(settlement)
    if progress.phase is not PortPhase.ENDED:
        progress = replace(progress, phase=PortPhase.ENDED, since_ms=sight.now.mono_ms)
    ours = last.reason is PortEnds.STOPPED and progress.reason is not None  # it ended because we said so
    return replace(progress, last=last, never=False, unsure=False, reason=progress.reason if ours else last.reason)


def _runs(
    session: OpenPort, progress: PortProgress, status: PortStatus, sight: PortSight, terms: Terms
) -> PortProgress:
    now_ms = sight.now.mono_ms
    if progress.phase is PortPhase.ORDERED:
        progress = begun(session, progress, now_ms)
    if begin.has_begun(status):
        if progress.phase is PortPhase.ENDED and (sight.status_ms or 0) >= progress.since_ms:  # it was not over
            goes_on = PortPhase.RUNNING if progress.reason is None else PortPhase.STOPPING
            progress = replace(progress, phase=goes_on, since_ms=now_ms, never=False)
        progress = replace(progress, ran=True, unsure=False)
    if progress.told_ms is not None and (sight.status_ms or 0) > progress.told_ms:
        progress = replace(progress, told_ms=None)  # it has taken a stop and has the order still
    bare = status.plugged is False
    return replace(
        _counted(session, progress, status, sight, terms),
        cut=progress.cut or status.ended is PortEnd.POWER_LOSS,
        bare_ms=(progress.bare_ms or now_ms) if bare else None,
        power_w=status.power_w,
        peak_w=max((one for one in (progress.peak_w, status.peak_w, status.power_w) if one is not None), default=None),
    )


def _counted(
    session: OpenPort, progress: PortProgress, status: PortStatus, sight: PortSight, terms: Terms
) -> PortProgress:
    """What the order has come to, by the board's own count. It only grows."""
    elapsed_s = max((one for one in (progress.elapsed_s, status.elapsed_s) if one is not None), default=None)
    profile = progress.profile
    if elapsed_s is not None and elapsed_s == status.elapsed_s:
        profile = observe(terms.price, profile, elapsed_s, status.power_w)
    grown = replace(progress, elapsed_s=elapsed_s, profile=profile)
    energy_wh = status.energy_wh
    if energy_wh is None or energy_wh <= (progress.energy_wh or 0):
        return grown if energy_wh is None or progress.energy_wh is not None else replace(grown, energy_wh=0)
    if terms.tariff is None:
        return replace(grown, energy_wh=energy_wh)
    at_ms = max(progress.to_ms, _seen_ms(session, progress, elapsed_s, sight))
    new = Slice(progress.to_ms, at_ms, energy_wh - (progress.energy_wh or 0))
    opened = session.opened
    slices = price.extend(progress.slices, new, terms.tariff, opened.clock_lb_ms, opened.clock_ub_ms)
    return replace(grown, energy_wh=energy_wh, slices=slices, to_ms=at_ms)


def _seen_ms(session: OpenPort, progress: PortProgress, elapsed_s: int | None, sight: PortSight) -> int:
    """Ms since the opening at which the board said what it said: by our own clock, or by its count of the order."""
    if session.stamp.boot == sight.now.boot and sight.status_ms is not None:
        return max(0, sight.status_ms - session.stamp.mono_ms)
    return progress.begun_ms + (elapsed_s or 0) * 1000


def _since_opening_ms(session: OpenPort, progress: PortProgress, mono_ms: int) -> int:
    """None of this is known over a restart of the box: then it is the whole wait for a start."""
    same = session.stamp.boot == progress.boot
    return max(0, mono_ms - session.stamp.mono_ms) if same else progress.begun_ms


def _shows_another(progress: PortProgress, status: PortStatus) -> bool:
    """Whether the port surely does not have this order: it has none, or another one. A full port may have it still; one
    that has not begun has not.
    """
    if status.order is not None:
        return status.state is not PortState.OUT
    return status.state in OVER or (status.state is PortState.FULL and progress.phase is PortPhase.ORDERED)


def _runs_not(progress: PortProgress, sight: PortSight) -> PortProgress:
    """The board says that this order does not run. Its settlement may be on its way."""
    if progress.phase in (PortPhase.ORDERED, PortPhase.ENDED) or (sight.status_ms or 0) < progress.since_ms:
        return progress
    if progress.phase is PortPhase.STOPPING and progress.told_ms is None and not progress.ran:
        return progress  # it may have the order, and begin yet
    return replace(progress, phase=PortPhase.ENDED, since_ms=sight.now.mono_ms)


def _ending(
    session: OpenPort,
    progress: PortProgress,
    status: PortStatus,
    sight: PortSight,
    place: PortPlace,
    terms: Terms,
    policy: PortPolicy,
    worth_fen: int,
) -> tuple[PortEnds, str] | None:
    """The first reason, in order of urgency, for which a port that goes on must be stopped now."""
    if progress.phase is not PortPhase.RUNNING:
        return None
    opened = session.opened
    power_w, limit_w = progress.power_w, opened.power_w_max * OVERLOAD_PERCENT // 100
    if power_w is not None and power_w > limit_w:
        return PortEnds.OVERLOAD, f"{power_w} W at a port of {opened.power_w_max} W"
    bare_ms = 0 if progress.bare_ms is None else sight.now.mono_ms - progress.bare_ms
    if place.traits.feels_plug and bare_ms >= policy.unplugged_s * 1000:
        return PortEnds.UNPLUGGED, "nothing is plugged in, and the port went on"
    elapsed_s, energy_wh = progress.elapsed_s or 0, progress.energy_wh or 0
    runs_ms = sight.now.mono_ms - progress.since_ms
    if status.order is not None and runs_ms >= (opened.time_max_s + policy.settle_wait_s) * 1000:
        return PortEnds.LIMIT, f"the port has the order after {runs_ms // 1000} s, {opened.time_max_s} s were ordered"
    if elapsed_s >= opened.time_max_s + policy.over_limit_s:
        return PortEnds.LIMIT, f"the port went on to {elapsed_s} s, {opened.time_max_s} s were ordered"
    if opened.order_kind == "energy" and energy_wh > opened.order_limit + place.traits.energy_step_wh:
        return PortEnds.LIMIT, f"the port went on to {energy_wh} Wh, {opened.order_limit} Wh were ordered"
    delivery = delivery_of(terms, progress.profile, progress.slices, progress.profile.to_s, energy_wh, None)
    if most_fen(terms, delivery, opened.clock_lb_ms, opened.clock_ub_ms) > worth_fen:
        return PortEnds.OUT_OF_CREDIT, "the port went on beyond what is paid for"
    if status.state is PortState.FAULT:
        return PortEnds.FAULT, f"the port reports {status.reason}"
    return None
