"""The demos as anybody runs them: every process real, and every book equal at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.demo.books import Line, NozzleLine, Verdict

DEMO_S = 300


def run(site: str, root: Path) -> tuple[str, dict[str, Any]]:
    """What it says, and the night's report."""
    command = [sys.executable, "-m", "edge.demo", site, "--dir", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEMO_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = (root / "reports").glob("nightly-*.json")
    return done.stdout, json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.system
def test_a_charging_site_in_a_minute(tmp_path: Path) -> None:
    """Four bills, one of them across a price change, with the link cut and the daemon killed; nothing unexplained."""
    said, report = run("charging", tmp_path / "demo")
    assert said.count("'s bill: ") == 4
    assert "DIFFERS" not in said
    assert sum(leg["unexplained"] for leg in report["legs"]) == 0


@pytest.mark.system
def test_a_forecourt_in_a_minute(tmp_path: Path) -> None:
    """Six fillings at four protocols' pumps, each way to pay, and each mishap; every litre and fen is accounted for."""
    said, report = run("forecourt", tmp_path / "demo")
    assert said.count("'s bill: ") == 6
    assert "for diesel alone" in said
    assert "charged to nobody" in said
    assert "DIFFERS" not in said
    assert sum(leg["unexplained"] for leg in report["legs"]) == 0
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
