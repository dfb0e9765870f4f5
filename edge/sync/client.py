"""How does the site speak to headquarters over HTTPS? Signed POSTs by requests, in two worker threads.

One lane carries the log; the other is kept for customers who wait at the reader, who never wait behind a batch.
"""

from __future__ import annotations

import asyncio
import queue
import ssl
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.config import Headquarters
from edge.sync import tls
from edge.sync.errors import ClockTrouble, HqGarbled, HqRefused, HqUnreachable, Untrusted
from edge.sync.tls import Known, OutOfDate
from protocols.proof import keys
from protocols.trade import documents, wire
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.wire import (
    Batch,
    BatchReply,
    DocumentAsk,
    DocumentReply,
    GrantAsk,
    GrantReply,
    Refusal,
)

if TYPE_CHECKING:
    import requests

ANSWER_BYTES_MAX = 512 * 1024
"""An answer holds at most 256 KiB of a value; whatever sends more than this is not headquarters."""
DOCUMENT_BYTES_MAX = documents.BYTES_MAX + 1024
"""But for a document: a whole hot list is the longest."""
BYTES_PER_S_MIN = 1024
"""A long answer may take its time, but no less than this must come each second: a third of what a 2G link carries."""
LOG_IDLE_S, ASK_IDLE_S = 120.0, 20.0
"""A connection unused for longer is not used again. Routers of mobile networks forget one silently, some after 30 s:
a batch that finds out loses its timeout, but a customer would wait in vain; so each lane weighs that against a new TLS
handshake (some 4 kB) for itself."""
DEFLATE_LEVEL = 6

R = TypeVar("R", bound=Wire)
T = TypeVar("T")


class Hq(Protocol):
    """Headquarters as the site sees it. Each raises HqUnreachable, HqRefused or HqGarbled; each may be repeated."""

    async def batch(self, batch: Batch) -> BatchReply: ...

    async def grant(self, ask: GrantAsk) -> GrantReply: ...

    async def document(self, ask: DocumentAsk) -> DocumentReply: ...

    def close(self) -> None:
        """Ask nothing more, for good."""
        ...


class HttpsHq:
    """Headquarters over HTTPS, for one log."""

    def __init__(
        self,
        config: Headquarters,
        site: str,
        epoch: int,
        log_key: Ed25519PrivateKey,
        known: Known = tls.nothing_known,
    ) -> None:
        """known: the time as far as it is proven, for the dates of certificates."""
        self._site = site
        self._epoch = epoch
        self._log_key = log_key
        self._log_lane = Lane("hq-log", Connection(config.url, config.ca_file, config.timeout_s, LOG_IDLE_S, known))
        self._ask_lane = Lane("hq-ask", Connection(config.url, config.ca_file, config.ask_timeout_s, ASK_IDLE_S, known))

    async def batch(self, batch: Batch) -> BatchReply:
        return await self._log_lane.do(lambda to: self._post(to, wire.PATH_BATCH, batch, BatchReply))

    async def document(self, ask: DocumentAsk) -> DocumentReply:
        longest = DOCUMENT_BYTES_MAX
        return await self._log_lane.do(lambda to: self._post(to, wire.PATH_DOCUMENT, ask, DocumentReply, longest))

    async def grant(self, ask: GrantAsk) -> GrantReply:
        return await self._ask_lane.do(lambda to: self._post(to, wire.PATH_GRANT, ask, GrantReply))

    def close(self) -> None:
        self._log_lane.close()
        self._ask_lane.close()

    def _post(self, to: Connection, path: str, ask: Wire, into: type[R], answer_bytes_max: int = ANSWER_BYTES_MAX) -> R:
        body = zlib.compress(encode(ask), DEFLATE_LEVEL)
        payload = wire.request_payload("POST", path, self._site, self._epoch, body)
        signature = keys.sign(self._log_key, wire.REQUEST_DOMAIN, payload)
        headers = {
            wire.HEADER_SITE: self._site,
            wire.HEADER_EPOCH: str(self._epoch),
            wire.HEADER_SIGNATURE: b64encode(signature).decode(),
            "Content-Encoding": "deflate",
        }
        return read(to.post(path, body, headers, answer_bytes_max), into, answer_bytes_max)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: HTTP's status, and the body whole."""

    status: int
    body: bytes


def read(answer: HttpAnswer, into: type[R], bytes_max: int = ANSWER_BYTES_MAX) -> R:
    """The struct in an answer. Raises HqRefused; HqUnreachable where something in between answers; HqGarbled."""
    if answer.status == 200:
        try:
            return decode(answer.body, into, bytes_max=bytes_max)
        except NotCanonical as error:
            raise HqGarbled(f"the answer is no {into.__name__}: {error}") from error
    if answer.status >= 500:
        raise HqUnreachable(
            f"HTTP {answer.status} instead of an answer",
            remedy="Look at headquarters' service and the proxy before it.",
        )
    try:
        refusal = decode(answer.body, Refusal)
    except NotCanonical as error:
        raise HqGarbled(
            f"HTTP {answer.status} without a refusal", remedy="Check `[hq] url`: something else answers there."
        ) from error
    raise HqRefused(refusal)


