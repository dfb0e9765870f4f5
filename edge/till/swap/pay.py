"""Who is the rider, by which offer is it paid, and what is set aside for it?"""

from __future__ import annotations

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
    deposit_for,
    hold_for,
    offer_for,
    price_rent,
    rent_named,
    rents_for,
    swap_named,
)
from protocols.trade.tender import Tenders


@dataclass(frozen=True, slots=True)
class Paid:
    """Rights set aside. wants: grants with which another offer, that comes first, could be used."""

    account: str
    offer: str
    holds: list[Hold]


def rider_of(state: TillState, ask: SwapAsk) -> str | None:
    """The account that asks: as named, else the one that the credential opens, by name where it opens several. None:
    not known here.
    """
    if ask.account:
        return ask.account
    accounts = {state.leases[key].account for key in state.wallets.get(ask.credential, ())}
    return min(accounts, default=None)


def offer_of(state: TillState, ask: SwapAsk, account: str, terms: SwapTerms) -> SwapOffer | Refused:
    """By which offer a swap is paid: the one that is named, else the first that this rider has the rights for."""
    if ask.offer:
        named = swap_named(terms, ask.offer)
        return named or Refused(Refusal.UNKNOWN_OFFER, f"no swap offer {ask.offer} here")
    found = offer_for(terms, rights_of(state, account))
    return found or Refused(Refusal.NOT_ENOUGH, "no plan of this rider has a swap left here", _plans(state, ask, terms))


def pay_swap(
    state: TillState, ask: SwapAsk, account: str, offer: SwapOffer, terms: SwapTerms, tenders: Tenders, clock_lb_ms: int
) -> Paid | Refused:
    """One swap's units of the plan, or the most that it may cost."""
    holds = _hold(state, ask, account, offer.asset, hold_for(offer), tenders, clock_lb_ms)
    if isinstance(holds, Refused):
        if ask.offer or offer.kind == "plan":
            return holds
        return Refused(holds.refusal, holds.detail, (*_plans(state, ask, terms), *holds.wants))
    return Paid(account, offer.name, holds)


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
    deposit = deposit_for(terms, code, rights_of(state, account))
    if deposit is not None:
        asset, units = deposit
        kept = _hold(state, ask, account, asset, units, tenders, clock_lb_ms)
        if isinstance(kept, Refused):
            return kept
        holds = [*holds, *kept]
    return Paid(account, offer.name, holds)


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


def _plans(state: TillState, ask: SwapAsk, terms: SwapTerms) -> tuple[Want, ...]:
    """What headquarters would have to grant of plans that this rider has had here before."""
    account = rider_of(state, ask) or ""
    leases = ((one, state.leases.get(lease_key(account, one.asset))) for one in terms.swaps if one.kind == "plan")
    return tuple(
        Want(Source(account, ask.credential, one.asset), purse.want(lease, one.units))
        for one, lease in leases
        if lease is not None
    )


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
