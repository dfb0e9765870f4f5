"""The demos as anybody runs them: every process real, and every book equal at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.config import load
from edge.config_pumps import pump_doubts
from edge.demo import forecourt_places
from edge.demo.books import Line, NozzleLine, Verdict

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


def test_one_difference_is_enough_to_fail(tmp_path: Path) -> None:
    """A fen at headquarters, or 10 mL at a nozzle that no record explains."""
    money, nozzle = Line("spent", 100, 100), NozzleLine("p1 92#", 500, 500, 490, 10, 0, 0)
    assert Verdict([money], tmp_path, (nozzle,)).equal
    assert not Verdict([money, Line("returned", 100, 101)], tmp_path, (nozzle,)).equal
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
