"""An "8A/80" XOR lock board: 24 or 32 locks, one frame that reads all their contacts.

What the board answers to "open" proves nothing, and is, for a lock whose contact is set, the very bytes of the
question. So a board is read before its first pulse on an open port: by that the line finds out whether it hears itself,
and takes its echoes away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final, Literal

import msgspec

from drivers.boards.channels import Channels, Heard
from drivers.boards.config import BoardConfig
from drivers.line import DevicePolicy, Line, Priority
from protocols.fieldbus.lock_xor import HOLD_S_MAX, LockExpect, Open, ReadAll, request_frame

POLICY: Final = DevicePolicy(timeout_s=0.3, retries=1, late_s=0.1)


class XorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """locks: how many the board has; its answers are as long as that. hold_s: the pulse; None: the board's own."""

    locks: Literal[24, 32] = 24
    hold_s: Annotated[int, msgspec.Meta(ge=1, le=HOLD_S_MAX)] | None = None


def channels_of(config: BoardConfig) -> Channels:
    """Raises door.Refused."""
    locks = range(1, config.options_as(XorOptions).locks + 1)
    return Channels(locks=locks, contacts=locks)


class XorTalk:
    """A `channels.Talk`."""

    reads_back = None

    def __init__(self, line: Line, config: BoardConfig) -> None:
        self.device = line.attach(config.id, POLICY)
        self.channels = channels_of(config)
        self.rounds = {"contacts": self._contacts}
        self._board = config.address
        self._options = config.options_as(XorOptions)

    async def set_up(self, locks: Collection[int]) -> None:
        pass

    async def open(self, lock: int) -> None:
        await self._contacts(Priority.COMMAND)
        question = Open(self._board, lock, self._options.hold_s)
        expect = LockExpect(question, channels=self._options.locks)
        await self.device.exchange(request_frame(question), expect, priority=Priority.COMMAND, retries=0)

    async def switch(self, output: int, on: bool) -> None:
        raise AssertionError("it has no outputs")

    async def _contacts(self, priority: Priority) -> Heard:
        question = ReadAll(self._board)
        expect = LockExpect(question, channels=self._options.locks)
        contacts = await self.device.exchange(request_frame(question), expect, priority=priority)
        return Heard(contacts={contact.lock: contact.closed for contact in contacts if contact.closed is not None})
