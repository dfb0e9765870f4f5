"""A Dongjun slow-charging board on RS-485: how its ports are, and no more.

The one public source tells the question for states; the commands that start and stop a port are not known, and another
board uses the same frame with other commands. So this board is watched, never switched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NoReturn

import msgspec

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, Misconfigured, Unsupported
from drivers.line import DevicePolicy, Line, Priority
from drivers.port_board import PortOrder, PortState, PortStatus, PortTraits, Settlement
from drivers.ports.config import PortBoardConfig
from protocols.fieldbus import dongjun

STALE_POLLS: Final = 4
_STATES: Final = {
    dongjun.PortState.IDLE: PortState.IDLE,
    dongjun.PortState.BUSY: PortState.CHARGING,
    dongjun.PortState.DISABLED: PortState.OUT,
    dongjun.PortState.FAULT: PortState.FAULT,
}


class DongjunOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of `dongjun`. poll_s: between two questions. timeout_s: for an answer. power_w_max: of one port."""

    poll_s: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 1.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.02, le=10)] = 0.5
    power_w_max: Annotated[int, msgspec.Meta(ge=1, le=6_553)] = 2_000


class DongjunBoard:
    """A `drivers.port_board.PortBoard` that can only be read: what acts raises Unsupported."""

    profile_id = "dongjun"

    def __init__(self, line: Line, config: PortBoardConfig) -> None:
        """Raises door.Refused."""
        self.id = config.id
        self._options = options = config.options_as(DongjunOptions)
        self._on_line = line.attach(config.id, DevicePolicy(timeout_s=options.timeout_s))
        self._session = 0
        self._states: Mapping[int, int] = {}
        self._at_ms: int | None = None
        self._stale_ms = int(1000 * STALE_POLLS * (options.poll_s + options.timeout_s))
        self._traits = PortTraits(
            ports=config.numbers,
            doors=False,
            feels_plug=False,
            counts_energy=False,
            energy_step_wh=1,
            power_w_max=options.power_w_max,
            time_max_s=0,
        )

    @property
    def traits(self) -> PortTraits:
        return self._traits

    def link(self) -> Link:
        return self._on_line.link()

    def points(self) -> list[Point]:
        found = []
        for port, reading in self.status().items():
            text = "-" if reading.value is None else f"{reading.value.state.value} ({reading.value.reason})"
            took_ms = self._on_line.last_took_ms
            found.append(Point(f"port {port}", text, reading.quality, reading.at_ms, took_ms, "01"))
        return found

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        return {port: self._reading(port) for port in self._traits.ports}

    async def read_status(self, port: int) -> Reading[PortStatus]:
        self._there(port)
        await self._ask(Priority.COMMAND)
        return self._reading(port)

    async def start(self, port: int, order: PortOrder) -> None:
        raise self._unsupported("start")

    async def stop(self, port: int, number: bytes) -> None:
        raise self._unsupported("stop")

    def settlements(self) -> Sequence[Settlement]:
        return ()

    async def acknowledge(self, settlement: Settlement) -> None:
        raise self._unsupported("settle")

    async def open_door(self, port: int) -> None:
        raise self._unsupported("open a door")

    async def run(self) -> NoReturn:
        while True:
            try:
                await self._ask(Priority.POLL)
            except DeviceError:
                pass  # the link tells of it
            await asyncio.sleep(self._options.poll_s)

    async def _ask(self, priority: Priority) -> None:
        self._session = (self._session + 1) % 1_000_000
        question = dongjun.ask_ports(f"{self._session:06d}".encode("ascii"))
        states = await self._on_line.exchange(
            dongjun.encode_frame(question), dongjun.expect_ports(question), priority=priority
        )
        self._states, self._at_ms = dict(enumerate(states, 1)), _now_ms()

    def _reading(self, port: int) -> Reading[PortStatus]:
        code = self._states.get(port)
        if code is None or self._at_ms is None:
            return Reading(None, Quality.NONE, None)
        known = code in _STATES
        reason = f"{code:02X} {dongjun.PortState(code).name.lower()}" if known else f"{code:02X}"
        status = PortStatus(_STATES[dongjun.PortState(code)] if known else PortState.FAULT, reason)
        old = _now_ms() - self._at_ms > self._stale_ms
        return Reading(status, Quality.STALE if old else Quality.GOOD, self._at_ms)

    def _there(self, port: int) -> None:
        if port not in self._traits.ports:
            raise Misconfigured(f"there is no port {port}", where=self._on_line.where)

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(
            f"how to {what} is not known of this board",
            where=self._on_line.where,
            remedy="It is only watched. Use a DNY board, or one that its maker documents.",
        )


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
