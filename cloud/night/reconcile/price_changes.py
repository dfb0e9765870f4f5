"""Did each pump show a new price when it was due? The signed list against what the pumps were seen to show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from cloud.night.reconcile.fillings import PriceLists
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts
from protocols.trade import fuel_prices
from protocols.trade.fuel_prices import PriceList, prices_at
from protocols.trade.records import ConfigApplied
from protocols.trade.records_fuel import Offered, PumpPricesSet

LATE_AFTER_S = 900
"""A pump in mid-sale takes a price when it is idle again; a quarter of an hour covers the longest filling."""


class PriceChange(msgspec.Struct, frozen=True):
    """At due_ms a pump was due to show other prices than before. applied_ms: when it was seen to; None: not by the next
    change, or not yet. late_s: between the two.
    """

    pump: str
    due_ms: int
    applied_ms: int | None
    late_s: int | None


class _Due(NamedTuple):
    """From at_ms on these prices hold, by grade. until_ms: the next change; None: none is known."""

    at_ms: int
    prices: Mapping[str, int]
    until_ms: int | None


def price_changes(facts: LogFacts, lists: PriceLists, begins_ms: int, ends_ms: int) -> list[PriceChange]:
    """The changes of one log that were due in [begins_ms, ends_ms), for each pump that shows prices of the list; as far
    as the log has been told.
    """
    ends_ms = min(ends_ms, 0 if facts.last is None else facts.last.at_ms)
    shown: dict[str, list[tuple[int, Sequence[Offered]]]] = {}
    for told in facts.fuel:
        if isinstance(told.body, PumpPricesSet):
            shown.setdefault(told.body.pump, []).append((told.at.at_ms, told.body.prices))
    found: list[PriceChange] = []
    for due in _dues(facts, lists):
        if not begins_ms <= due.at_ms < ends_ms:
            continue
        for pump, sets in sorted(shown.items()):
            before = [prices for at_ms, prices in sets if at_ms < due.at_ms]
            if not before or _shows(before[-1], due.prices):
                continue  # it was not in use yet, or the change is none for it
            after = (at_ms for at_ms, prices in sets if at_ms >= due.at_ms and _shows(prices, due.prices))
            applied_ms = next(after, None)
            if applied_ms is not None and due.until_ms is not None and applied_ms >= due.until_ms:
                applied_ms = None
            late_s = None if applied_ms is None else (applied_ms - due.at_ms) // 1000
            found.append(PriceChange(pump, due.at_ms, applied_ms, late_s))
    return found


def late_changes(facts: LogFacts, changes: Sequence[PriceChange]) -> Iterator[Finding]:
    """Those that came late or not at all, as far as the log has been told."""
    told_ms = 0 if facts.last is None else facts.last.at_ms
    for it in changes:
        late_s = (told_ms - it.due_ms) // 1000 if it.late_s is None else it.late_s
        if late_s > LATE_AFTER_S:
            yield Finding(
                code="price-late" if it.applied_ms is not None else "price-not-applied",
                leg=Leg.FUEL,
                site=facts.key.site,
                subject=f"{facts.key.site} {it.pump}",
                source=f"price lists signed for {facts.key.site} / prices set at {it.pump}",
                detail=f"shown {late_s // 60} min after it was due"
                if it.applied_ms is not None
                else f"not shown {late_s // 60} min after it was due",
                since_ms=it.due_ms,
            )


def _dues(facts: LogFacts, lists: PriceLists) -> list[_Due]:
    """Every instant at which the list in force asked for other prices, in order."""
    taken: list[tuple[int, PriceList]] = []
    for told in facts.fuel:
        if isinstance(told.body, ConfigApplied):
            pins = [pin for pin in told.body.pins if pin.kind == fuel_prices.KIND and pin.hash in lists]
            taken += [(told.at.at_ms, lists[pin.hash]) for pin in pins]
    changes: list[tuple[int, Mapping[str, int]]] = []
    for at, (from_ms, prices) in enumerate(taken):
        until_ms = taken[at + 1][0] if at + 1 < len(taken) else None
        instants = [from_ms, *(step.from_s * 1000 for step in prices.steps)]
        changes += [
            (instant, prices_at(prices, instant // 1000))
            for instant in instants
            if instant >= from_ms and (until_ms is None or instant < until_ms)
        ]
    real = changes[:1] + [after for before, after in pairwise(changes) if before[1] != after[1]]
    ends = [at_ms for at_ms, _ in real[1:]]
    return [_Due(at_ms, prices, ends[at] if at < len(ends) else None) for at, (at_ms, prices) in enumerate(real)]


def _shows(offered: Sequence[Offered], prices: Mapping[str, int]) -> bool:
    """Whether every nozzle whose grade is on the list shows its price."""
    return all(prices.get(one.grade, one.price_e3) == one.price_e3 for one in offered)
