"""A reader to test against: a real pty behind a link that plays /dev/serial/by-id, and what is at its other end."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.errors import DeviceError
from drivers.readers.config import Kind, ReaderSetup
from drivers.readers.credential import Said
from drivers.readers.reader import CardReader
from drivers.readers.registry import build_reader

Answers = Callable[[bytes], list[bytes]]


def deaf(data: bytes) -> list[bytes]:
    """It never answers."""
    return []


class Far:
    """The reader's own end of the port."""

    def __init__(self, link: Path, answers: Answers) -> None:
        self.link = link
        self.answers = answers
        self.heard = b""
        self._ends: tuple[int, int] | None = None

    def plug_in(self) -> None:
        ours, theirs = os.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        self.link.symlink_to(os.ttyname(theirs))
        self._ends = ours, theirs
        asyncio.get_running_loop().add_reader(ours, self._hear)

    def unplug(self) -> None:
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            self.link.unlink()
            for end in self._ends:
                os.close(end)
            self._ends = None

    def say(self, data: bytes) -> None:
        assert self._ends is not None
        os.write(self._ends[0], data)

    def _hear(self) -> None:
        assert self._ends is not None
        data = os.read(self._ends[0], 4096)
        self.heard += data
        for said in self.answers(data):
            self.say(said)


class Near:
    """The gateway's end: what the reader has said so far, and how it ended."""

    def __init__(self, reader: CardReader, far: Far) -> None:
        self.reader = reader
        self.far = far
        self.said: list[Said] = []
        self.errors: list[DeviceError] = []

    async def listen(self) -> None:
        """Open it again each time it is gone, as the daemon does."""
        while True:
            try:
                async with aclosing(self.reader.listen()) as said:
                    async for one in said:
                        self.said.append(one)
            except DeviceError as error:
                self.errors.append(error)
            await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(1_000):
            if holds():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"did not come; said {self.said}, errors {self.errors}")

    async def hears(self, *said: Said) -> None:
        """All that was said, and no more within a moment."""
        await self.until(lambda: len(self.said) >= len(said))
        await asyncio.sleep(0.05)
        assert self.said == list(said)


@asynccontextmanager
async def at_reader(kind: Kind, folder: Path, answers: Answers = deaf, **config: Any) -> AsyncIterator[Near]:
    """A reader of `kind` on a pty, listened to, and open."""
    far = Far(folder / "reader", answers)
    reader = build_reader(ReaderSetup("r1", kind, path=str(far.link), **config))
    near = Near(reader, far)
    far.plug_in()
    task = asyncio.create_task(near.listen())
    try:
        yield near
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        far.unplug()
