"""How does a charger stand? Free, plugged, what its session has come to, out of order. HTML."""

from __future__ import annotations

from html import escape

from drivers.api import Iec61851, LinkState
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


def place(site: Site, outlet: Outlet, language: str) -> str:
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
