"""Card readers and QR scanners that say a line of text for what they see: on a serial port, or a file descriptor given
to the daemon.

A line that begins with `FT1:` is a code from a customer's phone, any other one is a card.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import serial_asyncio_fast
import structlog
from serial import SerialException

from edge.config import ReaderConfig
from edge.journal.errors import JournalFull, JournalOverrun
from protocols.trade.carried import PREFIX

LINE_MAX = 700
"""Longest line of a reader in bytes; anything longer is noise. A code of a grant and a start has some 450."""
AGAIN_S = 2.0
"""The same line within this time is one tap: readers repeat while they see the same."""
REOPEN_S = 2.0

log = structlog.get_logger()

Tap = Callable[[str], Awaitable[object]]
"""(card) -> whatever came of it."""
Take = Callable[[str], Awaitable[object]]
"""(code) -> whatever came of it."""

_CARD = re.compile(r"^[\x21-\x7e]{4,64}$")


async def read_cards(config: ReaderConfig, tap: Tap, take: Take | None = None) -> None:
    """Call `tap` for each card and `take` for each code, for ever. A reader that vanishes is opened again.

    take: None: this site trusts no headquarters, so no code is of use.
    """
    while True:
        try:
            async with aclosing(_lines(config)) as lines:
                async for line in lines:
                    await _serve(config, line, tap, take)
            log.warning("reader is at its end", reader=config.id)
        except (OSError, SerialException) as error:
            log.warning("reader is gone", reader=config.id, error=str(error))
        if config.fd is not None:
            return  # a descriptor that has ended does not come back
        await asyncio.sleep(REOPEN_S)


async def _serve(config: ReaderConfig, line: str, tap: Tap, take: Take | None) -> None:
    try:
        if not line.startswith(PREFIX):
            await tap(line)
        elif take is not None:
            await take(line)
    except (JournalFull, JournalOverrun) as error:  # this customer cannot be served; the next one perhaps can
        log.error("tap not served", reader=config.id, error=str(error), remedy=error.remedy)


async def _lines(config: ReaderConfig) -> AsyncGenerator[str, None]:
    """Each card or code that is told from the one before it. Closes what it has opened."""
    reader, close = await _open(config)
    try:
        async for line in _told_apart(config, reader):
            yield line
    finally:
        close()


async def _told_apart(config: ReaderConfig, reader: asyncio.StreamReader) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    last, last_s = "", 0.0
    while data := await _line(reader):
        line = data.decode("ascii", "replace").strip()
        if not line.startswith(PREFIX) and not _CARD.match(line):
            if line:
                log.info("not a card", reader=config.id, characters=len(line))
            continue
        if line == last and loop.time() - last_s < AGAIN_S:
            last_s = loop.time()
            continue
        last, last_s = line, loop.time()
        yield line


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; an endless one is dropped up to its end."""
    while True:
        try:
            return await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            await reader.read(error.consumed or LINE_MAX)
        except asyncio.IncompleteReadError as error:
            return error.partial


async def _open(config: ReaderConfig) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    """What to read from, and how to close it."""
    if config.path is not None:
        reader, writer = await serial_asyncio_fast.open_serial_connection(
            limit=LINE_MAX, url=config.path, baudrate=config.baud, exclusive=True
        )
        assert isinstance(reader, asyncio.StreamReader)
        return reader, writer.close
    assert config.fd is not None
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_MAX)
    pipe = os.fdopen(os.dup(config.fd), "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport.close
