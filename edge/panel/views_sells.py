"""By which of headquarters' documents does this site sell, and has it got them? Looks, never touches."""

from __future__ import annotations

from collections.abc import Iterator

from edge.daemon_state import Daemon
from edge.panel.messages import DayView, PaperView
from edge.site import Site
from edge.till.state import TillState
from protocols.trade.documents import TARIFF
from protocols.trade.fuel_prices import KIND as FUEL_PRICES
from protocols.trade.port_prices import KIND as PORT_PRICES
from protocols.trade.swap_terms import KIND as SWAP_TERMS


def papers(daemon: Daemon, site: Site) -> list[PaperView]:
    """What must be there, and what is there all the same."""
    pins, named = site.desk.state.pins, _ids(site)
    sold = dict(_sold(daemon, site))
    return [
        PaperView(
            kind=kind,
            id=named.get(kind, ""),
            version=None if kind not in pins else pins[kind].version,
            sells=sold.get(kind, ""),
        )
        for kind in (TARIFF, FUEL_PRICES, SWAP_TERMS, PORT_PRICES)
        if kind in sold or kind in pins
    ]


def day(state: TillState) -> DayView:
    """The running site day, and of what it was made."""
    one, shop = state.day, state.shop.day
    return DayView(
        number=one.number,
        first_seq=one.first_seq,
        sessions=one.sessions,
        energy_wh=one.energy_wh,
        amount_fen=one.amount_fen,
        overrun_fen=one.overrun_fen,
        ports_wh=state.ports.sums.energy_wh,
        fuel_ml=sum(grade.volume_ml for grade in state.forecourt.grades.values()),
        packs_out=shop.swapped + shop.taken,
    )


def _sold(daemon: Daemon, site: Site) -> Iterator[tuple[str, str]]:
    """Kinds of documents without which something here cannot be sold, and what."""
    premises = daemon.premises
    if premises.outlets:
        yield TARIFF, "charging"
    elif _by_the_hour(site):
        yield TARIFF, "charging at ports"
    if premises.pumps:
        yield FUEL_PRICES, "fuel"
    if premises.cabinets:
        yield SWAP_TERMS, "swaps"
    if premises.port_boards:
        yield PORT_PRICES, "charging at ports"


def _by_the_hour(site: Site) -> bool:
    """Whether a port costs what the tariff says."""
    if site.ports is None:
        return False
    prices = site.ports.ports.prices
    by_tariff = {price.name for price in prices.prices if price.by == "tariff"} if prices is not None else set()
    return any(place.price in by_tariff for place in site.ports.ports.places.values())


def _ids(site: Site) -> dict[str, str]:
    """Of the documents that have a name besides their version."""
    pins, desk = site.desk.state.pins.values(), site.desk.papers
    listed = {TARIFF: desk.tariff(pins), FUEL_PRICES: desk.prices(pins), PORT_PRICES: desk.port_prices(pins)}
    return {kind: document.id for kind, document in listed.items() if document is not None}
