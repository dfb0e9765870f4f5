"""What the page reads of HTTP: whatever bytes come, in whatever pieces, it is a request or an error, and soon."""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.page.exchange import Intake, Request, Response, Unreadable

POST = b"POST /take?lang=en HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\ncode=FT1%3AA%24+Z"


def taken(*pieces: bytes) -> Request | HTTPStatus | None:
    """What comes of these pieces, one after the other; an error as its status."""
    intake = Intake()
    try:
        for piece in pieces:
            intake.receive_data(piece)
            request = intake.next_request()
            if request is not None:
                return request
    except Unreadable as error:
        return error.status
    return None


@given(st.lists(st.integers(0, len(POST)), max_size=6))
def test_pieces_make_the_same_request(cuts: list[int]) -> None:
    """A phone's bytes arrive as the network likes."""
    places = [0, *sorted(cuts), len(POST)]
    request = taken(*(POST[start:end] for start, end in pairwise(places) if end > start))
    assert request == Request("POST", "/take", {"lang": "en"}, {"code": "FT1:A$ Z"}, "en")


@given(st.binary(max_size=300))
def test_any_bytes(noise: bytes) -> None:
    """Nothing but a request, an error of the 400s or 500s, or more to wait for."""
    for data in (noise, b"GET /" + noise, POST[:60] + noise):
        outcome = taken(data)
        assert outcome is None or isinstance(outcome, Request) or outcome >= 400


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 9_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (POST.replace(b"17", b"5000") + b"a" * 5_000, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\na=1&a=2&a=3&a=4&a=5&a=6&a=7&", None),
        (b"GET /?" + b"a=1&" * 9 + b" HTTP/1.1\r\nHost: x\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n", HTTPStatus.BAD_REQUEST),
    ],
    ids=["put", "long head", "long body", "some fields", "many fields", "not utf-8"],
)  # fmt: skip
def test_limits(head: bytes, status: HTTPStatus | None) -> None:
    """Each has its status."""
    outcome = taken(head)
    assert outcome == status or (status is None and isinstance(outcome, Request))


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "zh"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "de-DE,de;q=0.9,en-US;q=0.8", "en"),
        ("en", "zh-CN", "en"),
        ("fr", "EN", "en"),
    ],
)
def test_language(asked: str, accepted: str, language: str) -> None:
    """What the link says, then what the phone says, then Chinese."""
    head = f"GET /?lang={asked} HTTP/1.1\r\nHost: x\r\nAccept-Language: {accepted}\r\n\r\n"
    request = taken(head.encode())
    assert isinstance(request, Request)
    assert request.language == language


def test_an_answer_to_head_has_no_body() -> None:
    """But the length of what it would be."""
    response = Response(HTTPStatus.OK, "text/plain", b"hello")
    assert response.to_bytes(head_only=True) + b"hello" == response.to_bytes()
    assert b"Content-Length: 5\r\n" in response.to_bytes(head_only=True)
