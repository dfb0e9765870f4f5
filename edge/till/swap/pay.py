"""Who is the rider, by which offer is it paid, and what is set aside for it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.till import purse
from edge.till.ask import Refusal, Refused, Source, Want
from edge.till.set_aside import Need, set_aside
from edge.till.state import Lease, TillState, lease_key
from edge.till.swap.ask import SwapAsk
from protocols.trade.records import CNY, Hold
from protocols.trade.swap_terms import (
    RentOffer,
    SwapOffer,
    SwapTerms,
    deposits_for,
    hold_for,
    price_rent,
    rent_named,
    rents_for,
    swap_named,
    ways_to_pay,
)
from protocols.trade.tender import Tenders


@dataclass(frozen=True, slots=True)
class Paid:
    """Rights set aside. wants: grants with which something that comes first would pay instead: a plan before money."""

    account: str
    offer: str
    holds: list[Hold]
    wants: tuple[Want, ...] = ()


def rider_of(state: TillState, ask: SwapAsk) -> str | None:
    """The account that asks: as named, else the one that the credential opens, by name where it opens several. None:
    not known here.
    """
    if ask.account:
        return ask.account
    accounts = {state.leases[key].account for key in state.wallets.get(ask.credential, ())}
    return min(accounts, default=None)


def pay_swap(
    state: TillState, ask: SwapAsk, account: str, terms: SwapTerms, tenders: Tenders, clock_lb_ms: int
) -> tuple[SwapOffer, Paid | Refused] | Refused:
    """One swap's units of a plan, or the most that it may cost: by the offer that is named, else by the first that can
    pay now. A plan that is used up, or whose grant has expired, stands in nobody's way. The offer, and what it holds or
    why nothing pays.
    """
    if ask.offer:
        named = swap_named(terms, ask.offer)
        if named is None:
            return Refused(Refusal.UNKNOWN_OFFER, f"no swap offer {ask.offer} here")
        ways = [named]
    else:
        ways = ways_to_pay(terms)
    if not ways:
        return Refused(Refusal.NOT_ENOUGH, "nothing is offered here")
    in_vain: list[Refused] = []
    for offer in ways:
        holds = _hold(state, ask, account, offer.asset, hold_for(offer), tenders, clock_lb_ms)
        if not isinstance(holds, Refused):
            return offer, Paid(account, offer.name, holds, _wants(in_vain))
        if holds.refusal is Refusal.ACCOUNT_FROZEN:
            return offer, holds
        in_vain.append(holds)
    return ways[-1], _none_pays(in_vain)


def rent_of(ask: SwapAsk, code: str, terms: SwapTerms) -> RentOffer | Refused:
    """The term of rent for the pack of this code: the one that is named, else the first."""
    offers = rents_for(terms, code)
    found = rent_named(terms, ask.offer) if ask.offer else next(iter(offers), None)
    if found is None or found not in offers:
        return Refused(Refusal.UNKNOWN_OFFER, f"no rent {ask.offer or 'offer'} for {code} here")
    return found


def pay_rent(
    state: TillState, ask: SwapAsk, account: str, offer: RentOffer, code: str, terms: SwapTerms, tenders: Tenders,
    clock_lb_ms: int,
) -> Paid | Refused:  # fmt: skip
    """The term's price, and the deposit that this pack asks for, or headquarters' word that none is needed."""
    holds = _hold(state, ask, account, CNY, price_rent(offer).amount_fen, tenders, clock_lb_ms)
    if isinstance(holds, Refused):
        return holds
    deposits = deposits_for(terms, code)
    in_vain: list[Refused] = []
    for asset, units in deposits:
        kept = _hold(state, ask, account, asset, units, tenders, clock_lb_ms)
        if not isinstance(kept, Refused):
            return Paid(account, offer.name, [*holds, *kept], _wants(in_vain))
        if kept.refusal is Refusal.ACCOUNT_FROZEN:
            return kept
        in_vain.append(kept)
    return _none_pays(in_vain) if deposits else Paid(account, offer.name, holds)


def rights_of(state: TillState, account: str) -> dict[str, int]:
    """What this account may spend here, by asset."""
    return {lease.asset: lease.rights for lease in state.leases.values() if lease.account == account}


def unknown_rider(ask: SwapAsk, terms: SwapTerms) -> Refused:
    """Nothing has been granted here yet: every way to pay is asked for, in the order of the terms."""
    offers = [one for one in terms.swaps if ask.offer in ("", one.name)]
    needs = {one.asset: hold_for(one) for one in reversed(offers)} if ask.kind == "swap" else {CNY: 0}
    if ask.kind == "rent":
        needs = {CNY: max((price_rent(one).amount_fen for one in terms.rents), default=0)}
    source = {asset: Source(ask.account, ask.credential, asset) for asset in needs}
    wants = tuple(Want(source[asset], need) for asset, need in reversed(needs.items()))
    what = f"account {ask.account}" if ask.account else "the card"
    return Refused(Refusal.UNKNOWN_ACCOUNT, f"{what} is not known at this site", wants)


def unfit(lease: Lease, clock_lb_ms: int) -> Refused | None:
    """Why nobody may draw on this lease now; None: nothing."""
    if lease.frozen:
        return Refused(Refusal.ACCOUNT_FROZEN, "headquarters has frozen the account")
    if purse.expired(lease, clock_lb_ms):
        return Refused(Refusal.GRANT_EXPIRED, "what the site knows of this account is too old")
    return None


def _wants(in_vain: Sequence[Refused]) -> tuple[Want, ...]:
    return tuple(want for refused in in_vain for want in refused.wants)


def _none_pays(in_vain: Sequence[Refused]) -> Refused:
    """All were tried: told by what is nearest to paying, with what headquarters would have to grant of each."""
    of = {one.refusal: one for one in reversed(in_vain)}
    nearest = next((of[it] for it in (Refusal.GRANT_EXPIRED, Refusal.NOT_ENOUGH) if it in of), in_vain[-1])
    detail = in_vain[-1].detail if in_vain[-1] is nearest else f"{nearest.detail}; {in_vain[-1].detail}"
    return Refused(nearest.refusal, detail, _wants(in_vain))


def _hold(
    state: TillState, ask: SwapAsk, account: str, asset: str, units: int, tenders: Tenders, clock_lb_ms: int
) -> list[Hold] | Refused:
    """So many units of one asset, no less. Money goes by `set_aside`; other assets are counted in their own units."""
    source = Source(account, ask.credential, asset)
    if asset == CNY:
        need = Need(units, exact=True, least_fen=units, suffices=bool)
        aside = set_aside(state, (source,), need, tenders, clock_lb_ms)
        return aside if isinstance(aside, Refused) else aside.holds
    lease = state.leases.get(lease_key(account, asset))
    want = (Want(source, purse.want(lease, units)),)
    if lease is None:
        return Refused(Refusal.NOT_ENOUGH, f"{account} has no {asset} here, {units} needed", want)
    bad = unfit(lease, clock_lb_ms)
    if bad is not None:
        return Refused(bad.refusal, bad.detail, want)
    if lease.session_limit and units > lease.session_limit:
        return Refused(Refusal.NOT_ENOUGH, f"one session takes at most {lease.session_limit} {asset}")
    if lease.rights < units:
        return Refused(Refusal.NOT_ENOUGH, f"{lease.rights} {asset} may be spent here, {units} are needed", want)
    return [Hold(account, asset, units)]
