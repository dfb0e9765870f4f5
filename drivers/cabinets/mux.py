"""How do several slots share one line to their packs? A relay for each connects it; never are two connected.

All packs of a fleet have the same address, so two on one line answer at once, or worse: one answers for the other.
Every reading therefore happens between a switch that was read back and the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from drivers.boards.board import Board, now_ms
from drivers.cabinets.refs import Ref
from drivers.errors import DeviceFault, Unsupported


class Mux:
    """The relays of one line. Use as `async with mux.connected(ref): ...`."""

    def __init__(self) -> None:
        self._channels: dict[Ref, Board] = {}
        self._one = asyncio.Lock()
        self._on: Ref | None = None
        self._known = False  # how the relays stand; not at the start, nor after a switch that failed

    def add(self, channel: Ref, board: Board) -> None:
        """A slot's relay."""
        self._channels[channel] = board

    @property
    def channels(self) -> Sequence[Ref]:
        return tuple(self._channels)

    @asynccontextmanager
    async def connected(self, channel: Ref, settle_s: float) -> AsyncIterator[None]:
        """That slot alone has the line until the block ends. It stays connected until another one is wanted.

        Raises DeviceError where a relay does not read back as it was switched: then nobody may be asked.
        """
        async with self._one:
            if not (self._known and self._on == channel and self._reads_so()):
                await self._connect(channel)
                await asyncio.sleep(settle_s)
            yield

    async def confirm(self, channel: Ref) -> None:
        """Whoever was silent was connected: the relays are read once more. Raises DeviceError where that is not so."""
        began_ms = now_ms()
        for board in dict.fromkeys(self._channels.values()):
            with suppress(DeviceFault, Unsupported):  # of something else that it has, or of its outputs: see below
                await board.refresh()
        told = (board.output(channel.channel).at_ms for channel, board in self._channels.items())
        if not all(at_ms is not None and at_ms >= began_ms for at_ms in told) or not self._reads_so():
            self._known = False
            raise DeviceFault(
                "it fell off while its pack was asked",
                where=str(channel),
                remedy="Look at the relay board's supply: its relays let go when that fails.",
            )

    async def _connect(self, channel: Ref) -> None:
        """Off before on. A relay that is off by its own word is left alone."""
        was_known, self._known = self._known, False
        for other, board in self._channels.items():
            if other == channel:
                continue
            if other == self._on or not was_known or board.output(other.channel).value is not False:
                await board.switch(other.channel, False)
        await self._channels[channel].switch(channel.channel, True)
        self._on, self._known = channel, True

    def _reads_so(self) -> bool:
        """By the newest words of the boards: one that was dark for a moment has forgotten its relays."""
        return all(
            board.output(channel.channel).value is (channel == self._on) for channel, board in self._channels.items()
        )
