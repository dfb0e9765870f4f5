"""How is a PC/SC reader served? Through pyscard and the system's pcscd, asked again and again for the card on it.

pyscard is an extra of the package (`pip install fieldtill[pcsc]`) and is loaded when the first such reader is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Protocol

from drivers.errors import LineDown, Misconfigured
from drivers.readers.config import ReaderSetup
from protocols.fieldbus.card_number import CardNumber, made_up
from protocols.fieldbus.pcsc import GET_UID, card

POLL_S: Final = 0.25


class Terminal(Protocol):
    """One reader of the system. Its methods block, for some ten milliseconds."""

    def transmit(self, command: bytes) -> bytes | None:
        """The reply of the card on it, or of the reader. None: there is no card. Raises LineDown."""
        ...


Find = Callable[[str, str], Terminal]
"""(a part of its name, the reader's id) -> it. Raises LineDown, Misconfigured."""


async def cards(setup: ReaderSetup, find: Find | None = None) -> AsyncGenerator[CardNumber | None, None]:
    """A `reader.Driver`. find: None: through pyscard. Raises LineDown when it is unplugged or pcscd is not there."""
    assert setup.terminal is not None, "config names it"
    terminal = await asyncio.to_thread(find or pyscard_terminal, setup.terminal, setup.id)
    while True:
        reply = await asyncio.to_thread(terminal.transmit, GET_UID)
        yield None
        number = None if reply is None else card(reply)
        if isinstance(number, CardNumber) and not made_up(number.octets):
            yield number
        await asyncio.sleep(POLL_S)


def pyscard_terminal(name: str, where: str) -> Terminal:
    """The first reader of the system whose name has `name` in it. Raises Misconfigured without pyscard, LineDown."""
    try:
        from smartcard.Exceptions import SmartcardException
        from smartcard.System import readers
    except ImportError as error:
        raise Misconfigured(
            "pyscard is not installed", where=where, remedy="Install it: `pip install fieldtill[pcsc]`, and pcscd."
        ) from error
    try:
        found = [reader for reader in readers() if name in str(reader)]
    except SmartcardException as error:
        raise LineDown(f"PC/SC: {error}", where=where, remedy="Is pcscd running?") from error
    if not found:
        raise LineDown(f"no PC/SC reader has {name!r} in its name", where=where, remedy="`pcsc_scan` lists them.")
    return _Pyscard(found[0], where)


class _Pyscard:
    def __init__(self, reader: Any, where: str) -> None:
        self._reader = reader
        self._where = where

    def transmit(self, command: bytes) -> bytes | None:
        from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException

        try:
            connection = self._reader.createConnection()
            connection.connect()
            try:
                data, high, low = connection.transmit(list(command))
            finally:
                connection.disconnect()
        except (NoCardException, CardConnectionException):
            return None  # none, or one that is just being taken away
        except SmartcardException as error:
            raise LineDown(f"PC/SC: {error}", where=self._where) from error
        return bytes((*data, high, low))
