"""Where does a session stand within its newest step? In memory alone: whatever matters is a record.

A step that opens a door is in the log before the door moves, and so is what went in and out. So nothing is saved
between records: after a restart the log and the sensors together say where the session is (`watch`, `resumed`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from edge.till.state_shop import OpenSwap
from edge.till.swap.slots import View


class Step(StrEnum):
    """What a session does. The texts are `records_pack.SwapStep`'s."""

    OPEN_EMPTY = "open-empty"
    REOPEN_EMPTY = "reopen-empty"
    ACCEPTED = "accepted"
    OPEN_FULL = "open-full"
    GIVEN = "given"
    REOPEN_FULL = "reopen-full"
    GIVE_BACK = "give-back"


PUTTING_IN = (Step.OPEN_EMPTY, Step.REOPEN_EMPTY)
BEFORE_GIVEN = (Step.OPEN_EMPTY, Step.REOPEN_EMPTY, Step.ACCEPTED, Step.OPEN_FULL)


@dataclass(frozen=True, slots=True)
class Progress:
    """step, slot: that it is about. since_ms: when this daemon took the
    step up. resumed: it was taken up from the log, so a pulse may have been given that nobody remembers; cut: by
    another boot of the box: the power was away.

    pulses, pulsed_ms: given since. failed: what the board said to the last one. opened_ms: when the door was first seen
    open since then. others: doors that stood open when it began. woken_ms: when the pack was last woken. cancelled: the
    rider, or staff, wants it ended. told: of what the log has been told, so that it is told once.
    """

    session: int
    step: str
    slot: int
    since_ms: int
    resumed: bool = False
    cut: bool = False
    pulses: int = 0
    pulsed_ms: int | None = None
    failed: str = ""
    opened_ms: int | None = None
    others: frozenset[int] = frozenset()
    woken_ms: int | None = None
    cancelled: bool = False
    told: frozenset[str] = frozenset()


def begin(swap: OpenSwap, view: View, before: Progress | None = None) -> Progress:
    """A step that has just been committed. before: of the step before it."""
    others = frozenset(slot for slot, track in view.slots.items() if track.open_ms is not None and slot != swap.slot)
    cancelled = before is not None and before.cancelled
    return Progress(swap.seq, swap.step, swap.slot, view.now_ms, others=others, cancelled=cancelled)


def resume(swap: OpenSwap, view: View) -> Progress:
    """The session as the log has it, in a daemon that has just started."""
    progress = begin(swap, view)
    cut = swap.stepped.boot != view.now.boot
    return replace(progress, resumed=True, cut=cut)


def cancel(progress: Progress) -> Progress:
    """Somebody wants it ended; what has been begun is brought to its end first."""
    return replace(progress, cancelled=True)
