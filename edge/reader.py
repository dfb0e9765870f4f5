"""Card readers that say a line of text per card: on a serial port, or a file descriptor given to the daemon."""

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

LINE_MAX = 256
"""Longest line of a reader in bytes; anything longer is noise."""
AGAIN_S = 2.0
"""The same card within this time is one tap: readers repeat while a card lies on them."""
REOPEN_S = 2.0

log = structlog.get_logger()

_CARD = re.compile(r"^[\x21-\x7e]{4,64}$")


async def read_cards(config: ReaderConfig, tap: Callable[[str, str], Awaitable[object]]) -> None:
    """Call `tap(connector, card)` for each card, for ever. A reader that vanishes is opened again."""
    while True:
        try:
            async with aclosing(_cards(config)) as cards:
                async for card in cards:
                    await _tap(config, card, tap)
            log.warning("reader is at its end", reader=config.id)
        except (OSError, SerialException) as error:
            log.warning("reader is gone", reader=config.id, error=str(error))
        if config.fd is not None:
            return  # a descriptor that has ended does not come back
        await asyncio.sleep(REOPEN_S)


async def _tap(config: ReaderConfig, card: str, tap: Callable[[str, str], Awaitable[object]]) -> None:
    try:
        await tap(config.connector, card)
    except (JournalFull, JournalOverrun) as error:  # this customer cannot be served; the next one perhaps can
        log.error("tap not served", reader=config.id, error=str(error), remedy=error.remedy)


async def _cards(config: ReaderConfig) -> AsyncGenerator[str, None]:
    """Each card that is told from the one before it. Closes what it has opened."""
    reader, close = await _open(config)
    try:
        async for card in _told_apart(config, reader):
            yield card
    finally:
        close()


async def _told_apart(config: ReaderConfig, reader: asyncio.StreamReader) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    last, last_s = "", 0.0
    while line := await _line(reader):
        card = line.decode("ascii", "replace").strip()
        if not _CARD.match(card):
            if card:
                log.info("not a card", reader=config.id, characters=len(card))
            continue
        if card == last and loop.time() - last_s < AGAIN_S:
            last_s = loop.time()
            continue
        last, last_s = card, loop.time()
        yield card


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
