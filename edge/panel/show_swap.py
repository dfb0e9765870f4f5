"""How does the command line show cabinets, swap sessions and packs? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.panel.messages_swap import CabinetView, PackView, SlotView, SwapView
from edge.panel.paper import UNKNOWN, Paper, lasting


def swaps(paper: Paper, views: Sequence[SwapView]) -> None:
    """The open sessions."""
    if not views:
        paper.write("no swap session is open")
        return
    heads = ("SESSION", "CABINET", "KIND", "ACCOUNT", "OFFER", "STEP", ">SLOT", "CASE", "HOLDS", ">SINCE")
    rows = [
        (
            paper.bold(view.id),
            view.cabinet,
            view.kind,
            view.account,
            view.offer or UNKNOWN,
            view.step,
            str(view.slot),
            view.fault,
            view.holds or UNKNOWN,
            lasting(view.since_s),
        )
        for view in views
    ]
    paper.table(heads, rows)
    for view in views:
        if view.said:
            paper.write(f"{paper.bold(view.id)}: {paper.warn(view.said)}")


def opened(paper: Paper, view: SwapView) -> None:
    """One session that has just begun."""
    held = f", {view.account} holds {view.holds}" if view.holds else ""
    paper.write(f"session {paper.bold(view.id)} is open: {view.kind} by {view.offer or 'no offer'}{held}")
    paper.write(f"slot {view.slot} opens; `fieldtill swaps` follows it, `fieldtill stop {view.cabinet}` ends it.")


def at_a_glance(paper: Paper, views: Sequence[CabinetView]) -> None:
    """One line for each cabinet: what its slots hold, and who is at it."""
    rows = [
        (
            paper.bold(view.id),
            paper.link(view.link),
            str(len(view.slots)),
            str(sum(one.holds == "pack" for one in view.slots)),
            str(sum(one.holds == "empty" for one in view.slots)),
            _count(paper.warn, sum(one.holds == "unsure" for one in view.slots)),
            _count(paper.warn, sum(one.door == "open" for one in view.slots)),
            _count(paper.bad, sum(one.state != "on" for one in view.slots)),
            str(sum(one.charging is True for one in view.slots)),
            paper.dim("free") if view.swap is None else _at_work(view.swap),
        )
        for view in views
    ]
    heads = (
        "CABINET",
        "STATE",
        ">SLOTS",
        ">PACKS",
        ">EMPTY",
        ">UNSURE",
        ">OPEN",
        ">OFF",
        ">CHARGING",
        "SESSION",
    )
    paper.table(heads, rows)
    for view in views:
        for text in _troubles(view):
            paper.hang(f"{paper.bad('!')} {paper.bold(view.id)}", text)


def cabinets(paper: Paper, views: Sequence[CabinetView]) -> None:
    """Every slot of these cabinets."""
    if not views:
        paper.write("this site has no cabinets")
        return
    rows = [
        (
            paper.bold(f"{one.cabinet} {one.slot}"),
            paper.warn(one.door) if one.door != "shut" else one.door,
            paper.warn(one.holds) if one.holds == "unsure" else one.holds,
            one.code,
            UNKNOWN if one.soc_permille is None or not one.code else f"{one.soc_permille / 10:.0f} %",
            UNKNOWN if one.voltage_mv is None else f"{one.voltage_mv / 1000:.1f} V",
            _state(paper, one),
            _charge(one),
        )
        for view in views
        for one in view.slots
    ]
    paper.table(("SLOT", "DOOR", "HOLDS", "CODE", ">CHARGE", ">VOLTAGE", "STATE", "CHARGER"), rows)
    for view in views:
        if view.swap is not None:
            paper.write(f"{paper.bold(view.id)}: session {view.swap.id}, {_at_work(view.swap)}")
        for text in _troubles(view):
            paper.write(f"{paper.bold(view.id)}: {paper.warn(text)}")


def packs(paper: Paper, views: Sequence[PackView]) -> None:
    """Where every pack is that this site has seen."""
    if not views:
        paper.write("this site has seen no pack yet")
        return
    rows = [
        (
            paper.bold(view.code),
            paper.bad(view.where) if view.where == "unknown" else view.where,
            f"{view.cabinet} {view.slot}",
            view.account or UNKNOWN,
            str(view.record),
        )
        for view in views
    ]
    paper.table(("CODE", "WHERE", "SLOT, NOW OR LAST", "ACCOUNT", ">RECORD"), rows)


def _troubles(view: CabinetView) -> list[str]:
    return [*view.hazards, *(["no mains"] if view.mains is False else []), *view.errors]


def _at_work(view: SwapView) -> str:
    case = f" ({view.fault})" if view.fault else ""
    return f"{view.kind}, {view.step} slot {view.slot}{case}, {view.account}"


def _count(colour: Callable[[str], str], count: int) -> str:
    return colour(str(count)) if count else "0"


def _state(paper: Paper, view: SlotView) -> str:
    return view.state if view.state == "on" else paper.bad(f"{view.state} {view.why}".strip())


def _charge(view: SlotView) -> str:
    if view.charging is None:
        return UNKNOWN
    return "on" if view.charging else "off" if view.may_charge else "off, may not"
