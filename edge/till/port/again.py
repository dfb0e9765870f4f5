"""What is charged on behind a locker's door once the power is back? What was asked for, less what has been had of it.

    it settles with `power-loss`, and its owner has not asked for the pack    a new session, paid by the same
    for the fourth time                                                       no more: the mains flicker
    its price has a fee for each session, or a least time                     no: that would fall due twice
    any other end: heat, smoke, a fault, overload                             no: a person looks first

What the payers brought stays at the site until then, so that neither a link nor a second payment is needed, and they
never spend more than the first session held. Where the board keeps its order until the door opens, nothing can follow.
"""

from __future__ import annotations

from msgspec.structs import replace

from edge.till.ask import Source
from edge.till.port.ask import PortAsk
from edge.till.port.cost import Terms
from edge.till.port.progress import PortEnds
from edge.till.state import OpenPort, OpenStay
from protocols.trade.records import Origin, Preset
from protocols.trade.records_port import PortClosed, PortOpened

CUTS_MAX = 3
"""Power cuts over which one stay's charge goes on."""
UNSAFE = (PortEnds.HAZARD.value, PortEnds.OVERLOAD.value, PortEnds.FAULT.value)
"""Ends after which nothing is charged before a person has looked."""


def cut(stay: OpenStay, session: OpenPort, reason: str, bill: PortClosed | None) -> OpenStay:
    """The stay after its port's session has ended. bill: None: it was void."""
    if reason != PortEnds.POWER_LOSS.value or stay.stored is None or stay.wanted is not None:
        return stay
    rest = _rest(session.opened, bill) if stay.cuts < CUTS_MAX else None
    return replace(stay, rest=rest, cut=session, cuts=stay.cuts + 1)


def flickers(stay: OpenStay, seq: int) -> bool:
    """Whether the power has been cut too often for its pack to be charged on. seq: of the session that it ended."""
    return stay.cuts > CUTS_MAX and stay.cut is not None and stay.cut.seq == seq


def why_not(stay: OpenStay, seq: int, reason: str) -> str:
    """Why a person must see to what lies there, of a session that has just ended; empty: nobody need."""
    if flickers(stay, seq):
        return f"the power was cut {stay.cuts} times"
    if reason in UNSAFE and stay.stored is not None and stay.wanted is None:
        return f"its charge ended by {reason}"
    return ""


def rest_of(stay: OpenStay) -> PortAsk | None:
    """What is to be started once more. None: nothing."""
    session = stay.cut
    if stay.rest is None or session is None:
        return None
    origin = session.opened.origin
    by_code = origin.via in ("qr", "locker")
    if origin.credential:
        sources: tuple[Source, ...] = (Source("", origin.credential),)
    else:
        sources = tuple(Source(hold.account, asset=hold.asset) for hold in session.holds)
        origin = Origin("locker", b"", 0, origin.by)
    return PortAsk(stay.place, stay.rest, origin, sources, origin.credential, as_brought=by_code)


def costs_twice(terms: Terms) -> bool:
    """Whether a second session costs more than one of the same length."""
    of_tariff = terms.tariff is not None and terms.tariff.session_e3 > 0
    return of_tariff or terms.price.session_e3 > 0 or (terms.price.by == "time" and terms.price.least_s > 0)


def _rest(opened: PortOpened, bill: PortClosed | None) -> Preset | None:
    """Without a preset it is what the first session has not used of its hold."""
    preset = opened.preset
    if bill is None:
        return preset
    match preset.kind:
        case "energy":
            left = preset.amount - (bill.energy_wh or 0)
        case "time":
            left = preset.amount - (bill.elapsed_s or 0)
        case "money":
            left = preset.amount - bill.amount_fen
        case _:
            left = opened.prepaid_fen - bill.amount_fen
    return Preset(preset.kind if preset.kind in ("energy", "time") else "money", left) if left > 0 else None
