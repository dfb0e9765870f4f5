"""How much can be tried against the money core in a minute, and what was lost? The simulator and the power cuts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from bench.figure import Figure, Goal, at_most, ratio_at_least
from bench.run import Benchmark, Run

MEANS = """\
Whole worlds of sites and a headquarters on the production code, in virtual time and with every fault of
`docs/reliability.md`, from seeds that nobody has run before. Then the power is cut at every disk operation of a day of
two customers, each leaving the disk in four states, and at random moments of a journal's life. *Lost* counts fen that
two books differ by, and steps that were acknowledged and are gone.
"""

SEEDS = 40
CUTS = 400
ROOT = Path(__file__).parent.parent


def figures(run: Run) -> list[Figure]:
    seeds, cuts = run.sized(SEEDS, least=1), run.sized(CUTS, least=5)
    began_s = time.monotonic()
    first = 10_000_000 + int(began_s * 1000) % 1_000_000_000  # fresh ones: results of known seeds are only read again
    told = _run("tests/simulation/sim_run.py", "--seeds", str(seeds), "--first", str(first))
    took_s = time.monotonic() - began_s
    sessions, hours, differing = (_number(told, what) for what in ("sessions", "simulated hours", "fen differing"))
    failed = _number(told, "failed")
    media = _run("-m", "pytest", "-n", "0", "-s", "tests/edge/test_power_cuts.py",
                 "tests/edge/journal/test_journal_media.py", "-k", "cut", FIELDTILL_CUTS=str(cuts))  # fmt: skip
    everywhere, points = _number(media, "power cuts"), _number(media, "disk operations")
    at_random = _number(media, "cuts at random moments")
    lost = _number(media, "fen lost") + _number(media, "acknowledged steps lost")
    real = "as fast as the world they stand for"
    return [
        Figure("simulated sessions in a minute", sessions / took_s * 60, "", sessions, f"in {seeds} worlds"),
        Figure("simulated time", hours * 3600 / took_s, "s/s", 1, real, ratio_at_least(10) if run.whole else None),
        Figure("fen differing, worlds failed", differing + failed, "", 0, "none may", at_most(0)),
        Figure("power cuts at chosen operations", everywhere, "", points, "operations of a day", _all(points)),
        Figure("power cuts at random moments", at_random, "", cuts, "asked for", ratio_at_least(1)),
        Figure("fen or acknowledged steps lost", lost, "", 0, "none may", at_most(0)),
    ]


def _all(points: float) -> Goal:
    """At least one cut at each of these operations."""
    return ratio_at_least(1 if points else 0)


def _run(*arguments: str, **environment: str) -> str:
    """What it prints. Raises CalledProcessError when it ends otherwise than well."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()
    return done.stdout


def _number(told: str, what: str) -> float:
    """The number before these words, the last time they are said."""
    found = re.findall(rf"([\d,]+) {what}\b", told)
    if not found:
        raise ValueError(f"expected a number of {what} in:\n{told}")
    return float(found[-1].replace(",", ""))


BENCHMARK = Benchmark("failures", MEANS, figures)
