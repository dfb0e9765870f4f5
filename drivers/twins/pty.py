"""One end of a serial line over a pty that is as slow as a real one, whatever is spoken on it.

A pty carries bytes at once. So that a gateway sees what a real line would show, what it says counts as heard only when
its last bit would have arrived, and an answer is written in small chunks, each when its own last bit would have been
sent. `late_us` tells how late this end itself was beyond that, so that a benchmark can take it out.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from drivers.twins.faults import Piece

BITS_PER_CHARACTER = 11  # start, 8 data, parity and stop, or two stop bits (Serial Line V1.02, clause 2.5.1)
_CHUNK_US = 5_000  # a USB adapter hands over what came every 1 to 16 ms


class SlowPty:
    """Opens a pty and talks on it at `baud`.

    link: a symlink that will point to the port; one that is there is replaced, anything else is not.
    """

    def __init__(
        self,
        on_bytes: Callable[[bytes], None],
        *,
        baud: int,
        bits: int = BITS_PER_CHARACTER,
        link: Path | None = None,
    ) -> None:
        self.baud = baud
        self.bits = bits
        self.link = link
        self.port = ""  # the gateway's end, once open
        self._on_bytes = on_bytes
        self._master = self._slave = -1
        self._talking = asyncio.Lock()
        self._free_at_s = 0.0

    def open(self) -> None:
        """Make the pty. It stays while gateways come and go."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        if self.link is not None:
            if self.link.is_symlink():
                self.link.unlink()
            self.link.parent.mkdir(parents=True, exist_ok=True)
            self.link.symlink_to(self.port)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def deafen(self) -> None:
        """Hear nothing more; what is being said is still said. Harmless when closed."""
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)

    def close(self) -> None:
        """Take the pty away. Nobody may be in `talk`. Repeating it is harmless."""
        if self._master < 0:
            return
        self.deafen()
        if self.link is not None and self.link.is_symlink() and os.readlink(self.link) == self.port:
            self.link.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def wire_time_us(self, count: int) -> int:
        """How long `count` characters take on the line, rounded up."""
        return wire_time_us(count, self.baud, self.bits)

    async def talk(self, pieces: Sequence[Piece], ready_s: float) -> tuple[int, int]:
        """Say the pieces from `ready_s` on, after whoever is talking. (Ideal time of it, own lateness), both in us.

        `after_us` of the first piece is the caller's: it is part of `ready_s`.
        """
        async with self._talking:
            due_s, wire_us = max(ready_s, self._free_at_s), 0
            for index, piece in enumerate(pieces):
                due_s += (piece.after_us if index else 0) / 1e6
                for chunk in self._chunks(piece.data):
                    takes_us = self.wire_time_us(len(chunk)) * piece.times
                    due_s += takes_us / 1e6
                    await sleep_until(due_s)
                    with suppress(BlockingIOError):  # nobody reads: lost, as on a wire
                        os.write(self._master, chunk)
                    wire_us += takes_us
            self._free_at_s = due_s
            return wire_us, max(0, round((asyncio.get_running_loop().time() - due_s) * 1e6))

    def _read(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, OSError):  # nothing there after all, or the gateway hung up
            return
        self._on_bytes(data)

    def _chunks(self, data: bytes) -> list[bytes]:
        """What an adapter hands over at a time: as much as arrives in `_CHUNK_US`."""
        size = max(1, _CHUNK_US // self.wire_time_us(1))
        return [data[at : at + size] for at in range(0, len(data), size)]


def wire_time_us(count: int, baud: int, bits: int = BITS_PER_CHARACTER) -> int:
    """How long `count` characters take on a line, rounded up."""
    return -(-count * bits * 1_000_000 // baud)


async def sleep_until(due_s: float) -> None:
    """Until that time of the running loop; at once if it has passed."""
    wait_s = due_s - asyncio.get_running_loop().time()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
