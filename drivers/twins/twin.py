"""A simulated device of any profile: it answers from registers that physics fills, and obeys what is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from drivers.api import Iec61851
from drivers.profile import Profile
from drivers.profile_state import Value
from drivers.twins.car import UJ_PER_WH, Outlet
from drivers.twins.charger import ChargerMind
from drivers.twins.faults import AT_ONCE, Fault, FaultKind, FaultPlan
from drivers.twins.invert import identity
from drivers.twins.measure import gauges, totalizer_of
from drivers.twins.panel import Panel
from drivers.twins.registers import ILLEGAL_FUNCTION, ILLEGAL_VALUE, Refusal
from protocols.fieldbus.modbus import (
    Answer,
    ReadBits,
    ReadRegisters,
    Refused,
    Request,
    UnknownRequest,
    WriteCoils,
    WriteRegisters,
)

_SERVED = frozenset({1, 2, 3, 4, 5, 6, 15, 16})
_NEEDS_CHARGER = frozenset({FaultKind.STUCK_RELAY, FaultKind.ILL})


def monotonic_us() -> int:
    """The twins' clock: real time, never set back."""
    return time.monotonic_ns() // 1000


class Twin:
    """One simulated device on an outlet. It is a `wire.Station`.

    values: points whose value stays fixed, by name, in base units. register_start_wh: what its lifetime counter shows
    now. clock: microseconds that never go back. ValueError: `values` names a point that the profile does not have.
    """

    def __init__(
        self,
        name: str,
        profile: Profile,
        outlet: Outlet,
        *,
        unit: int = 1,
        register_start_wh: int = 0,
        values: Mapping[str, Value] | None = None,
        turnaround_us: int = 0,
        seed: int = 0,
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        if unknown := set(values or {}) - profile.points.keys():
            raise ValueError(f"{name}: {profile.id} has no point {', '.join(sorted(unknown))}")
        self.id = name
        self.profile = profile
        self.outlet = outlet
        self.unit = unit
        self.faults = FaultPlan(seed)
        self.turnaround_us = turnaround_us
        self.totalizer = totalizer_of(profile, outlet, register_start_wh)
        self.panel = Panel(profile, unit, identity(profile, values or {}))
        self._clock = clock
        self._dark_until_us: int | None = None
        points, fixed = self.panel.points, self.panel.fixed
        measured = gauges(profile, outlet, self.totalizer)
        self._gauges = {name: g for name, g in measured.items() if name in points and name not in fixed}
        self._last: dict[str, int] = {}  # gauge readings that the registers hold already
        free = [n for n, p in points.items() if p.access == "r" and n not in self._gauges and n not in fixed]
        self._mind = ChargerMind(self.panel, outlet, free) if profile.device.kind == "charger" else None
        self.refresh()

    def serves(self, unit: int) -> bool:
        """Whether it listens to `unit`: its own, and those that the profile names for single points."""
        return unit == self.unit or unit in self.panel.registers.units

    def answer(self, request: Request) -> Answer | Refused | None:
        """Do what is asked. None: no answer, because the device is dark."""
        now_us = self._clock()
        self.refresh(now_us)
        if self._dark_until_us is not None:
            return None
        try:
            answer, written = self._do(request)
        except Refusal as refusal:
            return Refused(refusal.code)
        if self._mind is not None:
            self._mind.heard(written, now_us)
        return answer

    def refresh(self, now_us: int | None = None) -> None:
        """Bring physics, fail-safe and registers up to now."""
        now_us = self._clock() if now_us is None else now_us
        if self._dark_until_us is not None and now_us >= self._dark_until_us:
            self._dark_until_us = None
            if self._mind is not None:
                self._mind.wake(now_us)
        self.outlet.advance(now_us)
        for name, gauge in self._gauges.items():
            reading = gauge.read()
            if self._last.get(name) != reading:
                self._last[name] = reading
                self.panel.show_measured(name, reading * gauge.factor)
        if self._mind is not None:
            self._mind.show_state()

    def fault(self, fault: Fault) -> None:
        """Go wrong. ValueError: this kind of device cannot go wrong in this way."""
        now_us = self._clock()
        self.refresh(now_us)
        if fault.kind in _NEEDS_CHARGER and self._mind is None:
            raise ValueError(f"{self.id} is a meter; {fault.kind.value} is for chargers")
        if fault.kind not in AT_ONCE:
            self.faults.set(fault)
        self._begin(fault, now_us)
        self.refresh(now_us)

    def clear(self, kind: FaultKind | None = None) -> None:
        """End one kind of fault, or all. What was done at once stays done."""
        now_us = self._clock()
        self.refresh(now_us)
        for ended in self.faults.clear(kind):
            if ended is FaultKind.METER_FROZEN:
                self.totalizer.freeze(False)
            elif ended is FaultKind.STUCK_RELAY:
                self.outlet.set_stuck(False, now_us)
            elif ended is FaultKind.ILL and self._mind is not None:
                self._mind.set_ill(None, now_us)
        self.refresh(now_us)

    def state(self) -> dict[str, str | int | bool | list[str]]:
        """Where it stands, for a person or a test."""
        self.refresh()
        outlet = self.outlet
        state: dict[str, str | int | bool | list[str]] = {
            "device": self.id,
            "profile": self.profile.id,
            "kind": self.profile.device.kind,
            "unit": self.unit,
            "iec": outlet.iec.value,
            "power_w": outlet.power_w,
            "current_ma": max(outlet.currents_ma),
            "register_wh": self.totalizer.register_uj // UJ_PER_WH,
            "dark": self._dark_until_us is not None,
            "faults": [fault.kind.value for fault in self.faults.active()],
        }
        if self._mind is not None:
            state |= {"limit_ma": outlet.limit_ma, "failed_safe": self._mind.failed_safe}
        return state

    def _do(self, request: Request) -> tuple[Answer, list[str]]:
        """The answer and the names of the points that were written. Raises Refusal."""
        registers, unit, function = self.panel.registers, request.unit or self.unit, request.function
        match request.pdu:
            case ReadRegisters(address=address, count=count):
                return Answer(registers=tuple(registers.read(unit, function, address, count))), []
            case ReadBits(address=address, count=count):
                return Answer(bits=tuple(bool(b) for b in registers.read(unit, function, address, count))), []
            case WriteRegisters(address=address, values=values) | WriteCoils(address=address, values=values):
                return Answer(), registers.write(unit, function, address, [int(value) for value in values])
            case UnknownRequest():
                raise Refusal(ILLEGAL_VALUE if function in _SERVED else ILLEGAL_FUNCTION)

    def _tell_serial(self, number: int) -> None:
        """ValueError: it has no register for its serial number."""
        name = self.profile.gives.serial
        if name is None or name not in self.panel.points:
            raise ValueError(f"{self.id} tells no serial number")
        text = self.panel.points[name].type in ("ascii", "utf16", "hex")
        self.panel.show(name, str(number) if text else number)

    def _begin(self, fault: Fault, now_us: int) -> None:
        amount_uj = fault.amount_or(0) * UJ_PER_WH
        match fault.kind:
            case FaultKind.METER_RESET:
                self.totalizer.set(0)
            case FaultKind.METER_WRAP:
                self.totalizer.set(self.totalizer.wraps_at_uj - amount_uj)
            case FaultKind.METER_JUMP:
                self.totalizer.set(self.totalizer.register_uj + amount_uj)
            case FaultKind.METER_BACKWARDS:
                self.totalizer.set(self.totalizer.register_uj - amount_uj)
            case FaultKind.METER_CHANGED:
                self._tell_serial(fault.amount_or(0))
            case FaultKind.METER_FROZEN:
                self.totalizer.freeze(True)
            case FaultKind.STUCK_RELAY:
                self.outlet.set_stuck(True, now_us)
            case FaultKind.ILL if self._mind is not None:
                self._mind.set_ill(Iec61851.E if fault.amount_or(0) else Iec61851.F, now_us)
            case FaultKind.POWER_CUT:
                self._dark_until_us = now_us + fault.amount_or(0) * 1000
                if self._mind is not None:
                    self._mind.forget(now_us)
