"""What does a customer see of charging ports? Which are free, what they cost, and how a session there stands. HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

from drivers.port_board import PortState
from edge.evidence import slip
from edge.page import frame, prices
from edge.page.port_values import Course, PortHere
from edge.page.words import WORDS, advice, reason, word
from edge.panel.messages_port import PortSessionView
from edge.panel.paper import UNKNOWN
from edge.till.port.progress import PortPhase
from protocols.trade.quantities import kwh, yuan

_UNSURE = ("port-waiting", "port-letting-go", "port-unheard", "port-cut", "port-held")
"""A session that does not go as it should."""
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
    at_rest = look == "wait" and here.course is None
    short = _SHORT.get(here.view.state or "", look) if at_rest else look
    return (
        f'<a class="{look}" href="{frame.at(here.view.place, language)}"><b>{here.view.port}</b>'
        f'<span class="now">{word(f"short-{short}", language)}</span></a>'
    )


def here(port: PortHere, language: str) -> str:
    """The port that was scanned: the part of its page that brings itself up to date."""
    look, text = _stands(port, language)
    session, course, more = port.view.session, port.course, ""
    if session is not None and course is not None:
        said = _state(session, course, language) + _told(session, language)
        said += f'<p class="soft">{word("stop-by-card", language)}</p>' if _may_end(session, course) else ""
        more = _then(course, language)
    else:
        then = advice(port.closed, language)
        said = f'<div class="big now">{text}</div>' + (f'<p class="soft">{then}</p>' if then else "")
        said += frame.hours(port.hours, language)
    return f'<div id="live"><div class="card {look}">{said}</div>{more}</div>'


def costs(port: PortHere, language: str) -> str:
    """What charging costs here."""
    table = prices.at_port(port.price, port.tariff, port.now, port.power_w_max, port.cap_fen, language)
    return f"<h2>{word('port-price', language)}</h2>{table}"


def running(seen: PortSessionView, course: Course, end: str, language: str) -> str:
    """A session that goes on, for the owner of its link. end: the form that ends it, shown while that can be."""
    may_end = _may_end(seen, course)
    look = _look(course)
    notes = [word("unplug-port", language)] if look == "busy" else []
    notes.append(word("keep-link", language))
    pairs = [(word("power", language), UNKNOWN if seen.power_w is None else f"{seen.power_w} W")]
    if seen.energy_wh is not None:
        pairs.append((word("lasts", language), _minutes(seen, language)))
    minutes = _MINUTES.match(seen.order)
    order = seen.order if minutes is None else word("minutes", language, count=int(minutes[1]))
    pairs.append((word("order", language), order))
    pairs.append((word("held", language), f"¥{yuan(seen.hold_fen)}"))
    pairs.append((slip.label("session", language), seen.id))
    return (
        f'<div id="live"><div class="card {look}"><div class="soft">{escape(seen.place)}</div>'
        f"{_state(seen, course, language)}</div>{_then(course, language)}"
        f'<div class="card">{frame.rows(pairs)}</div>{end if may_end else ""}'
        f'<p class="soft">{" ".join(notes)}</p></div>'
    )


def never_began(language: str) -> str:
    """Above the receipt of a session that came to nothing."""
    then = word("never-began-then", language)
    return f'<div class="note"><b>{word("never-began", language)}</b><p>{then}</p></div>'


def after_power_cut(charge: str, link: str, language: str) -> str:
    """Above the bill of a charge that the power has ended. charge: what has become of it. link: to the session that
    goes on with it; empty: none does.
    """
    more = f'<a class="button" href="{escape(link)}">{word("goes-on-there", language)}</a>' if link else ""
    return f'<div id="live"><p class="note">{word(charge, language)}</p>{more}</div>'


def figure(seen: PortSessionView, language: str) -> str:
    """What it has come to: energy, or time where none is counted, and fen."""
    amount = _minutes(seen, language) if seen.energy_wh is None else f"{kwh(seen.energy_wh)} kWh"
    return f"{amount} · ¥{yuan(seen.fen)}"


def _state(seen: PortSessionView, course: Course, language: str) -> str:
    """How it stands, in large where there is nothing to count yet."""
    text = word(course.word, language)
    if seen.energy_wh is None and seen.elapsed_s is None:
        return f'<div class="big now">{text}</div>'
    return f'<div class="now">{text}</div><div class="big">{figure(seen, language)}</div>'


def _look(course: Course) -> str:
    return "wait" if course.word in _UNSURE else "busy"


def _then(course: Course, language: str) -> str:
    """What to do, and what comes of it; empty: it goes as it should."""
    then = f"then-{course.word}"
    said = (
        [word(f"{then}-bare" if course.bare and f"{then}-bare" in WORDS else then, language)] if then in WORDS else []
    )
    if course.back_min is not None:
        said.append(word(f"back-{course.word}", language, minutes=course.back_min))
    return f'<div class="note">{"".join(f"<p>{one}</p>" for one in said)}</div>' if said else ""


def _may_end(seen: PortSessionView, course: Course) -> bool:
    """Whether asking for its end does anything."""
    return seen.phase in (PortPhase.ORDERED, PortPhase.RUNNING) and course.word not in ("port-cut", "port-held")


def _told(seen: PortSessionView, language: str) -> str:
    told = [] if seen.power_w is None else [f"{seen.power_w} W"]
    told += [] if seen.energy_wh is None else [_minutes(seen, language)]
    return f'<div class="soft figure">{" · ".join(told)}</div>' if told else ""


def _minutes(seen: PortSessionView, language: str) -> str:
    return UNKNOWN if seen.elapsed_s is None else word("minutes", language, count=seen.elapsed_s // 60)


def _stands(port: PortHere, language: str) -> tuple[str, str]:
    """Its look and its words."""
    view = port.view
    if port.course is not None:
        return _look(port.course), word(port.course.word, language)
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
