"""A charger by its profile: what it is told, in what order, and what it says of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import NoReturn

from drivers.api import ChargerLimits, ChargerStatus, Link, Point, Quality, Reading
from drivers.errors import Misconfigured, Transient
from drivers.line import Priority
from drivers.modbus_device import ModbusDevice, literal, now_ms
from drivers.profile import Command, Write
from drivers.profile_state import Value, rules_of


@dataclass(frozen=True, slots=True)
class Wish:
    """What the charger shall do. limit: in the command's dimension, A or W; None: no delivery."""

    limit: Fraction | None


class ModbusCharger:
    """A `drivers.api.Charger` over a device whose profile has commands.

    The wish is what was last asked for; `_applied` is the wish that the device is known to follow. Asking for the
    applied wish writes nothing, unless a read-back shows that the device has dropped it, or it delivers after a stop.
    """

    def __init__(self, device: ModbusDevice) -> None:
        assert device.profile.command is not None, f"{device.profile.id} has no commands"
        self._device = device
        self._command: Command = device.profile.command
        self._rules = rules_of(device.profile)
        names = dict.fromkeys(name for condition, _, _ in self._rules.rules for name in condition.names)
        self._state_points = tuple(names)
        self._wish: Wish | None = None
        self._applied: Wish | None = None
        self._applied_ms = 0
        self._applying = asyncio.Lock()
        self._wish_changed = asyncio.Event()
        self._limit_at = float("-inf")
        self.id = device.id
        self.profile_id = device.profile.id
        device.replay = self._replay
        device.rewrite = self._rewrite

    def link(self) -> Link:
        return self._device.link()

    def points(self) -> list[Point]:
        return self._device.points()

    async def run(self) -> NoReturn:
        await self._device.run()

    @property
    def limits(self) -> ChargerLimits:
        """The profile's, and the device's own maximum where that is lower and known."""
        command, profile = self._command, self._device.profile
        current_ma_max = floor(Fraction(command.max) / self._per_ma)
        told = self._device.seen[profile.gives.limit_max].value if profile.gives.limit_max is not None else None
        if isinstance(told, int | Fraction) and told > 0:
            current_ma_max = min(current_ma_max, floor(told * 1000))
        power_w = command.phases * command.voltage_v * Fraction(current_ma_max, 1000)
        ends = profile.keepalive is not None and profile.keepalive.then in ("stop", "fault")
        return ChargerLimits(
            current_ma_min=ceil(Fraction(command.min) / self._per_ma),
            current_ma_max=current_ma_max,
            power_w_max=profile.device.power_w_max or ceil(power_w),
            failsafe_s=self._device.deadline_s() if ends else None,
        )

    def status(self) -> Reading[ChargerStatus]:
        """As last read; `at_ms` is the oldest instant of the points that the state was decided from. No I/O."""
        device, gives, now = self._device, self._device.profile.gives, now_ms()
        seen = {name: device.seen[name] for name in device.present(self._state_points)}
        times = [one.at_ms for one in seen.values() if one.at_ms is not None]
        if not times or any(one.at_ms is None and one.error is None for one in seen.values()):
            return Reading(None, Quality.NONE, None)  # the first answers are still coming in
        iec, reason = self._rules.decide({name: one.value for name, one in seen.items()})
        power = _numbers(device.value(name, now) for name in device.present(gives.power))
        current = _numbers(device.value(name, now) for name in device.present(gives.current))
        limit = _numbers(device.value(name, now) for name in device.present(gives.limit))
        status = ChargerStatus(
            iec=iec,
            reason=reason,
            power_w=round(sum(power)) if power and len(power) == len(device.present(gives.power)) else None,
            current_ma=round(max(current) * 1000) if current else None,
            limit_ma=round(limit[0] * 1000) if limit else None,
        )
        old = any(device.is_old(name, min(times), now) for name in seen)
        return Reading(status, Quality.STALE if old else Quality.GOOD, min(times))

    async def allow(self, current_ma: int) -> None:
        limits = self.limits
        if not limits.current_ma_min <= current_ma <= limits.current_ma_max:
            raise Misconfigured(
                f"{current_ma} mA is not within {limits.current_ma_min} to {limits.current_ma_max} mA",
                where=self._device.client.where,
            )
        step = Fraction(self._command.step)
        self._want(wish := Wish(current_ma * self._per_ma // step * step))
        self._must_be_ready()
        await self._apply(wish)

    async def stop(self) -> None:
        self._want(wish := Wish(None))
        await self._apply(wish)
        self._must_be_ready()  # what can be written has been; the rest follows with the replay

    @property
    def _per_ma(self) -> Fraction:
        """What one mA is in the command's dimension: A, or W over all phases."""
        command = self._command
        return Fraction(1 if command.dimension == "current" else command.phases * command.voltage_v, 1000)

    def _want(self, wish: Wish) -> None:
        if wish != self._wish:
            self._wish = wish
            self._wish_changed.set()
            self._wish_changed = asyncio.Event()

    def _must_be_ready(self) -> None:
        if not self._device.ready:
            raise Transient("not set up yet; it will be told as soon as it is", where=self._device.client.where)

    async def _apply(self, wish: Wish, *, anew: bool = False) -> None:
        """Carry `wish` out, unless it is carried out already, or another one has taken its place meanwhile.

        anew: what was carried out before may be forgotten.
        """
        async with self._applying:
            if anew:
                self._applied = None
            if wish != self._wish or (wish == self._applied and not self._dropped(wish) and not self._defied(wish)):
                return
            if wish.limit is not None and not await self._gap_has_passed(wish):
                return
            writes = self._sequence(wish)
            self._applied = None  # from the first write on until the last, nothing is known
            for write in writes:
                await self._device.do(write, self._meant(write, wish))
            self._applied, self._applied_ms = wish, now_ms()

    def _sequence(self, wish: Wish) -> list[Write]:
        command = self._command
        if wish.limit is None:
            writes = command.stop
        elif self._applied is not None and self._applied.limit is not None and self._applied != wish:
            writes = command.set_limit or command.start
        else:
            writes = command.start
        return [write for write in writes if self._device.holds(write.when)]

    async def _gap_has_passed(self, wish: Wish) -> bool:
        """Wait until the limit may be changed again; False when the wish changes while waiting."""
        wait_s = self._limit_at + self._command.gap_ms / 1000 - time.monotonic()
        if wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):  # wait_for of Python 3.11 swallows a cancellation now and then
                    await self._wish_changed.wait()
            except TimeoutError:
                pass  # nobody has asked for anything else
        if wish != self._wish:
            return False
        self._limit_at = time.monotonic()
        return True

    def _meant(self, write: Write, wish: Wish) -> Value:
        return wish.limit if write.value == "$limit" else literal(write.value)

    def _dropped(self, wish: Wish) -> bool:
        """Whether a poll since the last write shows another value than the one written."""
        device = self._device
        for write in self._sequence(wish):
            shown_by = device.shown_by(write.point)
            if shown_by is not None:
                seen, wanted = device.seen[shown_by], device.meaning(write.point, self._meant(write, wish))
                if seen.at_ms is not None and seen.at_ms > self._applied_ms and seen.value != wanted:
                    return True
        return False

    def _defied(self, wish: Wish) -> bool:
        """Whether it was told to stop and a poll since then shows that it delivers: it has begun by itself, by its own
        card reader or application, or never stopped.
        """
        if wish.limit is not None:
            return False
        seen = self.status()
        return seen.value is not None and seen.value.delivering and (seen.at_ms or 0) > self._applied_ms

    async def _replay(self) -> None:
        """The device has returned: it may have forgotten everything."""
        if self._wish is not None:
            await self._apply(self._wish, anew=self._command.replay)

    async def _rewrite(self) -> None:
        """The last wish once more, for devices that want to hear it again and again."""
        async with self._applying:
            wish = self._applied
            if wish is not None:
                sequence = self._command.stop if wish.limit is None else self._command.set_limit or self._command.start
                for write in sequence:
                    if self._device.holds(write.when):
                        await self._device.client.write(write.point, self._meant(write, wish), Priority.COMMAND)


def _numbers(values: Iterable[Value]) -> list[Fraction | int]:
    return [value for value in values if isinstance(value, int | Fraction)]
