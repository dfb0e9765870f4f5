"""`fieldtill status` at a shop front: cabinets, boards and lockers at a glance, and which prices are missing."""

from __future__ import annotations

import io
from typing import Any

from edge.panel import show, show_port
from edge.panel.messages import DayView, PaperView, StatusView
from edge.panel.messages_port import PortSessionView, PortView, StayView
from edge.panel.messages_swap import CabinetView, SlotView, SwapView
from edge.panel.paper import Paper

SWAP = SwapView("hz-1/1/17", 17, "cab-1", "swap", "ann", "swaps-30", "given", 3, "", "", "1 swaps-30", 6)
CHARGING = PortSessionView(
    "hz-1/1/16", 16, "rack.3", "bob", "running", None, "", "full", "3.990 kWh", 80, 1_200, 240, 30, 500, 7, None
)
STAY = StayView("hz-1/1/20", 20, "box.2", "", "overdue", True, 90_000, 500, 0)


def slot(number: int, holds: str, **other: Any) -> SlotView:
    told: dict[str, Any] = {"cabinet": "cab-1", "slot": number, "door": "shut", "holds": holds, "present": None}
    told |= {"code": "", "soc_permille": None, "voltage_mv": None, "state": "on", "why": "", "charging": False}
    return SlotView(**told | {"may_charge": True} | other)


def port(place: str, state: str | None, **other: Any) -> PortView:
    board, number = place.split(".")
    told: dict[str, Any] = {"place": place, "board": board, "port": int(number), "price": "bikes", "state": state}
    told |= {"reason": "", "plugged": None, "door_open": None, "age_ms": 200, "session": None, "stay": None}
    return PortView(**told | {"error": None} | other)


def cabinet(*slots: SlotView, **other: Any) -> CabinetView:
    told: dict[str, Any] = {"id": "cab-1", "link": "online", "hazards": [], "mains": True, "swap": None, "errors": []}
    return CabinetView(slots=list(slots), **told | other)


def site(**other: Any) -> StatusView:
    told: dict[str, Any] = dict.fromkeys(("waiting_for", "no_starts", "ill", "uncertain_ms", "hq", "mqtt"))
    told |= dict.fromkeys(("value", "tariff", "journal"))
    told |= {"site": "hz-1", "epoch": 1, "running_s": 1.0, "clock_quality": "synchronised", "wall_ms": 0}
    return StatusView(**told | {"day": None, "connectors": [], "pumps": [], "readers": []} | other)


def shown(view: StatusView) -> list[str]:
    out = io.StringIO()
    show.status(Paper(out, colours=False), view)
    return out.getvalue().splitlines()


def test_cabinets_and_boards_at_a_glance() -> None:
    """A line for each, aligned; what is wrong stands below; a column about lockers only where there are any."""
    slots = [
        slot(1, "pack", charging=True), slot(2, "pack", door="open"), slot(3, "empty"), slot(4, "unsure"),
        slot(5, "pack", state="locked", why="F-44"),
    ]  # fmt: skip
    view = site(
        cabinets=[cabinet(*slots, swap=SWAP, mains=False, hazards=["smoke"])],
        ports=[
            port("rack.1", "idle"), port("rack.2", "fault", reason="0F"),
            port("rack.3", "charging", session=CHARGING), port("pile.1", None, error="pile: silent. Look at it."),
        ],
    )  # fmt: skip
    assert shown(view)[3:] == [
        "",
        "CABINET  STATE   SLOTS  PACKS  EMPTY  UNSURE  OPEN  OFF  CHARGING  SESSION",
        "cab-1    online      5      3      1       1     1    1         1  swap, given slot 3, ann",
        "! cab-1  smoke",
        "! cab-1  no mains",
        "",
        "BOARD  STATE   PORTS  IDLE  PLUGGED  CHARGING  FULL  FAULT  OUT  POWER  SESSIONS",
        "rack   online      3     1        0         1     0      1    0  240 W         1",
        "pile   silent      1     0        0         0     0      0    0      -         0",
        "! pile  pile: silent. Look at it.",
    ]


def test_lockers_at_a_glance() -> None:
    """Free, in use, and what nobody has come for."""
    lockers = [port("box.1", "idle", door_open=False), port("box.2", "full", door_open=False, stay=STAY)]
    assert shown(site(ports=lockers))[-1].endswith("  1 free, 1 in use, 1 overdue")
    out = io.StringIO()
    show_port.ports(Paper(out, colours=False), lockers)
    assert out.getvalue().splitlines() == [
        "PORT   PRICE  STATE  SESSION  LOCKER",
        "box.1  bikes  idle            free",
        "box.2  bikes  full            overdue, by card or PIN, 1 d 1 h",
    ]


def test_only_what_is_needed_is_missing() -> None:
    """A site of cabinets alone sells without a tariff; what it does need is said with what it is for."""
    papers = [PaperView("swap-terms", "", 3, "swaps"), PaperView("port-prices", "", None, "charging at ports")]
    view = site(papers=papers, day=DayView(2, 9, 10, 0, 21_040, 0, 580, 0, 6))
    assert shown(view)[2:] == [
        "clock        1970-01-01 00:00:00, synchronised, not bounded from above",
        "day 2        10 sessions, 0.580 kWh, 6 packs handed out, ¥210.40",
        "swap terms   version 3",
        "port prices  none yet: charging at ports cannot be sold",
    ]
    assert not any("tariff" in line for line in shown(view))
