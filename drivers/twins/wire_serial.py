"""Modbus devices on a simulated serial line, as slow as a real one; `pty` says how.

`WireStats` tells how late the twins themselves were, so that a benchmark can take it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from drivers.twins.pty import BITS_PER_CHARACTER, SlowPty, sleep_until, wire_time_us
from drivers.twins.wire import HANG_UP, Desk, Station, Wire, raw_request
from protocols.fieldbus.modbus import DeviceSide, Framing, NeedMore, Request

_SILENCE_S = 0.020  # a frame begun is lost after this, longer than 3.5 characters: a pty chunk may be late


class SerialWire(Wire):
    """One serial line, RTU or ASCII, with any number of stations on it, over a pty with a symlink `link` to it."""

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
        self._pty = SlowPty(self._on_bytes, baud=baud, link=link)
        self._side = DeviceSide(framing)
        self._heard_at_s = self._begun_at_s = 0.0
        self._unused = 0  # bytes of a frame that is not whole yet

    @property
    def port(self) -> str:
        """The gateway's end, once open."""
        return self._pty.port

    async def open(self) -> None:
        """Make the pty. It stays while gateways come and go."""
        self._pty.open()

    async def close(self) -> None:
        """Take the line down."""
        self._pty.deafen()
        await self.cancel_all()
        self._pty.close()

    def _on_bytes(self, data: bytes) -> None:
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
                await sleep_until(ready_s)
                pieces = self.pieces(desk.station, request)
                if not pieces or pieces[0] is HANG_UP:
                    return
                ready_s += pieces[0].after_us / 1e6
                await sleep_until(ready_s)
                wire_us, late_us = await self._pty.talk(pieces, ready_s)
                self.stats.answered(wire_time_us(size, self.baud) + pause_us + wire_us, late_us)
        finally:
            desk.waiting -= 1


def frame_gap_us(baud: int) -> int:
    """The silence of 3.5 characters that ends a frame; fixed above 19200 baud (Serial Line V1.02, clause 2.5.1.1)."""
    return 1_750 if baud > 19_200 else -(-35 * BITS_PER_CHARACTER * 100_000 // baud)
