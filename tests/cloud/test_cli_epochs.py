"""`fieldtill-hq epoch`, `evidence`, `risk`, `keys`, caps and adjustments, as a person says them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hq_box import Box
from hq_say import Say
from test_forks import receipt

from cloud.home import open_home
from cloud.service import Headquarters
from protocols.proof.receipt import Receipt


@pytest.fixture
def fleet(say: Say, tmp_path: Path) -> tuple[Box, str]:
    """A headquarters, a box that sold 10 yuan of the 50 it was granted, and the account."""
    box = Box("pudong-1")
    say("init")
    say("site", "add", "pudong-1", "--device", box.fingerprint)
    account = say("account", "add", "--placed", "0").out.strip()
    say("account", "top-up", account, "100", "--reference", "wx-1")
    hq = headquarters(tmp_path)
    box.enrol(hq)
    box.send(hq, 0)
    box.accept(box.ask(hq, account, 5_000).grant)
    box.sell(account, 1_000)
    box.send(hq, 1)
    hq.engine.dispose()
    return box, account


def headquarters(tmp_path: Path) -> Headquarters:
    home = open_home(tmp_path / "hq")
    return Headquarters(home.engine, home.keys, home.clock)


def test_a_box_is_lost_and_its_customers_are_paid(say: Say, fleet: tuple[Box, str]) -> None:
    """Each step says what it did, and said again that it was done."""
    _, account = fleet
    assert "40.00" in say("epoch", "list").out
    refused = say("epoch", "loan", "pudong-1", "1")
    assert (refused.code, "is open" in refused.err) == (1, True)
    assert say("epoch", "lost", "pudong-1", "1", "--why", "stolen").out == "pudong-1/1 is lost\n"
    assert "already" in say("epoch", "lost", "pudong-1", "1", "--why", "stolen").out
    assert say("epoch", "loan", "pudong-1", "1").out == f"{account}  ¥40.00 lent\n"
    assert say("epoch", "loan", "pudong-1", "1").out == "nothing is left to lend\n"
    shown = json.loads(say("--json", "epoch", "show", "pudong-1", "1").out)[0]
    assert (shown["state"], shown["held_fen"], shown["lent_fen"]) == ("lost", 4_000, 4_000)
    assert "stolen" in say("epoch", "show", "pudong-1", "1").out
    assert say("epoch", "found", "pudong-1", "1").out == "pudong-1/1 is open\n"
    assert say("epoch", "show", "pudong-1", "9").code == 1
    adjusted = ("account", "adjust", account, "3", "--because", "pudong-1/1/2", "--reference", "adj-1")
    assert "3 yuan charged" in say(*adjusted).out
    assert "done before" in say(*adjusted).out


def test_caps_and_the_pool(say: Say, fleet: tuple[Box, str]) -> None:
    """In yuan; 0 lifts a cap."""
    _, account = fleet
    assert say("site", "cap", "pudong-1", "200").out == "pudong-1: 200 yuan\n"
    assert say("account", "cap", account, "0").out == f"{account}: no cap\n"
    fund = ("risk", "fund", "pudong-1", "500", "--session-limit", "30", "--reference", "pool-1")
    assert "granted to pudong-1" in say(*fund).out
    assert "done before" in say(*fund).out
    assert "500.00" in say("risk", "show").out
    assert json.loads(say("--json", "risk", "show").out)[0]["left_fen"] == 50_000
    assert say("risk", "fund", "nowhere", "5", "--session-limit", "3", "--reference", "p").code == 1
    assert say("site", "cap", "pudong-1", "many").code == 2


def test_a_clones_receipt_freezes_and_its_sale_is_booked(say: Say, fleet: tuple[Box, str], tmp_path: Path) -> None:
    """A person adds the receipt, looks at both heads, and books the branch once it has come."""
    box, account = fleet
    file = tmp_path / "receipt.json"
    file.write_bytes(receipt(box, 0, 2).to_bytes())
    assert say("evidence", "add", str(file)).out == "it agrees with the log\n"
    box.leaves.pop()
    box.counters.clear()
    box.sell(account, 700)
    file.write_bytes(receipt(box, 0, 2).to_bytes())
    assert "CONTRADICTS" in say("evidence", "add", str(file)).out
    assert json.loads(say("--json", "evidence", "list").out)[0]["state"] == "contradicts"
    heads = json.loads(say("--json", "epoch", "show", "pudong-1", "1").out)[0]["forks"]
    assert [(it["kept_size"], it["other_size"], it["batch_bytes"]) for it in heads] == [(3, 3, 0)]
    assert say("epoch", "book-branch", "pudong-1", "1").out == "nothing is left to book\n"
    hq = headquarters(tmp_path)
    hq.answer(box.request("/v1/batch", box.batch(0)))
    hq.engine.dispose()
    assert say("epoch", "book-branch", "pudong-1", "1").out == f"{account}  ¥7.00 booked to the operator\n"
    file.write_bytes(b"{}")
    assert say("evidence", "add", str(file)).code == 2


def test_keys_are_listed_proven_and_rotated(say: Say, fleet: tuple[Box, str], tmp_path: Path) -> None:
    """The file that boxes pin follows the keys; the old ones stay in the directory."""
    before = say("keys").out
    listed = json.loads(say("--json", "keys", "--all").out)["keys"]
    assert [key["role"] for key in listed] == ["grant", "cosign", "hq-log", "device", "log"]
    assert "pudong-1/1" in say("keys", "--all").out
    assert Receipt.parse(say("keys", "proof", "1").out.encode()).index == 1
    assert json.loads(say("--json", "keys", "proof", "1").out)["seq"] == 1
    assert say("keys", "proof", "99999").code == 1
    assert say("keys", "withdraw", "grant").code == 1
    for role in ("grant", "cosign", "hq-log"):
        assert f"{role}: a new key is in use" in say("keys", "rotate", role).out
    after = say("keys").out
    assert (tmp_path / "hq" / "hq.vkeys").read_text() == after
    assert not set(before.splitlines()) & set(after.splitlines())
    assert "1 older withdrawn" in say("keys", "withdraw", "grant").out
    states = [key["state"] for key in json.loads(say("--json", "keys", "--all").out)["keys"]]
    assert (states.count("retired"), states.count("valid")) == (3, 5)
    assert say("account", "list").code == 0
    hq = headquarters(tmp_path)
    fleet[0].send(hq, 1)
    hq.engine.dispose()
