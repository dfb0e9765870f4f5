"""What is a Modbus device doing? Sets it up at each return, polls it by its profile, and keeps it awake.

NEW or returned -> setup writes, identification -> replay of what was commanded -> polls, keep-alive -> ...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, NoReturn

from drivers.api import Link, LinkState, Point, Quality
from drivers.errors import DeviceError, DeviceFault, Transient, Unsupported
from drivers.line import Line, Priority
from drivers.modbus_client import ModbusClient
from drivers.polling import Poller
from drivers.profile import Profile, Write
from drivers.profile_decode import AGAIN, Verdict
from drivers.profile_plan import Plan, Read, plan
from drivers.profile_state import Value, kinds_of, parse, render

RETRY_S: Final = 0.5  # between two tries to set the device up
STALE_PERIODS: Final = 4
VERIFY_PAUSES_S: Final = (0.0, 0.2, 0.5)  # devices take a write into force within a second, or not at all
_CLASSES = ("fast", "slow")


@dataclass(slots=True)
class Seen:
    """The last answer for one point. value None with an at_ms: the device said that it does not know."""

    value: Value = None
    at_ms: int | None = None
    took_ms: float | None = None
    error: str | None = None


async def _nothing() -> None:
    return


class ModbusDevice:
    """One device: its last values, and the task that keeps them fresh. Chargers and meters are views on it.

    replay, rewrite: called after each setup, and for a keep-alive of kind `setpoint`; a charger sets them.
    """

    def __init__(self, profile: Profile, line: Line, *, id: str, unit: int, poll_s: float | None = None) -> None:  # noqa: A002
        self.id = id
        self.profile = profile
        self.client = ModbusClient(profile, line, id, unit)
        self.replay: Callable[[], Awaitable[None]] = _nothing
        self.rewrite: Callable[[], Awaitable[None]] = _nothing
        self.seen: dict[str, Seen] = {name: Seen() for name in profile.points}
        self._kinds = kinds_of(profile)
        self._present: frozenset[str] = frozenset(n for n, point in profile.points.items() if not point.when)
        self._plans: dict[str, Plan] = {}
        self._ready = asyncio.Event()
        self._setup_error: DeviceError | None = None
        fast_ms = profile.polling.fast_ms if poll_s is None else int(poll_s * 1000)
        keepalive = profile.keepalive
        if keepalive is not None and keepalive.kind == "read":
            fast_ms = min(fast_ms, keepalive.period_s * 1000)
        self.period_ms = {"fast": max(fast_ms, profile.limits.poll_ms_min, 50)}
        self.period_ms["slow"] = max(self.period_ms["fast"], profile.polling.slow_ms)

    # What is known. No I/O.

    @property
    def ready(self) -> bool:
        """Set up since it last returned; who it is, and whether points with conditions are there, is known."""
        return self._ready.is_set() and not self.client.on_return.is_set()

    def link(self) -> Link:
        link = self.client.link()
        if link.error is None and self._setup_error is not None:
            return replace(link, error=f"{self._setup_error}. {self._setup_error.remedy}")
        return link

    def present(self, names: Iterable[str]) -> list[str]:
        """Those of `names` whose conditions hold on this very device."""
        return [name for name in names if name in self._present]

    def value(self, name: str, now_ms: int) -> Value:
        """The value, or None when it is stale or not known."""
        return self.seen[name].value if self.quality(name, now_ms) is Quality.GOOD else None

    def quality(self, name: str, now_ms: int) -> Quality:
        seen = self.seen[name]
        if seen.at_ms is None or seen.value is None:
            return Quality.NONE
        return Quality.STALE if self.is_old(name, seen.at_ms, now_ms) else Quality.GOOD

    def is_old(self, name: str, at_ms: int, now_ms: int) -> bool:
        """Whether an answer of that instant is no longer true. What is read once per connection does not age."""
        poll = self.profile.points[name].poll
        if poll not in _CLASSES:
            return False
        limit_ms = self.profile.polling.stale_ms or STALE_PERIODS * self.period_ms[poll]
        return now_ms - at_ms > limit_ms

    def points(self) -> list[Point]:
        now = now_ms()
        shown = [name for name, point in self.profile.points.items() if point.access != "w"]
        return [self._point(name, now) for name in self.present(shown)]

    def _point(self, name: str, now: int) -> Point:
        point, seen = self.profile.points[name], self.seen[name]
        value = seen.value
        if point.type == "f32" and isinstance(value, Fraction):
            value = Fraction(f"{float(value):.7g}")  # to look at: a 32-bit float has seven significant digits
        text = render(value)
        unit = point.quantum.unit
        if text in point.words:
            text = f"{point.words[text]} ({text})"
        return Point(
            name=name,
            value=f"{text} {unit}" if unit and seen.value is not None else text,
            quality=self.quality(name, now),
            at_ms=seen.at_ms,
            took_ms=seen.took_ms,
            where=f"{point.space} {self.profile.wire_address(point):#06x}",
            error=seen.error,
        )

    # What is done.

    async def run(self) -> NoReturn:
        """Set up, poll and keep alive until cancelled. Survives any DeviceError."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_alive())
            await self._poll()
        raise AssertionError("polling never ends by itself")

    async def _poll(self) -> NoReturn:
        poller = Poller({})
        while True:
            try:
                if self.client.on_return.is_set():
                    self._ready.clear()
                    await self._settle_in()
                    poller = Poller({name: self.period_ms[name] / 1000 for name, p in self._plans.items() if p.reads})
                    self._ready.set()
                await self._read_class(await poller.next())
            except DeviceError:  # the link tells of it; the next turn tries again
                if self.client.on_return.is_set():
                    await asyncio.sleep(RETRY_S)

    async def _settle_in(self) -> None:
        """Setup and identification. on_return is set again when they fail for a passing reason."""
        returned = self.client.on_return
        returned.clear()
        try:
            self._setup_error = None
            await self._setup(before_reads=True)
            await self._identify()
            returned.clear()  # the first answer after a break has set it: that return is the one being handled
            await self._setup(before_reads=False)
            self._plans = {name: plan(self.profile, self.present(self._polled(name))) for name in _CLASSES}
            await self._replay()
        except DeviceError:
            returned.set()
            raise

    async def _setup(self, *, before_reads: bool) -> None:
        for write in self.profile.setup:
            if write.before_reads is before_reads and self.holds(write.when):
                self.seen[write.point].error = None
                try:
                    await self._set_up(write)
                except (Unsupported, DeviceFault) as error:
                    self._setup_error = error  # shown to the technician; the rest of the device may work
                    self.seen[write.point].error = error.what

    async def _set_up(self, write: Write) -> None:
        """One setup write; a memory cell is left alone when it already holds the value."""
        if self.profile.points[write.point].wear == "stored":
            await self.fetch([write.point], Priority.POLL)
            if self.seen[write.point].value == self.meaning(write.point, literal(write.value)):
                return
        await self.do(write, literal(write.value), Priority.POLL)

    async def do(self, write: Write, value: Value, priority: Priority = Priority.COMMAND) -> None:
        """One write of a sequence: written, left to settle, verified. Raises DeviceError."""
        timeout_s = None if write.timeout_ms is None else write.timeout_ms / 1000
        await self.client.write(write.point, value, priority, timeout_s=timeout_s)
        if write.settle_ms:
            await asyncio.sleep(write.settle_ms / 1000)
        await self._verify(write.point, value)

    def shown_by(self, name: str) -> str | None:
        """The point that reads back what is written to `name`; None: nothing does, the value is assumed."""
        point = self.profile.points[name]
        if point.verify == "equal":
            return name if point.access == "rw" else None
        return None if point.verify == "none" else point.verify

    def meaning(self, name: str, value: Value) -> Value | Verdict:
        """`value` as it reads back from `name`: what the registers can hold of it."""
        return self.client.codecs[name].decode(self.client.codecs[name].encode(value))

    async def _verify(self, name: str, value: Value) -> None:
        """Raises DeviceFault when the device goes on to show something else."""
        shown_by = self.shown_by(name)
        if shown_by is None:
            return
        for pause_s in VERIFY_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self.fetch([shown_by], Priority.COMMAND)
            if self.seen[shown_by].value == self.meaning(name, value):
                return
        raise DeviceFault(
            f"{name} was written as {render(value)}, but {shown_by} reads {render(self.seen[shown_by].value)}",
            where=self.client.where,
            remedy="Another master may be writing too, or the value is beyond what is set at the device.",
        )

    async def _identify(self) -> None:
        """Read what stays the same until the next return, and find out which points this very device has."""
        points = self.profile.points
        self._present = frozenset(name for name, point in points.items() if not point.when)
        for conditional in (False, True):
            names = [n for n in self.present(self._polled("once")) if bool(points[n].when) is conditional]
            await self._carry_out(plan(self.profile, names), Priority.POLL, fatal=Transient)
            self._present = frozenset(name for name in points if self.holds(points[name].when))

    def _polled(self, poll: str) -> list[str]:
        return [name for name, point in self.profile.points.items() if point.polled and point.poll == poll]

    def holds(self, condition: str) -> bool:
        """Whether a `when` is true of this very device; one over an unknown value is not."""
        values = {name: seen.value for name, seen in self.seen.items()}
        return not condition or parse(condition, self._kinds).holds(values) is True

    async def _replay(self) -> None:
        try:
            await self.replay()
        except (Unsupported, DeviceFault) as error:
            self._setup_error = error  # not repeated blindly; whoever commands next learns of it

    async def fetch(self, names: Iterable[str], priority: Priority) -> frozenset[str]:
        """Read `names` now; those that gave a new answer, be it that they do not know. Raises DeviceError."""
        started = now_ms()
        names = self.present(names)
        await self._carry_out(plan(self.profile, names), priority, fatal=DeviceError)
        return frozenset(n for n in names if (at_ms := self.seen[n].at_ms) is not None and at_ms >= started)

    async def _read_class(self, name: str) -> None:
        self._plans[name] = await self._carry_out(self._plans[name], Priority.POLL)

    async def _carry_out(self, todo: Plan, priority: Priority, *, fatal: type[DeviceError] | None = None) -> Plan:
        """Make every read; give the plan as refusals have left it.

        Raises errors of the kind `fatal`, and any once the device is gone; a read that fails otherwise hides no others.
        """
        pending = list(todo.reads)
        while pending:
            read = pending.pop(0)
            started = time.monotonic()
            try:
                registers = await self.client.read(read, priority)
            except Unsupported as error:
                smaller = todo.refused(read)
                parts = [part for part in smaller.reads if part not in todo.reads]
                todo, pending = smaller, parts + pending
                for name in () if parts else read.names:
                    self.seen[name] = Seen(error=error.what)
            except DeviceError as error:
                for name in read.names:
                    self.seen[name].error = error.what
                if (fatal and isinstance(error, fatal)) or self.client.link().state is not LinkState.ONLINE:
                    raise
            else:
                self._take(read, registers, (time.monotonic() - started) * 1000)
        return todo

    def _take(self, read: Read, registers: list[int], took_ms: float) -> None:
        at = now_ms()
        for name, part in read.slices(registers):
            value = self.client.codecs[name].decode(part)
            if value is not AGAIN:
                self.seen[name] = Seen(value, at, took_ms)

    async def _keep_alive(self) -> None:
        keepalive = self.profile.keepalive
        if keepalive is None or keepalive.kind == "read":
            return
        while True:
            await self._ready.wait()
            try:
                if keepalive.kind == "setpoint":
                    await self.rewrite()
                else:
                    assert keepalive.point is not None, "checked with the profile"
                    await self.client.write(keepalive.point, literal(keepalive.value), Priority.COMMAND)
            except DeviceError:
                pass  # the link tells of it; the next one comes in its time
            await asyncio.sleep(self._keep_alive_s())

    def _keep_alive_s(self) -> float:
        """The period, or a quarter of the deadline where the device itself tells one so short."""
        keepalive, told = self.profile.keepalive, self._deadline_told_s()
        assert keepalive is not None
        return keepalive.period_s if told is None else max(1.0, min(keepalive.period_s, told / 4))

    def deadline_s(self) -> int | None:
        """How long after the last contact the device gives up, as it tells itself or as its profile does."""
        keepalive, told = self.profile.keepalive, self._deadline_told_s()
        return told if told is not None or keepalive is None else keepalive.deadline_s

    def _deadline_told_s(self) -> int | None:
        keepalive = self.profile.keepalive
        if keepalive is None or keepalive.deadline_from is None:
            return None
        told = self.seen[keepalive.deadline_from].value
        return int(told) if isinstance(told, int | Fraction) and told > 0 else None


def literal(value: int | str | None) -> Value:
    """A value as a profile writes it: a number where it looks like one, else text."""
    if not isinstance(value, str):
        return value
    try:
        return Fraction(value)
    except ValueError:
        return value


def now_ms() -> int:
    """The box's monotonic clock."""
    return int(time.monotonic() * 1000)
