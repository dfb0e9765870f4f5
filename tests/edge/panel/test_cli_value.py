"""`fieldtill take` and `fieldtill link` as a technician types them, against the real daemon without a link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_rig import CONFIG, HQ_KEY, SITE, TWINS, Box, daemon, make_box, twins, until

from protocols.proof.ed25519 import public_of
from protocols.proof.note import SignatureType, VerifierKey
from tests.edge.codes import PINNED, code, order

ONLINE = """
[hq]
url = "https://127.0.0.1:9"
keys_file = "hq.vkeys"
[page]
host = "127.0.0.1"
port = 0
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box at work whose headquarters does not answer. Its connector has a car."""
    one = make_box(tmp_path_factory.mktemp("box"), CONFIG + ONLINE)
    grant_key = VerifierKey("hq.example.com/grant", SignatureType.ED25519, public_of(HQ_KEY))
    (one.root / "hq.vkeys").write_text(f"{grant_key}\n{PINNED.cosign}\n")
    with twins(one, TWINS), daemon(one) as process:
        until(lambda: ready(one), process)
        yield one


def ready(box: Box) -> bool:
    place = box.ask("status")["connectors"][0] if box.asks("sessions") is not None else {}
    return place.get("iec") is not None and place.get("register_wh") is not None


def made(total: int, account: str, number: int | None = None, **more: int) -> str:
    start = None if number is None else order(number)
    return code(total, account=account, site=SITE, key=HQ_KEY, start=start, **more)


def test_a_grant_once_and_again(box: Box) -> None:
    """What it brought, and what may be spent; then that it is nothing new."""
    text = made(1_250, "acc-phone")
    first, again = box.cli("take", text), box.cli("take", text)
    assert first.returncode == again.returncode == 0
    assert "grant of acc-phone: new; ¥12.50 may be spent here" in first.stdout
    assert "nothing new" in again.stdout


def test_from_a_file_and_as_json(box: Box, tmp_path: Path) -> None:
    """`@FILE`, its line end and all; one JSON value for a program."""
    (tmp_path / "code.txt").write_text(made(300, "acc-file") + "\r\n")
    told = json.loads(box.cli("take", f"@{tmp_path}/code.txt", "--json").stdout)
    assert (told["account"], told["news"], told["rights"], told["session"]) == ("acc-file", True, 300, None)
    assert box.cli("take", f"@{tmp_path}/none.txt").returncode == 2


def test_what_is_no_code(box: Box) -> None:
    """What is wrong with it, and what to do next; the exit code of a refusal."""
    done = box.cli("take", "https://example.com")
    assert done.returncode == 1
    assert "expected a code that begins with FT1:" in done.stderr
    assert "operator" in done.stderr


def test_a_start_and_where_its_receipt_is(box: Box) -> None:
    """It starts; a second one there is refused, with exit code 1, and its money counts; the link is told."""
    started = json.loads(box.cli("take", made(2_000, "acc-start", 1), "--json").stdout)
    assert started["session"]["hold_fen"] == 2_000
    refused = box.cli("take", made(2_000, "acc-late", 1))
    assert refused.returncode == 1
    assert "new; ¥20.00 may be spent here" in refused.stdout
    assert "The start at c1 is refused" in refused.stdout
    link = box.cli("link", str(started["session"]["seq"])).stdout.strip()
    assert link.startswith("http://127.0.0.1:")
    assert f"/receipt/{SITE}/1/{started['session']['seq']}?k=" in link
