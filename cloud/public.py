"""What does headquarters hear from, and tell, anybody? Receipts are taken in; the key directory is given out. JSON.

Nobody is known here, so everybody has little: each address may post a few receipts at once and one every few seconds,
and all addresses together no more than the database bears beside its sites.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from cloud import key_directory
from cloud.asgi import body_of, in_thread
from cloud.metrics import Metrics
from cloud.refusal import STATUS, refusal
from cloud.service import EVIDENCE_BYTES_MAX, Answer, Headquarters, Request
from cloud.store import reading
from protocols.trade import wire
from protocols.trade.wire import RefusalCode

PATH_KEYS = "/v1/keys"
KEYS_LIVE_S = 300
JSON = "application/json"

BURST, EVERY_S = 20, 3.0
"""An address may post so many receipts at once, and one more in so many seconds."""
BURST_IN_ALL, EVERY_S_IN_ALL = 200, 0.1
ADDRESSES_MAX = 10_000


class Throttle:
    """A bucket of turns for each key, refilled evenly; the keys unused for longest are forgotten. now_s: monotonic."""

    def __init__(self, burst: int, every_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._every_s, self._now_s = burst, every_s, now_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Whether it is this key's turn; it is taken."""
        now_s = self._now_s()
        left, at_s = self._buckets.pop(key, (float(self._burst), now_s))
        left = min(float(self._burst), left + (now_s - at_s) / self._every_s)
        self._buckets[key] = (left - 1 if left >= 1 else left), now_s
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return left >= 1


def routes(headquarters: Headquarters, metrics: Metrics) -> list[Route]:
    """For the application to add."""
    each, in_all = Throttle(BURST, EVERY_S), Throttle(BURST_IN_ALL, EVERY_S_IN_ALL)

    async def evidence(http: HttpRequest) -> Response:
        address = http.client.host if http.client else ""
        if not each.allows(address) or not in_all.allows(""):
            answer = _refused(RefusalCode.TOO_MANY, f"one every {EVERY_S:.0f} s")
        elif (body := await body_of(http, EVIDENCE_BYTES_MAX)) is None:
            answer = _refused(RefusalCode.TOO_LARGE, f"at most {EVIDENCE_BYTES_MAX} bytes")
        else:
            answer = await in_thread(http, partial(headquarters.answer, Request(wire.PATH_EVIDENCE, body)))
        metrics.count(wire.PATH_EVIDENCE, answer)
        return Response(answer.body, status_code=answer.status, media_type=JSON)

    async def keys(http: HttpRequest) -> Response:
        body = await in_thread(http, partial(_directory, headquarters))
        headers = {"Cache-Control": f"public, max-age={KEYS_LIVE_S}", "Access-Control-Allow-Origin": "*"}
        return Response(body, media_type=JSON, headers=headers)

    return [Route(wire.PATH_EVIDENCE, evidence, methods=["POST"]), Route(PATH_KEYS, keys)]


def _directory(headquarters: Headquarters) -> bytes:
    with reading(headquarters.engine) as connection:
        return msgspec.json.encode(key_directory.as_json(connection))


def _refused(code: RefusalCode, expected: str) -> Answer:
    said = refusal(code, "receipt", expected=expected, got="more")
    return Answer(STATUS[code], msgspec.json.encode(msgspec.structs.asdict(said)), outcome=code)
