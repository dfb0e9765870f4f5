"""A line that anything may hang on: bytes in, bytes out, paced on a pty or unpaced on TCP. Knows no protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from drivers.twins.faults import Piece
from drivers.twins.pty import BITS_PER_CHARACTER, SlowPty, sleep_until
from drivers.twins.wire import WireStats

_GAP_CHARACTERS = 10  # a line idle for longer has forgotten half a frame; every protocol here waits longer to ask again
_GAP_S_MIN = 0.020  # a pty chunk may be late


class Party(Protocol):
    """Whoever hears the line."""

    def hear(self, data: bytes) -> Sequence[Piece]:
        """Any chunk of what the host says, to all addresses. Nothing: nothing to say, or not yet."""
        ...

    def silence(self) -> None:
        """The line was idle for longer than a frame allows: what was heard in part is lost."""
        ...


class RawWire:
    """`async with RawWire(parties) as wire:` serves `wire.port` until the block ends.

    pty: paced at `baud` with `bits` per character, a symlink at `link` if given. tcp: not paced, `host:port`; port 0:
    the system chooses. echo: everything the host says comes back to it, as from a current loop or a two-wire adapter.
    tick: called every `tick_s`, so that the world goes on while nobody asks.
    """

    def __init__(
        self,
        parties: Sequence[Party],
        *,
        kind: Literal["pty", "tcp"] = "pty",
        baud: int = 9600,
        bits: int = BITS_PER_CHARACTER,
        link: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        echo: bool = False,
        tick: Callable[[], None] | None = None,
        tick_s: float = 0.020,
    ) -> None:
        self.parties = tuple(parties)
        self._tick_what, self._tick_s = tick, tick_s
        self.kind = kind
        self.baud = baud
        self.echo = echo
        self.stats = WireStats()
        self._address = (host, port)
        self._pty = SlowPty(self._on_bytes, baud=baud, bits=bits, link=link)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard_s = 0.0  # when the last byte from the host had arrived

    @property
    def port(self) -> str:
        """What a gateway opens: a path, or `host:port`."""
        return self._pty.port if self.kind == "pty" else f"{self._address[0]}:{self._address[1]}"

    async def open(self) -> None:
        if self.kind == "pty":
            self._pty.open()
        else:
            self._server = await asyncio.start_server(self._client, *self._address)
            self._address = (self._address[0], int(self._server.sockets[0].getsockname()[1]))
        if self._tick_what is not None:
            self._spawn(self._tick(self._tick_what))

    async def close(self) -> None:
        """Take the line down. `open` puts it back where it was, but for the name of a pty without a link."""
        self._pty.deafen()
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._clients):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        self._pty.close()

    async def __aenter__(self) -> RawWire:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _on_bytes(self, data: bytes) -> None:
        """From the pty: heard once the last bit would have arrived, in the order in which it came."""
        now_s = asyncio.get_running_loop().time()
        fell_silent = now_s - self._heard_s > max(_GAP_S_MIN, self._pty.wire_time_us(_GAP_CHARACTERS) / 1e6)
        self._heard_s = max(now_s, self._heard_s) + self._pty.wire_time_us(len(data)) / 1e6
        self._spawn(self._listen(data, self._heard_s, fell_silent))

    async def _listen(self, data: bytes, heard_s: float, fell_silent: bool) -> None:
        await sleep_until(heard_s)
        if fell_silent:
            self._silence()
        self.stats.wire_us += self._pty.wire_time_us(len(data))
        if self.echo:
            self._spawn(self._talk([Piece(data)], heard_s))
        for pieces in self._answers(data):
            self._spawn(self._talk(pieces, heard_s))

    async def _talk(self, pieces: Sequence[Piece], heard_s: float) -> None:
        ready_s = heard_s + pieces[0].after_us / 1e6
        await sleep_until(ready_s)
        self.stats.answered(*await self._pty.talk(pieces, ready_s))

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """On TCP every client is on the same line; each hears the answers to what it said itself."""
        me = asyncio.current_task()
        assert me is not None
        self._tasks.add(me)
        self._clients.add(writer)
        try:
            while data := await reader.read(4096):
                if self.echo:
                    writer.write(data)
                for pieces in self._answers(data):
                    self._spawn(self._write(pieces, writer))
        except (ConnectionError, asyncio.CancelledError):  # the gateway left, or the wire is being closed
            pass
        finally:
            self._silence()
            self._clients.discard(writer)
            self._tasks.discard(me)
            writer.close()

    async def _write(self, pieces: Sequence[Piece], writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            if piece.after_us:
                await asyncio.sleep(piece.after_us / 1e6)
            if writer.is_closing():
                return
            writer.write(piece.data)
        self.stats.answers += 1

    def _answers(self, data: bytes) -> list[Sequence[Piece]]:
        """What everybody says to it. Two may speak at once: then their bytes follow each other."""
        self.stats.requests += 1
        answers = [pieces for party in self.parties if (pieces := party.hear(data))]
        self.stats.unheard += not answers
        return answers

    def _silence(self) -> None:
        for party in self.parties:
            party.silence()

    async def _tick(self, what: Callable[[], None]) -> None:
        while True:
            what()
            await asyncio.sleep(self._tick_s)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a twin failed to answer", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
