"""What does a swap session cost, and who pays what of it? One rule for the till, headquarters and any stranger."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.trade.records import ClockQuality, Hold, Stamp
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED, PackSeen, SwapKind
from protocols.trade.swap_terms import (
    FREE,
    Bill,
    RentOffer,
    SwapTerms,
    price_rent,
    price_swap,
    rent_named,
    rented_until_s,
    swap_named,
)
from protocols.trade.tender import Tenders, draw, owed_by

WHOLE = frozenset({DEPOSIT, DEPOSIT_WAIVED})
"""Assets of which a hold is captured whole once a pack is taken; the plan's own is another."""

SEALED_S = 60
"""A closing record is decided, and then sealed with a stamp of its own: so far apart at most."""


def energy_between(returned: PackSeen | None, taken: PackSeen | None) -> int | None:
    """By how much the taken pack was fuller, Wh; None: one of them did not say."""
    if returned is None or taken is None or returned.energy_wh is None or taken.energy_wh is None:
        return None
    return taken.energy_wh - returned.energy_wh


def bill_of(terms: SwapTerms, kind: SwapKind, offer: str, *, took: bool, energy_wh: int | None) -> Bill | None:
    """The bill of a session under this offer. took: whether a pack was taken; without, nothing is charged. None: the
    terms have no such offer.
    """
    if not took or not offer:
        return FREE
    if kind == "rent":
        rent = rent_named(terms, offer)
        return None if rent is None else price_rent(rent)
    swap = swap_named(terms, offer)
    return None if swap is None else price_swap(swap, energy_wh)


def priced_by_energy(terms: SwapTerms, offer: str) -> bool:
    swap = swap_named(terms, offer)
    return swap is not None and swap.kind == "energy"


def paid_until_s(taken_at: Stamp, rent: RentOffer) -> int:
    """Unix time to which one term is paid that begins when the pack is taken. Without an upper bound of that time its
    best estimate is one.
    """
    if taken_at.quality == ClockQuality.SYNCHRONISED:
        lb_ms, ub_ms = taken_at.wall_ms, taken_at.wall_ms
    else:
        lb_ms, ub_ms = taken_at.lb_ms, taken_at.wall_ms if taken_at.ub_ms is None else taken_at.ub_ms
    return rented_until_s(lb_ms // 1000, -(-ub_ms // 1000), rent)


def is_paid_until(until_s: int | None, rent: RentOffer | None, ended: Stamp) -> bool:
    """Whether a closing record says to when its rent is paid, by its own time. rent: the term that was taken; None: a
    session that is no rent, or in which no pack was taken.
    """
    if rent is None or until_s is None:
        return rent is None and until_s is None
    meant_s = paid_until_s(ended, rent)
    return meant_s - SEALED_S <= until_s <= meant_s


def units_of(
    terms: SwapTerms, offer: str, holds: Sequence[Hold], bill: Bill, tenders: Tenders, *, took: bool
) -> tuple[list[int], int]:
    """(what is captured of each hold, the fen that none of them pays)."""
    if not took:
        return [0] * len(holds), 0
    swap = swap_named(terms, offer)
    whole = WHOLE | ({swap.asset} if swap is not None and swap.kind == "plan" else set())
    paying = [hold for hold in holds if hold.asset not in whole]
    drawn = draw(owed_by(bill.lines), paying, tenders)
    captures = iter(drawn.captures)
    return [hold.amount if hold.asset in whole else next(captures).units for hold in holds], drawn.overrun_fen
