"""Xunming's Modbus boards for swap cabinets: 16 locks, or 8 locks with 8 charger relays.

The vendor's pages tell no register that reads anything back. What is asked to see whether the board is there is
"energise lock 1 no more", which changes nothing between pulses; a board that was found to answer function 1 may be told
so (`read_back`), and then says how its charger relays stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.channels import NONE, Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.boards.modbus_ask import ModbusAsk
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.lock_xunming import BAYS, HOLD_MS_MAX, LOCKS, Charger, Lock, pdu_of
from protocols.fieldbus.modbus import ReadBits, Space

POLICY: Final = DevicePolicy(timeout_s=0.3, retries=1, late_s=0.1)
PULSE_MS: Final = 500
FIRST_CHARGER_COIL: Final = 201


class XunmingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """model: `locks-16`, or `bays-8`: the mainboard. hold_ms: how long a lock is energised. read_back: this board
    answers function 1 at its charger coils, as seen at commissioning; no page of the vendor says so.
    """

    model: Literal["locks-16", "bays-8"] = "locks-16"
    hold_ms: Annotated[int, msgspec.Meta(ge=50, le=min(HOLD_MS_MAX, 10_000))] = PULSE_MS
    read_back: bool = False


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    options = config.options_as(XunmingOptions)
    bays = range(1, BAYS + 1)
    if options.model == "locks-16":
        return Channels(locks=range(1, LOCKS + 1))
    return Channels(locks=bays, outputs=bays, reads_outputs=options.read_back)


class XunmingTalk:
    """A `channels.Talk`."""

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.channels = channels_of(config)
        self._options = config.options_as(XunmingOptions)
        self._ask = ModbusAsk(line, config, POLICY)
        self.device = self._ask.device
        reads = self.channels.reads_outputs and self.channels.outputs != NONE
        self.reads_back = "relays" if reads else None
        self.rounds = {"relays": self._relays} if reads else {"presence": self._rest}
        self._pulse_over = 0.0
        self._one = asyncio.Lock()  # so that no `_rest` is on its way when a pulse begins

    async def set_up(self, locks: Collection[int]) -> None:
        pass

    async def open(self, lock: int) -> None:
        hold_ms = self._options.hold_ms
        async with self._one:
            try:
                await self._ask(pdu_of(Lock(lock, hold_ms)), f"lock {lock} for {hold_ms} ms", retries=0)
            finally:  # it may have heard what it did not answer
                self._pulse_over = asyncio.get_running_loop().time() + hold_ms / 1000

    async def switch(self, output: int, on: bool) -> None:
        await self._ask(pdu_of(Charger(output, on)), f"charger {output}")

    async def _rest(self, priority: Priority) -> Heard:
        """Not during a pulse, which this would end."""
        async with self._one:
            if asyncio.get_running_loop().time() >= self._pulse_over:
                await self._ask(pdu_of(Lock(1, Lock.OFF)), "lock 1 off", priority)
        return Heard()

    async def _relays(self, priority: Priority) -> Heard:
        answer = await self._ask(ReadBits(Space.COIL, FIRST_CHARGER_COIL, BAYS), "charger relays", priority)
        return Heard(outputs=dict(enumerate(answer.bits, start=1)))
