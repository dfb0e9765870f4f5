"""How is a DNY board on RS-485 heard, where nobody speaks unless polled? 9600 8N1, polled by its virtual id.

    poll(virtual id) -> whatever the board has to say, under its own id -> our answer to that; again while it has more
    request          -> its answer, now or with one of the next polls

A board with nothing to say may be silent: a poll without an answer is no fault, and is counted as `quiet`; unless it
was asked something and has not said a word since. It is out when it has missed its heartbeats; one that has been silent
for so long is asked for them.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final, NoReturn

from drivers.api import Link, LinkState
from drivers.errors import DeviceError, Garbled, LineDown, Silent
from drivers.line import DevicePolicy, Line, Priority
from drivers.ports.config import PortBoardConfig, UnixMs
from drivers.ports.dny import MISSED_BEATS, DnyBoard
from drivers.ports.dny_identity import device_of
from drivers.ports.dny_options import DnyOptions
from drivers.ports.dny_talk import Board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import DnyExpect, request
from protocols.fieldbus.dny_codes import Command
from protocols.fieldbus.dny_frames import Frame, encode_frame, poll

IN_A_ROW: Final = 16
"""Frames taken from one board before others get their turn."""
LATE_S: Final = 0.05


class DnyLineWay:
    """The way to one board on a line."""

    def __init__(self, line: Line, name: str, device: int, virtual_id: int, options: DnyOptions) -> None:
        self.device = device
        policy = DevicePolicy(
            timeout_s=options.poll_answer_s,
            retries=0,
            late_s=LATE_S,
            offline_after_s=(MISSED_BEATS + 0.5) * options.heartbeat_s,
            back_off=False,
        )
        self._on_line = line.attach(name, policy)
        self._on_line.on_silence = self._note_silence
        self._answer_s = options.answer_s
        self._owes_since: float | None = None  # monotonic: asked, and no word since
        self.where = self._on_line.where
        self._poll_s = options.poll_s
        self._poll = poll(virtual_id)
        self._board: Board | None = None
        self._last_id = 0
        self._soon = asyncio.Event()

    def lead_to(self, board: Board) -> None:
        self._board = board

    def frame(self, message: platform.Request) -> Frame:
        self._last_id = self._last_id % 0xFFFF + 1
        return request(self.device, self._last_id, message)

    async def send(self, frame: Frame) -> None:
        raw = encode_frame(frame)
        if frame.command in platform.REQUESTS and self._owes_since is None:
            self._owes_since = time.monotonic()
        if frame.command not in platform.REQUESTS or frame.command == Command.QUERY:
            await self._on_line.broadcast(raw, pause_s=0.0)
        else:
            expect = DnyExpect(frame)
            try:
                self._heard(await self._on_line.exchange(raw, expect, priority=Priority.COMMAND))
            except (Silent, Garbled):
                pass  # it may answer when it is polled
            for frame in expect.reports:
                await self._take(frame)
        self._soon.set()

    async def run(self) -> NoReturn:
        while True:
            self._soon.clear()
            try:
                await self._listen()
            except LineDown as error:
                if self._board is not None:
                    self._board.lost(error)
            except DeviceError:
                pass  # the link tells of it
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._soon.wait()
            except TimeoutError:
                continue

    def count(self, kind: str) -> None:
        self._on_line.count(kind)

    def link(self, *, out: bool) -> Link:
        """The line's own word; but a poll without an answer is no fault until it owes one, or its heartbeats."""
        link = self._on_line.link()
        well = link.state is LinkState.ONLINE and not out and not self._overdue()
        return replace(link, error=None) if well else link

    async def _listen(self) -> None:
        """Poll until it has nothing more to say."""
        for _ in range(IN_A_ROW):
            async with self._on_line.turn() as turn:
                expect = DnyExpect(self._poll, device=self.device)
                try:
                    frame = await turn.ask(encode_frame(self._poll), expect)
                except Silent:
                    return
                reply = self._heard(frame)
                if reply is not None:
                    await turn.tell(encode_frame(reply))

    async def _take(self, frame: Frame) -> None:
        reply = self._heard(frame)
        if reply is not None:
            await self._on_line.broadcast(encode_frame(reply), pause_s=0.0)

    def _note_silence(self) -> None:
        self.count("timeouts" if self._overdue() else "quiet")

    def _overdue(self) -> bool:
        """It may answer with one of the next polls, within its time."""
        return self._owes_since is not None and time.monotonic() - self._owes_since > self._answer_s

    def _heard(self, frame: Frame) -> Frame | None:
        assert self._board is not None, "a way leads to a board from its beginning"
        self._owes_since = None
        if self._on_line.on_return.is_set():
            self._on_line.on_return.clear()
            self._board.returned()
        return self._board.hear(frame)


def dny_on_line(line: Line, config: PortBoardConfig, unix_ms: UnixMs) -> DnyBoard:
    """Raises door.Refused."""
    options = config.options_as(DnyOptions)
    assert config.address is not None, "PortBoardConfig sees to it"
    way = DnyLineWay(line, config.id, device_of(config, options), config.address, options)
    return DnyBoard(config, options, way, unix_ms)
