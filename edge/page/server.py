"""Who may ask for the page, how many at once, and for how long?"""

from __future__ import annotations

import asyncio
from collections import Counter
from http import HTTPStatus

import structlog

from edge.config import Page
from edge.daemon_state import Daemon
from edge.page import frame
from edge.page.answers import Answers
from edge.page.exchange import Intake, Response, Unreadable

CLIENTS_MAX = 20
"""Connections at once; each costs one file descriptor and some 20 kB."""
PEER_MAX = 6
"""Of one address: what a browser opens. One phone keeps nobody else out."""
CLIENT_S = 10.0
"""A client's time to ask, and again to take the answer."""
CHUNK_BYTES = 16 * 1024
RETRY_S = 10.0
"""An address that the box does not have yet (its network comes up later) is tried again after this."""

log = structlog.get_logger()


async def serve_page(daemon: Daemon, config: Page) -> None:
    """Serve until cancelled. An address or port that cannot be had is told once; selling goes on."""
    answers = Answers(daemon, config)
    peers: Counter[str] = Counter()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        peers[peer] += 1
        try:
            if peers.total() <= CLIENTS_MAX and peers[peer] <= PEER_MAX:
                await _converse(answers, peer, reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever hangs up or falls asleep is let go
        finally:
            peers[peer] -= 1
            if not peers[peer]:
                del peers[peer]
            writer.close()

    told = False
    while True:
        try:
            server = await asyncio.start_server(client, config.host, config.port, limit=CHUNK_BYTES)
            break
        except OSError as error:
            if not told:
                log.error("no page", host=config.host, port=config.port, error=str(error))
            told = True
            await asyncio.sleep(RETRY_S)
    answers.port = server.sockets[0].getsockname()[1]
    daemon.receipt_url = lambda seq: answers.url + answers.link(seq)
    log.info("page", url=answers.url)
    async with server:
        await server.serve_forever()


async def _converse(answers: Answers, peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request and its answer. Raises OSError, TimeoutError."""
    intake, head_only = Intake(), False
    try:
        async with asyncio.timeout(CLIENT_S):
            while (request := intake.next_request()) is None:
                writer.write(intake.due())
                intake.receive_data(await reader.read(CHUNK_BYTES))
        head_only = request.method == "HEAD"
        response = await answers.answer(request, peer)
    except (OSError, TimeoutError):
        raise
    except Unreadable as error:
        response = frame.problem(error.status, "en")
    except Exception as error:  # one page fails, not the till
        log.error("a page failed", exc_info=error)
        response = frame.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "en")
    await _send(writer, response, head_only=head_only)


async def _send(writer: asyncio.StreamWriter, response: Response, *, head_only: bool) -> None:
    async with asyncio.timeout(CLIENT_S):
        writer.write(response.to_bytes(head_only=head_only))
        await writer.drain()
        writer.write_eof()
