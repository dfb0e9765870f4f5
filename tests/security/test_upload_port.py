"""Whoever can reach headquarters' port: over real HTTP, with the limits that the server has."""

from __future__ import annotations

import socket
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
import uvicorn
from hq_box import Box, admit, dump, open_headquarters, read, refused

from cloud.app import build
from cloud.patience import PatientProtocol
from cloud.service import Answer, Headquarters, Request
from protocols.proof import keys as proof_keys
from protocols.trade import wire
from protocols.trade.wire import BATCH_BYTES_MAX, BatchReply


class Hasty(PatientProtocol):
    """The server's protocol for a test that has no half minute."""

    SILENT_S = 0.2


@pytest.fixture
def hq(tmp_path: Path) -> Iterator[Headquarters]:
    headquarters = open_headquarters(f"sqlite:///{tmp_path}/hq.db")
    yield headquarters
    headquarters.engine.dispose()


@pytest.fixture
def port(hq: Headquarters) -> Iterator[int]:
    """A server at work."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(hq), log_level="error", http=Hasty))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def box(hq: Headquarters) -> Box:
    """A site that has sold something, not yet reported."""
    return a_box(hq, "pudong-1")


def a_box(hq: Headquarters, site: str) -> Box:
    box = Box(site)
    admit(hq, box)
    box.enrol(hq)
    box.sell("nobody", 0)
    return box


def post(port: int, request: Request) -> Answer:
    headers = {
        wire.HEADER_SITE: request.site,
        wire.HEADER_EPOCH: str(request.epoch),
        wire.HEADER_SIGNATURE: request.signature,
        **({"Content-Encoding": "deflate"} if request.deflated else {}),
    }
    reply = requests.post(f"http://127.0.0.1:{port}{request.path}", data=request.body, headers=headers, timeout=20)
    return Answer(reply.status_code, reply.content)


def batch(box: Box) -> Request:
    return box.request(wire.PATH_BATCH, box.batch(0))


def test_what_is_not_signed_by_this_sites_log_key(hq: Headquarters, port: int, box: Box) -> None:
    """Nothing, nonsense, another site's key, the right key for another path, site, epoch or body: nothing changes."""
    other, good = a_box(hq, "pudong-2"), batch(box)
    by_other = proof_keys.sign(
        other.log_key, wire.REQUEST_DOMAIN, wire.request_payload("POST", good.path, good.site, good.epoch, good.body)
    )
    before = dump(hq)
    for bad in (
        replace(good, signature=""),
        replace(good, signature="!!!"),
        replace(good, signature=b64encode(bytes(64)).decode()),
        replace(good, signature=b64encode(by_other).decode()),
        replace(good, path=wire.PATH_GRANT),
        replace(good, site="pudong-2"),
        replace(good, epoch=2),
        replace(good, body=good.body + b"\0"),
        replace(good, site="nobody"),
        replace(good, site=""),
    ):
        assert refused(post(port, bad)).code in {"bad-signature", "unknown-site", "unknown-epoch"}, bad
    assert dump(hq) == before
    assert post(port, good).status == 200


def test_an_old_request_again(hq: Headquarters, port: int, box: Box) -> None:
    """Whoever has recorded one can send it for ever: it is answered as before, and books nothing."""
    good = batch(box)
    first = read(post(port, good), BatchReply)
    before = dump(hq)
    for _ in range(3):
        assert read(post(port, good), BatchReply).cosigned == first.cosigned
    assert {name: rows for name, rows in dump(hq).items() if name != "epochs"} == {
        name: rows for name, rows in before.items() if name != "epochs"
    }


def test_too_much(hq: Headquarters, port: int, box: Box) -> None:
    """A body beyond the limit, and a bomb within it that unpacks to thirty times as much: refused, signed or not."""
    before = dump(hq)
    huge = box.request(wire.PATH_BATCH, box.batch(0))
    assert refused(post(port, replace(huge, body=bytes(BATCH_BYTES_MAX + 1)))).code == "too-large"
    bomb = zlib.compress(bytes(1 << 27), 9)
    assert len(bomb) < BATCH_BYTES_MAX
    payload = wire.request_payload("POST", wire.PATH_BATCH, box.site, box.epoch, bomb)
    signature = b64encode(proof_keys.sign(box.log_key, wire.REQUEST_DOMAIN, payload)).decode()
    for signed in ("", signature):
        answer = post(port, replace(huge, body=bomb, signature=signed))
        assert refused(answer).code == ("too-large" if signed else "bad-signature")
    assert dump(hq) == before


def test_names_and_paths_lead_nowhere(port: int, box: Box) -> None:
    """There is no file behind any address or name."""
    for path in ("/../../etc/passwd", "/v1/../../hq.db", "/%2e%2e/keys/grant.pem", "/v1/keys/../../keys/grant.pem"):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path)  # as it is written: no client tidies it up
        assert connection.getresponse().status in {404, 405}
        connection.close()
    good = batch(box)
    for site in ("../../etc", "pudong-1/../pudong-2", "x" * 5_000, "'; DROP TABLE ledger; --"):
        assert refused(post(port, replace(good, site=site))).code == "unknown-site"
    assert post(port, good).status == 200


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n", b"POST /v1/batch HTTP/1.1\r\nContent-Length: 9999\r\n\r\nabc"],
    ids=["silence", "half a head", "half a body"],
)
def test_slow_clients_are_let_go(port: int, box: Box, begun: bytes) -> None:
    """Forty that begin and fall silent: the server hangs up on each, and serves the site meanwhile and after."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
    for client in clients:
        client.sendall(begun)
    assert post(port, batch(box)).status == 200
    for client in clients:
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()
    assert post(port, batch(box)).status == 200


@pytest.mark.parametrize("piece", [b"X-Pad: " + b"y" * 1000 + b"\r\n", b"z" * 1000], ids=["headers", "one header"])
def test_a_head_without_end_is_cut(port: int, box: Box, piece: bytes) -> None:
    """Nobody has been authenticated by then, so little is heard."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"POST /v1/batch HTTP/1.1\r\nX-Begin: ")
        cut = False
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(20_000):  # 20 MB: more than both ends' buffers, were they read
                client.sendall(piece)
            client.recv(1)
            raise AssertionError("all of it was heard")
        cut = True
    assert cut
    assert post(port, batch(box)).status == 200


def test_a_connection_that_is_kept_is_not_cut(port: int, box: Box) -> None:
    """A site asks again on the same connection, longer after its last answer than a silent stranger may take."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    for pause in (0.0, 0.5, 0.5):
        threading.Event().wait(pause)
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"ok\n")
        assert connection.sock is not None, "it was closed in between"
    connection.close()
