"""Which step of a swap session may follow which, how may each kind end, and what is in whose hands after each step?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from protocols.trade.records_pack import PackSeen, SwapClosed, SwapKind, SwapOpened, SwapStepped

FOLLOWS: Mapping[str, frozenset[str]] = {
    "open-empty": frozenset({"open-empty", "reopen-empty", "accepted"}),
    "reopen-empty": frozenset({"open-empty", "reopen-empty", "accepted"}),
    "accepted": frozenset({"open-full", "reopen-empty", "give-back"}),
    "open-full": frozenset({"open-full", "given", "reopen-empty", "give-back"}),
    "given": frozenset({"reopen-full"}),
    "reopen-full": frozenset(),
    "give-back": frozenset(),
}
"""Which step may come after which."""
TAKES = frozenset({"swapped", "taken"})
OUTCOMES: Mapping[str, frozenset[str]] = {
    "swap": frozenset({"swapped", "cancelled", "kept"}),
    "rent": frozenset({"taken", "cancelled"}),
    "return": frozenset({"returned", "cancelled", "kept"}),
}
"""How each kind of session may end."""


class Hands(msgspec.Struct, frozen=True):
    """step: the newest. returned: what the site has taken in, offered: what was chosen to be taken, each with its slot.
    given: the door of the offered one has been seen open.
    """

    step: str
    returned: PackSeen | None = None
    returned_slot: int | None = None
    offered: PackSeen | None = None
    offered_slot: int | None = None
    given: bool = False


def at_opening(opened: SwapOpened) -> Hands:
    """Before any step."""
    if opened.pack is None:
        return Hands("open-empty")
    return Hands("open-full", offered=opened.pack, offered_slot=opened.slot)


def after(hands: Hands, body: SwapStepped) -> Hands:
    """As this step leaves it, whether or not it may follow."""
    hands = replace(hands, step=body.step)
    match body.step:
        case "accepted":
            return replace(hands, returned=body.pack, returned_slot=body.slot)
        case "reopen-empty":
            return replace(hands, returned=None, returned_slot=None)
        case "open-full":
            return replace(hands, offered=body.pack, offered_slot=body.slot)
        case "given":
            return replace(hands, given=True)
    return hands


def end_faults(kind: SwapKind, hands: Hands, closed: SwapClosed) -> Iterator[tuple[str, object, object]]:
    """What the closing record says of packs that does not follow: (what, expected, got)."""
    outcome = closed.outcome
    if outcome not in OUTCOMES[kind]:
        yield f"how a session of kind {kind} ends", sorted(OUTCOMES[kind]), outcome
    if (closed.taken is not None) != (outcome in TAKES):
        yield f"the pack taken in a session that ended {outcome}", outcome in TAKES, closed.taken is not None
    if closed.taken is not None and not hands.given:
        yield "a pack taken", "its door seen open before", "no such step"
    if closed.taken is not None and (closed.taken, closed.taken_slot) != (hands.offered, hands.offered_slot):
        yield "the pack taken", hands.offered, closed.taken
    in_it = (None, None) if outcome == "cancelled" else (hands.returned, hands.returned_slot)
    if (closed.returned, closed.returned_slot) != in_it:
        yield "the pack returned", in_it[0], closed.returned
