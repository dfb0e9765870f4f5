"""A simulated card or code reader at a cabinet: it says what riders show, on a pty, and hears nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from drivers.twins.cabinets.shop import Tap
from drivers.twins.faults import Piece
from drivers.twins.pty import SlowPty
from protocols.fieldbus.rdm6300 import Tag, encode

Kind = Literal["text", "rdm6300"]
_BAUD = 9600
_BITS = 10


class ReaderTwin:
    """text: the credential and a line's end, as QR scanners and many card readers do. rdm6300: ten hexadecimal digits
    in that reader's frame, three times, as while a card is held there.
    """

    def __init__(self, cabinet: str, kind: Kind, link: str | None = None) -> None:
        self.cabinet = cabinet
        self.kind = kind
        self._link = link
        self._pty = SlowPty(lambda data: None, baud=_BAUD, bits=_BITS, link=None if link is None else Path(link))
        self._saying: set[asyncio.Task[tuple[int, int]]] = set()

    @property
    def port(self) -> str:
        """What a gateway opens, once it serves."""
        return self._pty.port

    async def open(self) -> None:
        self._pty.open()

    async def close(self) -> None:
        for task in tuple(self._saying):
            task.cancel()
        await asyncio.gather(*self._saying, return_exceptions=True)
        self._pty.close()

    def hear(self, tap: Tap) -> None:
        """Somebody shows something; at this cabinet, or it is not for this reader."""
        if tap.cabinet != self.cabinet or not self._pty.port:
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._pty.talk([Piece(data_of(self.kind)(tap.credential))], loop.time()))
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)


def data_of(kind: Kind) -> Callable[[str], bytes]:
    """What a reader of this kind says of a credential. That raises ValueError for one that it cannot say."""
    return _text if kind == "text" else _rdm6300


def _text(credential: str) -> bytes:
    return credential.encode("ascii") + b"\r\n"


def _rdm6300(credential: str) -> bytes:
    octets = bytes.fromhex(credential)
    if len(octets) != 5:
        raise ValueError(f"an RDM6300 says ten hexadecimal digits, not {credential!r}")
    return 3 * encode(Tag(octets[0], int.from_bytes(octets[1:], "big")))
