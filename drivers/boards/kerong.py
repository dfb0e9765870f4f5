"""A KERONG CU16 or NCU16L lock board: 16 locks and 16 infrared sensors, which are its inputs.

An unlock is not answered. So the states are read before, to know that the board is there, and after, as its word that
it still is; whether the lock moved is for the sensors to say.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from drivers.boards.channels import Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.lock_kerong import LOCKS, AskStates, Unlock, expect_states, request_frame

POLICY: Final = DevicePolicy(timeout_s=0.3, retries=1, late_s=0.1)
AFTER_UNLOCK_S: Final = 0.05
CHANNELS: Final = range(1, LOCKS + 1)  # as printed; on the wire from 0


class KerongOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There are none."""


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    config.options_as(KerongOptions)
    return Channels(locks=CHANNELS, contacts=CHANNELS, inputs=CHANNELS)


class KerongTalk:
    """A `channels.Talk`. A contact is set while the lock is unlocked."""

    reads_back = None

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.device = line.attach(config.id, POLICY)
        self.channels = channels_of(config)
        self.rounds = {"states": self._states}
        self._board = config.address

    async def set_up(self, locks: Collection[int]) -> None:
        pass

    async def open(self, lock: int) -> None:
        await self._states(Priority.COMMAND)
        await self.device.broadcast(request_frame(Unlock(self._board, lock - 1)), pause_s=AFTER_UNLOCK_S)
        await self._states(Priority.COMMAND)

    async def switch(self, output: int, on: bool) -> None:
        raise AssertionError("it has no outputs")

    async def _states(self, priority: Priority) -> Heard:
        question = AskStates(self._board)
        states = await self.device.exchange(request_frame(question), expect_states(self._board), priority=priority)
        return Heard(
            contacts=dict(zip(CHANNELS, states.unlocked, strict=True)),
            inputs=dict(zip(CHANNELS, states.item, strict=True)),
        )
