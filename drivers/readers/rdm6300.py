"""What does an RDM6300 say? A tag's number, again and again while it is held there. It is never spoken to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from drivers.readers.config import ReaderSetup
from drivers.readers.listen import heard
from drivers.readers.port import opened
from protocols.fieldbus.card_number import CardNumber
from protocols.fieldbus.rdm6300 import ear


async def tags(setup: ReaderSetup) -> AsyncGenerator[CardNumber | None, None]:
    """A `reader.Driver`."""
    async with opened(setup) as port:
        yield None
        saying = heard(port, ear())
        async with aclosing(saying) as said:
            async for tag in said:
                if tag is not None:
                    yield tag.card
