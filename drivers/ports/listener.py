"""Who may connect to us, how many at a time, and what becomes of a caller that says nothing or will not listen?

A `Listener` owns one TCP port. What callers say is the matter of its `Switchboard`, one for each protocol.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from ipaddress import ip_address, ip_network
from typing import Any, Final, NoReturn, Protocol

import structlog

from drivers.errors import LineDown
from drivers.line_meter import LineMeter, LineStats
from drivers.ports.config import ListenerConfig
from drivers.ports.strangers import Strangers

log = structlog.get_logger()

READ_MAX: Final = 4096
UNSENT_MAX: Final = 64 * 1024  # bytes that wait for one caller; who takes no more is cut off
REOPEN_MIN_S: Final = 0.2
REOPEN_MAX_S: Final = 10.0
TURNED_AWAY_LOG_S: Final = 60.0  # a stranger that keeps calling is told of this often


class Switchboard(Protocol):
    """What a protocol does with callers."""

    @property
    def strangers(self) -> Strangers:
        """Callers that were nobody's."""
        ...

    async def serve(self, caller: Caller) -> None:
        """Talk to it until it ends; the connection is closed when this returns. Cancelled when the port closes."""
        ...


class Caller:
    """One connection. peer: its address in words."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, config: ListenerConfig) -> None:
        name: Any = writer.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if name else "?"
        self.known = False  # whether it has said which board it is; until then it has `greeting_s`
        self._reader = reader
        self._writer = writer
        self._config = config
        self._until = asyncio.get_running_loop().time() + config.greeting_s

    async def receive(self) -> bytes:
        """What it says next. b"": it has ended, has said nothing for too long, or is nobody we know."""
        until = asyncio.get_running_loop().time() + self._config.silence_s if self.known else self._until
        try:
            async with asyncio.timeout_at(until):
                return await self._reader.read(READ_MAX)
        except (TimeoutError, OSError):
            return b""

    def send(self, data: bytes) -> None:
        """Put it on its way. Raises LineDown for a connection that is gone or takes nothing any more."""
        transport = self._writer.transport
        if transport.is_closing():
            raise LineDown(f"{self.peer} has hung up", where=self._config.id)
        if transport.get_write_buffer_size() > UNSENT_MAX:
            transport.abort()
            raise LineDown(f"{self.peer} takes nothing any more", where=self._config.id)
        self._writer.write(data)

    def hang_up(self) -> None:
        """End it now. Repeating it is harmless."""
        self._writer.transport.abort()


class Listener:
    """One TCP port that boards connect to. Keep `run()` in a task."""

    def __init__(self, config: ListenerConfig, switchboard: Switchboard, tls: ssl.SSLContext | None = None) -> None:
        """No I/O. tls: None: callers speak in the clear."""
        self.config = config
        self.id = config.id
        self.switchboard = switchboard
        self._tls = tls
        self.port: int | None = None  # once open; what the system chose where the config says 0
        self._server: asyncio.Server | None = None
        self._calls: dict[asyncio.Task[None], Caller] = {}
        self._peers = [ip_network(peer) for peer in config.peers]
        self._meter = LineMeter()
        self._error: LineDown | None = None
        self._told_at: float | None = None
        self.turned_away = 0  # callers that were refused: not among `peers`, or too many at a time

    @property
    def up(self) -> bool:
        """Whether the port is open."""
        return self._server is not None

    @property
    def stalled_s(self) -> float:
        """It never waits for one caller while another calls."""
        return 0.0

    @property
    def calls(self) -> int:
        """Connections that are open."""
        return len(self._calls)

    def stats(self) -> LineStats:
        """How it does, as of now. queue_depth: connections. error: what keeps it shut, or who calls and is nobody's."""
        error = self.switchboard.strangers.words()
        if self._error is not None:
            error = f"{self._error}. {self._error.remedy}"
        return self._meter.stats(up=self.up, error=error, queue_depth=self.calls)

    async def run(self) -> NoReturn:
        """Keep the port open until cancelled; then every connection is closed."""
        pause_s = REOPEN_MIN_S
        try:
            while True:
                try:
                    port = self.config.port if self.port is None else self.port
                    self._server = await asyncio.start_server(
                        self._called,
                        self.config.host,
                        port,
                        ssl=self._tls,
                        ssl_handshake_timeout=None if self._tls is None else self.config.greeting_s,
                    )
                except OSError as error:
                    self._error = LineDown(
                        f"{self.config.where}: {error}",
                        where=self.id,
                        remedy="Check that the box has this address, and that nothing else uses the port.",
                    )
                    await asyncio.sleep(pause_s)
                    pause_s = min(REOPEN_MAX_S, pause_s * 2)
                    continue
                self.port = int(self._server.sockets[0].getsockname()[1])
                self._error = None
                self._meter.opened += 1
                await asyncio.get_running_loop().create_future()  # until cancelled
        finally:
            await self._close()

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        calls = dict(self._calls)
        for task, caller in calls.items():
            task.cancel()
            caller.hang_up()
        if calls:
            await asyncio.wait(calls)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        caller = Caller(reader, writer, self.config)
        if (why := self._refusal(caller)) is not None:
            self._turn_away(caller, why)
            return
        self._calls[task] = caller
        try:
            await self.switchboard.serve(caller)
        except (LineDown, OSError) as error:
            log.info("connection lost", listener=self.id, peer=caller.peer, error=str(error))
        except asyncio.CancelledError:  # the port is being closed
            pass
        finally:
            del self._calls[task]
            writer.close()

    def _refusal(self, caller: Caller) -> str | None:
        if len(self._calls) >= self.config.connections_max:
            return f"{self.config.connections_max} connections are open already"
        address = ip_address(caller.peer.rpartition(":")[0])
        if self._peers and not any(address in peer for peer in self._peers):
            return "its address is not among `peers`"
        return None

    def _turn_away(self, caller: Caller, why: str) -> None:
        caller.hang_up()
        self.turned_away += 1
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= TURNED_AWAY_LOG_S:
            self._told_at = now
            log.warning("turned away", listener=self.id, peer=caller.peer, why=why, so_far=self.turned_away)
