"""How are bytes heard from a reader, and said to one? A serial port of its own, or a descriptor given to the daemon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import serial_asyncio_fast
from serial import SerialException

from drivers.errors import LineDown
from drivers.readers.config import ReaderSetup

CHUNK: Final = 4096


@asynccontextmanager
async def opened(setup: ReaderSetup) -> AsyncIterator[ReaderPort]:
    """The reader's port, closed at the end. Raises LineDown."""
    port = await ReaderPort.open(setup)
    try:
        yield port
    finally:
        port.close()


class ReaderPort:
    """An open port. Close it."""

    def __init__(self, where: str, stream: asyncio.StreamReader, out: asyncio.StreamWriter | None) -> None:
        """out: None: this port only hears."""
        self.where = where
        self._stream = stream
        self._out = out
        self._close: Callable[[], None] | None = None if out is None else out.close

    @classmethod
    async def open(cls, setup: ReaderSetup) -> ReaderPort:
        """Raises LineDown."""
        try:
            if setup.path is not None:
                stream, out = await serial_asyncio_fast.open_serial_connection(
                    url=setup.path, baudrate=setup.speed, exclusive=True
                )
                return cls(setup.id, stream, out)
            assert setup.fd is not None, "a reader on a port has a path or a descriptor"
            stream = asyncio.StreamReader()
            pipe = os.fdopen(os.dup(setup.fd), "rb", buffering=0)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(stream), pipe
            )
        except (OSError, SerialException, ValueError) as error:  # ValueError: a baud rate that the port does not take
            raise LineDown(str(error), where=setup.id) from error
        port = cls(setup.id, stream, None)
        port._close = transport.close
        return port

    async def read(self, timeout_s: float | None = None) -> bytes | None:
        """What has come, at least a byte; b"" at its end, for a descriptor. None: nothing within `timeout_s`.

        Raises LineDown when the port is gone.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._stream.read(CHUNK)
        except TimeoutError:
            return None
        except (OSError, SerialException) as error:
            raise LineDown(str(error), where=self.where) from error

    def write(self, data: bytes) -> None:
        """Start sending; does not wait."""
        assert self._out is not None, "only kinds that are spoken to are written to, and those have a path"
        self._out.write(data)

    def close(self) -> None:
        if self._close is not None:
            self._close()
