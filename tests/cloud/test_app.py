"""A site and headquarters over real HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests
import uvicorn
from hq_box import Box, admit, balance, read, refused

from cloud import accounts, store
from cloud.app import build
from cloud.service import Answer, Headquarters, Request
from protocols.proof import checkpoint
from protocols.trade import wire
from protocols.trade.grants import split
from protocols.trade.wire import BatchReply, EnrolReply, GrantReply


@pytest.fixture
def address(light_hq: Headquarters) -> Iterator[str]:
    """A running server; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(light_hq), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def post(address: str, request: Request) -> Answer:
    headers = {
        wire.HEADER_SITE: request.site,
        wire.HEADER_EPOCH: str(request.epoch),
        wire.HEADER_SIGNATURE: request.signature,
    }
    if request.deflated:
        headers["Content-Encoding"] = "deflate"
    reply = requests.post(address + request.path, data=request.body, headers=headers, timeout=10)
    return Answer(reply.status_code, reply.content)


def test_a_site_enrols_sells_and_is_acknowledged(light_hq: Headquarters, address: str) -> None:
    """Enrol, top up, ask for a grant, sell, send: the books balance and the cosignature verifies."""
    hq, box = light_hq, Box("pudong-1")
    admit(hq, box)
    box.open_epoch(read(post(address, box.enrol_request()), EnrolReply).epoch)
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None)
        accounts.top_up(connection, hq.keys, hq.clock, account, 10_000, channel="wechat", reference="wx-1")

    ask = box.request(wire.PATH_GRANT, box.grant_ask(account, 3_000))
    grant = read(post(address, ask), GrantReply)
    assert split(grant.grant)[0].granted == 3_000
    box.accept(grant.grant)
    box.sell(account, 1_234)
    reply = read(post(address, box.request(wire.PATH_BATCH, box.batch(0))), BatchReply)

    checkpoint.verify_cosignature(reply.cosigned, hq.keys.cosign_vkey)
    assert balance(hq, "revenue:pudong-1") == 1_234
    assert balance(hq, f"cust:{account}") == 10_000 - 3_000 - (5_000 - 1_766)  # placed again where it was served
    assert balance(hq, f"lease:{account}:pudong-1:1") == 5_000
    assert [split(signed)[0].granted for signed in reply.grants] == [6_234]


def test_a_body_is_not_read_beyond_the_limit(address: str) -> None:
    """However long a stranger's body is, no more than the limit is held."""
    answer = post(address, Request(wire.PATH_BATCH, b"x" * (wire.BATCH_BYTES_MAX + 1)))
    assert (answer.status, refused(answer).code) == (413, "too-large")


@pytest.mark.parametrize("epoch", ["", "-1", "1e3", "٣", "9" * 40])
def test_headers_that_are_nonsense_are_refused(light_hq: Headquarters, address: str, epoch: str) -> None:
    """A header is a stranger's text: it never reaches the database as it is."""
    box = Box("pudong-1")
    admit(light_hq, box)
    headers = {wire.HEADER_SITE: "pudong-1", wire.HEADER_EPOCH: epoch.encode(), wire.HEADER_SIGNATURE: "x"}
    reply = requests.post(address + wire.PATH_BATCH, data=b"", headers=headers, timeout=10)
    assert refused(Answer(reply.status_code, reply.content)).code == "unknown-epoch"


def test_half_a_request_harms_nobody(light_hq: Headquarters, address: str) -> None:
    """A link that fails while sending leaves nothing behind, and the next request is served."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as broken:
        broken.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: hq\r\nContent-Length: 1000\r\n\r\nhalf")
    assert requests.get(address + "/healthz", timeout=10).text == "ok\n"
    assert requests.get(address + "/v1/money", timeout=10).status_code == 404
