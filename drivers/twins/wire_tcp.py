"""A TCP port with simulated devices behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from drivers.twins.wire import HANG_UP, Desk, Station, Wire
from protocols.fieldbus.modbus import DeviceSide, Framing, NeedMore, Request


class TcpWire(Wire):
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
        await self.cancel_all()
        await self._server.wait_closed()
        self._server = None

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.single_client and self._clients:
            writer.close()
            return
        self._clients.add(writer)
        me = asyncio.current_task()
        assert me is not None
        self.tasks.add(me)
        side = DeviceSide(self.framing)
        try:
            while data := await reader.read(4096):
                side.receive_data(data)
                while not isinstance(request := side.next_event(), NeedMore):
                    for desk in self.addressed(request):
                        desk.waiting += 1
                        self.spawn(asyncio.get_running_loop().create_task(self._serve(desk, request, writer)))
                self.stats.noise_bytes += side.noise_bytes
                side.noise_bytes = 0
        except (ConnectionError, asyncio.CancelledError):  # the gateway left, or the wire is being closed
            pass
        finally:
            self._clients.discard(writer)
            self.tasks.discard(me)
            writer.close()

    async def _serve(self, desk: Desk, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            async with desk.lock:
                await asyncio.sleep(desk.station.turnaround_us / 1e6)
                for piece in self.pieces(desk.station, request):
                    if piece is HANG_UP:
                        writer.transport.abort()
                        return
                    await asyncio.sleep(piece.after_us / 1e6 + (0.001 * piece.times if piece.times > 1 else 0))
                    if writer.is_closing():
                        return
                    writer.write(piece.data)
                self.stats.answers += 1
        finally:
            desk.waiting -= 1
