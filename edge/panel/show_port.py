"""How does the command line show ports and lockers? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from edge.panel.messages_port import PortSessionView, PortView
from edge.panel.paper import UNKNOWN, Paper, lasting, money
from protocols.trade.quantities import kwh


def ports(paper: Paper, views: Sequence[PortView]) -> None:
    """Every port: what it does, for whom, and whose the locker is."""
    if not views:
        paper.write("this site has no charging ports")
        return
    rows = [
        (paper.bold(view.place), view.price, _state(paper, view), _session(view.session), _stay(paper, view))
        for view in views
    ]
    paper.table(("PORT", "PRICE", "STATE", "SESSION", "LOCKER"), rows)
    for board, error in {view.board: view.error for view in views if view.error}.items():
        paper.write(f"{paper.bold(board)}: {paper.warn(error)}")


def sessions(paper: Paper, views: Sequence[PortSessionView]) -> None:
    """The open sessions at ports."""
    heads = ("SESSION", "PORT", "ACCOUNT", "PHASE", "PRESET", "AT MOST", ">ENERGY", ">PRICE", ">HOLD", ">SINCE")
    rows = [
        (
            paper.bold(view.id),
            view.place,
            view.account,
            f"{view.phase} ({view.reason})" if view.reason else view.phase,
            view.preset,
            view.order,
            UNKNOWN if view.energy_wh is None else f"{kwh(view.energy_wh)} kWh",
            money(view.fen),
            money(view.hold_fen),
            lasting(view.since_s),
        )
        for view in views
    ]
    paper.table(heads, rows)
    for view in views:
        if view.finding:
            paper.write(f"{paper.bold(view.id)}: {paper.warn(view.finding)}")


def opened(paper: Paper, view: PortSessionView) -> None:
    """One session that has just begun."""
    held = f"{view.account} holds {money(view.hold_fen)}"
    paper.write(f"session {paper.bold(view.id)} is open: {held}, {view.preset}, {view.order} at most")
    paper.write(f"`fieldtill ports` follows it, `fieldtill stop {view.place}` ends it.")


def _state(paper: Paper, view: PortView) -> str:
    if view.state is None:
        return paper.bad("silent")
    text = view.state if view.door_open is not True else f"{view.state}, door open"
    return paper.bad(f"{text} {view.reason}") if view.state in ("fault", "out") else text


def _session(view: PortSessionView | None) -> str:
    if view is None:
        return ""
    power = "" if view.power_w is None else f"{view.power_w} W, "
    return f"{view.phase}, {power}{money(view.fen)} of {money(view.hold_fen)}"


def _stay(paper: Paper, view: PortView) -> str:
    if view.stay is None:
        return "" if view.door_open is None else paper.dim("free")
    text = f"{view.stay.state}, {view.stay.account or 'by card or PIN'}, {lasting(view.stay.stay_s)}"
    return paper.warn(text) if view.stay.state == "overdue" else text
