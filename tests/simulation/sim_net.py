"""What becomes of a message between a site and headquarters: lost, answered in vain, doubled, late, replayed, altered.

Requests are the signed bytes that go over HTTPS, answered by the real `cloud.service`. Only the wire is simulated.
"""

from __future__ import annotations

import asyncio
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.service import Answer, Request
from edge.sync.client import HttpAnswer, read
from edge.sync.errors import HqUnreachable
from protocols.proof import keys
from protocols.trade import wire
from protocols.trade.codec import Wire, encode
from protocols.trade.wire import Batch, BatchReply, DocumentAsk, DocumentReply, GrantAsk, GrantReply

R = TypeVar("R", bound=Wire)

KEPT_MAX = 200
BATCH_TIMEOUT_S, ASK_TIMEOUT_S = 15.0, 4.0


@dataclass
class Weather:
    """How often (0 to 1) something happens to a message. All zero: a good day."""

    lose_request: float = 0.0
    lose_reply: float = 0.0
    double: float = 0.0
    alter: float = 0.0
    slow: float = 0.0


@dataclass
class Network:
    """All links. deliver: hands a request to headquarters; None: it died before it could answer."""

    random: Random
    deliver: Callable[[Request], Answer | None]
    weather: Weather = field(default_factory=Weather)
    down: set[str] = field(default_factory=set)
    kept: list[Request] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    replayed: int = 0
    refused: int = 0

    def chance(self, odds: float) -> bool:
        return odds > 0 and self.random.random() < odds

    def latency_s(self) -> float:
        if self.chance(self.weather.slow):
            return self.random.uniform(1.0, 8.0)
        return self.random.uniform(0.02, 0.3)

    def keep(self, request: Request) -> None:
        """Whoever sits on the line may send it again, at any time."""
        if len(self.kept) < KEPT_MAX:
            self.kept.append(request)
        else:
            self.kept[self.random.randrange(KEPT_MAX)] = request

    def replay(self) -> None:
        """An old request comes again; whatever is answered goes nowhere."""
        if self.kept:
            self.replayed += 1
            self.deliver(self.random.choice(self.kept))

    def alter(self, request: Request) -> Request:
        """The same request with a bit turned, or with its end missing. The signature stays."""
        body = bytearray(request.body)
        if self.random.random() < 0.5:
            return replace(request, body=bytes(body[: self.random.randrange(len(body))]))
        body[self.random.randrange(len(body))] ^= 1 << self.random.randrange(8)
        return replace(request, body=bytes(body))


class SimHq:
    """Headquarters as one site sees it (`edge.sync.client.Hq`), over this network."""

    def __init__(
        self,
        network: Network,
        site: str,
        epoch: int,
        log_key: Ed25519PrivateKey,
        heard: Callable[[Answer], None] = lambda answer: None,
    ) -> None:
        """heard: told of each answer to a batch that arrives."""
        self._network = network
        self._heard = heard
        self._site = site
        self._epoch = epoch
        self._log_key = log_key

    async def batch(self, batch: Batch) -> BatchReply:
        return await self._post(wire.PATH_BATCH, batch, BatchReply, BATCH_TIMEOUT_S)

    async def document(self, ask: DocumentAsk) -> DocumentReply:
        return await self._post(wire.PATH_DOCUMENT, ask, DocumentReply, BATCH_TIMEOUT_S)

    async def grant(self, ask: GrantAsk) -> GrantReply:
        return await self._post(wire.PATH_GRANT, ask, GrantReply, ASK_TIMEOUT_S)

    def close(self) -> None:
        """Nothing is held open."""

    async def _post(self, path: str, ask: Wire, into: type[R], timeout_s: float) -> R:
        network = self._network
        request = signed_request(path, ask, self._site, self._epoch, self._log_key)
        network.keep(request)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Answer] = loop.create_future()

        def arrive(arriving: Request) -> None:
            if self._site in network.down:
                network.lost += 1
                return
            answer = network.deliver(arriving)
            if answer is None or network.chance(network.weather.lose_reply):
                network.lost += 1
                return
            loop.call_later(network.latency_s(), come_back, answer)

        def come_back(answer: Answer) -> None:
            if self._site in network.down:
                network.lost += 1
            elif not reply.done():
                reply.set_result(answer)

        if network.chance(network.weather.lose_request):
            network.lost += 1
        else:
            altered = network.chance(network.weather.alter)
            loop.call_later(network.latency_s(), arrive, network.alter(request) if altered else request)
        if network.chance(network.weather.double):
            network.doubled += 1
            loop.call_later(network.latency_s() * 3, arrive, request)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await reply
        except TimeoutError:
            raise HqUnreachable(f"no answer within {timeout_s} s") from None
        network.refused += answer.status != 200
        if path == wire.PATH_BATCH:
            self._heard(answer)
        return read(HttpAnswer(answer.status, answer.body), into)


def signed_request(path: str, ask: Wire, site: str, epoch: int, log_key: Ed25519PrivateKey) -> Request:
    """As `HttpsHq` puts it on the wire."""
    body = zlib.compress(encode(ask))
    payload = wire.request_payload("POST", path, site, epoch, body)
    signature = b64encode(keys.sign(log_key, wire.REQUEST_DOMAIN, payload)).decode()
    return Request(path, body, True, site, epoch, signature)
