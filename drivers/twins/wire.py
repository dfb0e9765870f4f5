"""How simulated devices are put on a wire: a paced serial line over a pty, or a TCP port.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.twins.faults import Answer as Spoilable
from drivers.twins.faults import FaultKind, FaultPlan, Piece, spoil
from protocols.fieldbus.modbus import (
    Answer,
    DeviceSide,
    Framing,
    NeedMore,
    Refused,
    Request,
    UnknownRequest,
    answer_pdu,
    request_frame,
)
from protocols.fieldbus.modbus_frames import encode_frame

BITS_PER_CHARACTER = 11  # start, 8 data, parity and stop, or two stop bits (Serial Line V1.02, clause 2.5.1)
_SILENCE_S = 0.020  # a frame begun is lost after this, longer than 3.5 characters: a pty chunk may be late
_CHUNK_US = 5_000  # a USB adapter hands over what came every 1 to 16 ms
_HANG_UP = Piece(b"", times=0)


def wire_time_us(count: int, baud: int) -> int:
    """How long `count` characters take on the line, rounded up."""
    return -(-count * BITS_PER_CHARACTER * 1_000_000 // baud)


def frame_gap_us(baud: int) -> int:
    """The silence of 3.5 characters that ends a frame; fixed above 19200 baud (Serial Line V1.02, clause 2.5.1.1)."""
    return 1_750 if baud > 19_200 else -(-35 * BITS_PER_CHARACTER * 100_000 // baud)


class Station(Protocol):
    """A device as the wire sees it."""

    faults: FaultPlan
    turnaround_us: int  # from the end of a request to the start of the answer, beyond the 3.5 characters

    def serves(self, unit: int) -> bool: ...

    def answer(self, request: Request) -> Answer | Refused | None:
        """Do what is asked. None: the device is silent."""
        ...


@dataclass(slots=True)
class WireStats:
    """What passed, and how late the twin was. wire_us: ideal time of all exchanges, gaps and turnaround included."""

    requests: int = 0
    answers: int = 0
    unheard: int = 0  # for units that nobody serves, or for a device still busy with two others
    noise_bytes: int = 0
    wire_us: int = 0
    late_us: int = 0  # sum of the twin's own lateness beyond the ideal time
    late_us_max: int = 0


@dataclass(slots=True)
class _Desk:
    """One station's place on a wire: it does one thing at a time and remembers one more request."""

    station: Station
    lock: asyncio.Lock
    waiting: int = 0


