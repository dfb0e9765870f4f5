"""What a session does next: nothing yet, an act at a slot, a step for the log, or its end."""

from __future__ import annotations

from dataclasses import dataclass

from edge.till.swap.progress import Step
from protocols.trade.records import Draft
from protocols.trade.records_pack import PackSeen, SwapOutcome


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing, until more is seen. tell: the case that staff should hear of, once; empty: none."""

    tell: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The lock of the session's slot gets one pulse. Its step is in the log."""

    slot: int


@dataclass(frozen=True, slots=True)
class Wake:
    """The pack in the slot is there and silent: it may sleep."""

    slot: int


@dataclass(frozen=True, slots=True)
class Go:
    """A step for the log. first, notes: what goes before it and after it, in the same commit. why: for the rider's
    display.
    """

    step: Step
    slot: int
    pack: PackSeen | None = None
    fault: str = ""
    notes: tuple[Draft, ...] = ()
    why: str = ""
    first: tuple[Draft, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The session is over. taken: the pack that was offered has surely been taken. notes: after the closing record."""

    outcome: SwapOutcome
    fault: str = ""
    taken: bool = False
    notes: tuple[Draft, ...] = ()


Next = Wait | Pulse | Wake | Go | End
