"""`fieldtill-hq swap-terms`, `plan`, `pack` and `rental` as a person says them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hq_say import Say
from shop_box import A, ShopBox

from cloud import documents, store
from cloud.home import open_home
from cloud.service import Headquarters
from protocols.trade import pack_list, swap_terms
from protocols.trade.codec import decode
from protocols.trade.documents import Document, pin
from protocols.trade.records_pack import DEPOSIT

DOC = Path(__file__).parents[2] / "docs" / "shop.md"


def terms(tmp_path: Path) -> str:
    found = re.search(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.S)
    assert found is not None
    file = tmp_path / "swaps.toml"
    file.write_text(found[1].replace('"month-pass"', '"pass"'), encoding="utf-8")
    return str(file)


def enrolled(tmp_path: Path, box: ShopBox) -> Headquarters:
    """The box has an epoch at the headquarters of the commands, and its terms."""
    home = open_home(tmp_path / "hq")
    hq = Headquarters(home.engine, home.keys, home.clock)
    box.wall_ms = home.clock.now_ms()
    box.enrol(hq)
    with store.reading(hq.engine) as connection:
        (made,) = documents.history(connection, box.site, swap_terms.KIND, last=1)
    box.pins = [pin(decode(made.document, Document))]
    box.send(hq, 0)
    return hq


def account(say: Say, *more: str) -> str:
    """A new account's id."""
    said = json.loads(say("--json", "account", "add", *more).out)
    return str(said["account"])


def test_a_rental_from_deposit_to_pay_out(say: Say, tmp_path: Path) -> None:
    """Terms, a deposit paid in, a pack rented and brought back late: what is shown at each step."""
    say("init")
    box = ShopBox("pudong-1")
    say("site", "add", "pudong-1", "--device", box.fingerprint)
    assert say("swap-terms", "set", terms(tmp_path)).out == "swap terms version 1: pudong-1\n"
    assert "in force already" in say("swap-terms", "set", terms(tmp_path)).out
    shown = say("swap-terms", "show", "pudong-1").out
    assert "swap   by-energy  1.20 per kWh, 1.00 to 6.00  full from 90 %, 20 min apart" in shown
    assert "rent   month      199.00" in shown
    assert json.loads(say("--json", "swap-terms", "history", "pudong-1").out)[0]["models"] == 2

    hq = enrolled(tmp_path, box)
    ann = account(say)
    assert say("account", "top-up", ann, "300", "--deposit", "--reference", "d-1").code == 0
    box.ask(hq, ann, 30_000, DEPOSIT)
    box.note("put-in", A)
    box.hours(-24 * 31.5)
    box.rent(ann, A)
    box.send(hq, 0)
    listed = json.loads(say("--json", "rental", "list").out)
    assert [(row["account"], row["code"], row["state"], row["deposit"]) for row in listed] == [
        (ann, A, "late", "300.00")
    ]
    shown = say("pack", "show", A).out
    assert f"is       rider {ann}" in shown
    assert "charge 90 %, health 98 %, 120 cycles" in shown
    assert A in say("pack", "list", "--at", "rider", "--account", ann).out
    box.hours(24 * 31.5)
    box.take_back(ann, A, 2)
    box.send(hq, 0)
    assert say("rental", "list").out == "(none)\n"
    assert re.search(r"returned .* 300\.00 +10\.00 +290\.00 +10\.00", say("rental", "list", "--all").out)
    assert "free     290.00 DEPOSIT" in say("account", "show", ann).out
    assert "paid out" in say("account", "pay-out", ann, "290", "--deposit", "--reference", "o-1").out
    assert say("account", "pay-out", ann, "1", "--deposit", "--reference", "o-2").code == 1
    hq.engine.dispose()


def test_words_on_a_pack(say: Say, tmp_path: Path) -> None:
    """Said once and once more, refused where they make no sense, and told to the sites that swap."""
    say("init")
    say("site", "add", "a")
    say("swap-terms", "set", terms(tmp_path))
    assert say("pack", "hot", A, "--why", "stolen").out == f"{A}: hot, serial 3\n"
    assert say("pack", "hot", A).out == f"{A}: so it was already\n"
    assert "hot" in say("pack", "list", "--hot").out
    said = say("pack", "number", A, "199999")
    assert (said.code, said.err.splitlines()[0]) == (
        1,
        "expected a battery's number, 200,001 to 5,000,000, got 199,999, which is a dtu's",
    )
    assert "number 200001" in say("pack", "number", A, "200001").out
    assert say("pack", "lost", "BT9").code == 1
    assert "lost, serial" in say("pack", "lost", A).out
    assert "Say where it is" in say("pack", "clear", A).err
    assert "found, serial" in say("pack", "found", A, "a").out
    assert say("pack", "inspected", A, "--until", "2020-01-01").code == 1
    assert say("pack", "inspected", A, "--until", "soon").code == 2
    assert "inspected, until 2999-01-01" in say("pack", "inspected", A, "--until", "2999-01-01").out
    shown = say("pack", "show", A).out
    assert "number 200001" in shown
    assert "is       staff of a" in shown
    assert json.loads(say("--json", "pack", "show", A).out)["pack"]["at"] == "staff"
    assert say("rental", "extend", A).code == 1
    home = open_home(tmp_path / "hq")
    with store.reading(home.engine) as connection:
        told = documents.in_force(connection, "a")
    home.engine.dispose()
    assert [ref.kind for ref in told] == [swap_terms.KIND, pack_list.KIND]


def test_a_plan_is_sold_and_listed(say: Say, tmp_path: Path) -> None:
    """Once for each reference; a date in headquarters' own days; faults in words."""
    say("init")
    say("site", "add", "a")
    ann = account(say)
    words = ("plan", "sell", ann, "pass", "--until", "2999-01-01", "--daily", "3", "--site", "a", "--price", "299")
    assert say(*words, "--reference", "p-1").err.startswith("0.00 yuan are free, 299.00 are needed")
    assert "pass sold to" in say(*words, "--reference", "p-1", "--channel", "wechat").out
    assert "sold before" in say(*words, "--reference", "p-1", "--channel", "wechat").out
    (row,) = json.loads(say("--json", "plan", "list").out)
    assert (row["until"], row["share"]) == ("2999-01-01", "a:3")
    assert say("plan", "sell", ann, "pass", "--until", "x", "--price", "1", "--reference", "p-2").code == 2
    books = json.loads(say("--json", "books").out)
    assert (books["spent"], books["remainder"]) == (29_900, 0)
    units = json.loads(say("--json", "books", "--asset", "pass").out)
    assert (units["spent"], units["remainder"]) == (0, 0)
    assert "0.00" not in say("books", "--asset", "pass").out
    assert "0 plans ended" in say("tend").out
