"""Has a port that was told an order begun it at all? One that goes on telling that it has not is let go.

    it charges, or tells of any energy or time           it has begun: its settlement ends it, and nothing here does
    idle for `begin_wait_s` since it took the order      told to stop
    the same, and nobody knows whether it took it        told to stop after `start_timeout_s`
    idle still, LAST_WORD_S after it has taken the stop  nothing was delivered: void

Idle is its own word, heard again and again. **Silence says nothing**: a port that was not heard for longer than
`silence_s` may have delivered meanwhile. One that took the order is then waited for like any other; one that nobody has
heard take it is let go once it has been idle for `settle_wait_s`, in which a board repeats what it has to settle.
"""

from __future__ import annotations

from msgspec.structs import replace

from drivers.port_board import PortState, PortStatus
from edge.till.port.policy import PortPolicy
from edge.till.port.progress import PortEnds, PortPhase, PortProgress
from edge.till.port.sight import PortSight

LAST_WORD_S = 60
"""Piles bill within 30 s of an end, and an order that came to nothing as well."""
AT_REST = (PortState.IDLE, PortState.PLUGGED, PortState.FAULT)
"""States in which nothing flows."""


def told_nothing(progress: PortProgress, mono_ms: int) -> PortProgress:
    """It was seen free just now, and has been told nothing yet."""
    return replace(progress, idle_ms=mono_ms, heard_ms=mono_ms)


def taken(progress: PortProgress, mono_ms: int) -> PortProgress:
    """It says that it has the order: from here on it is listened to."""
    return replace(progress, taken=True, gap=False, idle_ms=mono_ms, heard_ms=mono_ms)


def unheard(progress: PortProgress) -> PortProgress:
    """The box was off: what the port did meanwhile is not known."""
    return replace(progress, gap=True, idle_ms=None, heard_ms=None)


def has_begun(status: PortStatus) -> bool:
    """What it says of our order: whether it is more than that it has it."""
    at_work = status.state in (PortState.CHARGING, PortState.FULL)
    return at_work or bool(status.energy_wh) or bool(status.elapsed_s)


def listen(
    progress: PortProgress, status: PortStatus, sight: PortSight, policy: PortPolicy, number: bytes
) -> PortProgress:
    """The progress after this word of a port: told to stop, or let go, where it is time. number: of its order."""
    if progress.ran or progress.last is not None or progress.never or status.state is PortState.OUT:
        return progress
    progress = _heard(progress, status, sight.status_ms or 0, policy, number)
    if progress.idle_ms is None or progress.heard_ms is None or progress.doubt:
        return progress
    idle_ms = progress.heard_ms - progress.idle_ms
    if _may_go(progress, idle_ms, policy):
        gone = replace(progress, phase=PortPhase.ENDED, since_ms=sight.now.mono_ms, never=True, unsure=False)
        return replace(gone, reason=progress.reason or PortEnds.NOT_STARTED)
    if progress.phase is not PortPhase.STOPPING and progress.told_ms is None:
        return _given_up(progress, idle_ms, sight, policy)
    return progress


def comes_back_ms(progress: PortProgress, mono_ms: int, policy: PortPolicy) -> int | None:
    """In how long what it holds goes back, if the port tells on that it is idle. None: its settlement is waited for, or
    it has begun, or has not said that it is idle.
    """
    if progress.ran or not progress.taken or not says_idle(progress) or progress.gap or progress.idle_ms is None:
        return None
    left_ms = max(0, policy.begin_wait_s * 1000 - (mono_ms - progress.idle_ms))
    if progress.told_ms is None:
        return left_ms + LAST_WORD_S * 1000
    return max(left_ms, LAST_WORD_S * 1000 - (mono_ms - progress.told_ms))


def says_idle(progress: PortProgress) -> bool:
    """Whether the port has said, since it was told to start, that nothing of it runs."""
    if progress.heard_ms is None or progress.idle_ms is None:
        return False
    return progress.gap or progress.heard_ms > progress.idle_ms


def _heard(progress: PortProgress, status: PortStatus, said_ms: int, policy: PortPolicy, number: bytes) -> PortProgress:
    """Since when it has told without a break that nothing of ours runs there."""
    if progress.heard_ms is not None and said_ms <= progress.heard_ms:
        return progress
    at_rest = status.state in AT_REST or (status.state is PortState.FULL and not progress.taken)
    if not at_rest or status.order not in (None, number):
        return unheard(progress)
    if progress.heard_ms is None:
        return replace(progress, idle_ms=said_ms, heard_ms=said_ms)
    if said_ms - progress.heard_ms > policy.silence_s * 1000:
        return replace(progress, gap=True, idle_ms=said_ms, heard_ms=said_ms)
    return replace(progress, heard_ms=said_ms)


def _given_up(progress: PortProgress, idle_ms: int, sight: PortSight, policy: PortPolicy) -> PortProgress:
    """Told to stop from now on, if it has had its time."""
    now_ms = sight.now.mono_ms
    if progress.taken:
        late = not progress.gap and idle_ms >= policy.begin_wait_s * 1000
        detail = "the port took the order and did not begin"
    else:
        asked_ms = max(progress.since_ms, progress.resumed_ms or 0)
        late = progress.unsure and (progress.gap or now_ms - asked_ms >= policy.start_timeout_s * 1000)
        detail = "the port did not begin"
    if not late:
        return progress
    ending = replace(progress, phase=PortPhase.STOPPING, since_ms=now_ms)
    return replace(ending, reason=progress.reason or PortEnds.NOT_STARTED, detail=progress.detail or detail)


def _may_go(progress: PortProgress, idle_ms: int, policy: PortPolicy) -> bool:
    """Whether it surely delivers nothing on this order: it took the stop, was idle on, and its bill would be here."""
    if progress.told_ms is None or (progress.heard_ms or 0) - progress.told_ms < LAST_WORD_S * 1000:
        return False
    if progress.taken:
        return not progress.gap and idle_ms >= policy.begin_wait_s * 1000
    return not progress.gap or idle_ms >= policy.settle_wait_s * 1000
