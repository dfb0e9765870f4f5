"""Which point of a profile shows which part of the physics: currents, powers, voltages and counters.

A point is known by what the profile says of it: `gives`, its unit, its counter, and `_l1` to `_l3` in its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from drivers.profile import Point, Profile
from drivers.twins.car import UJ_PER_WH, Outlet


@dataclass(slots=True)
class Totalizer:
    """A device's own lifetime counter over what an outlet delivered; it keeps counting through power cuts.

    wraps_at_uj: first value that it cannot show.
    """

    outlet: Outlet
    offset_uj: int
    wraps_at_uj: int
    _frozen_uj: int | None = None

    @property
    def register_uj(self) -> int:
        """What the counter shows."""
        return self._counted_uj() if self._frozen_uj is None else self._frozen_uj

    def set(self, register_uj: int) -> None:
        """Make it show this from now on; below 0 it has wrapped backwards."""
        self.offset_uj += register_uj - self._counted_uj()

    def freeze(self, frozen: bool) -> None:
        """Stop the display; once free it has caught up."""
        self._frozen_uj = self.register_uj if frozen else None

    def _counted_uj(self) -> int:
        return (self.offset_uj + self.outlet.delivered_uj) % self.wraps_at_uj


@dataclass(frozen=True, slots=True)
class Gauge:
    """How to read one point off the physics: an integer, and how many base units one of it is."""

    read: Callable[[], int]
    factor: Fraction


def totalizer_of(profile: Profile, outlet: Outlet, start_wh: int) -> Totalizer:
    """The device's lifetime counter, wide as its register point is; start_wh: what it shows now."""
    names = profile.gives.register or [n for n, p in profile.points.items() if p.counter == "total"]
    point = profile.points[names[0]] if names else None
    wraps_at_uj = 2**63 if point is None else wraps_at(point) * UJ_PER_WH // 1
    return Totalizer(outlet, start_wh * UJ_PER_WH - outlet.delivered_uj, int(wraps_at_uj))


def wraps_at(point: Point) -> Fraction:
    """First value, in base units, that a counter cannot show; floats are taken to hold all that a meter counts."""
    from drivers.profile import quantity

    if point.wraps_at is not None:
        return quantity(point.wraps_at).amount
    steps = {"u16": 2**16, "u32": 2**32, "u48": 2**48, "i16": 2**15, "i32": 2**31}.get(point.type, 2**53)
    if point.type == "bcd":
        steps = 10 ** (4 * point.registers)
    return steps * point.quantum.amount


def gauges(profile: Profile, outlet: Outlet, totalizer: Totalizer) -> dict[str, Gauge]:
    """Every point that the physics decides. Points that are written, or say who or how the device is, are not here."""
    found = {name: _gauge(profile, name, point, outlet, totalizer) for name, point in profile.points.items()}
    return {name: gauge for name, gauge in found.items() if gauge is not None}


def _gauge(profile: Profile, name: str, point: Point, outlet: Outlet, totalizer: Totalizer) -> Gauge | None:
    phases = [int(digit) - 1 for digit in re.findall(r"l([123])(?![0-9])", name)]
    rated = _rated(profile, name, point)
    if point.access != "r":
        return None
    match point.quantum.unit:
        case "Wh" | "VAh":
            return _energy(profile, name, point, outlet, totalizer, phases)
        case "A" if name in profile.gives.limit:
            return Gauge(lambda: outlet.limit_ma, Fraction(1, 1000))
        case "A" | "W" | "VA" if rated is not None:
            return Gauge(lambda: rated, Fraction(1, 1000))
        case "A" if re.search(r"_n(_|$)|neutral", name):
            return Gauge(lambda: 0, Fraction(1))
        case "A" if len(phases) == 1:
            return Gauge(lambda: outlet.currents_ma[phases[0]], Fraction(1, 1000))
        case "A" if name.endswith(("_sum", "_total")):
            return Gauge(lambda: sum(outlet.currents_ma), Fraction(1, 1000))
        case "A":
            return Gauge(lambda: max(outlet.currents_ma), Fraction(1, 1000))
        case "W" | "VA" if len(phases) == 1:
            return Gauge(lambda: outlet.phase_powers_w[phases[0]], Fraction(1))
        case "W" | "VA":
            return Gauge(lambda: outlet.power_w, Fraction(1))
        case "V" if len(phases) == 2:
            return Gauge(lambda: outlet.voltage_mv * 1732 // 1000, Fraction(1, 1000))
        case "V":
            return Gauge(lambda: outlet.voltage_mv, Fraction(1, 1000))
        case "Hz":
            return Gauge(lambda: 50, Fraction(1))
        case "degC":
            return Gauge(lambda: 25, Fraction(1))
        case "" if name.startswith("power_factor"):
            return Gauge(lambda: 1, Fraction(1))
    return None


def _energy(
    profile: Profile, name: str, point: Point, outlet: Outlet, totalizer: Totalizer, phases: list[int]
) -> Gauge | None:
    """Import and session counters; export and everything unnamed stays 0. Parts that are summed: the first has all."""
    per_wh = Fraction(1, UJ_PER_WH)
    if point.counter == "session":
        return Gauge(lambda: outlet.session_uj, per_wh)
    if point.counter != "total" or "export" in name:
        return None
    summed = [n for n in profile.gives.register if profile.points[n].when == point.when]
    if name in summed:
        return Gauge(lambda: totalizer.register_uj, per_wh) if name == summed[0] else None
    return Gauge(lambda: totalizer.register_uj // (3 if phases else 1), per_wh)


def _rated(profile: Profile, name: str, point: Point) -> int | None:
    """What the device could do, in mA or mW; None where the point tells what it does."""
    command = profile.command
    if command is None:
        return None
    kind = "min" if "min" in name else "max" if "max" in name or name == profile.gives.limit_max else None
    if kind is None or name in profile.gives.limit:
        return None
    amount = Fraction(command.min if kind == "min" else command.max)
    per_phase = command.phases * command.voltage_v
    if point.quantum.unit == "A":
        amps = amount if command.dimension == "current" else amount / per_phase
        return int(amps * 1000)
    watts = amount if command.dimension == "power" else amount * per_phase
    return int(watts * 1000)
