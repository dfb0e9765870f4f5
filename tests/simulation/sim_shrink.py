"""What is the least that still shows it? Faults of a failing seed are dropped one after the other, and time is cut.

What is left goes into corpus.toml, with a sentence on what it showed, and is run by the suite ever after.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sim_report import Report
from sim_world import PRODUCTION, Variant, simulate

CORPUS = Path(__file__).with_name("corpus.toml")


@dataclass(frozen=True)
class Case:
    """A seed, what its world is spared, and how long it is busy. why: what it showed when it was found.

    variant: the known-bad software that still shows it; empty where there is none.
    """

    seed: int
    without: tuple[str, ...]
    busy_s: int
    why: str
    variant: str = ""

    def run(self, variant: Variant = PRODUCTION) -> Report:
        return simulate(self.seed, variant, self.without, self.busy_s)

    def as_toml(self) -> str:
        lines = ["[[case]]", f"seed = {self.seed}", f"without = {json.dumps(list(self.without))}",
                 f"busy_s = {self.busy_s}", f"why = {json.dumps(self.why)}"]  # fmt: skip
        return "\n".join([*lines, f"variant = {json.dumps(self.variant)}"])


def corpus() -> list[Case]:
    """Every case that was kept."""
    told = tomllib.loads(CORPUS.read_text(encoding="utf-8"))
    return [Case(**{**case, "without": tuple(case["without"])}) for case in told.get("case", [])]


def shrink(seed: int, variant: Variant = PRODUCTION, tell: Callable[[str], None] = lambda line: None) -> Case | None:
    """The smallest world found in which the same rule is broken; None when this seed breaks none."""
    first = simulate(seed, variant)
    if first.wrong is None:
        return None
    tell(f"{first.wrong}: {', '.join(first.faults)}, {first.busy_s} s")
    best = Case(seed, (), first.busy_s, first.wrong, "" if variant is PRODUCTION else variant.name)
    size = len(first.faults)
    while size:
        left = [name for name in first.faults if name not in best.without]
        for at in range(0, len(left), size):
            case = replace(best, without=(*best.without, *left[at : at + size]))
            report = case.run(variant)
            if report.rule == first.rule:
                best = replace(case, busy_s=min(best.busy_s, report.virtual_s + 1))
                tell(f"still without {', '.join(best.without)}, in {best.busy_s} s")
        size //= 2
    shorter = replace(best, busy_s=min(best.busy_s, best.run(variant).virtual_s + 1))
    return shorter if shorter.run(variant).rule == first.rule else best
