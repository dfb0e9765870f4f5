"""A driver to copy, for a device that does not speak Modbus. (Modbus devices need no driver, only a profile.)

It drives a meter with a protocol of one question: `?` and a line end, answered by the register and the power in
decimal, `12345 Wh 2300 W` and a line end. Copy this file, put the real protocol into `protocols/fieldbus/` with both
its roles, and add the driver to `registry.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Hashable
from typing import Final, NoReturn

from drivers.api import Link, MeterReading, MeterTraits, Point, Quality, Reading
from drivers.errors import DeviceError
from drivers.line import Line, Priority
from drivers.polling import Poller
from protocols.fieldbus.expect import NEED_MORE, NOISE, NeedMore

QUESTION: Final = b"?\r\n"
PERIOD_S: Final = 1.0
STALE_MS: Final = 4000
_ANSWER = re.compile(rb"(\d{1,12}) Wh (\d{1,6}) W\r\n")
_LONGEST = 64  # bytes; more without an answer in them is noise


class BlueprintExpect:
    """Finds the answer in whatever arrives; an `expect.Expect`. Never raises on anything that comes off a wire."""

    shape: Hashable = "blueprint"  # its answers cannot be told apart

    def __init__(self) -> None:
        self.discarded: dict[str, int] = {}
        self._buffer = bytearray()

    def feed(self, data: bytes) -> MeterReading | NeedMore:
        self._buffer += data
        found = _ANSWER.search(bytes(self._buffer))
        if found is not None:
            self._throw_away(found.start())
            self._buffer.clear()
            return MeterReading(register_wh=int(found[1]), power_w=int(found[2]))
        self._throw_away(max(0, len(self._buffer) - _LONGEST))
        return NEED_MORE

    def give_up(self) -> MeterReading | NeedMore:
        self._throw_away(len(self._buffer))
        return NEED_MORE

    def _throw_away(self, count: int) -> None:
        if count:
            self.discarded[NOISE] = self.discarded.get(NOISE, 0) + count
            del self._buffer[:count]


class BlueprintMeter:
    """A `drivers.api.Meter`. Nothing is sent until `run` or `read_now`."""

    profile_id = "blueprint"
    traits = MeterTraits(billing_grade=False, resolution_wh=1, register_wh_max=None, power_w_max=None)

    def __init__(self, line: Line, *, id: str) -> None:  # noqa: A002
        self.id = id
        self._device = line.attach(id)
        self._value: MeterReading | None = None
        self._at_ms: int | None = None
        self._took_ms: float | None = None

    def link(self) -> Link:
        return self._device.link()

    def reading(self) -> Reading[MeterReading]:
        """As last read: a stale value says so, and keeps its instant. No I/O."""
        if self._value is None or self._at_ms is None:
            return Reading(None, Quality.NONE, self._at_ms)
        old = _now_ms() - self._at_ms > STALE_MS
        return Reading(self._value, Quality.STALE if old else Quality.GOOD, self._at_ms)

    def points(self) -> list[Point]:
        quality, value = self.reading().quality, self._value
        shown = ("-", "-") if value is None else (f"{value.register_wh} Wh", f"{value.power_w} W")
        names = ("register", "power")
        return [
            Point(name, text, quality, self._at_ms, self._took_ms, where="the answer to ?")
            for name, text in zip(names, shown, strict=True)
        ]

    async def read_now(self) -> Reading[MeterReading]:
        await self._read(Priority.COMMAND)
        return self.reading()

    async def run(self) -> NoReturn:
        poller = Poller({"all": PERIOD_S})
        while True:
            await poller.next()
            if self._device.on_return.is_set():
                self._device.on_return.clear()  # a device that forgets would be set up here
            try:
                await self._read(Priority.POLL)
            except DeviceError:
                pass  # the link tells of it; the next poll tries again

    async def _read(self, priority: Priority) -> None:
        started = time.monotonic()
        self._value = await self._device.exchange(QUESTION, BlueprintExpect(), priority=priority)
        self._at_ms = _now_ms()
        self._took_ms = (time.monotonic() - started) * 1000


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