class Connection:
    """One kept-alive connection to headquarters. Use it from one thread at a time."""

    def __init__(
        self,
        url: str,
        ca_file: str | None,
        timeout_s: float,
        idle_s: float = LOG_IDLE_S,
        known: Known = tls.nothing_known,
    ) -> None:
        """timeout_s: for connecting, for each pause while sending, and for a short answer after that.

        known: the time as far as it is proven.
        """
        self._url = url.rstrip("/")
        self._ca = ca_file or _system_authorities()
        self._known = known
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._session: requests.Session | None = None
        self._used_s = 0.0

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str], answer_bytes_max: int = ANSWER_BYTES_MAX
    ) -> HttpAnswer:
        """Raises HqUnreachable and its kinds; HqGarbled for an answer that is too long.

        A kept connection that turns out to be closed is replaced once, at once: every request may be repeated.
        """
        import requests  # 7 MiB and 80 ms that a box without headquarters never pays
        import urllib3

        if time.monotonic() - self._used_s > self._idle_s:
            self.close()
        try:
            if self._session is not None:
                try:
                    return self._post(self._session, path, body, headers, answer_bytes_max)
                except requests.ConnectionError as error:
                    if isinstance(error, (requests.Timeout, requests.exceptions.SSLError)):
                        raise
                    self.close()
            self._session = self._begin()
            return self._post(self._session, path, body, headers, answer_bytes_max)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self.close()
            raise _unreachable(error) from error

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _begin(self) -> requests.Session:
        """A session that talks to whom the config says, no proxies, no .netrc, and checks dates by the box's bounds."""
        import requests
        from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter

        session = requests.Session()
        session.trust_env = False
        adapter = HTTPAdapter()
        authorities = DEFAULT_CA_BUNDLE_PATH if self._ca is True else str(self._ca)
        adapter.init_poolmanager(1, 1, ssl_context=tls.context(authorities, self._known))
        session.mount("https://", adapter)
        return session

    def _post(
        self, session: requests.Session, path: str, body: bytes, headers: Mapping[str, str], answer_bytes_max: int
    ) -> HttpAnswer:
        with session.post(
            self._url + path,
            data=body,
            headers={**headers, "Accept-Encoding": "identity", "Content-Type": "application/vnd.fieldtill"},
            timeout=self._timeout_s,
            verify=self._ca,
            allow_redirects=False,
            stream=True,
        ) as response:
            answer = HttpAnswer(response.status_code, self._body(response, answer_bytes_max))
        self._used_s = time.monotonic()
        return answer

    def _body(self, response: requests.Response, bytes_max: int) -> bytes:
        """The body, as it arrives, so that a peer that trickles or floods is left."""
        begin_s = time.monotonic()
        chunks: list[bytes] = []
        length = 0
        while chunk := response.raw.read1(64 * 1024):
            chunks.append(chunk)
            length += len(chunk)
            if length > bytes_max:
                raise HqGarbled(f"the answer has more than {bytes_max} bytes")
            elapsed_s = time.monotonic() - begin_s
            if elapsed_s > self._timeout_s + length / BYTES_PER_S_MIN:
                raise HqUnreachable(f"the answer did not end: {length} bytes in {elapsed_s:.0f} s")
        return b"".join(chunks)


class Lane:
    """One thread that does one thing after the other on one connection. It ends with the process, whatever it does."""

    def __init__(self, name: str, connection: Connection) -> None:
        self._name = name
        self._connection = connection
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns or raises. Cancelling leaves work that has begun to its own timeouts."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            if future.cancelled():
                return
            try:
                result = work(self._connection)
            except Exception as error:
                _tell(loop, future, error=error)
            else:
                _tell(loop, future, result=result)

        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)
        return await future

    def close(self) -> None:
        """Nothing more is begun; what has begun ends by itself."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        self._connection.close()


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    *,
    result: T | None = None,
    error: Exception | None = None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T may be None itself

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop has been closed: nobody is left to be told


def _system_authorities() -> str | bool:
    """Where this system keeps the authorities it trusts. True: nowhere known, so those that come with requests."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _unreachable(error: BaseException) -> HqUnreachable:
    """What a failure of requests means: sockets, urllib3 and ssl wrap each other several times."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, OutOfDate):
            return ClockTrouble(str(cause.args[0]))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Untrusted(f"headquarters' certificate: {cause.verify_message}")
    innermost = causes[-1]
    return HqUnreachable(f"{type(innermost).__name__}: {innermost}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps, outermost first."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if any(one is other for other in found):
            continue
        found.append(one)
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        waiting += [other for other in inner if isinstance(other, BaseException)]
    return found
