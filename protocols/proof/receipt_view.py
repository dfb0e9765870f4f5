"""What does a session look like to a person? Plain texts, for whoever opens the file of a receipt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from protocols.proof.receipt_story import (
    ChargeStory,
    FillingStory,
    LockerStory,
    PortStory,
    Story,
    SwapStory,
    total_ml,
)
from protocols.trade.quantities import kwh, litres, yuan, yuan_e3
from protocols.trade.records import BillLine
from protocols.trade.records_fuel import PumpTotals
from protocols.trade.records_pack import PackSeen
from protocols.trade.records_port import PortClosed

_YEAR_10000_MS = 253_402_300_800_000


def view(story: Story) -> dict[str, Any]:
    """A verifier makes it again and compares. Who paid stays out of it: an account is an opaque id, a card's number is
    in no record.
    """
    told = {
        "session": story.session,
        **_place(story),
        "began": instant(story.began.wall_ms),
        "ended": instant(story.ended.wall_ms),
        "clock": story.ended.quality.name.lower(),
        **_delivered(story),
    }
    if story.closed is None:
        return {**told, "amount_yuan": yuan(0), "lines": []}
    closed = story.closed
    return {
        **told,
        "amount_yuan": yuan(closed.amount_fen),
        "overrun_yuan": yuan(closed.overrun_fen),
        "lines": [_line(line) for line in closed.lines],
    }


def _place(story: Story) -> dict[str, str]:
    match story:
        case ChargeStory(opened=opened):
            return {"connector": opened.connector, "meter": opened.begin.meter}
        case FillingStory(opened=opened):
            return {"pump": opened.pump}
        case SwapStory(opened=opened):
            return {"cabinet": opened.cabinet, "kind": opened.kind}
        case PortStory():
            return {"port": port_name(story)}
        case LockerStory():
            return {"locker": port_name(story)}


def _delivered(story: Story) -> dict[str, str]:
    match story:
        case ChargeStory(opened=opened, closed=None):
            return {"begin_kwh": kwh(opened.begin.energy_wh), "energy_kwh": kwh(0)}
        case ChargeStory(opened=opened, closed=charged) if charged is not None:
            return {
                "begin_kwh": kwh(opened.begin.energy_wh),
                "end_kwh": kwh(charged.end.energy_wh),
                "energy_kwh": kwh(charged.energy_wh),
                "reason": charged.reason,
            }
        case FillingStory(closed=None):
            return {"volume_l": litres(0)}
        case FillingStory(opened=opening, closed=filled) if filled is not None:
            sold = filled.sold
            return {
                "nozzle": str(sold.nozzle),
                "grade": sold.grade,
                "total_before_l": _total_l(opening.begin, sold.nozzle),
                "total_after_l": _total_l(filled.end, sold.nozzle),
                "volume_l": litres(filled.volume_ml),
                "price_yuan": yuan_e3(sold.price_e3),
                "reason": filled.reason,
            }
        case SwapStory(closed=swapped) if swapped is not None:
            return {
                "outcome": swapped.outcome,
                "fault": swapped.fault,
                "returned": pack(swapped.returned),
                "taken": pack(swapped.taken),
                "paid_until": "" if swapped.until_s is None else instant(swapped.until_s * 1000),
            }
        case PortStory(closed=ported) if ported is not None:
            return {
                "energy_kwh": "" if ported.energy_wh is None else kwh(ported.energy_wh),
                "lasted": lasted(ported.elapsed_s),
                "reason": ported.reason,
            }
        case LockerStory(closed=emptied) if emptied is not None:
            return {"outcome": emptied.outcome, "lasted": lasted(emptied.stay_s)}
    return {}


def _total_l(totals: PumpTotals, nozzle: int) -> str:
    found = total_ml(totals, nozzle)
    return "" if found is None else litres(found)


def _line(line: BillLine) -> dict[str, str]:
    return {
        "code": line.code,
        "period": str(line.period),
        "quantity": quantity(line),
        "price_yuan": yuan_e3(line.price_e3),
        "amount_yuan": yuan(line.amount_fen),
    }


def port_name(story: PortStory | LockerStory) -> str:
    """The board, and the number on it: `rack.3`."""
    return f"{story.opened.board}.{story.opened.port}"


def pack(seen: PackSeen | None) -> str:
    """A pack's code and charge, as far as it told them: `BT3072020120000200521001, 96.0 %, 1.322 kWh`; "": none."""
    if seen is None:
        return ""
    charge = "" if seen.soc_permille is None else f"{seen.soc_permille // 10}.{seen.soc_permille % 10} %"
    energy = "" if seen.energy_wh is None else f"{kwh(seen.energy_wh)} kWh"
    return ", ".join(part for part in (seen.code or "?", charge, energy) if part)


def counted(closed: PortClosed) -> str:
    """What the board told: `0.480 kWh, 1:00:00`; "?" where it told neither."""
    energy = "" if closed.energy_wh is None else f"{kwh(closed.energy_wh)} kWh"
    return ", ".join(part for part in (energy, lasted(closed.elapsed_s)) if part) or "?"


def lasted(elapsed_s: int | None) -> str:
    """`1:00:05`; "" where nobody knows."""
    if elapsed_s is None:
        return ""
    return f"{elapsed_s // 3600}:{elapsed_s // 60 % 60:02}:{elapsed_s % 60:02}"


def quantity(line: BillLine) -> str:
    """In kWh or litres, where it is either."""
    match line.code:
        case "energy" | "service":
            return kwh(line.quantity)
        case "fuel":
            return litres(line.quantity)
    return str(line.quantity)


def instant(wall_ms: int) -> str:
    """To the second, in UTC: `2026-09-21T12:13:20Z`; empty for a time before 1970 or after the year 9999."""
    if not 0 <= wall_ms < _YEAR_10000_MS:
        return ""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
