"""What does a customer see of the pumps? Each with its grades and prices, how it stands, and a filling that goes on."""

from __future__ import annotations

from html import escape

import msgspec

from drivers.pump import PumpState
from edge.daemon_state import Daemon
from edge.evidence import slip
from edge.forecourt.fill_desk import FillDesk
from edge.page import frame
from edge.page.words import word
from edge.panel import views_fuel
from edge.panel.messages_fuel import FillingView, PumpView
from edge.till.fill.progress import FillPhase, FillProgress
from edge.till.state import OpenFilling
from protocols.trade.fuel_prices import PriceList
from protocols.trade.quantities import litres, yuan, yuan_e3

_PHASES = {
    FillPhase.ORDERED: "starting",
    FillPhase.AUTHORISED: "may-fill",
    FillPhase.DELIVERING: "filling",
    FillPhase.STOPPING: "stopping",
    FillPhase.ENDED: "stopping",
    FillPhase.PAYING: "to-pay",
}
_ILL = (PumpState.OUT.value, PumpState.UNPRICED.value)


def pumps(daemon: Daemon, language: str) -> str:
    """The part of the first page that shows them; empty where there are none."""
    views = views_fuel.pumps(daemon)
    if not views:
        return ""
    islands = daemon.site.islands if daemon.site is not None else None
    prices = None if islands is None else islands.fills.prices
    return f"<h2>{word('pumps', language)}</h2>" + "".join(_pump(view, prices, language) for view in views)


class PolePrice(msgspec.Struct, frozen=True):
    """What the pole at the road shows of a grade. at_pumps: whether every pump shows it; after a change one with a
    customer keeps the price before until it is idle again.
    """

    grade: str
    name: str
    yuan_per_litre: str
    at_pumps: bool


def pole(daemon: Daemon) -> bytes:
    """The prices in force, in the price list's order, as JSON; none where no list is in force."""
    islands = daemon.site.islands if daemon.site is not None else None
    prices = None if islands is None else islands.fills.prices
    nozzles = [nozzle for view in views_fuel.pumps(daemon) for nozzle in view.nozzles]
    shown: list[PolePrice] = []
    for grade in () if prices is None else prices.grades:
        of_it = [one for one in nozzles if one.grade == grade.code]
        due = {one.due_e3 for one in of_it if one.due_e3 is not None}
        if due:
            same = all(one.shown_e3 == one.due_e3 for one in of_it)
            shown.append(PolePrice(grade.code, grade.name, yuan_e3(max(due)), same))
    return msgspec.json.encode({"prices": shown})


def running(fills: FillDesk, filling: OpenFilling, progress: FillProgress, language: str) -> str:
    """A filling that goes on, for the owner of its link. The page's body; it brings itself up to date."""
    seen = views_fuel.filling(fills, filling, progress)
    pairs = [
        (word("state", language), word(_PHASES[progress.phase], language)),
        (word("held", language), f"¥{yuan(seen.hold_fen)}"),
        (slip.label("session", language), seen.id),
    ]
    return (
        f'<div id="live"><div class="card"><div class="soft">{escape(seen.pump)}</div>'
        f'<div class="big">{litres(seen.volume_ml)} L · ¥{yuan(seen.amount_fen)}</div></div>'
        f'<div class="card">{frame.rows(pairs)}</div></div>'
        f'<p class="soft">{word("hang-up", language)} {word("keep-link", language)}</p>'
    )


def here(daemon: Daemon, name: str, language: str) -> str:
    """One of them, by its id; empty: there is no such pump."""
    islands = daemon.site.islands if daemon.site is not None else None
    prices = None if islands is None else islands.fills.prices
    return "".join(_pump(view, prices, language) for view in views_fuel.pumps(daemon) if view.id == name)


def _pump(view: PumpView, prices: PriceList | None, language: str) -> str:
    kind, code = _stands(view)
    names = {} if prices is None else {grade.code: grade.name for grade in prices.grades}
    grades = {one.grade: one.due_e3 for one in view.nozzles}
    said = "".join(
        f'<div class="soft">{escape(names.get(grade, grade))} {_price(due_e3, language)}</div>'
        for grade, due_e3 in grades.items()
    )
    figure = "" if view.filling is None else _figure(view.filling)
    return (
        f'<div class="card place {kind}"><b>{view.number}</b>'
        f'<div><div class="now">{word(code, language)}</div>{figure}{said}</div></div>'
    )


def _figure(filling: FillingView) -> str:
    return f'<div class="soft figure">{litres(filling.volume_ml)} L · ¥{yuan(filling.amount_fen)}</div>'


def _stands(view: PumpView) -> tuple[str, str]:
    """Its look and its word."""
    if view.filling is not None:
        return "busy", _PHASES[FillPhase(view.filling.phase)]
    if view.state is None:
        return "ill", "silent"
    if view.alarm is not None or view.state in _ILL:
        return "ill", "fault"
    return ("wait", "lifted") if view.state == PumpState.CALLING.value else ("free", "free")


def _price(due_e3: int | None, language: str) -> str:
    return word("not-sold", language) if due_e3 is None else word("per-litre", language, yuan=yuan_e3(due_e3))
