"""What is the least that still shows it? Faults of a failing seed are dropped one after the other, and time is cut.

What is left goes into corpus.toml, with a sentence on what it showed, and is run by the suite ever after.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim_world import PRODUCTION, Report, Variant, simulate

CORPUS = Path(__file__).with_name("corpus.toml")


@dataclass(frozen=True)
class Case:
    """A seed, what its world is spared, and how long it is busy. why: what it showed when it was found."""

    seed: int
    without: tuple[str, ...]
    busy_s: int
    why: str

    def run(self, variant: Variant = PRODUCTION) -> Report:
        return simulate(self.seed, variant, self.without, self.busy_s)

    def as_toml(self) -> str:
        lines = ["[[case]]", f"seed = {self.seed}", f"without = {json.dumps(list(self.without))}",
                 f"busy_s = {self.busy_s}", f"why = {json.dumps(self.why)}"]  # fmt: skip
        return "\n".join(lines)


def corpus() -> list[Case]:
    """Every case that was kept."""
    told = tomllib.loads(CORPUS.read_text(encoding="utf-8"))
    return [Case(case["seed"], tuple(case["without"]), case["busy_s"], case["why"]) for case in told.get("case", [])]


def shrink(seed: int, variant: Variant = PRODUCTION, tell: Callable[[str], None] = lambda line: None) -> Case | None:
    """The smallest world found in which the same rule is broken; None when this seed breaks none."""
    first = simulate(seed, variant)
    if first.wrong is None:
        return None
    tell(f"{first.wrong}: {', '.join(first.faults)}, {first.busy_s} s")
    best = Case(seed, (), first.busy_s, first.wrong)
    for name in first.faults:
        best = _try(Case(seed, (*best.without, name), best.busy_s, first.wrong), best, first.rule, variant, tell)
    while best.busy_s > 30:
        shorter = _try(Case(seed, best.without, best.busy_s * 2 // 3, first.wrong), best, first.rule, variant, tell)
        if shorter is best:
            break
        best = shorter
    return best


def _try(case: Case, best: Case, rule: str | None, variant: Variant, tell: Callable[[str], None]) -> Case:
    report = case.run(variant)
    if report.rule != rule:
        return best
    tell(f"still without {', '.join(case.without) or 'nothing'}, in {case.busy_s} s")
    return case
