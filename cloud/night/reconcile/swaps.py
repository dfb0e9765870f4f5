"""Leg 4 for swaps: is each bill what its pinned terms say, and did nobody pay without a pack?

And over all sites: did a rider swap more often by a plan than its interval allows? Each site keeps it by itself, so
two sites without a link can be played against each other, and a site whose clock was set back lets nobody wait; here
all logs are at hand, with what is proven of their times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, Swap
from protocols.trade import swap_terms
from protocols.trade.books import DEPOSITS
from protocols.trade.records import Effect
from protocols.trade.swap_terms import FREE, Bill, SwapOffer, SwapTerms, price_rent, price_swap, rent_named, swap_named

TermsByHash = Mapping[bytes, SwapTerms]


@dataclass(frozen=True, slots=True)
class Swapped:
    """A swap by an offer with an interval. lb_ms, ub_ms: bounds of its end; None: nothing bounds it."""

    account: str
    session: str
    site: str
    at_ms: int
    lb_ms: int
    ub_ms: int | None
    offer: SwapOffer


def reconcile_swaps(logs: Iterable[LogFacts], terms: TermsByHash) -> Iterator[Finding]:
    """Findings about the bills of one site's swap sessions."""
    for facts in logs:
        for swap in facts.swaps.values():
            if swap.closed is not None:
                yield from _bill(swap, terms)


def swapped(logs: Iterable[LogFacts], terms: TermsByHash) -> Iterator[Swapped]:
    """The swaps of one site that an interval holds for."""
    for facts in logs:
        bounds = {told.at.seq: told.record.stamp for told in facts.packs}
        for swap in facts.swaps.values():
            if swap.closed is None or swap.ended is None or swap.closed.outcome != "swapped":
                continue
            document = _terms(swap, terms)
            offer = None if document is None else swap_named(document, swap.opened.offer)
            if offer is not None and offer.interval_s:
                stamp = bounds[swap.ended.seq]
                site, at_ms = facts.key.site, swap.ended.at_ms
                yield Swapped(swap.opened.account, swap.id, site, at_ms, stamp.lb_ms, stamp.ub_ms, offer)


def interval_breaches(swaps: Iterable[Swapped], begins_ms: int) -> Iterator[Finding]:
    """Swaps of one rider, at one site or two, that surely lie closer than the later one's interval, from this Unix ms
    on: an answered question of an earlier day is not told again.
    """
    by_rider: dict[str, list[Swapped]] = {}
    for one in swaps:
        by_rider.setdefault(one.account, []).append(one)
    for account, its in sorted(by_rider.items()):
        its.sort(key=lambda one: (one.at_ms, one.session))
        for number, one in enumerate(its):
            for before in reversed(its[:number]):
                if one.at_ms - before.at_ms >= one.offer.interval_s * 1000:
                    break
                if _surely_closer(before, one) and one.at_ms >= begins_ms:
                    gap_s = (one.at_ms - before.at_ms) // 1000
                    yield Finding(
                        code="plan-interval",
                        leg=Leg.PACKS,
                        site=one.site,
                        subject=f"account {account}",
                        source=f"session {before.session} / session {one.session}",
                        detail=f"{gap_s} s apart, {one.offer.name} allows one in {one.offer.interval_s} s",
                        since_ms=one.at_ms,
                    )
                    break


def _surely_closer(one: Swapped, other: Swapped) -> bool:
    """Were they less than the interval apart, whichever came first?"""
    if one.ub_ms is None or other.ub_ms is None:
        return False
    return max(other.ub_ms - one.lb_ms, one.ub_ms - other.lb_ms) < other.offer.interval_s * 1000


def _bill(swap: Swap, terms: TermsByHash) -> Iterator[Finding]:
    closed, opened = swap.closed, swap.opened
    assert closed is not None, swap.id
    assert swap.ended is not None, swap.id
    since_ms = swap.ended.at_ms

    def finding(code: str, source: str, detail: str, fen: int | None = None) -> Finding:
        return Finding(
            code=code,
            leg=Leg.PACKS,
            site=swap.log.site,
            subject=swap.id,
            source=f"session {swap.id} / {source}",
            detail=detail,
            difference_fen=fen,
            since_ms=since_ms,
        )

    lines_fen = sum(line.amount_fen for line in closed.lines)
    if lines_fen != closed.amount_fen:
        detail = f"lines come to {lines_fen} fen, the bill to {closed.amount_fen}"
        yield finding("lines-differ", "its lines", detail, lines_fen - closed.amount_fen)
    used = {(it.account, it.asset): it.amount for it in swap.moves if it.effect == Effect.USED and it.amount}
    held: dict[tuple[str, str], int] = {}
    for hold in swap.holds:
        held[hold.account, hold.asset] = held.get((hold.account, hold.asset), 0) + hold.amount
    for key, amount in sorted(used.items()):
        if amount > held.get(key, 0):
            yield finding("capture-beyond-hold", "its holds", f"{amount} {key[1]} of {key[0]}, held {held.get(key, 0)}")
    if closed.taken is None:
        paid = {asset: amount for (_, asset), amount in used.items()}
        late_fen = sum(line.amount_fen for line in closed.lines if line.code == "late")
        if closed.amount_fen != late_fen or any(asset in DEPOSITS for asset in paid):
            detail = f"no pack was taken, and {closed.amount_fen} fen were billed, {paid or 'nothing'} used"
            yield finding("charged-without-pack", "its outcome", detail, closed.amount_fen - late_fen)
        return
    document = _terms(swap, terms)
    if document is None:
        if opened.offer:
            yield finding("tariff-missing", "signed documents", "swap terms")
        return
    priced = _priced(swap, document)
    if priced is None:
        if opened.offer:
            yield finding("price-differs", "its terms", f"no offer {opened.offer!r} in version {document.version}")
        return
    bill, units = priced
    extra_fen = sum(line.amount_fen for line in closed.lines if line.code == "late")
    if closed.amount_fen - extra_fen != bill.amount_fen:
        detail = f"{opened.offer} comes to {bill.amount_fen} fen, the bill to {closed.amount_fen - extra_fen}"
        yield finding("price-differs", "its terms", detail, bill.amount_fen - closed.amount_fen + extra_fen)
    for asset, wanted in units.items():
        got = sum(amount for (_, its), amount in used.items() if its == asset)
        if got != wanted:
            yield finding("capture-differs", "its plan", f"{wanted} {asset} for a swap, {got} used")


def _priced(swap: Swap, document: SwapTerms) -> tuple[Bill, dict[str, int]] | None:
    """The bill by the terms, and the units that it takes of a plan; None: there is no such offer."""
    closed = swap.closed
    assert closed is not None
    if swap.opened.kind == "rent":
        rent = rent_named(document, swap.opened.offer)
        return None if rent is None else (price_rent(rent), {})
    offer = swap_named(document, swap.opened.offer)
    if offer is None:
        return (FREE, {}) if swap.opened.resumes is not None else None
    if offer.kind == "plan":
        return FREE, {offer.asset: offer.units}
    return price_swap(offer, closed.energy_wh), {}


def _terms(swap: Swap, terms: TermsByHash) -> SwapTerms | None:
    pinned = swap.pin(swap_terms.KIND)
    return None if pinned is None else terms.get(pinned.hash)
