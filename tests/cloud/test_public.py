"""What anybody may say to headquarters and hear from it: receipts, keys, and not too much of either."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Iterator
from socket import create_server

import pytest
import requests
import uvicorn
from hq_box import Box, admit
from test_forks import receipt

from cloud import public
from cloud.app import build
from cloud.public import Throttle
from cloud.service import EVIDENCE_BYTES_MAX, Headquarters
from protocols.proof.note import VerifierKey


@pytest.fixture
def address(light_hq: Headquarters) -> Iterator[str]:
    """A running server; its address."""
    listener = create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(light_hq), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_stranger_shows_a_receipt_and_reads_the_keys(light_hq: Headquarters, address: str) -> None:
    """No account, no signature: the receipt proves itself, and the keys say with what."""
    box = Box("pudong-1")
    admit(light_hq, box)
    box.enrol(light_hq)
    box.send(light_hq, 0)
    box.sell("A", 5)
    shown = receipt(box, 0, 1).to_bytes()
    said = requests.post(address + "/v1/evidence", data=shown, timeout=10)
    assert (said.status_code, said.json()) == (200, {"state": "waiting"})

    keys = requests.get(address + "/v1/keys", timeout=10)
    assert "max-age" in keys.headers["Cache-Control"]
    log = next(key for key in keys.json()["keys"] if key["role"] == "log")
    assert (log["subject"], b64decode(log["public"])) == ("pudong-1/1", box.log_public)
    assert VerifierKey.parse(log["name"]).public == box.log_public
    assert next(key for key in keys.json()["keys"] if key["role"] == "device")["name"] == box.fingerprint


def test_what_is_refused_says_why_in_json(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonsense, a flood of bytes, a flood of requests."""
    nonsense = requests.post(address + "/v1/evidence", data=b"{", timeout=10)
    assert (nonsense.status_code, nonsense.json()["code"]) == (400, "unreadable")
    long = requests.post(address + "/v1/evidence", data=b" " * (EVIDENCE_BYTES_MAX + 1), timeout=10)
    assert (long.status_code, long.json()["code"]) == (413, "too-large")
    codes = [requests.post(address + "/v1/evidence", data=b"{", timeout=10).status_code for _ in range(public.BURST)]
    assert 429 in codes
    assert requests.get(address + "/healthz", timeout=10).text == "ok\n"


def test_a_throttle_gives_everybody_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst, then one for each interval; one address's haste is not another's; the oldest is forgotten."""
    now_s = 0.0
    throttle = Throttle(3, 2.0, lambda: now_s)
    assert [throttle.allows("a") for _ in range(5)] == [True, True, True, False, False]
    assert throttle.allows("b")
    now_s = 2.0
    assert [throttle.allows("a") for _ in range(2)] == [True, False]
    now_s = 1000.0
    assert [throttle.allows("a") for _ in range(4)] == [True, True, True, False]
    monkeypatch.setattr(public, "ADDRESSES_MAX", 2)
    assert [throttle.allows(name) for name in "cd"] == [True, True]
    assert throttle.allows("a")
