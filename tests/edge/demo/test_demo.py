"""The demos as anybody runs them: every process real, and every book equal at the end."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloud.calendar import offsets_of
from drivers.twins.cabinets.pack import pack_code
from drivers.twins.config import read_site
from drivers.twins.site import TwinSite
from edge.config import load
from edge.config_pumps import pump_doubts
from edge.demo import forecourt_places, shopfront_places
from edge.demo.books import Line, NozzleLine, Sheet, Verdict
from protocols.trade import port_prices_file, swap_terms_file
from protocols.trade.swap_terms import is_fleet

DEMO_S = 300


def start(site: str, root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge.demo", site, "--dir", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen[str], root: Path) -> tuple[str, dict[str, Any]]:
    """What it has said, and the night's report."""
    said, _ = process.communicate(timeout=DEMO_S)
    assert process.returncode == 0, said
    assert "DIFFERS" not in said
    (path,) = (root / "reports").glob("nightly-*.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert sum(leg["unexplained"] for leg in report["legs"]) == 0
    return said, report


@pytest.mark.system
@pytest.mark.timeout(400)
def test_both_sites_in_a_minute(tmp_path: Path) -> None:
    """A charging site and a forecourt, played side by side, since each mostly waits; nothing is unexplained at either.

    Charging: four bills, the link cut, the daemon killed. Forecourt: six fillings at pumps of four protocols, each way
    to pay, each mishap; every litre and fen accounted for.
    """
    charging, forecourt = tmp_path / "charging", tmp_path / "forecourt"
    with start("charging", charging) as first, start("forecourt", forecourt) as second:
        said, _ = end(first, charging)
        assert said.count("'s bill: ") == 4
        said, report = end(second, forecourt)
    assert said.count("'s bill: ") == 6
    assert "for diesel alone" in said
    assert "charged to nobody" in said
    fuel = report["sites"][0]["fuel"]
    assert {one["grade"]: (one["fillings"], one["unattributed_ml"]) for one in fuel["grades"]} == {
        "0": (1, 0),
        "92": (4, 3_210),
        "95": (1, 0),
    }
    assert [one["variance_ml"] for one in fuel["stock"]] == [-1_200] * 3
    assert all(one["missing_ml"] == 0 for one in report["nozzles"])


@pytest.mark.system
@pytest.mark.timeout(400)
def test_a_shop_front_in_a_minute(tmp_path: Path) -> None:
    """Six swap sessions that give or take a pack, one that does not, three charges, one of them in a locker.

    The link is cut, the daemon killed behind an open door, a deposit taken, given back and paid out; a locker stays
    shut to a stranger's card. Each pack is where the books have it.
    """
    with start("shopfront", tmp_path / "shop") as process:
        said, report = end(process, tmp_path / "shop")
    assert said.count("; paid nothing") == 2  # the foreign pack, and the return
    assert said.count("; paid ¥3.50") == 3
    assert said.count("; paid 1 of swaps-30") == 2
    assert said.count("'s bill: ") == 3
    assert "the locker stays shut" in said
    assert "He Jun has the pack: collected, ¥0.00 for late days; ¥7.00 of the ¥7.00 held are back" in said
    for case in ("F-21", "F-23"):
        assert f"({case})" in said
    (site,) = report["sites"]
    shop, fleet = site["shop"], report["fleet"]
    assert [shop[name] for name in ("swapped", "taken", "returned", "cancelled", "kept")] == [5, 1, 1, 1, 0]
    assert shop["plan_units"] == {"swaps-30": 2}
    assert [fleet[name] for name in ("packs", "in_slots", "with_riders", "rented", "deposits_fen")] == [16, 13, 3, 0, 0]
    assert sum(cabinet["differences"] for cabinet in shop["cabinets"]) == 0
    assert [site["ports"][name] for name in ("sessions", "unattributed", "stays", "stored")] == [3, 0, 1, 0]
    checked = {leg["leg"]: leg["checked"] for leg in report["legs"]}
    assert (checked["packs"]["packs"], checked["packs"]["swaps"], checked["energy"]["bills"]) == (16, 8, 3)


def test_one_difference_is_enough_to_fail(tmp_path: Path) -> None:
    """A fen at headquarters, 10 mL at a nozzle that no record explains, or a pack that is elsewhere."""
    money, nozzle = Line("spent", 100, 100), NozzleLine("p1 92#", 500, 500, 490, 10, 0, 0)
    assert Verdict([money], tmp_path, (nozzle,)).equal
    assert not Verdict([money, Line("returned", 100, 101)], tmp_path, (nozzle,)).equal
    assert Verdict(
        [money], tmp_path, sheets=(Sheet("packs", ("in truth", "told"), (("a", "cab-1/2", "cab-1/2"),)),)
    ).equal
    assert not Verdict([money], tmp_path, sheets=(Sheet("packs", ("in truth", "told"), (("a", "li", "wang"),)),)).equal
    assert not Verdict([money], tmp_path, (NozzleLine("p1 92#", 500, 500, 480, 10, 0, 10),)).equal
    assert not Verdict([money], tmp_path, (NozzleLine("p1 92#", 510, 500, 490, 10, 0, 0),)).equal


def test_the_forecourts_config_is_that_of_real_pumps(tmp_path: Path) -> None:
    """It loads without a fault, and no line raises a doubt about its rate, parity or addresses."""
    lines = {"pts": "127.0.0.1:8117"}
    path = tmp_path / "config.toml"
    readers = forecourt_places.SCENERY.readers_toml({"island-1": 3, "island-2": 4})
    path.write_text(forecourt_places.site_toml(tmp_path, lines, 8443) + readers)
    config = load(path)
    assert [pump.protocol for pump in config.pump] == ["dart", "gilbarco", "azt", "pts"]
    assert pump_doubts(config.line, config.pump) == []
    assert sorted(number for reader in config.reader for number in reader.island) == ["1", "2", "3", "4"]


async def test_the_shop_fronts_config_is_that_of_real_boards(tmp_path: Path) -> None:
    """The twins write what concerns the cabinets; with the rest it loads without a fault, as prices and terms do."""
    twins, path = tmp_path / "twins.toml", tmp_path / "config.toml"
    twins.write_text(shopfront_places.twins_toml(tmp_path))
    async with TwinSite(read_site(twins)):
        readers = shopfront_places.SCENERY.readers_toml({"rack": 3, "lockers": 5, "pile": 4})
        path.write_text(shopfront_places.site_toml(tmp_path, {}, 8443) + readers)
    config = load(path)
    assert [sum(run.count for run in cabinet.slot) for cabinet in config.cabinet] == [12, 4]
    assert {run.pack.protocol for cabinet in config.cabinet for run in cabinet.slot if run.pack} == {"greenway", "jbd"}
    assert {board.protocol for board in config.board} == {"xor", "kerong", "relay"}
    assert [board.protocol for board in config.port_board] == ["dny", "dny"]
    zones = partial(offsets_of, now_ms=1_795_000_000_000)
    sold = tomllib.loads(shopfront_places.swap_terms_toml())
    listed = tomllib.loads(shopfront_places.port_prices_toml())
    terms = swap_terms_file.read(sold, zones, next_version=1, source="terms")
    prices = port_prices_file.read(listed, zones, next_version=1, source="prices")
    assert {config.ports.price, *config.ports.board_prices.values()} == {price.name for price in prices.prices}
    assert is_fleet(terms, pack_code(1))
    assert is_fleet(terms, pack_code(71, volts=60))
    assert not is_fleet(terms, pack_code(1, maker="XXXX"))
