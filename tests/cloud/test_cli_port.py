"""`fieldtill-hq port-price` as a person says it, with the file that the documentation shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hq_say import Say

DOCS = Path(__file__).parents[2] / "docs" / "port-prices.md"


def shown() -> str:
    found = re.search(r"```toml\n(.*?)```", DOCS.read_text(), re.S)
    assert found is not None
    return found[1]


def test_port_prices_from_file_to_site(say: Say, tmp_path: Path) -> None:
    """Signed for each site, shown step by step, the next version by itself."""
    say("init")
    for site in ("a", "b"):
        say("site", "add", site)
    file = tmp_path / "ports.toml"
    file.write_text(shown())
    assert say("port-price", "set", str(file), "--site", "a").out == "port prices city version 1: a\n"
    assert "in force already" in say("port-price", "set", str(file), "--site", "a").out
    assert json.loads(say("--json", "port-price", "set", str(file)).out)["sites"] == ["a", "b"]
    rows = json.loads(say("--json", "port-price", "show", "b").out)
    assert [(row["name"], row["to_w"], row["yuan"]) for row in rows] == [
        ("bikes", 200, "0.25"), ("bikes", 400, "0.50"), ("bikes", 1000, "1.00"), ("lockers", 1000, "0.40"),
        ("kwh", None, "1.20"), ("piles", None, "the tariff's"),
    ]  # fmt: skip
    file.write_text(shown().replace('"kwh"', '"cars"'))
    assert say("port-price", "set", str(file)).out.endswith("; no more: kwh\n")
    assert [row["version"] for row in json.loads(say("--json", "port-price", "history", "a").out)] == [3, 2, 1]


def test_every_fault_of_port_prices_is_told(say: Say, tmp_path: Path) -> None:
    """Nothing is signed; the paths are those of the file."""
    say("init")
    say("site", "add", "a")
    file = tmp_path / "ports.toml"
    file.write_text(shown().replace("to_w = 400", "to_w = 100").replace('yuan_per_kwh = "1.20"', ""))
    said = say("port-price", "set", str(file))
    assert (said.code, said.out) == (2, "")
    assert all(path in said.err for path in ("2 faults", "prices[0].steps", "prices[2].yuan_per_kwh"))
    assert say("port-price", "show", "a").out == "(none)\n"
