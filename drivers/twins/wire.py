"""What every simulated wire does: hand each request to the devices it is for, and spoil their answers as ordered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.twins.faults import Answer as Spoilable
from drivers.twins.faults import FaultKind, FaultPlan, Piece, spoil
from protocols.fieldbus.modbus import (
    Answer,
    Framing,
    Refused,
    Request,
    UnknownRequest,
    answer_pdu,
    request_frame,
)
from protocols.fieldbus.modbus_frames import encode_frame

HANG_UP = Piece(b"", times=0)


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

    def answered(self, wire_us: int, late_us: int) -> None:
        """One more exchange, which would have taken so long on the wire, and was so much later."""
        self.answers += 1
        self.wire_us += wire_us
        self.late_us += late_us
        self.late_us_max = max(self.late_us_max, late_us)


@dataclass(slots=True)
class Desk:
    """One station's place on a wire: it does one thing at a time and remembers one more request."""

    station: Station
    lock: asyncio.Lock
    waiting: int = 0


class Wire:
    """What serial and TCP share: who is addressed, and what each answers."""

    def __init__(self, stations: Sequence[Station], framing: Framing) -> None:
        self.framing = framing
        self.stats = WireStats()
        self._desks = [Desk(station, asyncio.Lock()) for station in stations]
        self.tasks: set[asyncio.Task[None]] = set()

    def addressed(self, request: Request) -> list[Desk]:
        """The stations that take this request; a broadcast is for all of them."""
        self.stats.requests += 1
        serial_broadcast = request.unit == 0 and self.framing is not Framing.TCP
        desks = [desk for desk in self._desks if serial_broadcast or desk.station.serves(request.unit)]
        free = [desk for desk in desks if desk.waiting < 2]
        self.stats.unheard += not free
        return free

    def pieces(self, station: Station, request: Request) -> list[Piece]:
        """Let the station act, and say what goes on the wire; nothing when it is silent."""
        faults = station.faults.take()
        if FaultKind.DEAD in faults:
            return []
        if FaultKind.HANG_UP in faults:
            return [HANG_UP]
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
            request=raw_request(self.framing, request),
            frame=lambda unit, pdu: encode_frame(self.framing, unit, pdu, request.transaction_id),
            on_tcp=self.framing is Framing.TCP,
        )
        return spoil(answer, faults, station.faults.random)

    def spawn(self, work: asyncio.Task[None]) -> None:
        self.tasks.add(work)
        work.add_done_callback(self._done)

    def _done(self, work: asyncio.Task[None]) -> None:
        self.tasks.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            work.get_loop().call_exception_handler(
                {"message": "a twin failed to answer", "exception": error, "task": work}
            )

    async def cancel_all(self) -> None:
        for work in list(self.tasks):
            work.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def raw_request(framing: Framing, request: Request) -> bytes:
    """The request as it came over the wire."""
    if isinstance(request.pdu, UnknownRequest):
        pdu = bytes([request.pdu.function]) + request.pdu.data
        return encode_frame(framing, request.unit, pdu, request.transaction_id)
    return request_frame(framing, request.unit, request.pdu, request.transaction_id)
