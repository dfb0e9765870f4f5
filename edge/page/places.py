"""What stands at the place whose QR code a phone has scanned? `GET /at/PLACE`: a cabinet, port or locker, a charger or
pump.
"""

from __future__ import annotations

from edge.daemon_state import Daemon
from edge.page import (
    cabinet_values,
    cabinets,
    chargers,
    forms,
    locker_values,
    lockers,
    port_values,
    ports,
    prices,
    pumps,
)
from edge.page.port_values import PortHere
from edge.page.visits import Visits
from edge.page.words import word
from edge.plant.watch import Outlet
from edge.shop.shop import Shop
from edge.site import Site


def lists(daemon: Daemon, language: str) -> str:
    """The first page's cabinets, ports and lockers; empty where there are none."""
    site = daemon.site
    parts = []
    if site is not None and site.shop is not None:
        cards = (cabinets.card(cabinet_values.cabinet(site.shop, name), language) for name in site.shop.loops)
        parts.append((word("cabinets", language), "".join(cards)))
    if site is not None and site.ports is not None:
        every = port_values.every(site.ports)
        parts.append((word("ports", language), ports.grid([one for one in every if not one.locker], language)))
        parts.append((word("lockers", language), lockers.grid([one for one in every if one.locker], language)))
    return "".join(f"<h2>{title}</h2>{found}" for title, found in parts if found)


def named(daemon: Daemon, name: str, language: str) -> str:
    """A place in words, by its id or number; empty: it is neither a cabinet nor a port nor a locker."""
    site = daemon.site
    if site is not None and site.shop is not None and name in site.shop:
        return word("cabinet-name", language, name=cabinet_values.name_of(site.shop, site.shop.id_of(name)))
    if site is None or site.ports is None or name not in site.ports:
        return ""
    return word("locker-name" if name in site.ports.lockers else "port-name", language, name=name)


def opens_once_shut(daemon: Daemon, name: str) -> bool:
    """Whether it is a locker whose owner has asked for it, and whose door stands open for somebody else."""
    hall = None if daemon.site is None else daemon.site.ports
    return hall is not None and locker_values.opens_once_shut(hall, name)


def at(daemon: Daemon, name: str, visits: Visits, language: str) -> tuple[str, str] | None:
    """Title and body of one place's page. name: its id, or a pump's or cabinet's number. None: there is none."""
    site = daemon.site
    if site is None:
        return None
    if site.islands is not None and name in site.islands:
        return _pump(daemon, site.islands.id_of(name), language)
    if site.shop is not None and name in site.shop:
        return named(daemon, name, language), _cabinet(site.shop, site.shop.id_of(name), language)
    if site.ports is not None and name in site.ports:
        port = port_values.port(site.ports, name)
        body = _locker(daemon, port, visits, language) if port.locker else _port(port, language)
        return named(daemon, name, language), body
    outlet = daemon.premises.outlets.get(name)
    return None if outlet is None else _charger(site, outlet, language)


def _pump(daemon: Daemon, name: str, language: str) -> tuple[str, str]:
    body = f'<div id="live">{pumps.here(daemon, name, language)}</div>{forms.code(language)}'
    return word("pump-name", language, name=name), body


def _charger(site: Site, outlet: Outlet, language: str) -> tuple[str, str]:
    table = prices.by_tariff(site.desk.tariff, site.clock.stamp(), language)
    body = f'<div id="live">{chargers.place(site, outlet, language)}<h2>{word("price", language)}</h2>{table}</div>'
    return word("charger-name", language, name=outlet.connector), body + forms.code(language)


def _cabinet(shop: Shop, name: str, language: str) -> str:
    sight = cabinet_values.cabinet(shop, name)
    by_card = f'<p class="soft">{word("swap-by-card", language)}</p>'
    body = cabinets.here(sight, language) + cabinets.costs(sight, language)
    offers = prices.choices(sight.terms, language)
    return body + forms.code(language, "start-swap", offers=offers) + by_card


def _port(port: PortHere, language: str) -> str:
    return ports.here(port, language) + ports.costs(port, language) + forms.code(language, "start-port")


def _locker(daemon: Daemon, locker: PortHere, visits: Visits, language: str) -> str:
    name, taken = locker.view.place, locker.view.stay is not None
    body = lockers.here(locker, language)
    if taken:
        visit = visits.token(f"open {name}", daemon.clock.mono_ms())
        body += forms.open_locker(name, visit, language) + forms.code(language, "open-by-code")
    if not lockers.is_free(locker):
        body += lockers.others(locker, language)
    return body + lockers.costs(locker, language) + ("" if taken else forms.code(language, "store", pin=True))
