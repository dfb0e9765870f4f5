"""What does a session at a cabinet cost by the terms that it pins? Told once more, without the till's arithmetic."""

from __future__ import annotations

from fractions import Fraction

from protocols.trade.records import CNY
from protocols.trade.records_pack import DEPOSIT, SwapClosed, SwapOpened
from protocols.trade.swap_terms import SwapOffer, SwapTerms


def fare(opened: SwapOpened, terms: SwapTerms, body: SwapClosed) -> tuple[int, dict[str, int]]:
    """(fen, units by asset) for a pack that was taken: one swap's units of a plan, or its price; a rent's price and
    deposit; nothing for what was paid before.
    """
    if not opened.offer:
        return 0, {}
    if opened.kind == "rent":
        rent = next(one for one in terms.rents if one.name == opened.offer)
        deposit_fen = terms.models[0].deposit_fen
        return _fen(Fraction(rent.price_e3, 1000)), {DEPOSIT: deposit_fen} if deposit_fen else {}
    offer = next(one for one in terms.swaps if one.name == opened.offer)
    return _swap_fen(offer, body), {offer.asset: offer.units} if offer.kind == "plan" else {}


def costs(opened: SwapOpened, terms: SwapTerms) -> bool:
    """Whether something must be set aside for it."""
    offer = next((one for one in terms.swaps if one.name == opened.offer), None)
    return offer is None or offer.asset != CNY or offer.price_e3 > 0 or offer.cap_fen > 0


def _swap_fen(offer: SwapOffer, body: SwapClosed) -> int:
    if offer.kind == "plan" or body.taken is None:
        return 0
    if offer.kind == "single":
        return _fen(Fraction(offer.price_e3, 1000))
    given = body.taken.energy_wh or 0
    back = None if body.returned is None else body.returned.energy_wh
    more_wh = 0 if back is None else max(0, given - back)
    return min(max(_fen(Fraction(more_wh * offer.price_e3, 1_000_000)), offer.floor_fen), offer.cap_fen)


def _fen(exact: Fraction) -> int:
    """Half up."""
    return int(exact + Fraction(1, 2))
