"""What does a customer see of lockers? Which are free, what they cost, and how one's own is opened. HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from drivers.port_board import PortState
from edge.evidence import slip
from edge.page import frame, ports, prices
from edge.page.locker_values import Kept
from edge.page.port_values import Course, PortHere
from edge.page.words import advice, reason, word
from edge.panel.messages_port import StayView
from protocols.trade.quantities import yuan

_STAYS = {
    "opening": "locker-opening",
    "filling": "locker-filling",
    "stored": "locker-stored",
    "overdue": "locker-overdue",
}


def grid(places: Sequence[PortHere], language: str) -> str:
    """The first page's list: every board with its lockers, each leading to its own page."""
    parts = []
    for board, found in groupby(places, key=lambda here: here.view.board):
        chips = [(here, _stands(here, language)[0]) for here in found]
        free = sum(look == "free" for _, look in chips)
        parts.append(
            f'<div class="card"><div class="soft">{escape(board)} · '
            f"{word('lockers-free', language, free=free, all=len(chips))}</div>"
            f'<div class="grid">{"".join(ports.chip(here, look, language) for here, look in chips)}</div></div>'
        )
    return "".join(parts)


def here(locker: PortHere, language: str) -> str:
    """The locker that was scanned: the part of its page that brings itself up to date. Whose it is stands nowhere."""
    look, text = _stands(locker, language)
    session, more = locker.view.session, ""
    then = "" if look == "busy" else advice(locker.closed, language)
    if session is not None and locker.course is not None:
        state = word(locker.course.word, language)
        more = f'<div class="soft figure">{state} · {ports.figure(session, language)}</div>'
    elif then:
        more = f'<p class="soft">{then}</p>'
    more += frame.hours(locker.hours, language)
    then = fares(locker.kept, language)
    return f'<div id="live"><div class="card {look}"><div class="big now">{text}</div>{more}</div>{then}</div>'


def fares(kept: Kept, language: str) -> str:
    """What is the matter with its door, or with the charge in there; empty: nothing is."""
    door = reason(kept.door, language) if kept.door == "door-stuck" else word(kept.door, language) if kept.door else ""
    said = f'<p class="note"><b>{door}</b></p>' if door else ""
    return said + (f'<p class="note">{word(kept.charge, language)}</p>' if kept.charge else "")


def others(locker: PortHere, language: str) -> str:
    """Where else a pack could go."""
    if not locker.free:
        return f'<p class="soft">{word("none-free", language)}</p>'
    chips = "".join(
        f'<a class="free" href="{frame.at(place, language)}"><b>{escape(place.rpartition(".")[2])}</b>'
        f'<span class="now">{word("short-free", language)}</span></a>'
        for place in locker.free
    )
    return f'<h2>{word("others-free", language)}</h2><div class="card"><div class="grid">{chips}</div></div>'


def costs(locker: PortHere, language: str) -> str:
    """What keeping a pack here costs, and charging it."""
    stay = prices.of_stay(locker.price, language)
    return (f"<h2>{word('stay-price', language)}</h2>{stay}" if stay else "") + ports.costs(locker, language)


def running(
    seen: StayView, kept: Kept, language: str, *, course: Course | None = None, figure: str = "", link: str = ""
) -> str:
    """A stay that goes on, for the owner of its link. course, figure, link: of the session at its port; none: there is
    none.
    """
    pairs = [
        (word("lasts", language), _lasts(seen.stay_s, language)),
        (word("due", language), f"¥{yuan(seen.fen)}"),
        (word("held", language), f"¥{yuan(seen.hold_fen)}"),
        (slip.label("session", language), seen.id),
    ]
    charging = ""
    if course is not None:
        runs = course.word == "port-charging"
        said = word("charging-there", language, figure=figure) if runs else f"{word(course.word, language)} · {figure}"
        charging = f'<div class="figure"><a href="{escape(link)}">{said}</a></div>'
    return (
        f'<div id="live"><div class="card"><div class="soft">{escape(seen.place)}</div>'
        f'<div class="big">{word(_STAYS[seen.state], language)}</div>{charging}</div>{fares(kept, language)}'
        f'<div class="card">{frame.rows(pairs)}</div></div><p class="soft">{word("keep-link", language)}</p>'
    )


def _lasts(stay_s: int, language: str) -> str:
    if stay_s >= 2 * 3600:
        return word("hours", language, count=stay_s // 3600)
    return word("minutes", language, count=stay_s // 60)


def is_free(locker: PortHere) -> bool:
    """Whether it may be had now."""
    return locker.view.stay is None and not locker.closed


def _stands(locker: PortHere, language: str) -> tuple[str, str]:
    """Its look and its words."""
    view = locker.view
    if view.stay is not None:
        door = view.stay.state in ("opening", "filling")
        return "busy", word(_STAYS[view.stay.state] if door else "locker-taken", language)
    if view.state in (None, PortState.OUT.value):
        return "ill", word("silent", language)
    if view.state == PortState.FAULT.value:
        return "ill", word("fault", language)
    if view.door_open:
        return "wait", word("locker-ajar", language)
    if locker.closed:
        return "wait", reason(locker.closed, language)
    return "free", word("locker-free", language)
