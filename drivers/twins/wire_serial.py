"""A simulated serial line over a pty, as slow as a real one.

A pty carries bytes at once. So that a gateway sees what a real line would show, a request counts as heard only when its
last bit would have arrived, and an answer is written in small chunks, each when its own last bit would have been sent.
`WireStats` tells how late the twin itself was beyond that, so that a benchmark can take it out.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from drivers.twins.faults import Piece
from drivers.twins.wire import HANG_UP, Desk, Station, Wire, raw_request
from protocols.fieldbus.modbus import DeviceSide, Framing, NeedMore, Request

BITS_PER_CHARACTER = 11  # start, 8 data, parity and stop, or two stop bits (Serial Line V1.02, clause 2.5.1)
_SILENCE_S = 0.020  # a frame begun is lost after this, longer than 3.5 characters: a pty chunk may be late
_CHUNK_US = 5_000  # a USB adapter hands over what came every 1 to 16 ms


class SerialWire(Wire):
    """One serial line, RTU or ASCII, with any number of stations on it, over a pty.

    link: a symlink that will point to the port; one that is there is replaced, anything else is not.
    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        baud: int = 9600,
        framing: Framing = Framing.RTU,
        link: Path | None = None,
    ) -> None:
        assert framing is not Framing.TCP
        super().__init__(stations, framing)
        self.baud = baud
        self.link = link
        self.port = ""  # the gateway's end, once open
        self._side = DeviceSide(framing)
        self._master = self._slave = -1
        self._talking = asyncio.Lock()
        self._free_at_s = self._heard_at_s = self._begun_at_s = 0.0
        self._unused = 0  # bytes of a frame that is not whole yet

    async def open(self) -> None:
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
        asyncio.get_running_loop().add_reader(self._master, self._on_bytes)

    async def close(self) -> None:
        """Take the line down."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        await self.cancel_all()
        if self.link is not None and self.link.is_symlink() and os.readlink(self.link) == self.port:
            self.link.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _on_bytes(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, OSError):  # nothing there after all, or the gateway hung up
            return
        now_s = asyncio.get_running_loop().time()
        if now_s - self._heard_at_s > max(_SILENCE_S, frame_gap_us(self.baud) / 1e6):
            self._side.silence()
            self.stats.noise_bytes = self._side.noise_bytes
            self._unused = 0
        self._heard_at_s = now_s
        if self._unused <= 0:
            self._begun_at_s = max(now_s, self._begun_at_s)
        self._unused += len(data)
        self._side.receive_data(data)
        while not isinstance(request := self._side.next_event(), NeedMore):
            size = len(raw_request(self.framing, request))
            self._unused -= size
            heard_s = max(self._begun_at_s + wire_time_us(size, self.baud) / 1e6, now_s)
            self._begun_at_s = heard_s
            for desk in self.addressed(request):
                desk.waiting += 1
                self.spawn(asyncio.get_running_loop().create_task(self._serve(desk, request, size, heard_s)))
        self._unused -= self._side.noise_bytes - self.stats.noise_bytes
        self.stats.noise_bytes = self._side.noise_bytes

    async def _serve(self, desk: Desk, request: Request, size: int, heard_s: float) -> None:
        try:
            async with desk.lock:
                pause_us = frame_gap_us(self.baud) + desk.station.turnaround_us
                ready_s = heard_s + pause_us / 1e6
                await _sleep_until(ready_s)
                pieces = self.pieces(desk.station, request)
                if not pieces or pieces[0] is HANG_UP:
                    return
                ready_s += pieces[0].after_us / 1e6
                await _sleep_until(ready_s)
                async with self._talking:
                    self.stats.wire_us += wire_time_us(size, self.baud) + pause_us
                    await self._talk(pieces, max(ready_s, self._free_at_s))
        finally:
            desk.waiting -= 1

    async def _talk(self, pieces: list[Piece], due_s: float) -> None:
        for index, piece in enumerate(pieces):
            due_s += (piece.after_us if index else 0) / 1e6
            for chunk in self._chunks(piece.data):
                takes_us = wire_time_us(len(chunk), self.baud) * piece.times
                due_s += takes_us / 1e6
                await _sleep_until(due_s)
                with suppress(BlockingIOError):  # nobody reads: lost, as on a wire
                    os.write(self._master, chunk)
                self.stats.wire_us += takes_us
        self._free_at_s = due_s
        late_us = max(0, round((asyncio.get_running_loop().time() - due_s) * 1e6))
        self.stats.answers += 1
        self.stats.late_us += late_us
        self.stats.late_us_max = max(self.stats.late_us_max, late_us)

    def _chunks(self, data: bytes) -> list[bytes]:
        """What an adapter hands over at a time: as much as arrives in `_CHUNK_US`."""
        size = max(1, _CHUNK_US // wire_time_us(1, self.baud))
        return [data[at : at + size] for at in range(0, len(data), size)]


def wire_time_us(count: int, baud: int) -> int:
    """How long `count` characters take on the line, rounded up."""
    return -(-count * BITS_PER_CHARACTER * 1_000_000 // baud)


def frame_gap_us(baud: int) -> int:
    """The silence of 3.5 characters that ends a frame; fixed above 19200 baud (Serial Line V1.02, clause 2.5.1.1)."""
    return 1_750 if baud > 19_200 else -(-35 * BITS_PER_CHARACTER * 100_000 // baud)


async def _sleep_until(due_s: float) -> None:
    wait_s = due_s - asyncio.get_running_loop().time()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
