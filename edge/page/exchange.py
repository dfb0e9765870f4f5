"""What does the page understand of HTTP? One request, one answer, within limits; h11 reads the bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

HEAD_BYTES_MAX = 8 * 1024
BODY_BYTES_MAX = 4 * 1024
"""A form with the longest code that a scanner's line holds, each character written as %XX, has 2,200 bytes."""
FIELDS_MAX = 8

HTML, JSON = "text/html; charset=utf-8", "application/json"

HEADERS = (
    ("Connection", "close"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),  # a receipt's link holds its token
)


@dataclass(frozen=True, slots=True)
class Request:
    """path: decoded, without the query. query, form: the first value of each name. language: `zh` or `en`."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    language: str


@dataclass(frozen=True, slots=True)
class Response:
    status: HTTPStatus
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self, *, head_only: bool = False) -> bytes:
        length = ("Content-Length", str(len(self.body)))
        fields = [("Content-Type", self.kind), length, *HEADERS, *self.headers.items()]
        head = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        return head.encode("latin-1") + (b"" if head_only else self.body)


class Unreadable(Exception):
    """Not a request that this page answers. `status` says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Intake:
    """Bytes in, at most one request out."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._head: h11.Request | None = None
        self._body = bytearray()

    def receive_data(self, data: bytes) -> None:
        """data: what came; empty when the other side has ended."""
        self._h11.receive_data(data)

    def due(self) -> bytes:
        """What the client waits for before it sends its body: `100 Continue`, mostly nothing."""
        if not self._h11.they_are_waiting_for_100_continue:
            return b""
        return self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""

    def next_request(self) -> Request | None:
        """The request once it is whole; None: more is needed. Raises Unreadable."""
        try:
            while True:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    self._head = event
                    if event.method not in (b"GET", b"HEAD", b"POST"):
                        raise Unreadable(HTTPStatus.METHOD_NOT_ALLOWED)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > BODY_BYTES_MAX:
                        raise Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                elif isinstance(event, h11.EndOfMessage):
                    assert self._head is not None
                    return _request(self._head, bytes(self._body))
                elif event is h11.NEED_DATA:
                    return None
                else:
                    raise Unreadable(HTTPStatus.BAD_REQUEST)
        except h11.RemoteProtocolError as error:
            raise Unreadable(HTTPStatus(error.error_status_hint)) from error


def _request(head: h11.Request, body: bytes) -> Request:
    try:
        target = urlsplit(head.target.decode("ascii"))
        query = _fields(target.query)
        form = _fields(body.decode("ascii")) if body else {}
        path = unquote(target.path, errors="strict")
    except ValueError as error:
        raise Unreadable(HTTPStatus.BAD_REQUEST) from error
    headers = dict(head.headers)
    accepted = headers.get(b"accept-language", b"").decode("latin-1")
    return Request(head.method.decode(), path, query, form, _language(query.get("lang", ""), accepted))


def _fields(text: str) -> dict[str, str]:
    """The first value of each name. Raises ValueError for too many, or what is not UTF-8."""
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    return dict(reversed(pairs))


def _language(asked: str, accepted: str) -> str:
    """What the link says, else the first of the two that the phone prefers, else Chinese."""
    if asked in ("zh", "en"):
        return asked
    found = re.search(r"\b(zh|en)\b", accepted, re.IGNORECASE)
    return found[1].lower() if found else "zh"
