"""What does a converter say that turns Wiegand pulses into lines of text? The bits, or the number in some form.

A line of 26 or 34 characters of 0 and 1 is the bits, parities and all; any other is a number in the reader's `form`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from drivers.readers.config import ReaderSetup
from drivers.readers.listen import heard
from drivers.readers.port import opened
from drivers.readers.text import LineEar
from protocols.fieldbus.card_number import EM4100_FACILITY, CardNumber, Order, Part, from_said
from protocols.fieldbus.wiegand import Wiegand, decode

FORM: Final = EM4100_FACILITY
"""What most converters of 26 bits print: 123,45678."""

_BITS: Final = re.compile(r"[01]{26}|[01]{34}")


async def values(setup: ReaderSetup) -> AsyncGenerator[CardNumber | str | None, None]:
    """A `reader.Driver`. Bits with a wrong parity are no number, and nothing."""
    order = Order.FIRST_HIGH if setup.form is None else setup.form.order
    async with opened(setup) as port:
        yield None
        saying = heard(port, LineEar())
        async with aclosing(saying) as said:
            async for line in said:
                if line is None or _BITS.fullmatch(line) is None:
                    yield line
                elif (number := of_bits(line, order)) is not None:
                    yield number


def of_bits(bits: str, order: Order) -> CardNumber | None:
    """Wiegand says the last octets of a card's number, whatever the card. None: a parity is wrong."""
    value = decode(bits)
    return from_said(value.octets, order, Part.LAST) if isinstance(value, Wiegand) else None
