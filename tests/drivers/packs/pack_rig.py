"""A slot to test against: a real pty, and whatever pack the test plugs into it, byte for byte."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from drivers.line import Line, LineConfig
from drivers.packs.bms import BmsLink
from drivers.packs.config import PackLinkConfig
from drivers.packs.registry import build_pack_link
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.pack import PackReading

Hears = Callable[[bytes], list[bytes]]
"""What arrives -> what the pack says to it."""


def silent(data: bytes) -> list[bytes]:
    """An empty slot."""
    return []


class Script:
    """A pack of recorded frames: each question has its answers, in turn, the last one for ever."""

    def __init__(self, dialogue: str) -> None:
        """dialogue: lines of `>>` and `<<` with hexadecimal digits; what stands behind three blanks is a remark."""
        self.answers: dict[bytes, list[bytes]] = {}
        self.heard: list[bytes] = []
        self._pending = b""
        for line in dialogue.strip().splitlines():
            mark, rest = line.strip()[:2], line.strip()[3:].split("   ")[0]
            data = rest.encode() + b"\r" if rest.startswith("~") else bytes.fromhex(rest)
            if mark == ">>":
                question = data
                self.answers.setdefault(question, [])
            else:
                self.answers[question].append(data)

    def __call__(self, data: bytes) -> list[bytes]:
        self._pending += data
        for question, answers in self.answers.items():
            if self._pending == question:
                self._pending = b""
                self.heard.append(question)
                return [answers[0] if len(answers) == 1 else answers.pop(0)] if answers else []
        if not any(question.startswith(self._pending) for question in self.answers):
            self.heard.append(self._pending)
            self._pending = b""
        return []


class Mouth:
    """A pack that speaks a protocol's other role. ear: its `hunt.Ear`. says: a request -> its frames."""

    def __init__(self, ear: Any, says: Callable[[Any], list[bytes]]) -> None:
        self._ear, self._says = ear, says
        self.heard: list[Any] = []

    def __call__(self, data: bytes) -> list[bytes]:
        self._ear.receive_data(data)
        said: list[bytes] = []
        while (request := self._ear.next_event()) is not NEED_MORE:
            self.heard.append(request)
            said += self._says(request)
        return said


class Slot:
    """The gateway's link, and the pack behind the pty, which may be changed at any time."""

    def __init__(self, pack: Hears) -> None:
        self.pack = pack
        self.link: BmsLink
        self.master = -1

    async def read(self) -> PackReading:
        return await asyncio.wait_for(self.link.read(), 20)

    def _hear(self) -> None:
        for frame in self.pack(os.read(self.master, 4096)):
            os.write(self.master, frame)


@asynccontextmanager
async def slot(pack: Hears, protocol: str, **config: Any) -> AsyncIterator[Slot]:
    """A link of `protocol` to `pack`, on a line of its own."""
    master, tail = os.openpty()
    tty.setraw(master)
    tty.setraw(tail)
    it = Slot(pack)
    it.master = master
    wanted = PackLinkConfig(protocol=protocol, line="s1", **config)  # type: ignore[arg-type]  # tests try any
    baud = wanted.wire.bauds[0]
    loop = asyncio.get_running_loop()
    loop.add_reader(master, it._hear)
    try:
        async with Line(LineConfig(id="s1", path=os.ttyname(tail), baud=baud)) as line:
            it.link = build_pack_link(wanted, line, "slot-1")
            yield it
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(tail)
