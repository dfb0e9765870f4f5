"""When is which pack of a cabinet asked, and what did it last say?

Packs are asked one after the other on each line, and lines beside each other. A slot whose presence switch changes is
asked at once; one that has been silent and is empty by its switch, less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, NoReturn

from drivers.boards.board import now_ms
from drivers.cabinet import PackWord
from drivers.cabinets.mux import Mux
from drivers.cabinets.refs import Ref
from drivers.errors import DeviceError, DeviceFault, Garbled, Silent, Unsupported
from drivers.packs.link import PackLink, Vacant
from protocols.fieldbus.pack import PackReading

EMPTY_PERIODS: Final = 3


class SlotPack:
    """The pack of one slot, as last heard. Everything that asks raises nothing: what came of it is in here.

    reading: None: the last time it was asked, it did not say; word: why. at_ms: when it last did. asked_ms: when it was
    last asked. faults: answers in a row that were out of range or failed their sum. error: of the last time.
    gone: whether the slot's other sensors say that no pack can answer just now; None: they do not say.
    """

    def __init__(
        self, link: PackLink, mux: Mux | None = None, channel: Ref | None = None, settle_s: float = 0, line: str = ""
    ) -> None:
        """mux, channel: how the pack is connected to a line that slots share; None: it is its own. line: its id."""
        self.link = link
        self.line = line
        self.reading: PackReading | None = None
        self.word = PackWord.UNASKED
        self.at_ms: int | None = None
        self.asked_ms: int | None = None
        self.faults = 0
        self.error: DeviceError | None = None
        self.due_at = 0.0  # loop time
        self.gone: Callable[[], bool | None] = _unknown
        self._here = False  # it has answered since its slot last moved
        self._mux = mux
        self._channel = channel
        self._settle_s = settle_s
        self._one = asyncio.Lock()

    async def read(self, *, anew: bool = False) -> None:
        """Ask it now, after whoever is asked just now. anew: its name as well, which is else believed for a while."""
        async with self._one:
            if anew:
                self.link.forget()
            asked_ms = now_ms()
            try:
                async with self._connected():
                    await self._ask()
            except DeviceError as error:  # its relay: whatever was heard was not surely this slot's
                self.reading, self.word, self.asked_ms, self.error = None, PackWord.DEAD, asked_ms, error

    def moved(self) -> None:
        """Its door or its presence switch has moved: another pack may be here, or none."""
        self._here = False
        self.link.forget()

    async def wake(self) -> None:
        """Send it what wakes it, where that is a frame. Raises DeviceError when that cannot be sent."""
        async with self._one, self._connected():
            await self.link.wake()

    async def _ask(self) -> None:
        """Raises DeviceError when it was silent, and its relay does not read back as switched."""
        asked_ms = now_ms()
        try:
            reading = await self.link.read()
        except DeviceError as error:
            word = _word(error)
            self.link.judge(expected=not self._should_have_answered(word))
            if word is PackWord.SILENT and self._mux is not None and self._channel is not None:
                await self._mux.confirm(self._channel)
            self.reading, self.word, self.asked_ms, self.error = None, word, asked_ms, error
            self.faults += isinstance(error, DeviceFault | Garbled)
        else:
            self.link.judge(expected=True)  # it slept at first, or does not know all that it was asked
            self.reading, self.word, self.asked_ms, self.error = reading, PackWord.SAID, asked_ms, None
            self.at_ms, self.faults, self._here = now_ms(), 0, True

    def _should_have_answered(self, word: PackWord) -> bool:
        """Where no sensor says what is in the slot, a pack is there that has answered since it was last open."""
        if word is PackWord.SILENT:
            gone = self.gone()
            return self._here if gone is None else not gone
        return word is PackWord.DEAD

    def _connected(self) -> AbstractAsyncContextManager[None]:
        if self._mux is None or self._channel is None:
            return nullcontext()
        return self._mux.connected(self._channel, self._settle_s)


class PackRounds:
    """Asks the packs on one line in turn, each `period_s` after the last time, or as fast as the line allows."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._packs: dict[SlotPack, Callable[[], bool]] = {}
        self._sooner = asyncio.Event()

    def add(self, pack: SlotPack, empty: Callable[[], bool]) -> None:
        """empty: whether the slot's presence switch says just now that nothing is in it."""
        self._packs[pack] = empty

    def due_now(self, pack: SlotPack) -> None:
        """Something has changed in its slot."""
        pack.due_at = 0.0
        self._sooner.set()

    async def run(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            pack = min(self._packs, key=lambda pack: pack.due_at)
            self._sooner.clear()
            wait_s = pack.due_at - loop.time()
            if wait_s > 0:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._sooner.wait()
                except TimeoutError:
                    pass
                continue
            pack.due_at = due_at = loop.time() + self._period_s
            await pack.read()
            if pack.reading is None and self._packs[pack]() and pack.due_at == due_at:
                pack.due_at = loop.time() + self._period_s * EMPTY_PERIODS


def _unknown() -> None:
    """Nobody says."""


def _word(error: DeviceError) -> PackWord:
    """What a question that failed says of the pack."""
    match error:
        case Vacant():
            return PackWord.VACANT
        case Silent():
            return PackWord.SILENT
        case Garbled() | DeviceFault() | Unsupported():
            return PackWord.NOISE
        case _:  # the line is down, its queue is full, or the slot's board is silent
            return PackWord.DEAD
