"""`fieldtill-hq` for codes, guests, refunds and reported cards, as a person says it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hq_box import Box
from hq_say import Say

from cloud.home import open_home
from cloud.service import Headquarters
from protocols.trade import carried


@pytest.fixture
def box(say: Say, tmp_path: Path) -> Box:
    """A headquarters with one site, whose box has been heard."""
    box = Box("pudong-1")
    say("init")
    say("site", "add", box.site, "--device", box.fingerprint)
    with_headquarters(tmp_path, box.enrol)
    with_headquarters(tmp_path, lambda hq: box.send(hq, 0))
    return box


def with_headquarters(tmp_path: Path, act: object) -> None:
    home = open_home(tmp_path / "hq")
    assert callable(act)
    act(Headquarters(home.engine, home.keys, home.clock))
    home.engine.dispose()


def test_a_code_for_a_phone(say: Say, box: Box, tmp_path: Path) -> None:
    """As text, drawn in the terminal, and as a picture; a repeat gives the same."""
    account = say("account", "add", "--placed", "0").out.strip()
    say("account", "top-up", account, "100", "--reference", "wx-1")
    words = ("account", "qr", account, "50", "--site", "pudong-1", "--reference", "app-1", "--start", "bay-1")
    picture = tmp_path / "code.png"
    said = say(*words, "--money", "30", "--terminal", "--png", str(picture))
    text = said.out.splitlines()[-2]
    start = carried.read(text).start
    assert start is not None
    assert (start.connector, start.preset.kind, start.preset.amount) == ("bay-1", "money", 3_000)
    assert said.out.splitlines()[-1] == "¥50.00 granted to pudong-1"
    assert "▄" in said.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = json.loads(say("--json", *words, "--money", "30").out)
    assert (again["text"], again["repeated"]) == (text, True)
    assert say(*words).code == 1  # the same number for another code
    assert say(*words[:-2], "--money", "30").code == 2


def test_a_code_for_a_cabinet(say: Say, box: Box) -> None:
    """It says what begins there; at anything else that is no word, and money stops no swap."""
    account = say("account", "add", "--placed", "0").out.strip()
    say("account", "top-up", account, "100", "--reference", "wx-1")
    words = ("account", "qr", account, "8", "--site", "pudong-1", "--reference", "app-1", "--start", "cab-1")
    start = carried.read(say(*words, "--kind", "rent").out.splitlines()[-2]).start
    assert start is not None
    assert (start.connector, start.preset.kind, start.preset.amount) == ("cab-1", "rent", 0)
    for more in (("--kind", "steal"), ("--kind", "swap", "--money", "3")):
        assert say(*words, *more).code == 2
    assert say(*words[:-2], "--kind", "swap").code == 2


def test_a_guest_from_payment_to_refund(say: Say, box: Box, tmp_path: Path) -> None:
    """40.00 paid, 15.00 used: 25.00 go back under a number of ours, and the channel's number closes it."""
    paid = json.loads(
        say("--json", "guest", "pay", "40", "--site", "pudong-1", "--connector", "bay-1", "--reference", "wx-1").out
    )
    assert "wx-1" in say("guest", "list").out
    code = carried.read(paid["code"]["text"])
    box.accept(code.grant_bytes)
    box.sell(paid["account"], 1_500)
    box.give_back(paid["account"], 2_500)
    with_headquarters(tmp_path, lambda hq: box.send(hq, 1))
    (due,) = json.loads(say("--json", "refund", "list").out)
    assert (due["reference"], due["amount_fen"], due["why"]) == ("wx-1-r1", 2_500, "unused")
    assert say("guest", "list").out.strip() == "(none)"
    assert say("refund", "done", "wx-1-r1", "50001").out == "wx-1-r1 paid back as 50001\n"
    assert say("refund", "done", "wx-1-r1", "50001").out == "wx-1-r1 paid back as 50001 before\n"
    assert say("refund", "done", "wx-1-r1", "50002").code == 1
    assert say("refund", "list").out.strip() == "(none)"
    assert "50001" in say("refund", "list", "--all").out


def test_a_guest_at_a_site_that_cannot_serve(say: Say, box: Box) -> None:
    """The money has come all the same, so it is due back at once."""
    say("site", "stop", "pudong-1")
    said = say("guest", "pay", "40", "--site", "pudong-1", "--connector", "bay-1", "--reference", "wx-1")
    assert (said.code, said.out) == (0, "pudong-1 cannot serve: refund wx-1-r1 is due\n")
    assert say("tend").out.startswith("0 codes undone, 0 guests paid back by the operator")


def test_reported_cards(say: Say, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, from standard input, by account; no card number is ever shown."""
    account = say("account", "add", "--card", "04A1B2C3").out.strip()
    monkeypatch.setattr("sys.stdin", io.StringIO("04D1\n04D2\n\n"))
    assert say("hotlist", "add", "-", "--why", "stolen").out == "version 1: 2 added, 0 removed, 2 cards\n"
    assert say("hotlist", "add", "--account", account).out == "version 2: 1 added, 0 removed, 3 cards\n"
    assert say("hotlist", "add", "04A1B2C3").out == "nothing changed; version 2 has 3 cards\n"
    shown = say("hotlist", "show").out
    assert account in shown
    assert "04A1B2C3" not in shown
    assert say("hotlist", "remove", "04D1").out == "version 3: 0 added, 1 removed, 2 cards\n"
    assert say("hotlist", "add").code == 2
    assert ("hot-list", 3) in {
        (row["kind"], row["version"])
        for row in json.loads(say("--json", "site", "show", "pudong-1").out)[0]["documents"]
    }


def test_points_pay_a_part(say: Say, box: Box, tmp_path: Path) -> None:
    """What they may pay is a signed document; they reach the site like money, also by phone."""
    (tmp_path / "tenders.toml").write_text(
        'version = 1\n[[tenders]]\nasset = "points"\nyuan_each = "0.01"\nlines = ["energy"]\n'
    )
    assert say("tender", "set", str(tmp_path / "tenders.toml")).out == "tenders version 1: pudong-1\n"
    assert say("tender", "set", str(tmp_path / "tenders.toml")).out == "tenders version 1: in force already\n"
    assert say("tender", "show", "pudong-1").out.splitlines()[1].split() == ["points", "1/1", "energy", "True"]
    account = say("account", "add").out.strip()
    assert say("account", "give", account, "points", "500", "--reference", "p-1").out.startswith("500 points given")
    assert say("account", "give", account, "points", "500", "--reference", "p-1").out.startswith("done before")
    words = ("account", "qr", account, "200", "--asset", "points", "--site", "pudong-1", "--reference", "app-1")
    said = say(*words).out.splitlines()
    grant = carried.read(said[0]).grant
    assert (grant.asset, grant.granted, said[1]) == ("points", 200, "200 points granted to pudong-1")
    assert "free     300 points" in say("account", "show", account).out
    assert say("account", "give", account, "points", "1.5", "--reference", "p-2").code == 2
    (tmp_path / "tenders.toml").write_text('version = 2\n[[tenders]]\nasset = "CNY"\nyuan_each = "0"\n')
    refused = say("tender", "set", str(tmp_path / "tenders.toml"))
    assert (refused.code, refused.err.count("tenders[0]")) == (2, 2)
