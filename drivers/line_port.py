"""How are bytes put on a serial port or TCP connection, and how do we learn that it is gone?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import serial_asyncio_fast

from drivers.line_config import LineConfig
from drivers.line_serial import open_serial

CLOSE_S: Final = 1.0  # closing a port whose adapter hangs must not hang us


class Port(asyncio.Protocol):
    """An open port. `received` gets every byte; `lost` is called once, with the reason in words, when it is gone."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[Port, str], None]) -> None:
        self._received = received
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self.ready = asyncio.Event()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self.ready.set()

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._lost(self, str(exc) if exc is not None else "closed by the other side")

    def write(self, frame: bytes) -> None:
        """Start sending; does not wait."""
        assert self._transport is not None
        self._transport.write(frame)

    def pull(self) -> bool:
        """Fetch what the system holds already, so that nothing old is taken for the answer to what is sent next.

        True: there was something, and `received` has it now.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        port = self._transport.get_extra_info("serial")
        try:
            if port is not None and port.in_waiting:
                self._received(port.read(port.in_waiting))
                return True
        except OSError:
            pass  # the port is going; the loop reports it through connection_lost in a moment
        return False

    async def close(self) -> None:
        """Close at once. Returns when the port can be opened again, at the latest after CLOSE_S."""
        if self._transport is not None:
            self._transport.abort()
        await asyncio.wait([self._gone], timeout=CLOSE_S)


async def open_port(
    config: LineConfig,
    received: Callable[[bytes], None],
    lost: Callable[[Port, str], None],
    strict: bool = False,
) -> Port:
    """Open what `config` names. strict: characters with a wrong parity are dropped. Raises OSError."""
    loop = asyncio.get_running_loop()
    port = Port(received, lost)
    try:
        async with asyncio.timeout(config.connect_timeout_s):
            if config.host is not None:
                await loop.create_connection(lambda: port, config.host, config.port)
                return port
            opened = await loop.run_in_executor(None, open_serial, config, strict)
            await serial_asyncio_fast.connection_for_serial(loop, lambda: port, opened)
            await port.ready.wait()
    except TimeoutError as error:
        raise OSError(f"no connection within {config.connect_timeout_s} s") from error
    return port
