"""How do sites reach headquarters over HTTP? Starlette in front of `cloud.service`, plus health and metrics.

Answers are computed in worker threads: database calls block. One thread writes at a time on SQLite, so more would only
wait for its lock; PostgreSQL takes a few.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cloud import public
from cloud.asgi import body_of, in_thread
from cloud.hqlog import StaleKeys
from cloud.metrics import Metrics
from cloud.mqtt import Switchboard
from cloud.policy import Policy
from cloud.refusal import STATUS, refusal
from cloud.service import Answer, Headquarters, Request
from cloud.store import reading
from cloud.tend import TEND_S, tend
from protocols.trade import wire
from protocols.trade.codec import encode
from protocols.trade.wire import RefusalCode

MEDIA_TYPE = "application/vnd.fieldtill"
THREADS_POSTGRESQL = 8

log = structlog.get_logger(__name__)


def build(
    headquarters: Headquarters, switchboard: Switchboard | None = None, policy: Policy | None = None
) -> Starlette:
    """The ASGI application. switchboard: told of each site for which something is waiting. policy: what it does by
    itself as time goes by; None: nothing.
    """
    metrics = Metrics()
    threads = 1 if headquarters.engine.dialect.name == "sqlite" else THREADS_POSTGRESQL

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.limiter = anyio.CapacityLimiter(threads)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(switchboard.run())] if switchboard else []
            if policy is not None:
                running.append(tasks.create_task(_tend(app, headquarters, policy, switchboard)))
            yield
            for task in running:
                task.cancel()

    async def site_says(http: HttpRequest) -> Response:
        answer = await _answer(http, headquarters)
        metrics.count(http.url.path, answer)
        if switchboard is not None:
            for site in answer.news:
                switchboard.tell(site)
        return Response(answer.body, status_code=answer.status, media_type=MEDIA_TYPE)

    async def healthz(http: HttpRequest) -> Response:
        """The database answers."""
        await in_thread(http, partial(_ping, headquarters.engine))
        return PlainTextResponse("ok\n")

    async def show_metrics(http: HttpRequest) -> Response:
        if switchboard is not None:
            metrics.show_online(switchboard.heard())
        text = await in_thread(http, partial(metrics.render, headquarters.engine, headquarters.clock.now_ms()))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    paths = (wire.PATH_ENROL, wire.PATH_BATCH, wire.PATH_GRANT, wire.PATH_DOCUMENT)
    routes = [Route(path, site_says, methods=["POST"]) for path in paths]
    routes += [Route("/healthz", healthz), Route("/metrics", show_metrics)]
    routes += public.routes(headquarters, metrics)
    return Starlette(routes=routes, lifespan=lifespan)


async def _tend(app: Starlette, headquarters: Headquarters, policy: Policy, switchboard: Switchboard | None) -> None:
    """Do what time brings about, for ever."""
    while True:
        try:
            work = partial(tend, headquarters.engine, headquarters.keys, headquarters.clock, policy)
            done = await anyio.to_thread.run_sync(work, limiter=app.state.limiter)
        except (sa.exc.SQLAlchemyError, StaleKeys) as error:
            log.error("tending failed; it is tried again", error=str(error), again_in_s=TEND_S)
        else:
            if done.did:
                log.info(
                    "tended",
                    codes_expired=len(done.codes_expired),
                    guests_lent=len(done.guests_lent),
                    epochs_lent=done.epochs_lent,
                )
            if switchboard is not None:
                for site in done.sites:
                    switchboard.tell(site)
        await asyncio.sleep(TEND_S)


async def _answer(http: HttpRequest, headquarters: Headquarters) -> Answer:
    body = await body_of(http, wire.BATCH_BYTES_MAX)
    if body is None:
        expected = f"at most {wire.BATCH_BYTES_MAX} bytes"
        refused = refusal(RefusalCode.TOO_LARGE, "body", expected=expected, got="more")
        return Answer(STATUS[RefusalCode.TOO_LARGE], encode(refused), outcome=RefusalCode.TOO_LARGE)
    epoch = http.headers.get(wire.HEADER_EPOCH, "0")
    request = Request(
        path=http.url.path,
        body=body,
        deflated=http.headers.get("Content-Encoding", "") == "deflate",
        site=http.headers.get(wire.HEADER_SITE, ""),
        epoch=int(epoch) if epoch.isascii() and epoch.isdecimal() and len(epoch) <= 18 else 0,
        signature=http.headers.get(wire.HEADER_SIGNATURE, ""),
    )
    answer = await in_thread(http, partial(headquarters.answer, request))
    said = {"path": request.path, "site": request.site[:64], "epoch": request.epoch, "outcome": answer.outcome}
    if answer.status == 200:
        log.info("answered", **said, new=answer.new)
    else:
        log.warning("refused", **said, status=answer.status)
    return answer


def _ping(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        connection.execute(sa.select(1))
