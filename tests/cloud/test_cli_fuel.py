"""`fieldtill-hq price` and `fuel-terms` as a person says them, on both sides of a change."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hq_say import Say

from cloud import documents, store
from cloud.home import open_home
from protocols.trade import fuel_prices, fuel_terms
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms

PRICES = """
id = "city"
zone = "Asia/Shanghai"
[[grades]]
code = "92"
name = "92# 汽油"
[[steps]]
from = "2020-01-01 00:00"
[steps.yuan_per_litre]
92 = "7.85"
[[steps]]
from = "2999-12-01 00:00"
[steps.yuan_per_litre]
92 = "7.79"
"""


def test_a_price_list_from_file_to_site(say: Say, tmp_path: Path) -> None:
    """Signed for each site, shown with what is to come, the next version by itself, every version kept."""
    say("init")
    for site in ("a", "b"):
        say("site", "add", site)
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    said = say("price", "set", str(file), "--site", "a")
    assert said.out == "prices city version 1: a; next change 2999-12-01 00:00 Asia/Shanghai\n"
    assert "in force already" in say("price", "set", str(file), "--site", "a").out
    assert json.loads(say("--json", "price", "set", str(file)).out)["sites"] == ["a", "b"]
    file.write_text(PRICES.replace("7.79", "7.80"))
    assert "version 3: a, b;" in say("price", "set", str(file)).out
    assert say("price", "show", "b").out.splitlines() == [
        "city version 3, local times of Asia/Shanghai",
        "from              grade  name      yuan per litre",
        "2020-01-01 00:00  92     92# 汽油            7.85",
        "2999-12-01 00:00  92     92# 汽油            7.80",
    ]
    versions = json.loads(say("--json", "price", "history", "a").out)
    assert [it["version"] for it in versions] == [3, 2, 1]
    assert len({it["sha256"] for it in versions}) == 3
    file.write_text(PRICES.replace('"92"', '"95"').replace("92 =", "95 ="))
    assert say("price", "set", str(file)).out.endswith("; sold no more: 92\n")
    assert "(none)" in say("fuel-terms", "show", "a").out
    home = open_home(tmp_path / "hq")
    with store.reading(home.engine) as connection:
        prices = documents.newest(connection, "b", fuel_prices.KIND, PriceList)
    home.engine.dispose()
    assert prices is not None
    assert fuel_prices.disorder(prices) == []


def test_every_fault_of_a_price_list_is_told(say: Say, tmp_path: Path) -> None:
    """Nothing is signed, the exit code is that of bad input."""
    say("init")
    say("site", "add", "a")
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.replace('"7.85"', "7.85").replace("2999-12-01 00:00", "some day"))
    said = say("price", "set", str(file))
    assert (said.code, said.out) == (2, "")
    assert all(path in said.err for path in ("2 faults", "steps[0].yuan_per_litre.92", "steps[1].from"))
    file.write_text("id = ")
    assert "a TOML file" in say("price", "set", str(file)).err
    assert say("price", "history", "a").out == "(none)\n"
    assert say("price", "show", "nowhere").code == 1
    file.write_text(f"version = 1\n{PRICES}")
    assert say("price", "set", str(file)).code == 0
    file.write_text(f"version = 1\n{PRICES}".replace("7.85", "7.86"))
    assert "expected a version above 1" in say("price", "set", str(file)).err


def test_terms_name_cards_by_their_hmac_alone(say: Say, tmp_path: Path) -> None:
    """A card is looked up, hidden, and its number is neither signed nor shown."""
    say("init")
    say("site", "add", "a")
    account = say("account", "add", "--card", "04A1B2C3").out.strip()
    file = tmp_path / "terms.toml"
    terms = f'[[terms]]\naccount = "{account}"\ncard = "04a1b2c3"\ngrades = ["0"]\nday_litres = "60"\nask = "plate"\n'
    file.write_text(terms)
    assert say("fuel-terms", "set", str(file)).out == "fuel terms version 1: a\n"
    head, row = say("fuel-terms", "show", "a").out.splitlines()
    assert head.split() == ["account", "card", "grades", "litres", "a", "day", "asks"]
    assert re.fullmatch(rf"{account}  [0-9a-f]{{16}}  0             60\.000  plate", row)
    home = open_home(tmp_path / "hq")
    with store.reading(home.engine) as connection:
        document = documents.history(connection, "a", fuel_terms.KIND, 1)[0].document
        signed = documents.newest(connection, "a", fuel_terms.KIND, FuelTerms)
    home.engine.dispose()
    assert b"04A1B2C3" not in document.upper()
    assert signed is not None
    assert fuel_terms.disorder(signed) == []
    assert json.loads(say("--json", "fuel-terms", "history", "a").out)[0]["terms"] == 1
    file.write_text(terms.replace("04a1b2c3", "FFFFFFFF") + '[[terms]]\naccount = "NOBODY"\n')
    said = say("fuel-terms", "set", str(file))
    assert (said.code, "terms[0].card" in said.err, "terms[1].account" in said.err) == (2, True, True)
