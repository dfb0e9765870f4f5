"""How does the command line show ports and lockers? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from edge.panel.messages_port import PortSessionView, PortView
from edge.panel.paper import UNKNOWN, Paper, lasting, money, power
from protocols.trade.quantities import kwh


def ports(paper: Paper, views: Sequence[PortView]) -> None:
    """Every port: what it does, for whom, and whose the locker is."""
    if not views:
        paper.write("this site has no charging ports")
        return
    heads = ["PORT", "PRICE", "STATE", "SESSION", "LOCKER"]
    rows = [
        [paper.bold(view.place), view.price, _state(paper, view), _session(view.session), _stay(paper, view)]
        for view in views
    ]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    paper.table(heads, rows)
    _troubles(paper, views)


def at_a_glance(paper: Paper, views: Sequence[PortView]) -> None:
    """One line for each board: how many of its ports do what, and how many lockers are whose."""
    boards: dict[str, list[PortView]] = {}
    for view in views:
        boards.setdefault(view.board, []).append(view)
    states = ("idle", "plugged", "charging", "full", "fault", "out")
    rows = []
    for board, ports in boards.items():
        told = [view.state for view in ports]
        power_w = [view.session.power_w for view in ports if view.session and view.session.power_w is not None]
        lockers = [view for view in ports if view.door_open is not None or view.stay is not None]
        rows.append(
            (
                paper.bold(board),
                paper.bad("silent") if all(state is None for state in told) else paper.good("online"),
                str(len(ports)),
                *(_count(paper, state, told.count(state)) for state in states),
                power(sum(power_w)) if power_w else UNKNOWN,
                str(sum(view.session is not None for view in ports)),
                _lockers(paper, lockers),
            )
        )
    heads = ("BOARD", "STATE", ">PORTS", *(f">{state.upper()}" for state in states), ">POWER", ">SESSIONS", "LOCKERS")
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    paper.table(heads, rows)
    _troubles(paper, views)


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


def _troubles(paper: Paper, views: Sequence[PortView]) -> None:
    """What each board ails from, once."""
    for board, error in {view.board: view.error for view in views if view.error}.items():
        paper.hang(f"{paper.bad('!')} {paper.bold(board)}", error)


def _count(paper: Paper, state: str, count: int) -> str:
    return paper.bad(str(count)) if count and state in ("fault", "out") else str(count)


def _lockers(paper: Paper, views: Sequence[PortView]) -> str:
    """Empty where the board has none."""
    if not views:
        return ""
    used = [view for view in views if view.stay is not None]
    overdue = sum(view.stay is not None and view.stay.state == "overdue" for view in views)
    late = paper.warn(f", {overdue} overdue") if overdue else ""
    return f"{len(views) - len(used)} free, {len(used)} in use{late}"


def _state(paper: Paper, view: PortView) -> str:
    if view.state is None:
        return paper.bad("silent")
    text = view.state if view.door_open is not True else f"{view.state}, door open"
    return paper.bad(f"{text} {view.reason}") if view.state in ("fault", "out") else text


def _session(view: PortSessionView | None) -> str:
    if view is None:
        return ""
    drawn = "" if view.power_w is None else f"{power(view.power_w)}, "
    return f"{view.phase}, {drawn}{money(view.fen)} of {money(view.hold_fen)}"


def _stay(paper: Paper, view: PortView) -> str:
    if view.stay is None:
        return "" if view.door_open is None else paper.dim("free")
    text = f"{view.stay.state}, {view.stay.account or 'by card or PIN'}, {lasting(view.stay.stay_s)}"
    return paper.warn(text) if view.stay.state == "overdue" else text
