"""How is a DNY board asked, over whatever way leads to it? One request at a time, and once more if it is lost.

The way carries frames; whether it is a TCP connection or a line that is polled makes no difference here. An answer is
known by its message id and command, whenever and however it comes.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from drivers.api import Link
from drivers.errors import DeviceError, Silent
from drivers.ports.dny_options import DnyOptions
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import RESENDS
from protocols.fieldbus.dny_frames import Frame


class Board(Protocol):
    """Who is at our end of a way."""

    def hear(self, frame: Frame) -> Frame | None:
        """The board said this. What is to be answered at once, if anything."""
        ...

    def lost(self, error: DeviceError) -> None:
        """The way has ended; what was asked on it is not answered any more."""
        ...

    def returned(self) -> None:
        """The board is back after a break, or there for the first time."""
        ...


class Way(Protocol):
    """What leads to one board. where: it in words, for errors. device: the board's number in frames."""

    @property
    def where(self) -> str: ...
    @property
    def device(self) -> int: ...

    def lead_to(self, board: Board) -> None:
        """Who hears what comes along it. Called once, before anything else."""
        ...

    def frame(self, message: platform.Request) -> Frame:
        """The frame that asks, with a message id of its own."""
        ...

    async def send(self, frame: Frame) -> None:
        """Put it on its way. The answer to a request is heard, not returned. Raises LineDown."""
        ...

    async def run(self) -> None:
        """Keep the way open, until cancelled."""
        ...

    def count(self, kind: str) -> None:
        """Of what is told with `link`."""
        ...

    def link(self, *, out: bool) -> Link:
        """How it goes. out: the board has missed its heartbeats."""
        ...


class DnyTalk:
    """Requests to one board, in turn."""

    def __init__(self, way: Way, options: DnyOptions) -> None:
        self.where = way.where
        self._way = way
        self._answer_s = options.answer_s
        self._gap_s = options.gap_s
        self._turn = asyncio.Lock()
        self._free_at = 0.0
        self._asked: Frame | None = None
        self._answer: asyncio.Future[board.Answer] | None = None

    async def ask(self, message: platform.Request) -> board.Answer:
        """The board's answer. Raises Silent after the second try, and LineDown. Then it is open what was done."""
        return (await self.ask_counting(message))[0]

    async def ask_counting(self, message: platform.Request) -> tuple[board.Answer, int]:
        """The same, and after how many tries: the board may have done it at one whose answer was lost."""
        async with self._turn:
            await self._rest()
            frame = self._way.frame(message)
            self._asked, self._answer = frame, asyncio.get_running_loop().create_future()
            try:
                for tries in range(1, 2 + RESENDS):
                    await self._send(frame)
                    done, _ = await asyncio.wait([self._answer], timeout=self._answer_s)
                    if done:
                        return self._answer.result(), tries
            finally:
                if self._answer.done() and not self._answer.cancelled():
                    self._answer.exception()  # it may have failed when nobody looked any more
                self._asked = self._answer = None
        self._way.count("timeouts")
        what = f"no answer to {type(message).__name__} within {self._answer_s:g} s, twice"
        raise Silent(
            what, where=self.where, remedy="Check the board's power and connection; its port shows what it does."
        )

    async def query(self) -> None:
        """Ask it to register and to say how its ports are; both come as reports. Raises LineDown."""
        async with self._turn:
            await self._rest()
            await self._send(self._way.frame(platform.Query()))

    def heard(self, frame: Frame, message: board.Answer) -> bool:
        """An answer came. False: nobody waits for it."""
        asked, answer = self._asked, self._answer
        if asked is None or answer is None or answer.done():
            return False
        if (asked.message_id, asked.command) != (frame.message_id, frame.command):
            return False
        answer.set_result(message)
        return True

    def fail(self, error: DeviceError) -> None:
        """Nothing more comes along this way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    async def _rest(self) -> None:
        await asyncio.sleep(max(0.0, self._free_at - asyncio.get_running_loop().time()))

    async def _send(self, frame: Frame) -> None:
        try:
            await self._way.send(frame)
        finally:
            self._free_at = asyncio.get_running_loop().time() + self._gap_s
