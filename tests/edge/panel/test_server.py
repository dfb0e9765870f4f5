"""The panel's socket: who may use it, and what becomes of those who misuse it."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_rig import CONFIG, Box, daemon, make_box

from edge.config import Config, Panel
from edge.panel.client import Client, Failed
from edge.panel.messages import LINE_MAX
from edge.panel.server import CLIENTS_MAX, check_socket


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One daemon for all tests here; nothing is on its lines."""
    made = make_box(tmp_path_factory.mktemp("box"), CONFIG)
    with daemon(made):
        yield made


def converse(box: Box, data: bytes) -> bytes:
    """Send, and give all that comes back until the daemon hangs up or has answered a line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(box.socket))
        try:
            client.sendall(data)
        except OSError:
            return b""
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                chunk = client.recv(65_536)
            except ConnectionResetError:
                return answer
            if not chunk:
                return answer
            answer += chunk
        return answer


def test_only_its_user_and_group_may_open_it(box: Box) -> None:
    """From the socket's first moment."""
    assert stat.S_IMODE(box.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (b"not json", "bad-request"),
        (b'{"verb": "status", "args": {"deep": true}}', "bad-request"),
        (b'{"verb": "status", "more": 1}', "bad-request"),
        (b'{"verb": "shutdown"}', "unknown-verb"),
        (b'{"verb": "scan", "args": {"line": "rs485", "first": 0}}', "bad-request"),
        (b'{"verb": "raw", "args": {"line": "rs485", "frame": "zz"}}', "not-hex"),
        (b'{"verb": "raw", "args": {"line": "nowhere", "frame": "00"}}', "unknown-line"),
        (b'{"verb": "read", "args": {"device": "nobody"}}', "unknown-device"),
        (b'{"verb": "stop", "args": {"connector": "c1"}}', "no-such-session"),
        (b'{"verb": "stop", "args": {"session": 99}}', "no-such-session"),
        (b'{"verb": "start", "args": {"connector": "c9", "card": "x"}}', "unknown-connector"),
        (b'{"verb": "sync"}', "no-uplink"),
    ],
)
def test_what_cannot_be_done_is_said(box: Box, ask: bytes, code: str) -> None:
    """In words, with a code for programs; and the daemon goes on."""
    told = json.loads(converse(box, ask + b"\n"))
    assert told["trouble"]["code"] == code
    assert told["trouble"]["what"]


def test_a_flood_is_hung_up_on(box: Box) -> None:
    """No line may be longer than a request ever is."""
    assert converse(box, b"x" * (LINE_MAX * 3)) == b""
    assert box.ask("status")["site"] == "hz-0001"


def test_too_many_clients_are_turned_away(box: Box) -> None:
    """They cost descriptors, of which a box has few; who is there already stays."""
    clients = [Client(box.socket) for _ in range(CLIENTS_MAX)]
    try:
        assert all(client.ask("status") for client in clients)
        with pytest.raises(Failed), Client(box.socket) as late:
            late.ask("status")
        assert clients[0].ask("status")
    finally:
        for client in clients:
            client.__exit__()


def test_a_close_of_day_names_who_did_it(box: Box) -> None:
    """The Unix user at the other end goes into the log, as the kernel says."""
    day = box.ask("day-close")
    assert day["sessions"] == 0
    (act,) = box.ask("records", first=-1, limit=1, kind="technician-act")
    assert act["body"]["verb"] == "day-close"
    assert act["body"]["by"]


def test_a_socket_that_cannot_be(tmp_path: Path) -> None:
    """A path too long and a group that is not there are faults of the config, not of the start."""
    config = Config("hz-1", "/data", panel=Panel(socket=f"{tmp_path}/{'x' * 108}", group="no-such-group"))
    assert [fault.path for fault in check_socket(config)] == ["panel.socket", "panel.group"]
