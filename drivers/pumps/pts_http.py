"""How does a body get to a PTS-2 controller and its answer back? HTTP/1.1, one request at a time, in limited time.

h11 on asyncio's streams, not `requests` in a thread: a time limit that holds for the whole answer, and a cancelled call
that leaves nothing running. A body is sent again only after a 401, which says that the first one was not looked at.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from pathlib import Path
from typing import Final

import h11

from drivers.errors import Garbled, LineDown, Misconfigured, Silent
from drivers.pumps.pts_config import ControllerConfig
from protocols.fieldbus.jsonpts import BODY_MAX, PATH
from protocols.fieldbus.jsonpts_digest import Challenge, Login, basic, digest, read_challenge

CHUNK: Final = 65_536
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not name. A pinned certificate is trusted for itself, not for its dates,
and a box whose clock is not set yet must still reach its pumps."""
PASSWORD_MAX: Final = 256

_LOGIN_REMEDY: Final = (
    "Check `login`, `password_file` and `auth` (DIP-2) of the controller, and the user's permissions."
)
_PIN_REMEDY: Final = (
    "Compare the controller's certificate with `ca_file`: "
    "`openssl s_client -connect HOST:PORT -showcerts`. If the name differs, set `tls_name`."
)


class Courier:
    """Carries bodies to one controller. Whoever owns it has one `post` at a time under way."""

    def __init__(self, config: ControllerConfig) -> None:
        self.opened = 0  # connections made
        self._config = config
        self._where = config.id
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)
        self._login: Login | None = None
        self._challenge: Challenge | None = None
        self._count = 0  # of requests answered to this challenge

    @property
    def up(self) -> bool:
        """Whether a connection stands."""
        return self._streams is not None

    async def post(self, body: bytes) -> bytes:
        """The body of the answer.

        Raises LineDown (no connection), Silent (no answer in time: it may have been done all the same), Garbled, or
        Misconfigured (login or certificate).
        """
        try:
            async with asyncio.timeout(self._config.timeout_s):
                status, challenges, answer = await self._exchange(body)
                if status == 401 and self._meet(challenges):
                    status, challenges, answer = await self._exchange(body)
                    if status == 401 and self._meet(challenges, stale_only=True):
                        status, challenges, answer = await self._exchange(body)
        except TimeoutError:
            connected = self.up
            self.close()
            if not connected:
                raise LineDown(f"no connection within {self._config.timeout_s:g} s", where=self._where) from None
            raise Silent(f"no answer within {self._config.timeout_s:g} s", where=self._where) from None
        except BaseException:
            self.close()  # half an answer is on it
            raise
        if status in (401, 403):
            self.forget()
            raise Misconfigured(
                f"the controller refuses the login (HTTP {status})", where=self._where, remedy=_LOGIN_REMEDY
            )
        if status != 200:
            self.close()
            raise Garbled(f"expected HTTP 200, got {status}", where=self._where)
        return answer

    def close(self) -> None:
        """End the connection, if there is one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    def forget(self) -> None:
        """Read the password anew next time."""
        self.close()
        self._login = self._challenge = None

    async def _exchange(self, body: bytes) -> tuple[int, list[str], bytes]:
        """Status, challenges and body of one answer."""
        reader, writer = await self._connected()
        try:
            writer.write(self._request(body))
            await writer.drain()
            return await self._answer(reader)
        except h11.RemoteProtocolError as error:
            raise Garbled(f"expected an HTTP answer, got {error}", where=self._where) from None
        except (OSError, ssl.SSLError) as error:
            raise Silent(f"the connection broke: {error}", where=self._where) from None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()  # ended by the peer while idle: nothing was sent on it
        if self._streams is None:
            self._streams = await self._connect()
            self._http = h11.Connection(h11.CLIENT)
            self.opened += 1
        return self._streams

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        config = self._config
        context = self._context()
        name = None if context is None else config.tls_name or config.host
        try:
            return await asyncio.open_connection(config.host, config.tcp_port, ssl=context, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            what = f"its certificate is not the one expected: {error.verify_message}"
            raise Misconfigured(what, where=self._where, remedy=_PIN_REMEDY) from None
        except OSError as error:
            raise LineDown(f"{config.where}: {error}", where=self._where) from None

    def _context(self) -> ssl.SSLContext | None:
        """Trusts `ca_file` and nothing else; None: no TLS."""
        if not self._config.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the controller's own certificate is enough
        context.verify_flags |= NO_CHECK_TIME
        try:
            context.load_verify_locations(self._config.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"ca_file {self._config.ca_file}: {error}", where=self._where, remedy=_PIN_REMEDY
            ) from None
        return context

    def _request(self, body: bytes) -> bytes:
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        headers = [
            ("Host", self._config.where),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        if proof := self._proof():
            headers.append(("Authorization", proof))
        request = h11.Request(method="POST", target=PATH, headers=headers)
        parts = (self._http.send(event) for event in (request, h11.Data(body), h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def _proof(self) -> str | None:
        """The `Authorization` header; None while nothing was asked for."""
        if self._config.auth == "basic":
            return basic(self._password())
        if self._challenge is None:
            return None
        self._count += 1
        return digest(self._password(), self._challenge, "POST", PATH, self._count, secrets.token_hex(8))

    def _meet(self, challenges: list[str], *, stale_only: bool = False) -> bool:
        """Whether another try can answer the 401. stale_only: only if the nonce was too old, and the password right."""
        if self._config.auth == "basic":
            return False
        self._challenge, self._count = read_challenge(challenges), 0
        return self._challenge is not None and (self._challenge.stale or not stale_only)

    def _password(self) -> Login:
        if self._login is None:
            path = Path(self._config.password_file)
            try:
                with path.open("rb") as file:
                    lines = file.read(PASSWORD_MAX).decode().splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(f"password_file {path}: {error}", where=self._where, remedy=_LOGIN_REMEDY) from None
            if not lines or not lines[0]:
                raise Misconfigured(f"password_file {path} is empty", where=self._where, remedy=_LOGIN_REMEDY)
            self._login = Login(self._config.login, lines[0])
        return self._login

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, list[str], bytes]:
        status, challenges, parts, size = 0, [], [], 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(CHUNK)
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise Silent("the connection ended before an answer", where=self._where)
                self._http.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
                challenges = [value.decode("latin-1") for name, value in event.headers if name == b"www-authenticate"]
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > BODY_MAX:
                    raise Garbled(f"expected at most {BODY_MAX} bytes, got more", where=self._where)
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                if self._http.their_state is h11.MUST_CLOSE or self._http.our_state is h11.MUST_CLOSE:
                    self.close()
                return status, challenges, b"".join(parts)
            elif not isinstance(event, h11.InformationalResponse):
                raise Garbled("expected an HTTP answer, got the end of the connection", where=self._where)
