"""The production code in seeded worlds under virtual time: what must never be is never so, and bad software is caught.

`make sim SEEDS=1000` runs more of them; docs/reliability.md says what is simulated and what is checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from sim_report import Report
from sim_run import counts, first_caught, read_results, summary
from sim_shrink import Case, corpus, shrink
from sim_variants import VARIANTS
from sim_world import Variant, simulate

SEEDS, CHUNK = 200, 5
VARIANT_SEEDS = 40


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_no_fen_is_lost_doubled_or_given_to_the_wrong_person(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    """Kills, power cuts, lost and doubled messages, wrong clocks and ill devices leave site and headquarters equal."""
    reports = [simulate(seed) for seed in range(first, first + CHUNK)]
    record_property("simulated", counts(reports))
    print(summary(reports))
    assert [report.wrong for report in reports] == [None] * CHUNK
    assert sum(report.differing_fen for report in reports) == 0


@pytest.mark.parametrize("case", corpus(), ids=lambda case: f"{case.seed} {case.variant}")
def test_what_was_once_wrong(case: Case) -> None:
    """Worlds that showed a mistake, shrunk to what it needs, show it in the software that made it, and there alone."""
    assert case.run().wrong is None
    for variant in VARIANTS:
        if variant.name == case.variant:
            assert case.run(variant).wrong is not None


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_known_bad_software_is_caught(variant: Variant) -> None:
    """The auditor sees each of these mistakes in one of the first worlds."""
    report = first_caught(variant, range(1, VARIANT_SEEDS + 1))
    assert report is not None
    print(f"{variant.name}: seed {report.seed}: {report.wrong}")
    assert report.rule != "no-crash", report.wrong


def test_a_failing_seed_is_shrunk() -> None:
    """Dropping faults leaves a world that still breaks the same rule, and fewer of them."""
    eager = next(variant for variant in VARIANTS if variant.name == "act before commit")
    first = first_caught(eager, range(1, VARIANT_SEEDS + 1))
    assert first is not None
    case = shrink(first.seed, eager)
    assert case is not None
    assert len(case.without) > len(first.faults) // 2
    assert case.run(eager).rule == first.rule


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    """The line that was being written is dropped, and the next is written in its place."""
    path = tmp_path / "results.jsonl"
    whole = json.dumps(asdict(Report(7, sessions=3)))
    path.write_text(f"{whole}\n{whole[:40]}", encoding="utf-8")
    assert [(report.seed, report.sessions) for report in read_results(path)] == [(7, 3)]
    assert path.read_text(encoding="utf-8") == f"{whole}\n"


def test_same_seed_same_trace() -> None:
    """A world is decided by its seed alone: not by the process, nor by the order of hashes."""
    mine = simulate(3)
    script = "from sim_world import simulate; report = simulate(3); print(report.trace)"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(Path(__file__).parent)}
    other = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == mine.trace
    assert simulate(4).trace != mine.trace
