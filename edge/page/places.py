"""What stands at the place whose QR code a phone has scanned? `GET /at/PLACE`: a cabinet, a port or a locker."""

from __future__ import annotations

from edge.daemon_state import Daemon
from edge.page import cabinet_values, cabinets, forms, lockers, port_values, ports
from edge.page.visits import Visits
from edge.page.words import word


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


def at(daemon: Daemon, name: str, visits: Visits, language: str) -> tuple[str, str] | None:
    """Title and body of one place's page. name: its id, or a cabinet's number. None: there is no such place."""
    site = daemon.site
    if site is None:
        return None
    if site.shop is not None and site.shop.id_of(name) in site.shop.loops:
        sight = cabinet_values.cabinet(site.shop, site.shop.id_of(name))
        body = cabinets.here(sight, language) + cabinets.costs(sight, language)
        by_card = f'<p class="soft">{word("swap-by-card", language)}</p>'
        return named(daemon, name, language), body + forms.code(language, "start-swap") + by_card
    if site.ports is None or name not in site.ports:
        return None
    port = port_values.port(site.ports, name)
    if not port.locker:
        body = ports.here(port, language) + ports.costs(port, language) + forms.code(language, "start-port")
        return named(daemon, name, language), body
    body, taken = lockers.here(port, language), port.view.stay is not None
    if taken:
        visit = visits.token(f"open {name}", daemon.clock.mono_ms())
        body += forms.open_locker(name, visit, language) + forms.code(language, "open-by-code")
    if not lockers.is_free(port):
        body += lockers.others(port, language)
    body += lockers.costs(port, language) + ("" if taken else forms.code(language, "store", pin=True))
    return named(daemon, name, language), body
