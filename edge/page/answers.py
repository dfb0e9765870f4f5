"""Which page answers which request?

GET  /                                   how the site stands, what a kWh costs, and a form for a code
GET  /prices.json                        what a litre of each grade costs now: for the pole at the road
POST /take                               `code=FT1:...`: takes the code in
GET  /receipt/<site>/<epoch>/<seq>?k=    a session and its bill, for whoever has its link
GET  /receipt/<site>/<epoch>/<seq>.json?k=   its receipt, which anyone can check
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlencode

import structlog

from edge import epochs
from edge.config import Page
from edge.daemon_state import Daemon
from edge.evidence import gather, slip
from edge.evidence.gather import Gathered, NoReceipt
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalError
from edge.page import bill, frame, pumps, token
from edge.page.exchange import JSON, Request, Response
from edge.page.front import front
from edge.page.outcome import outcome
from edge.page.words import word
from protocols.trade.records import session_id

_RECEIPT = re.compile(r"^/receipt/(?P<site>[^/]{1,64})/(?P<epoch>[0-9]{1,9})/(?P<seq>[0-9]{1,15})(?P<file>\.json)?$")

log = structlog.get_logger()


class Answers:
    """The page of one daemon. port: the one that is listened on, once it is."""

    def __init__(self, daemon: Daemon, config: Page) -> None:
        self._daemon = daemon
        self._config = config
        self._tokens = token.load(daemon.config.keys_dir)
        self._one_receipt = asyncio.Lock()  # a receipt reads the log: one at a time is enough, beside the till
        self.port = config.port

    @property
    def url(self) -> str:
        address = ip_address(self._config.host)
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{host}:{self.port}"

    async def answer(self, request: Request) -> Response:
        language = request.language
        if request.path == "/" and request.method != "POST":
            other = "en" if language == "zh" else "zh"
            return frame.page(self._title, front(self._daemon, language), language, other=f"/?lang={other}")
        if request.path == "/prices.json" and request.method != "POST":
            return Response(HTTPStatus.OK, JSON, pumps.pole(self._daemon))
        if request.path == "/take" and request.method == "POST":
            return await self._take(request)
        found = _RECEIPT.match(request.path)
        if found is not None and request.method != "POST":
            return await self._receipt(request, found["site"], int(found["epoch"]), int(found["seq"]), found["file"])
        known = request.path in ("/", "/take", "/prices.json") or found is not None
        return frame.problem(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND, language)

    def link(self, seq: int) -> str:
        """The path of a session's page, its token included."""
        return self._path(self._session(seq))

    @property
    def _title(self) -> str:
        return self._config.title or self._daemon.config.site

    def _session(self, seq: int) -> str:
        assert self._daemon.journal is not None
        return session_id(self._daemon.journal.site, self._daemon.journal.epoch, seq)

    def _path(self, session: str, file: str = "", **query: str) -> str:
        return f"/receipt/{session}{file}?" + urlencode({"k": self._tokens.of(session), **query})

    async def _take(self, request: Request) -> Response:
        codes, language = self._daemon.codes, request.language
        if codes is None:
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        try:
            taken = await codes.take(request.form.get("code", ""))
        except JournalError as error:
            log.error("a code was not taken", error=str(error), remedy=error.remedy)
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        session = getattr(taken, "session", None)
        link = f"{self.link(session.seq)}&lang={language}" if session is not None else ""
        return frame.page(self._title, outcome(taken, link, language), language)

    async def _receipt(self, request: Request, site: str, epoch: int, seq: int, file: str | None) -> Response:
        """Nobody learns whether a session exists without its token."""
        language, session, missing = request.language, session_id(site, epoch, seq), HTTPStatus.NOT_FOUND
        if self._daemon.site is None or not self._tokens.fits(session, request.query.get("k", "")):
            return frame.problem(missing, language)
        other = self._path(session, lang="en" if language == "zh" else "zh")
        running = self._running(session) if file is None else None
        if running is not None:
            return frame.page(word("session", language), running(language), language, other=other)
        try:
            async with self._one_receipt:
                gathered = await asyncio.to_thread(self._gather, site, epoch, seq)
        except NoReceipt:
            return frame.problem(missing, language)
        except (JournalError, sqlite3.Error) as error:
            log.error("a receipt could not be read", session=session, error=str(error))
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        if file is not None:
            name = f"receipt-{site}-{epoch}-{seq}.json"
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(HTTPStatus.OK, JSON, gathered.file.to_bytes(), disposition)
        body = bill.settled(gathered, self._path(session, ".json"), language)
        return frame.page(slip.title(gathered.story, language), body, language, other=other)

    def _running(self, session: str) -> Callable[[str], str] | None:
        """The body, by language, of a session while it is open. None: it has ended, or has never been."""
        site = self._daemon.site
        assert site is not None
        for opened, progress in site.desk.sessions():
            if self._session(opened.seq) == session:
                return partial(bill.running, site, opened, progress)
        fills = None if site.islands is None else site.islands.fills
        for filling, row in () if fills is None else fills.fillings():
            if self._session(filling.seq) == session:
                assert fills is not None
                return partial(pumps.running, fills, filling, row)
        return None

    def _gather(self, site: str, epoch: int, seq: int) -> Gathered:
        """From a connection of its own, in a thread: a long log is no reason to look at sessions later. Of an epoch
        that has ended, from where its log is kept.
        """
        path, journal = self._daemon.config.journal_path, self._daemon.journal
        assert journal is not None
        if (site, epoch) != (journal.site, journal.epoch):
            path = next((one.path for one in epochs.kept(path) if (one.site, one.epoch) == (site, epoch)), path)
        with closing(connect_reader(path)) as connection:
            return gather.receipt_of(connection, gather.session_seq(connection, session_id(site, epoch, seq)))
