"""How does the command line show tanks? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from edge.panel.messages_tank import BookedView, TankView
from edge.panel.paper import UNKNOWN, Paper, instant
from protocols.trade.quantities import litres


def tanks(paper: Paper, views: Sequence[TankView]) -> None:
    """Every tank in a line."""
    rows = [
        (
            paper.bold(view.id),
            view.grade,
            _litres(view.capacity_ml),
            _litres(view.gauge_ml),
            _litres(view.book_ml),
            _litres(view.difference_ml),
            _water(view),
            _days(view.days_tenths),
        )
        for view in views
    ]
    paper.table(("TANK", "GRADE", ">HOLDS L", ">GAUGE L", ">BOOK L", ">DIFFERENCE L", ">WATER", ">DAYS LEFT"), rows)


def tank(paper: Paper, view: TankView) -> None:
    """One tank with its book."""
    newest = UNKNOWN if view.dip_wall_ms is None else f"{_litres(view.dip_ml)} L on {instant(view.dip_wall_ms)}"
    shown = UNKNOWN if view.gauge_ml is None else f"{_litres(view.gauge_ml)} L"
    paper.pairs(
        (
            ("tank", f"{paper.bold(view.id)}, {view.grade}, holds {_litres(view.capacity_ml)} L"),
            ("gauge", "none: dipped by a person" if view.gauge is None else f"{shown} by {view.gauge}"),
            ("water", _water(view)),
            ("newest dip", newest),
            ("book", f"{_litres(view.book_ml)} L" if view.book_ml is not None else "opens with the first dip"),
            ("received", f"{_litres(view.received_ml)} L"),
            ("sold", f"{_litres(view.sold_ml)} L"),
            ("unattributed", f"{_litres(view.unattributed_ml)} L"),
            ("difference", f"{_litres(view.difference_ml)} L at the newest dip"),
            ("lasts", f"{_days(view.days_tenths)} days"),
        )
    )


def dipped(paper: Paper, booked: BookedView) -> None:
    """What a dip came to."""
    view = booked.tank
    against = "its book opens here" if view.difference_ml is None else f"{_litres(view.difference_ml)} L off its book"
    paper.write(f"tank {view.id}: {_litres(booked.volume_ml)} L booked, {against}")


def received(paper: Paper, booked: BookedView, note: str) -> None:
    """What a delivery came to."""
    view = booked.tank
    paper.write(
        f"tank {view.id}: {_litres(booked.volume_ml)} L received by note {note}; book {_litres(view.book_ml)} L"
    )


def _litres(volume_ml: int | None) -> str:
    return UNKNOWN if volume_ml is None else litres(volume_ml)


def _water(view: TankView) -> str:
    return UNKNOWN if view.water_mm is None else f"{view.water_mm} mm"


def _days(tenths: int | None) -> str:
    return UNKNOWN if tenths is None else f"{tenths // 10}.{tenths % 10}"
