"""Is a settlement with a session's number truly of that session? In doubt it is held for a person, and never billed.

A number says which opening record it is of, with a mark of the instant in which that was written: a box whose disk was
restored counts its records anew, and its numbers are others. What a mark of three digits lets pass by chance, what a
pile says of the wrong gun, and what a board makes up after a repair is known by where and when it was, and by how much.

    another port of the same board           the order is right, and whose energy it is nobody knows
    over before its order was given          by the board's own clock, where it has one
    more than the port can give              in the time that it tells itself, where energy is what is paid for
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.port_board import Settlement
from edge.till.state import OpenPort
from protocols.trade.records_port import PortOpened

NO_CLOCK_MS = 1_577_836_800_000
"""2020. A board that tells of an earlier time has no clock, so that says nothing."""
FAR_PERCENT = 120
FAR_WH = 20
"""A board ends what draws more than its port may; so far its power and its counter may be off."""
CLOCK_OFF_MS = 3_600_000
"""Boards are told the time, and some drift until the next login. What is further off is looked at by a person."""


def of_session(settlements: Sequence[Settlement], number: bytes) -> list[Settlement]:
    """Those with its number, whatever else they say, oldest first."""
    return [one for one in settlements if one.number == number]


def doubt(session: OpenPort, settlement: Settlement, *, by_energy: bool) -> str | None:
    """Why it may not be this session's, in words; None: it is. It has the session's number.

    by_energy: of a price by energy, whatever the hour.
    """
    opened = session.opened
    if settlement.port != opened.port:
        return f"it names port {settlement.port}, the order was for port {opened.port}"
    began_ms, ended_ms = _told(settlement.began_ms), _told(settlement.ended_ms)
    over_ms = began_ms if ended_ms is None else ended_ms
    if over_ms is not None and over_ms < opened.clock_lb_ms - CLOCK_OFF_MS:
        return f"it was over {(opened.clock_lb_ms - over_ms) // 60_000} min before it was ordered"
    return too_much(opened, settlement.energy_wh, settlement.elapsed_s) if by_energy else None


def too_much(opened: PortOpened, energy_wh: int | None, elapsed_s: int | None) -> str | None:
    """Why its port cannot have given that, in words; None: it can."""
    if energy_wh is None or elapsed_s is None:
        return None
    most_wh = opened.power_w_max * max(60, elapsed_s) * FAR_PERCENT // 360_000 + FAR_WH
    return None if energy_wh <= most_wh else f"{energy_wh} Wh in {elapsed_s} s, at a port of {opened.power_w_max} W"


def _told(at_ms: int | None) -> int | None:
    return None if at_ms is None or at_ms < NO_CLOCK_MS else at_ms
