"""A line to test against that speaks no protocol: chunks of bytes in, answers as told."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from protocols.fieldbus.expect import ECHO, NEED_MORE, NeedMore


@dataclass
class WordBus:
    """A pty whose far end gives `answers` to what it hears, byte for byte as it was written."""

    link: Path
    answers: Callable[[bytes], bytes] = lambda _: b""
    echo: bool = False
    heard: list[bytes] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)  # loop times
    _master: int = -1
    _tail: int = -1

    def plug_in(self) -> None:
        self._master, self._tail = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._tail)
        self.link.symlink_to(os.ttyname(self._tail))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def unplug(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        self.link.unlink()
        os.close(self._tail)
        os.close(self._master)

    async def __aenter__(self) -> WordBus:
        self.plug_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def say(self, data: bytes) -> None:
        os.write(self._master, data)

    def _read(self) -> None:
        data = os.read(self._master, 4096)
        self.heard.append(data)
        self.heard_at.append(asyncio.get_running_loop().time())
        answer = (data if self.echo else b"") + self.answers(data)
        if answer:
            self.say(answer)


class Word:
    """An `Expect` for one byte, as a current loop gives it: the echo of the question looks just like an answer."""

    shape = "word"

    def __init__(self, asked: bytes) -> None:
        self.discarded: dict[str, int] = {}
        self._asked = asked
        self._first = b""

    def feed(self, data: bytes) -> bytes | NeedMore:
        heard = self._first + data
        if heard[:1] != self._asked:
            return heard[:1]
        if len(heard) > 1:
            self.discarded[ECHO] = self.discarded.get(ECHO, 0) + 1
            return heard[1:2]
        self._first = heard
        return NEED_MORE

    def give_up(self) -> bytes | NeedMore:
        first, self._first = self._first, b""
        return first or NEED_MORE
