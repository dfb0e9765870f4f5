"""The first page: which places are free, what a kWh or litre costs, where to give in a code. Nobody's account."""

from __future__ import annotations

from edge.daemon_state import Daemon
from edge.page import chargers, forms, prices
from edge.page.places import lists
from edge.page.pumps import pumps
from edge.page.words import word
from edge.site import Site


def front(daemon: Daemon, language: str) -> str:
    """The page's body."""
    site = daemon.site
    if site is None:
        return f'<div id="live"><p class="note">{word("not-open", language)}</p></div>'
    others = pumps(daemon, language) + lists(daemon, language)
    charging = _charging(daemon, site, language) if daemon.premises.outlets or not others else ""
    return f'<div id="live">{_notes(daemon, site, language)}{charging}{others}</div>{forms.code(language)}'


def _charging(daemon: Daemon, site: Site, language: str) -> str:
    places = "".join(chargers.place(site, outlet, language) for outlet in daemon.premises.outlets.values())
    table = prices.by_tariff(site.desk.tariff, site.clock.stamp(), language)
    return f"<h2>{word('connectors', language)}</h2>{places}<h2>{word('price', language)}</h2>{table}"


def _notes(daemon: Daemon, site: Site, language: str) -> str:
    notes = []
    desk = site.desk
    if desk.no_starts(alone=not site.is_online()) is not None:
        notes.append(word("no-starts", language))
    elif daemon.uplink is not None and not daemon.uplink.online:
        notes.append(word("offline", language))
    return "".join(f'<p class="note">{note}</p>' for note in notes)
