"""Which page answers which request? Nothing is changed by GET.

GET  /                                   how the site stands, what it costs, and a form for a code
GET  /at/<place>                         what stands there: a cabinet, port, locker, ...; the QR code on it leads here
GET  /prices.json                        what a litre of each grade costs now: for the pole at the road
POST /take                               `code=FT1:...`: takes the code in; `pin=`, `offer=`, `consent=` go with it
POST /open                               `place=`, `pin=`: opens the customer's own locker
GET  /receipt/<site>/<epoch>/<seq>?k=    a session and its bill, for whoever has its link
POST /receipt/<site>/<epoch>/<seq>/end?k=    ends it: a port's is stopped, a swap cancelled
GET  /receipt/<site>/<epoch>/<seq>.json?k=   its receipt, which anyone can check
"""

from __future__ import annotations

import re
from http import HTTPStatus
from ipaddress import ip_address

import structlog

from edge.carried import Said
from edge.config import Page
from edge.daemon_state import Daemon
from edge.journal.errors import JournalError
from edge.page import forms, frame, places, pumps, token
from edge.page.doors import Doors
from edge.page.exchange import JSON, Request, Response
from edge.page.front import front
from edge.page.outcome import outcome
from edge.page.sessions import Sessions
from edge.page.visits import ACTS, ACTS_S, Limit, Visits
from edge.page.words import word
from protocols.trade.locker_pin import is_pin

_RECEIPT = re.compile(
    r"^/receipt/(?P<site>[^/]{1,64})/(?P<epoch>[0-9]{1,9})/(?P<seq>[0-9]{1,15})(?P<file>\.json)?(?P<end>/end)?$"
)
_AT = re.compile(r"^/at/(?P<place>[^/]{1,130})$")
_ACTS = ("/take", "/open")
_SHOWN = ("/", "/prices.json")

log = structlog.get_logger()


class Answers:
    """The page of one daemon. port: the one that is listened on, once it is."""

    def __init__(self, daemon: Daemon, config: Page) -> None:
        self._daemon = daemon
        self._config = config
        self._visits = Visits()
        self._sessions = Sessions(daemon, token.load(daemon.config.keys_dir), self._visits)
        self._doors = Doors(daemon, self._visits)
        self._acts = Limit(ACTS, ACTS_S)
        self.port = config.port

    @property
    def url(self) -> str:
        address = ip_address(self._config.host)
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{host}:{self.port}"

    async def answer(self, request: Request, peer: str = "") -> Response:
        """peer: the address that asks."""
        acts, found = request.method == "POST", _RECEIPT.match(request.path)
        if found is not None and found["file"] and found["end"]:
            found = None
        if acts != (request.path in _ACTS or (found is not None and bool(found["end"]))):
            known = request.path in (*_ACTS, *_SHOWN) or found is not None or _AT.match(request.path) is not None
            return frame.problem(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND, request.language)
        if acts:
            now_ms = self._daemon.clock.mono_ms()
            if self._acts.reached(peer, now_ms):
                return frame.problem(HTTPStatus.TOO_MANY_REQUESTS, request.language)
            self._acts.count(peer, now_ms)
        if found is not None:
            session = found["site"], int(found["epoch"]), int(found["seq"])
            if acts:
                return await self._sessions.end(request, *session)
            return await self._sessions.show(request, *session, found["file"])
        if acts:
            return await (self._take(request) if request.path == "/take" else self._open(request, peer))
        return self._show(request)

    def link(self, seq: int) -> str:
        """The path of a session's page, its token included."""
        return self._sessions.path(self._sessions.id_of(seq))

    @property
    def _title(self) -> str:
        return self._config.title or self._daemon.config.site

    def _show(self, request: Request) -> Response:
        language = request.language
        other = "en" if language == "zh" else "zh"
        if request.path == "/":
            return frame.page(self._title, front(self._daemon, language), language, other=f"/?lang={other}")
        if request.path == "/prices.json":
            return Response(HTTPStatus.OK, JSON, pumps.pole(self._daemon))
        found = _AT.match(request.path)
        place = None if found is None else places.at(self._daemon, found["place"], self._visits, language)
        if found is None or place is None:
            return frame.problem(HTTPStatus.NOT_FOUND, language)
        title, body = place
        body += f'<a class="button quiet" href="/?lang={language}">{word("all-places", language)}</a>'
        return frame.page(title, body, language, other=frame.at(found["place"], other))

    async def _take(self, request: Request) -> Response:
        codes, language, pin = self._daemon.codes, request.language, request.form.get("pin", "")
        if codes is None:
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        if pin and not (is_pin(pin) and len(pin) >= forms.PIN_LEAST):  # before the code is used up
            body = f'<p class="note ill">{word("pin-form", language, least=forms.PIN_LEAST)}</p>'
            body += f'<a class="button quiet" href="/?lang={language}">{word("back", language)}</a>'
            return frame.page(self._title, body, language)
        text, offer = request.form.get("code", ""), request.form.get("offer", "")
        try:
            taken = await codes.take(text, Said(pin, offer, consent=request.form.get("consent") == "1"))
        except JournalError as error:
            log.error("a code was not taken", error=str(error), remedy=error.remedy)
            return frame.problem(HTTPStatus.SERVICE_UNAVAILABLE, language)
        session = getattr(taken, "session", None)
        link = f"{self.link(session.seq)}&lang={language}" if session is not None else ""
        name = getattr(taken, "connector", "")
        place, once_shut = places.named(self._daemon, name, language), places.opens_once_shut(self._daemon, name)
        body = outcome(taken, link, language, place=place, text=text, offer=offer, once_shut=once_shut)
        return frame.page(self._title, body, language)

    async def _open(self, request: Request, peer: str) -> Response:
        return await self._doors.open(request, peer, self._title)
