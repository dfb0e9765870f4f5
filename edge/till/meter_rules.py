"""Whether a register may be billed from: the rules that keep a meter's accident from becoming a customer's bill.

A first reading is a baseline, never a session. Afterwards a register may only grow, and never by more than power and
time allow. Anything else is a finding, and nothing is billed past it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fractions import Fraction

from edge.till.policy import Connector
from edge.till.state import TillState
from protocols.trade.daytime import DAY_MS
from protocols.trade.records import Draft, Notice, Register


class Finding(StrEnum):
    """What is wrong with a meter."""

    RESET = "meter-reset"
    WRAP = "meter-wrap"
    BACKWARDS = "meter-backwards"
    JUMP = "meter-jump"
    CHANGED = "meter-changed"  # another meter than the session began on, by its own serial number


TOLERANCE = Fraction(11, 10)
"""A charger may exceed its nameplate by this much (meter class, rounding of its own limit) before it is a jump."""


def energy_between(before: Register, after: Register, elapsed_ms: int | None, place: Connector) -> int | Finding:
    """Energy in Wh from one register to a later one of the same meter, or what is wrong.

    elapsed_ms: time between them; None when nobody knows, after a power cut with an unknown clock: then it is a day, as
    for the price of what flowed unseen.
    """
    gained_wh = after.energy_wh - before.energy_wh
    possible_wh = energy_possible_wh(DAY_MS if elapsed_ms is None else elapsed_ms, place)
    if gained_wh < 0:
        return _fallen(before.energy_wh, after.energy_wh, possible_wh, place)
    return Finding.JUMP if gained_wh > possible_wh else gained_wh


def exchanged(state: TillState, registers: Iterable[Register]) -> list[Draft]:
    """A notice for each meter that shows less than it did when the log last read it, nobody charging on it meanwhile.

    It goes into the log before the reading: no bill is wrong, but a person should know that a meter was changed.
    """
    busy = {session.opened.begin.meter for session in state.sessions.values()}
    drafts: list[Draft] = []
    for register in registers:
        last = state.registers.get(register.meter)
        if last is not None and register.energy_wh < last.energy_wh and register.meter not in busy:
            detail = f"{last.energy_wh} Wh when last read, now {register.energy_wh} Wh: exchanged or reset meanwhile"
            drafts.append(Draft(Notice(Finding.BACKWARDS.value, register.meter, detail)))
    return drafts


def energy_possible_wh(elapsed_ms: int, place: Connector) -> Fraction:
    """The most that can have flowed, with one step of the meter at each end of the interval."""
    return Fraction(place.power_w_max * elapsed_ms, 3_600_000) * TOLERANCE + 2 * place.resolution_wh


def _fallen(before_wh: int, after_wh: int, possible_wh: Fraction, place: Connector) -> Finding:
    """A register that shows less than before: past its top, back near zero, or simply backwards."""
    if place.register_wh_max is not None and before_wh + possible_wh >= place.register_wh_max:
        return Finding.WRAP
    if after_wh <= possible_wh:
        return Finding.RESET
    return Finding.BACKWARDS