class _Wire:
    """What serial and TCP share: who is addressed, and what each answers."""

    def __init__(self, stations: Sequence[Station], framing: Framing) -> None:
        self.framing = framing
        self.stats = WireStats()
        self._desks = [_Desk(station, asyncio.Lock()) for station in stations]
        self._tasks: set[asyncio.Task[None]] = set()

    def _addressed(self, request: Request) -> list[_Desk]:
        """The stations that take this request; a broadcast is for all of them."""
        self.stats.requests += 1
        serial_broadcast = request.unit == 0 and self.framing is not Framing.TCP
        desks = [desk for desk in self._desks if serial_broadcast or desk.station.serves(request.unit)]
        free = [desk for desk in desks if desk.waiting < 2]
        self.stats.unheard += not free
        return free

    def _pieces(self, station: Station, request: Request) -> list[Piece]:
        """Let the station act, and say what goes on the wire; nothing when it is silent."""
        faults = station.faults.take()
        if FaultKind.DEAD in faults:
            return []
        if FaultKind.HANG_UP in faults:
            return [_HANG_UP]
        if fault := faults.get(FaultKind.EXCEPTION):
            reply: Answer | Refused | None = Refused(fault.amount_or(4) & 0xFF)
        else:
            reply = station.answer(request)
        if reply is None or (request.unit == 0 and self.framing is not Framing.TCP):
            return []
        pdu = bytes([request.function | 128, reply.code]) if isinstance(reply, Refused) else answer_pdu(request, reply)
        answer = Spoilable(
            unit=request.unit,
            pdu=pdu,
            request=_raw(self.framing, request),
            frame=lambda unit, pdu: encode_frame(self.framing, unit, pdu, request.transaction_id),
            on_tcp=self.framing is Framing.TCP,
        )
        return spoil(answer, faults, station.faults.random)

    def _spawn(self, work: asyncio.Task[None]) -> None:
        self._tasks.add(work)
        work.add_done_callback(self._done)

    def _done(self, work: asyncio.Task[None]) -> None:
        self._tasks.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            work.get_loop().call_exception_handler(
                {"message": "a twin failed to answer", "exception": error, "task": work}
            )

    async def _cancel_all(self) -> None:
        for work in list(self._tasks):
            work.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class SerialWire(_Wire):
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
        await self._cancel_all()
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
            size = len(_raw(self.framing, request))
            self._unused -= size
            heard_s = max(self._begun_at_s + wire_time_us(size, self.baud) / 1e6, now_s)
            self._begun_at_s = heard_s
            for desk in self._addressed(request):
                desk.waiting += 1
                self._spawn(asyncio.get_running_loop().create_task(self._serve(desk, request, size, heard_s)))
        self._unused -= self._side.noise_bytes - self.stats.noise_bytes
        self.stats.noise_bytes = self._side.noise_bytes

    async def _serve(self, desk: _Desk, request: Request, size: int, heard_s: float) -> None:
        try:
            async with desk.lock:
                pause_us = frame_gap_us(self.baud) + desk.station.turnaround_us
                ready_s = heard_s + pause_us / 1e6
                await _sleep_until(ready_s)
                pieces = self._pieces(desk.station, request)
                if not pieces or pieces[0] is _HANG_UP:
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


class TcpWire(_Wire):
    """One TCP port, Modbus TCP or RTU frames in a stream, with any number of stations behind it. Not paced.

    single_client: a second connection is closed at once. port 0: the system chooses; `port` tells after `open`.
    """

    def __init__(
        self,
        stations: Sequence[Station],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        framing: Framing = Framing.TCP,
        single_client: bool = False,
    ) -> None:
        super().__init__(stations, framing)
        self.host = host
        self.port = port
        self.single_client = single_client
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._client, self.host, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._clients):
            writer.transport.abort()
        await self._cancel_all()
        await self._server.wait_closed()
        self._server = None

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.single_client and self._clients:
            writer.close()
            return
        self._clients.add(writer)
        me = asyncio.current_task()
        assert me is not None
        self._tasks.add(me)
        side = DeviceSide(self.framing)
        try:
            while data := await reader.read(4096):
                side.receive_data(data)
                while not isinstance(request := side.next_event(), NeedMore):
                    for desk in self._addressed(request):
                        desk.waiting += 1
                        self._spawn(asyncio.get_running_loop().create_task(self._serve(desk, request, writer)))
                self.stats.noise_bytes += side.noise_bytes
                side.noise_bytes = 0
        except (ConnectionError, asyncio.CancelledError):  # the gateway left, or the wire is being closed
            pass
        finally:
            self._clients.discard(writer)
            self._tasks.discard(me)
            writer.close()

    async def _serve(self, desk: _Desk, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            async with desk.lock:
                await asyncio.sleep(desk.station.turnaround_us / 1e6)
                for piece in self._pieces(desk.station, request):
                    if piece is _HANG_UP:
                        writer.transport.abort()
                        return
                    await asyncio.sleep(piece.after_us / 1e6 + (0.001 * piece.times if piece.times > 1 else 0))
                    if writer.is_closing():
                        return
                    writer.write(piece.data)
                self.stats.answers += 1
        finally:
            desk.waiting -= 1


def _raw(framing: Framing, request: Request) -> bytes:
    """The request as it came over the wire."""
    if isinstance(request.pdu, UnknownRequest):
        pdu = bytes([request.pdu.function]) + request.pdu.data
        return encode_frame(framing, request.unit, pdu, request.transaction_id)
    return request_frame(framing, request.unit, request.pdu, request.transaction_id)


async def _sleep_until(due_s: float) -> None:
    wait_s = due_s - asyncio.get_running_loop().time()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
