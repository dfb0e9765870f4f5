"""The first page: which places are free, what a kWh or litre costs, where to give in a code. Nobody's account."""

from __future__ import annotations

from html import escape

from drivers.api import Iec61851, LinkState
from edge.daemon_state import Daemon
from edge.page.pumps import pumps
from edge.page.words import word
from edge.panel import views
from edge.plant.watch import Outlet
from edge.site import Site
from edge.till.progress import Phase
from protocols.trade.daytime import local_second, period_at
from protocols.trade.quantities import kwh, yuan, yuan_e3
from protocols.trade.records import ClockQuality
from protocols.trade.tariff import DAY_S, Tariff

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
    charging = _charging(daemon, site, language) if daemon.premises.outlets or not daemon.premises.pumps else ""
    return f'<div id="live">{_notes(daemon, site, language)}{charging}{pumps(daemon, language)}</div>{_form(language)}'


def _charging(daemon: Daemon, site: Site, language: str) -> str:
    places = "".join(_place(site, outlet, language) for outlet in daemon.premises.outlets.values())
    return f"<h2>{word('connectors', language)}</h2>{places}<h2>{word('price', language)}</h2>{_prices(site, language)}"


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


def _prices(site: Site, language: str) -> str:
    """All periods of the day, the present one marked where the time is certain; then what else is charged."""
    tariff, stamp = site.desk.tariff, site.clock.stamp()
    if tariff is None:
        return f'<p class="note">{word("no-price", language)}</p>'
    present = period_at(tariff, stamp.wall_ms) if stamp.quality == ClockQuality.SYNCHRONISED else None
    first = 0 if present is None else _row_now(tariff, local_second(tariff, stamp.wall_ms))
    lines = []
    for at, (span, index) in enumerate(_spans(tariff)):
        period = tariff.periods[index]
        price = yuan_e3(period.energy_e3 + period.service_e3)
        on = present is not None and at == first
        when, mark = (f"{span} · {word('now', language)}", ' class="on"') if on else (span, "")
        lines.append(f"<tr{mark}><th>{when}</th><td>{word('per-kwh', language, yuan=price)}</td></tr>")
    extra = []
    if tariff.session_e3:
        extra.append(word("session-fee", language, yuan=yuan_e3(tariff.session_e3)))
    if tariff.idle_e3_per_min:
        minutes = tariff.idle_grace_s // 60
        extra.append(word("idle-fee", language, yuan=yuan_e3(tariff.idle_e3_per_min), minutes=minutes))
    return f'<div class="card"><table>{"".join(lines)}</table>{"".join(_soft(one) for one in extra)}</div>'


def _spans(tariff: Tariff) -> list[tuple[str, int]]:
    """`08:00-22:00` and the period's index, from midnight on; the last period runs on past midnight to the first."""
    starts = [(period.from_s, index) for index, period in enumerate(tariff.periods)]
    if starts[0][0] > 0:
        starts.insert(0, (0, len(starts) - 1))
    ends = [start for start, _ in starts[1:]] + [DAY_S]
    return [(f"{_hm(start)}-{_hm(end)}", index) for (start, index), end in zip(starts, ends, strict=True)]


def _row_now(tariff: Tariff, second: int) -> int:
    """Which of the spans this second of the day is in."""
    starts = sorted({0, *(period.from_s for period in tariff.periods)})
    return sum(start <= second for start in starts) - 1


def _form(language: str) -> str:
    return (
        f'<h2>{word("take", language)}</h2><form class="card" method="post" action="/take?lang={language}">'
        f'<p class="soft">{word("take-hint", language)}</p>'
        '<textarea id="code" name="code" required maxlength="1300" spellcheck="false" autocapitalize="off" '
        f'autocomplete="off" aria-label="{word("take", language)}" placeholder="FT1:"></textarea>'
        f"<button>{word('take-it', language)}</button></form>"
    )


def _hm(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"


def _soft(text: str) -> str:
    return f'<p class="soft">{text}</p>'
