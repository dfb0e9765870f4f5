"""What time brings about, done by the running server and by hand; twice is as once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import requests
import sqlalchemy as sa
import uvicorn
from hq_box import Box, admit, dump

from cloud import guests, schema, store, tend
from cloud.app import build
from cloud.clock import SetClock
from cloud.policy import Policy
from cloud.service import Headquarters


@pytest.fixture
def guest(light_hq: Headquarters) -> str:
    """Somebody who paid three hours ago and has not come."""
    box = Box("S1")
    admit(light_hq, box)
    box.enrol(light_hq)
    box.send(light_hq, 0)
    with store.writing(light_hq.engine) as connection:
        paid = guests.pay(
            connection,
            light_hq.keys,
            light_hq.clock,
            channel="wechat",
            reference="wx-1",
            amount=4_000,
            site="S1",
            connector="bay-1",
        )
    assert isinstance(light_hq.clock, SetClock)
    light_hq.clock.advance(3 * 3_600_000)
    return paid.account


def status(hq: Headquarters, account: str) -> str:
    with store.reading(hq.engine) as connection:
        query = sa.select(schema.accounts.c.status).where(schema.accounts.c.id == account)
        return str(connection.execute(query).scalar_one())


def test_twice_is_as_once(light_hq: Headquarters, guest: str) -> None:
    """A person runs it beside the server, or a timer fires late."""
    done = tend.tend(light_hq.engine, light_hq.keys, light_hq.clock, Policy())
    assert (done.codes_expired, done.guests_lent, done.sites, done.did) == ([guest], [], frozenset({"S1"}), True)
    before = dump(light_hq)
    assert not tend.tend(light_hq.engine, light_hq.keys, light_hq.clock, Policy()).did
    assert dump(light_hq) == before


@pytest.fixture
def served(light_hq: Headquarters, guest: str) -> Iterator[str]:
    """A running server that tends; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(light_hq, policy=Policy()), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_the_server_tends_by_itself(light_hq: Headquarters, guest: str, served: str) -> None:
    """From its start on, and its figures tell of who waits."""
    until(lambda: status(light_hq, guest) == "frozen")
    assert "fieldtill_guests_waiting 1.0" in requests.get(served + "/metrics", timeout=10).text


def until(true: Callable[[], bool]) -> None:
    """Ask again until it is so; the suite's own time limit ends a wait in vain."""
    pause = threading.Event()
    while not true():
        pause.wait(0.02)
