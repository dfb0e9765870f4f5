"""A Modbus relay or input board: relays that are locks or outputs, and inputs.

A lock is a relay that is on for a short while. The board itself counts that time (Waveshare's flash-on), so that a
gateway that dies leaves no lock energised. Boards that cannot are pulsed by on and off (`pulse = "gateway"`): their
relays are then switched off when they are first seen, and after each break.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.channels import Ask, Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.boards.modbus_ask import ModbusAsk
from drivers.errors import DeviceError, DeviceFault
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.modbus import Asked, ReadBits, ReadRegisters, Space, WriteRegisters
from protocols.fieldbus.relay_board import RELAYS, STEP_MS, Pulse, Switch, pdu_of, read_inputs, read_relays

POLICY: Final = DevicePolicy(timeout_s=0.3, retries=1, late_s=0.1)
OFF_TRIES: Final = 5  # to end a pulse of ours; a relay that stays on burns its lock


class RelayOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """relays, inputs: how many the board has. pulse: who times a lock's pulse. pulse_ms: how long it is, whole steps of
    100. by: how relays are written and read: `coils`, or `registers` where each relay is a holding register, 0 or 1.
    inputs_by: `discrete` (function 2), or `input-registers` (function 4), one for each input. first_relay, first_input:
    their addresses on the wire.
    """

    relays: Annotated[int, msgspec.Meta(ge=0, le=RELAYS)] = RELAYS
    inputs: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    pulse: Literal["board", "gateway"] = "board"
    pulse_ms: Annotated[int, msgspec.Meta(ge=STEP_MS, le=5_000, multiple_of=STEP_MS)] = 500
    by: Literal["coils", "registers"] = "coils"
    inputs_by: Literal["discrete", "input-registers"] = "discrete"
    first_register: Annotated[int, msgspec.Meta(ge=0, le=65_000)] = 0
    first_input: Annotated[int, msgspec.Meta(ge=0, le=65_000)] = 0

    def __post_init__(self) -> None:
        if self.relays == 0 and self.inputs == 0:
            raise ValueError("a board has `relays` or `inputs`")
        if self.by == "registers" and self.pulse == "board" and self.relays:
            raise ValueError('a board with `by = "registers"` counts no pulse by itself: `pulse = "gateway"`')


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    options = config.options_as(RelayOptions)
    relays = range(1, options.relays + 1)
    return Channels(locks=relays, inputs=range(1, options.inputs + 1), outputs=relays, shared=True)


class RelayTalk:
    """A `channels.Talk`. Relay and input 1 are the first ones, 0 on the wire."""

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.channels = channels_of(config)
        self._options = options = config.options_as(RelayOptions)
        self._ask = ModbusAsk(line, config, POLICY)
        self.device = self._ask.device
        self.reads_back = "outputs" if options.relays else None
        inputs: dict[str, Ask] = {"inputs": self._inputs} if options.inputs else {}
        outputs: dict[str, Ask] = {"outputs": self._outputs} if options.relays else {}
        self.rounds = inputs | outputs

    async def set_up(self, locks: Collection[int]) -> None:
        if self._options.pulse == "gateway":
            for relay in locks:
                await self._ask(self._order(relay, False), f"relay {relay} off")

    async def open(self, lock: int) -> None:
        if self._options.pulse == "board":
            pdu = pdu_of(Pulse(lock - 1, self._options.pulse_ms))
            await self._ask(pdu, f"relay {lock} for {self._options.pulse_ms} ms", retries=0)
            return
        try:
            await self._ask(self._order(lock, True), f"relay {lock} on", retries=0)
            await asyncio.sleep(self._options.pulse_ms / 1000)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._let_go(lock)))

    async def switch(self, output: int, on: bool) -> None:
        await self._ask(self._order(output, on), f"relay {output}")

    async def _let_go(self, relay: int) -> None:
        """Off, whatever became of the pulse. Raises DeviceFault when the board takes no word any more."""
        failed: DeviceError | None = None
        for _ in range(OFF_TRIES):
            try:
                await self._ask(self._order(relay, False), f"relay {relay} off")
            except DeviceError as error:
                failed = error
            else:
                return
        self.device.on_return.set()  # the next poll that finds it switches it off
        raise DeviceFault(
            f"relay {relay} was switched on for a pulse and may still be on: {failed}",
            where=self.device.where,
            remedy="Switch the board's supply off; use a board that times pulses by itself.",
        ) from failed

    def _order(self, relay: int, on: bool) -> Asked:
        if self._options.by == "coils":
            return pdu_of(Switch(relay - 1, on))
        return WriteRegisters(self._options.first_register + relay - 1, (int(on),), single=True)

    async def _outputs(self, priority: Priority) -> Heard:
        count = self._options.relays
        if self._options.by == "coils":
            bits = (await self._ask(read_relays(count), "relays", priority)).bits
        else:
            pdu = ReadRegisters(Space.HOLDING, self._options.first_register, count)
            bits = tuple(value != 0 for value in (await self._ask(pdu, "relays", priority)).registers)
        return Heard(outputs=dict(enumerate(bits, start=1)))

    async def _inputs(self, priority: Priority) -> Heard:
        count, first = self._options.inputs, self._options.first_input
        if self._options.inputs_by == "discrete":
            pdu = ReadBits(Space.DISCRETE, first, count) if first else read_inputs(count)
            bits = (await self._ask(pdu, "inputs", priority)).bits
        else:
            registers = ReadRegisters(Space.INPUT, first, count)
            bits = tuple(value != 0 for value in (await self._ask(registers, "inputs", priority)).registers)
        return Heard(inputs=dict(enumerate(bits, start=1)))
