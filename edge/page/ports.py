"""What does a customer see of charging ports? Which are free, what they cost, and how a session there stands. HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

from drivers.port_board import PortState
from edge.evidence import slip
from edge.page import frame, prices
from edge.page.port_values import PortHere
from edge.page.words import advice, reason, word
from edge.panel.messages_port import PortSessionView
from edge.panel.paper import UNKNOWN
from edge.till.port.progress import PortPhase
from protocols.trade.quantities import kwh, yuan

_PHASES = {
    PortPhase.ORDERED: "port-starting",
    PortPhase.RUNNING: "port-charging",
    PortPhase.STOPPING: "port-stopping",
    PortPhase.ENDED: "port-ended",
}
_STATES = {
    None: ("ill", "silent"),
    PortState.OUT: ("ill", "silent"),
    PortState.FAULT: ("ill", "fault"),
    PortState.CHARGING: ("busy", "port-elsewhere"),
    PortState.FULL: ("wait", "port-full"),
    PortState.PLUGGED: ("wait", "port-plugged"),
}

_MINUTES = re.compile(r"^([0-9]+) min$")
_SHORT = {PortState.PLUGGED.value: "plugged", PortState.FULL.value: "full"}


def grid(places: Sequence[PortHere], language: str) -> str:
    """The first page's list: every board with its ports, each leading to its own page."""
    parts = []
    for board, found in groupby(places, key=lambda here: here.view.board):
        chips = [(here, _stands(here, language)[0]) for here in found]
        free = sum(look == "free" for _, look in chips)
        parts.append(
            f'<div class="card"><div class="soft">{escape(board)} · '
            f"{word('ports-free', language, free=free, all=len(chips))}</div>"
            f'<div class="grid">{"".join(chip(here, look, language) for here, look in chips)}</div></div>'
        )
    return "".join(parts)


def chip(here: PortHere, look: str, language: str) -> str:
    """One of many, by its number."""
    short = _SHORT.get(here.view.state or "", look) if look == "wait" else look
    return (
        f'<a class="{look}" href="{frame.at(here.view.place, language)}"><b>{here.view.port}</b>'
        f'<span class="now">{word(f"short-{short}", language)}</span></a>'
    )


def here(port: PortHere, language: str) -> str:
    """The port that was scanned: the part of its page that brings itself up to date."""
    look, text = _stands(port, language)
    session = port.view.session
    if session is not None:
        said = f'<div class="now">{text}</div><div class="big">{figure(session, language)}</div>'
        said += f'{_told(session, language)}<p class="soft">{word("stop-by-card", language)}</p>'
    else:
        then = advice(port.closed, language)
        said = f'<div class="big now">{text}</div>' + (f'<p class="soft">{then}</p>' if then else "")
        said += frame.hours(port.hours, language)
    return f'<div id="live"><div class="card {look}">{said}</div></div>'


def costs(port: PortHere, language: str) -> str:
    """What charging costs here."""
    table = prices.at_port(port.price, port.tariff, port.now, port.power_w_max, port.cap_fen, language)
    return f"<h2>{word('port-price', language)}</h2>{table}"


def running(seen: PortSessionView, end: str, language: str) -> str:
    """A session that goes on, for the owner of its link. end: the form that ends it, shown while that can be."""
    goes_on = seen.phase in (PortPhase.ORDERED, PortPhase.RUNNING)
    pairs = [(word("state", language), word(_code(seen), language))]
    pairs.append((word("power", language), UNKNOWN if seen.power_w is None else f"{seen.power_w} W"))
    if seen.energy_wh is not None:
        pairs.append((word("lasts", language), _minutes(seen, language)))
    minutes = _MINUTES.match(seen.order)
    order = seen.order if minutes is None else word("minutes", language, count=int(minutes[1]))
    pairs.append((word("order", language), order))
    pairs.append((word("held", language), f"¥{yuan(seen.hold_fen)}"))
    pairs.append((slip.label("session", language), seen.id))
    return (
        f'<div id="live"><div class="card"><div class="soft">{escape(seen.place)}</div>'
        f'<div class="big">{figure(seen, language)}</div></div>'
        f'<div class="card">{frame.rows(pairs)}</div>{end if goes_on else ""}</div>'
        f'<p class="soft">{word("unplug-port", language)} {word("keep-link", language)}</p>'
    )


def figure(seen: PortSessionView, language: str) -> str:
    """What it has come to: energy, or time where none is counted, and fen."""
    amount = _minutes(seen, language) if seen.energy_wh is None else f"{kwh(seen.energy_wh)} kWh"
    return f"{amount} · ¥{yuan(seen.fen)}"


def _told(seen: PortSessionView, language: str) -> str:
    told = [] if seen.power_w is None else [f"{seen.power_w} W"]
    told += [] if seen.energy_wh is None else [_minutes(seen, language)]
    return f'<div class="soft figure">{" · ".join(told)}</div>' if told else ""


def _minutes(seen: PortSessionView, language: str) -> str:
    return UNKNOWN if seen.elapsed_s is None else word("minutes", language, count=seen.elapsed_s // 60)


def _stands(port: PortHere, language: str) -> tuple[str, str]:
    """Its look and its words."""
    view = port.view
    if view.session is not None:
        held = view.session.finding is not None
        return ("wait" if held else "busy"), word(_code(view.session), language)
    state = None if view.state is None else PortState(view.state)
    if state in _STATES:
        look, code = _STATES[state]
    elif view.plugged:
        look, code = _STATES[PortState.PLUGGED]
    else:
        look, code = "free", "port-free" if port.feels_plug else "free"
    if port.closed and look in ("free", "wait"):
        return "wait", reason(port.closed, language)
    return look, word(code, language)


def _code(seen: PortSessionView) -> str:
    return "port-held" if seen.finding is not None else _PHASES[PortPhase(seen.phase)]
