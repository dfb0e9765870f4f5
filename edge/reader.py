"""What becomes of what a reader says? A card is a tap; what begins with `FT1:` is a code from a customer's phone.

A reader that is gone or dead is opened again, for ever.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog

from drivers.errors import DeviceError
from drivers.readers.credential import Said, Unread, text_of
from drivers.readers.presented import Presentations
from drivers.readers.reader import CardReader
from edge.journal.errors import JournalFull, JournalOverrun
from protocols.trade.carried import PREFIX

REOPEN_S = 2.0

log = structlog.get_logger()

Tap = Callable[[str], Awaitable[object]]
"""(card) -> whatever came of it."""
Take = Callable[[str], Awaitable[object]]
"""(code) -> whatever came of it."""

_CARD = re.compile(r"^[\x21-\x7e]{4,64}$")


async def read_cards(reader: CardReader, tap: Tap, take: Take | None = None) -> None:
    """Call `tap` for each card and `take` for each code, for ever; for a descriptor, until it ends.

    take: None: this site trusts no headquarters, so no code is of use.
    """
    presented, told = Presentations(), ""
    while True:
        good_ms = reader.link().last_good_ms
        try:
            async with aclosing(reader.listen()) as said:
                async for one in said:
                    await _hear(reader, presented, one, tap, take)
            log.warning("reader is at its end", reader=reader.id)
        except DeviceError as error:
            if str(error) != told or reader.link().last_good_ms != good_ms:  # once for each loss, however long
                log.warning("reader is gone", reader=reader.id, error=str(error), remedy=error.remedy)
            told = str(error)
        if reader.setup.fd is not None:
            return  # a descriptor that has ended does not come back
        await asyncio.sleep(REOPEN_S)


async def _hear(reader: CardReader, presented: Presentations, said: Said, tap: Tap, take: Take | None) -> None:
    """Serve it once, if it is a card or a code. No number is ever logged."""
    loop = asyncio.get_running_loop()
    text = text_of(said, reader.setup.form, reader.setup.kept)
    if isinstance(text, Unread):
        reader.count(f"unread: {text.value}")
        log.warning("not a card", reader=reader.id, why=text.value)
    elif not text.startswith(PREFIX) and not _CARD.match(text):
        reader.count("no card")
        log.info("not a card", reader=reader.id, characters=len(text))
    elif not presented.is_new(text, loop.time()):
        reader.count("repeats")
    else:
        await _serve(reader, text, tap, take)
        presented.note(text, loop.time())  # serving may take longer than a repeat counts as one


async def _serve(reader: CardReader, text: str, tap: Tap, take: Take | None) -> None:
    try:
        if not text.startswith(PREFIX):
            await tap(text)
        elif take is not None:
            await take(text)
    except (JournalFull, JournalOverrun) as error:  # this customer cannot be served; the next one perhaps can
        log.error("tap not served", reader=reader.id, error=str(error), remedy=error.remedy)
