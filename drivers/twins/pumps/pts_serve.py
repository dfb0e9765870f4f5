"""The HTTP door of a simulated PTS-2: Digest or Basic, TLS or not, and the faults of its wire.

Faults of the wire (SILENT, LATE, SLOW, GARBLE, SHORT, ...) hit the whole answer: those of the pump asked about last.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import h11

from drivers.twins.faults import Piece
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.pts import PtsTwin
from protocols.fieldbus.jsonpts import BODY_MAX, PATH, REALM
from protocols.fieldbus.jsonpts_digest import Challenge, Login, basic, proves

OPTIONS: Final = (
    "login",
    "password",
    "auth",
    "nonce_uses",
    "money_in_volume",
    "tells_order",
    "needs_number",
    "has_card",
)
CHUNK: Final = 65_536
NONCES_MAX: Final = 8
BYTE_S: Final = 0.002  # per byte and `times` of the fault SLOW


class PtsServer:
    """One controller on the network. `open` it, `close` it; closed and opened again it keeps its port."""

    def __init__(
        self,
        twin: PtsTwin,
        *,
        login: str = "admin",
        password: str = "admin",  # noqa: S107  (as the controller leaves the factory)
        auth: str = "digest",
        nonce_uses: int = 1_000,
        keeps_alive: bool = True,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """nonce_uses: requests by one nonce before a new one is asked for. keeps_alive: or hangs up."""
        if auth not in ("digest", "basic"):
            raise ValueError(f"auth: expected digest or basic, got {auth}")
        self.twin = twin
        self.host, self.port = host, port
        self.requests = 0  # envelopes answered
        self._login = Login(login, password)
        self._auth = auth
        self._nonce_uses = nonce_uses
        self._keeps_alive = keeps_alive
        self._tls = tls
        self._challenges: dict[str, Challenge] = {}  # by nonce; the newest few
        self._uses: dict[str, int] = {}
        self._nonce = 261122060000000
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._client, self.host, self.port, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and break every connection, as with the power gone."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers.add(writer)
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError, h11.RemoteProtocolError):
            pass  # the host left, spoke no HTTP, or the power is gone
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        while True:
            head: h11.Request | None = None
            body = b""
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    data = await reader.read(CHUNK)
                    if not data:
                        return
                    http.receive_data(data)
                elif isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data) and len(body) <= BODY_MAX:
                    body += bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed):
                    return
            assert head is not None
            status, headers, answer = self._serve(head, body)
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
            headers += [] if self._keeps_alive else [("Connection", "close")]
            parts = (h11.Response(status_code=status, headers=headers), h11.Data(answer), h11.EndOfMessage())
            whole = b"".join(http.send(part) or b"" for part in parts)
            for piece in self._spoilt(whole, status):
                await asyncio.sleep(piece.after_us / 1e6)
                for chunk in _chunks(piece):
                    await asyncio.sleep(BYTE_S * piece.times if piece.times > 1 else 0)
                    writer.write(chunk)
                    await writer.drain()
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    def _serve(self, head: h11.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if head.target.decode() != PATH:
            return 404, [], b""
        if head.method != b"POST":
            return 405, [], b""
        said = next((value.decode("latin-1") for name, value in head.headers if name == b"authorization"), "")
        if (stale := self._flaw(said)) is not None:
            asked = f'Basic realm="{REALM}"' if self._auth == "basic" else self._challenge(stale).header()
            return 401, [("WWW-Authenticate", asked)], b""
        self.requests += 1
        return 200, [], self.twin.hear(body)

    def _flaw(self, said: str) -> bool | None:
        """None: it proves the login. True: it would with a fresh nonce."""
        if self._auth == "basic":
            return None if said == basic(self._login) else False
        for nonce, challenge in self._challenges.items():
            count = proves(said, self._login, challenge, "POST", PATH)
            if count is not None:
                if not self._uses[nonce] < count <= self._nonce_uses:
                    return True
                self._uses[nonce] = count
                return None
        return False

    def _challenge(self, stale: bool) -> Challenge:
        self._nonce += 1
        nonce = str(self._nonce)
        self._challenges[nonce], self._uses[nonce] = Challenge(REALM, nonce, stale=stale), 0
        while len(self._challenges) > NONCES_MAX:
            del self._challenges[next(iter(self._challenges))]
        return self._challenges[nonce]

    def _spoilt(self, whole: bytes, status: int) -> Sequence[Piece]:
        asked = getattr(self.twin.asked[-1], "pump", 0) if self.twin.asked else 0
        place = self.twin.places.get(asked)
        return [Piece(whole)] if place is None or status != 200 else place.bay.faults.spoil(whole)


@asynccontextmanager
async def serve(
    bays: Mapping[int, Bay], host: str, port: int, options: Mapping[str, str | int | bool]
) -> AsyncIterator[str]:
    """A controller with these pumps; the value is where it serves. Raises ValueError for an option it does not know."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ValueError(f"expected options of pts among {', '.join(OPTIONS)}, got {', '.join(unknown)}")
    twin = PtsTwin(
        bays,
        money_in_volume=bool(options.get("money_in_volume", False)),
        tells_order=bool(options.get("tells_order", True)),
        needs_number=bool(options.get("needs_number", False)),
        has_card=bool(options.get("has_card", True)),
    )
    server = PtsServer(
        twin,
        login=str(options.get("login", "admin")),
        password=str(options.get("password", "admin")),
        auth=str(options.get("auth", "digest")),
        nonce_uses=int(options.get("nonce_uses", 1_000)),
        host=host,
        port=port,
    )
    await server.open()
    try:
        yield f"{server.host}:{server.port}"
    finally:
        await server.close()


def _chunks(piece: Piece) -> list[bytes]:
    return [bytes([byte]) for byte in piece.data] if piece.times > 1 else [piece.data]
