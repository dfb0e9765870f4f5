"""What a simulated charger makes of the commands written to it, when it fails safe, and what it says of its state."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from drivers.api import Iec61851
from drivers.modbus_device import literal
from drivers.profile import Command, Write
from drivers.profile_state import Value, kinds_of, parse, rules_of
from drivers.twins.car import CURRENT_MA_MIN, Outlet
from drivers.twins.invert import Inverter
from drivers.twins.panel import Panel


class ChargerMind:
    """Between a charger's registers and its outlet. `free`: the points that it may set to tell its state.

    It charges while every fixed value of the profile's `start` stands in its registers, not every one of `stop` does,
    and the limit is at least 6 A.
    """

    def __init__(self, panel: Panel, outlet: Outlet, free: Iterable[str]) -> None:
        profile = panel.profile
        assert profile.command is not None  # a checked charger profile has one
        self._command: Command = profile.command
        self._keepalive = profile.keepalive
        self._panel = panel
        self._outlet = outlet
        self._inverter = Inverter(profile, free)
        self._looked_at = tuple(dict.fromkeys(n for rule, _, _ in rules_of(profile).rules for n in rule.names))
        self._start = self._fixed(self._command.start)
        self._stop = self._fixed(self._command.stop)
        limits = [write.point for write in (*self._command.start, *self._command.set_limit) if write.value == "$limit"]
        self._limits = tuple(dict.fromkeys(name for name in limits if name in panel.points))
        self._commanded = {*self._start, *self._stop, *self._limits}
        self._ill: Iec61851 | None = None
        self._contact_us: int | None = None
        self.failed_safe = False
        self.forget(0)
        outlet.guard = self._fail_safe

    def forget(self, now_us: int) -> None:
        """Power was lost: the relay opens, and what the device does not keep is gone."""
        for name, point in self._panel.points.items():
            if point.access != "r" and self._command.replay and point.wear == "volatile":
                self._panel.registers.put(name, [0] * point.registers)
        if self._command.replay:
            self._show_stopped()
        self._contact_us, self.failed_safe = None, False
        self._outlet.allow(0, now_us)

    def wake(self, now_us: int) -> None:
        """Power is back: go on with what was kept."""
        self._obey(now_us)

    def heard(self, written: Iterable[str], now_us: int) -> None:
        """A valid request came; `written`: the points that it wrote."""
        names = set(written)
        recovered = False
        if self._keeps_alive(names):
            self._contact_us = now_us
            recovered, self.failed_safe = self.failed_safe, False
        if recovered or (names & self._commanded and not self.failed_safe):
            self._obey(now_us)

    def set_ill(self, iec: Iec61851 | None, now_us: int) -> None:
        """Show E or F with an open relay, or be well again."""
        self._ill = iec
        self._outlet.set_fault(self._fault, now_us)

    def show_state(self) -> None:
        """Set the state points so that the profile's rules give the outlet's state.

        ValueError when no values do: the profile then cannot say this state.
        """
        given = {name: self._panel.shown(name) for name in self._looked_at if name in self._panel.points}
        wanted = self._outlet.iec
        values = self._inverter.values_for(wanted, given)
        if values is None and wanted is Iec61851.E:  # many chargers know only F
            values = self._inverter.values_for(Iec61851.F, given)
        if values is None:
            raise ValueError(f"{self._panel.profile.id}: no register values say {wanted.value} with {given}")
        for name, value in values.items():
            if given[name] != value:
                self._panel.show(name, value)

    def _obey(self, now_us: int) -> None:
        self._outlet.set_fault(self._fault, now_us)
        self._outlet.allow(self._allowed_ma(), now_us)
        if self._contact_us is None:
            self._contact_us = now_us

    def _fail_safe(self, now_us: int) -> None:
        """Fail safe when the time has come, at the exact instant."""
        deadline_us = self._deadline_us()
        if self.failed_safe or self._contact_us is None or deadline_us is None or self._then == "nothing":
            return
        due_us = self._contact_us + deadline_us
        if now_us < due_us:
            return
        self.failed_safe = True
        if self._then == "stop":
            self._show_stopped()
            self._outlet.allow(0, due_us)
        elif self._then == "reduce":
            self._outlet.allow(min(self._outlet.limit_ma, self._ma(Fraction(self._command.min))), due_us)
        self._outlet.set_fault(self._fault, due_us)

    def _show_stopped(self) -> None:
        for name, value in self._stop.items():
            self._panel.show(name, value)

    def _allowed_ma(self) -> int:
        if not all(self._panel.says(name, value) for name, value in self._start.items()):
            return 0
        if all(self._panel.says(name, value) for name, value in self._stop.items()):
            return 0
        limits = [self._panel.shown(name) for name in self._limits] or [Fraction(self._command.max)]
        known = [self._ma(Fraction(limit)) for limit in limits if limit is not None]
        limit_ma = min(known, default=0)
        return limit_ma if limit_ma >= CURRENT_MA_MIN else 0

    def _ma(self, limit: Fraction) -> int:
        """A limit in the command's dimension as mA per phase."""
        if self._command.dimension == "power":
            limit /= self._command.phases * self._command.voltage_v
        return int(limit * 1000)

    def _fixed(self, writes: Iterable[Write]) -> dict[str, Value]:
        """The fixed values that a sequence leaves behind, by point, without writes that this model does not get."""
        kinds = kinds_of(self._panel.profile)
        fixed: dict[str, Value] = {}
        for write in writes:
            holds = not write.when or parse(write.when, kinds).holds(self._panel.fixed) is True
            if write.value != "$limit" and holds and write.point in self._panel.points:
                fixed[write.point] = literal(write.value)
        return fixed

    @property
    def _then(self) -> str:
        return "nothing" if self._keepalive is None else self._keepalive.then

    @property
    def _fault(self) -> Iec61851 | None:
        if self._ill is not None:
            return self._ill
        return Iec61851.F if self.failed_safe and self._then == "fault" else None

    def _keeps_alive(self, written: set[str]) -> bool:
        keepalive = self._keepalive
        if keepalive is None:
            return False
        if keepalive.kind == "read":
            return True
        if keepalive.kind == "setpoint":
            return bool(written & set(self._limits))
        return keepalive.point in written

    def _deadline_us(self) -> int | None:
        keepalive = self._keepalive
        if keepalive is None:
            return None
        if keepalive.deadline_from in self._panel.points:
            told = self._panel.shown(keepalive.deadline_from)
            if isinstance(told, int | Fraction) and told > 0:
                return int(told * 1_000_000)
        return None if keepalive.deadline_s is None else keepalive.deadline_s * 1_000_000
