"""A meter that speaks DL/T 645-2007: Chinese meters on a line of their own, usually 2400 baud, 8E1.

Its twelve digits are its address and stand on its plate. A meter that is alone on its line need not be named: asked as
ANYONE it tells its address, and is asked by that from then on. (facts: chargers_meters 4.)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NoReturn

from drivers.api import Link, MeterReading, MeterTraits, Point, Quality, Reading
from drivers.errors import DeviceError, Garbled, Misconfigured, Unsupported
from drivers.line import DevicePolicy, Line, Priority
from drivers.polling import Poller
from protocols.fieldbus.dlt645 import (
    REPLY_S,
    TRIES,
    Answer,
    Data,
    Fault,
    MeterExpect,
    Question,
    Refusal,
    read,
    read_address,
    request_frame,
)
from protocols.fieldbus.dlt645_frames import ANYONE, decode_address
from protocols.fieldbus.dlt645_items import (
    CURRENT_A,
    FORWARD_TOTAL,
    FREQUENCY_NOW,
    POWER_TOTAL,
    REVERSE_TOTAL,
    VOLTAGE_A,
    VOLTAGE_B,
    VOLTAGE_C,
    Unit,
    item_of,
    values,
)

PROFILE_ID: Final = "dlt645-2007"
FAST_S: Final = 1.5  # of register and power; what charging piles do
SLOW_S: Final = 60.0
STALE_MS: Final = 6_000
RESOLUTION_WH: Final = 10
REGISTER_WH_MAX: Final = 999_999_990  # eight digits, two of them decimals of a kWh

ITEMS: Final[Mapping[str, int]] = {
    "register": FORWARD_TOTAL,
    "power": POWER_TOTAL,
    "reverse register": REVERSE_TOTAL,
    "voltage A": VOLTAGE_A,
    "voltage B": VOLTAGE_B,
    "voltage C": VOLTAGE_C,
    "current A": CURRENT_A,
    "frequency": FREQUENCY_NOW,
}
"""What is read, by the name of its point."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """value: in the item's unit; None: the meter says that it does not know."""

    value: int | None
    at_ms: int
    took_ms: float
    error: str | None = None


class Dlt645Meter:
    """A `drivers.api.Meter`. Nothing is sent until `run` or `read_now`."""

    profile_id = PROFILE_ID
    traits = MeterTraits(
        billing_grade=True, resolution_wh=RESOLUTION_WH, register_wh_max=REGISTER_WH_MAX, power_w_max=None
    )

    def __init__(self, line: Line, *, id: str, address: str | None = None, poll_s: float | None = None) -> None:  # noqa: A002
        """address: twelve digits; None: the only meter on the line, whatever its address."""
        self.id = id
        self._device = line.attach(id, DevicePolicy(timeout_s=REPLY_S, retries=TRIES - 1))
        self._set_address = self._address = address
        self._fast_s = FAST_S if poll_s is None else poll_s
        self._seen: dict[str, _Seen] = {}

    def link(self) -> Link:
        return self._device.link()

    def reading(self) -> Reading[MeterReading]:
        """As last read: a stale value says so, and keeps its instant. No I/O."""
        register, power = self._seen.get("register"), self._seen.get("power")
        if register is None or register.value is None:
            return Reading(None, Quality.NONE, None if register is None else register.at_ms)
        old = _now_ms() - register.at_ms > max(STALE_MS, int(4_000 * self._fast_s))
        power_dw = None if power is None else power.value
        value = MeterReading(register.value // 10, None if power_dw is None else power_dw // 10, self._address)
        return Reading(value, Quality.STALE if old else Quality.GOOD, register.at_ms)

    def points(self) -> list[Point]:
        return [self._point(name, identifier) for name, identifier in ITEMS.items()]

    async def read_now(self) -> Reading[MeterReading]:
        await self._read("register", Priority.COMMAND)
        return self.reading()

    async def run(self) -> NoReturn:
        fast = ("register", "power")
        poller = Poller({name: self._fast_s if name in fast else SLOW_S for name in ITEMS})
        while True:
            name = await poller.next()
            if self._device.on_return.is_set():
                self._device.on_return.clear()
                self._address = self._set_address  # another meter may have taken its place
            try:
                await self._read(name, Priority.POLL)
            except DeviceError:
                pass  # the link or the point tells of it; the next poll tries again

    async def _read(self, name: str, priority: Priority) -> None:
        started = time.monotonic()
        try:
            value = await self._value(ITEMS[name], priority)
        except Unsupported as error:
            self._seen[name] = _Seen(None, _now_ms(), (time.monotonic() - started) * 1000, str(error))
            raise
        self._seen[name] = _Seen(value, _now_ms(), (time.monotonic() - started) * 1000)

    async def _value(self, identifier: int, priority: Priority) -> int | None:
        data = await self._ask(await self._who(priority), read(identifier), priority)
        found = values(identifier, data.data)
        if found is None:
            raise Garbled(f"{data.data.hex(' ')} is no value of {identifier:08X}", where=self._device.where)
        return found[0]

    async def _who(self, priority: Priority) -> str:
        """The meter's own address, asked for once where config does not name it."""
        if self._address is None:
            data = await self._ask(ANYONE, read_address(), priority)
            address = decode_address(data.data)
            if not address.isdecimal():
                raise Garbled(f"{data.data.hex(' ')} is no address", where=self._device.where)
            self._address = address
        return self._address

    async def _ask(self, address: str, question: Question, priority: Priority) -> Data:
        answer: Answer = await self._device.exchange(
            request_frame(address, question), MeterExpect(address, question), priority=priority
        )
        if isinstance(answer, Refusal):
            raise self._refused(question, answer.fault)
        return answer

    def _refused(self, question: Question, fault: Fault) -> DeviceError:
        asked = f"{int.from_bytes(question.data[:4], 'little'):08X}" if question.data else question.function.name
        said = ", ".join(one.name or "" for one in fault) or "no reason"
        if fault & Fault.PASSWORD:
            return Misconfigured(
                f"it refuses {asked}: {said}",
                where=self._device.where,
                remedy="This meter wants a password even for reading; ask its owner to lift that.",
            )
        return Unsupported(f"it refuses {asked}: {said}", where=self._device.where)

    def _point(self, name: str, identifier: int) -> Point:
        seen, item = self._seen.get(name), item_of(identifier)
        assert item is not None, name
        if seen is None:
            return Point(name, "-", Quality.NONE, None, None, f"{identifier:08X}")
        text = "-" if seen.value is None else in_words(seen.value, item.unit)
        period_s = self._fast_s if name in ("register", "power") else SLOW_S
        old = _now_ms() - seen.at_ms > 4_000 * period_s
        quality = Quality.NONE if seen.value is None else Quality.STALE if old else Quality.GOOD
        return Point(name, text, quality, seen.at_ms, seen.took_ms, f"{identifier:08X}", seen.error)


def in_words(value: int, unit: Unit) -> str:
    """A value with its unit, for a technician."""
    decimals, name = _SHOWN[unit]
    return f"{Decimal(value).scaleb(-decimals)} {name}".rstrip()


_SHOWN: Final[Mapping[Unit, tuple[int, str]]] = {
    Unit.ENERGY_DWH: (1, "Wh"),
    Unit.VOLTAGE_MV: (3, "V"),
    Unit.CURRENT_MA: (3, "A"),
    Unit.POWER_DW: (1, "W"),
    Unit.FACTOR_PERMILLE: (3, ""),
    Unit.FREQUENCY_CHZ: (2, "Hz"),
}


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
