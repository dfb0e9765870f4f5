"""How does the command line show pumps and fillings? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from edge.panel.messages import PointView
from edge.panel.messages_fuel import FillingView, NozzleView, PumpView, TotalView
from edge.panel.paper import UNKNOWN, Paper, instant, lasting, money
from protocols.trade.quantities import litres, yuan_e3


def pumps(paper: Paper, views: Sequence[PumpView]) -> None:
    """Every pump: what it does, and for whom."""
    if not views:
        paper.write("this site has no pumps")
        return
    rows = [
        (
            paper.bold(view.id),
            str(view.number),
            f"{view.protocol} on {view.line}",
            _state(paper, view),
            ", ".join(f"{one.number}: {one.grade}" for one in view.nozzles),
            _running(paper, view.filling),
        )
        for view in views
    ]
    paper.table(("PUMP", ">NUMBER", "PROTOCOL", "STATE", "NOZZLES", "FILLING"), rows)
    for view in views:
        for error in view.errors:
            paper.write(f"{paper.bold(view.id)}: {paper.warn(error)}")


def pump(paper: Paper, view: PumpView, points: Sequence[PointView]) -> None:
    """One pump with its nozzles, and what its driver has read besides."""
    pumps(paper, [view])
    paper.write()
    prices(paper, [view])
    if points:
        paper.write()
        paper.table(("POINT", ">VALUE", "QUALITY", "WHERE"), [(p.name, p.value, p.quality, p.where) for p in points])


def prices(paper: Paper, views: Sequence[PumpView]) -> None:
    """What each nozzle should show and shows, and its totalizer."""
    rows = [
        (paper.bold(view.id), str(one.number), one.grade, one.tank or UNKNOWN, *_price(paper, one), _total(one))
        for view in views
        for one in view.nozzles
    ]
    paper.table(("PUMP", ">NOZZLE", "GRADE", "TANK", ">LIST", ">SHOWN", ">TOTAL"), rows)


def totals(paper: Paper, read: Sequence[TotalView]) -> None:
    """The totalizers of each pump that answered."""
    if not read:
        paper.write("no pump has answered")
        return
    rows = [
        (
            paper.bold(one.pump),
            str(one.nozzle),
            f"{litres(one.volume_ml)} L",
            _fen(one.amount_fen),
            instant(one.wall_ms),
        )
        for one in read
    ]
    paper.table(("PUMP", ">NOZZLE", ">VOLUME", ">MONEY", "READ"), rows)


def fillings(paper: Paper, views: Sequence[FillingView]) -> None:
    """The open fillings."""
    heads = ("FILLING", "PUMP", "ACCOUNT", "PHASE", "PRESET", "AT MOST", ">VOLUME", ">PRICE", ">HOLD", ">SINCE")
    paper.table(heads, [_filling(paper, view) for view in views])
    for view in views:
        if view.finding:
            paper.write(f"{paper.bold(view.id)}: {paper.warn(view.finding)}")


def opened(paper: Paper, view: FillingView) -> None:
    """One filling that has just begun."""
    stands = "stands in with" if view.guaranteed else "holds"
    held = f"{view.account} {stands} {money(view.hold_fen)}"
    paper.write(f"filling {paper.bold(view.id)} is open: {held}, {view.preset}, {view.order} at most")
    paper.write(f"`fieldtill sessions` follows it, `fieldtill stop {view.pump}` ends it.")


def _state(paper: Paper, view: PumpView) -> str:
    if view.state is None:
        return paper.bad("silent")
    text = f"{view.state}, nozzle {view.nozzle}" if view.nozzle is not None and view.state != "idle" else view.state
    if view.alarm is not None:
        return paper.bad(f"{text}, {view.alarm}")
    return paper.bad(text) if view.state in ("out", "unpriced") else text


def _running(paper: Paper, view: FillingView | None) -> str:
    if view is None:
        return paper.dim("free")
    return f"{view.phase}, {litres(view.volume_ml)} L, {money(view.amount_fen)} of {money(view.hold_fen)}"


def _price(paper: Paper, view: NozzleView) -> tuple[str, str]:
    due = UNKNOWN if view.due_e3 is None else yuan_e3(view.due_e3)
    shown = UNKNOWN if view.shown_e3 is None else yuan_e3(view.shown_e3)
    return due, shown if view.due_e3 in (None, view.shown_e3) else paper.bad(shown)


def _total(view: NozzleView) -> str:
    return UNKNOWN if view.total_ml is None else f"{litres(view.total_ml)} L"


def _fen(amount_fen: int | None) -> str:
    return UNKNOWN if amount_fen is None else money(amount_fen)


def _filling(paper: Paper, view: FillingView) -> Sequence[str]:
    phase = f"{view.phase} ({view.reason})" if view.reason else view.phase
    return (
        paper.bold(view.id),
        view.pump if view.nozzle is None else f"{view.pump} nozzle {view.nozzle}",
        view.account,
        paper.good(phase) if view.phase == "delivering" else phase,
        view.preset,
        view.order,
        f"{litres(view.volume_ml)} L",
        money(view.amount_fen),
        money(view.hold_fen),
        lasting(view.since_s),
    )
