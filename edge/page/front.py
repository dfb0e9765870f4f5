"""The first page: which places are free, what a kWh or litre costs, where to give in a code. Nobody's account."""

from __future__ import annotations

from html import escape

from drivers.api import Iec61851, LinkState
from edge.daemon_state import Daemon
from edge.page import forms, prices
from edge.page.places import lists
from edge.page.pumps import pumps
from edge.page.words import word
from edge.panel import views
from edge.plant.watch import Outlet
from edge.site import Site
from edge.till.progress import Phase
from protocols.trade.quantities import kwh, yuan

_PHASES = {
    Phase.STARTING: ("busy", "starting"),
    Phase.CHARGING: ("busy", "charging"),
    Phase.STOPPING: ("busy", "stopping"),
    Phase.IDLE: ("wait", "idle"),
}


def front(daemon: Daemon, language: str) -> str:
    """The page's body."""
    site = daemon.site
    if site is None:
        return f'<div id="live"><p class="note">{word("not-open", language)}</p></div>'
    others = pumps(daemon, language) + lists(daemon, language)
    charging = _charging(daemon, site, language) if daemon.premises.outlets or not others else ""
    return f'<div id="live">{_notes(daemon, site, language)}{charging}{others}</div>{forms.code(language)}'


def _charging(daemon: Daemon, site: Site, language: str) -> str:
    places = "".join(_place(site, outlet, language) for outlet in daemon.premises.outlets.values())
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


def _place(site: Site, outlet: Outlet, language: str) -> str:
    """A connector: its name, how it stands, and what its session has come to."""
    found = site.desk.session_at(outlet.connector)
    detail = ""
    if found is not None:
        session, progress = found
        kind, code = _PHASES[progress.phase]
        seen = views.session(site, session, progress)
        detail = f'<div class="soft figure">{kwh(seen.energy_wh)} kWh · ¥{yuan(seen.running_fen)}</div>'
    else:
        kind, code = _idle(outlet)
    return (
        f'<div class="card place {kind}"><b>{escape(outlet.connector)}</b>'
        f'<div><div class="now">{word(code, language)}</div>{detail}</div></div>'
    )


def _idle(outlet: Outlet) -> tuple[str, str]:
    """How a connector without a session stands: its look and its word."""
    status = outlet.charger.status().value
    if status is None or LinkState.OFFLINE in (outlet.charger.link().state, outlet.meter.link().state):
        return "ill", "silent"
    if status.iec in (Iec61851.E, Iec61851.F):
        return "ill", "fault"
    return ("wait", "plugged") if status.plugged else ("free", "free")
