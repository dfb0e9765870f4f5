"""What the whole suite says at its end: how many worlds were simulated, and what came of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

SIMULATED = "simulated"
"""The property in which a test of the simulation tells its counts, by what is counted."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line over all workers."""
    told: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, counts in getattr(report, "user_properties", ()):
                if name == SIMULATED and report.when == "call":
                    told.update(counts)
    if told:
        terminalreporter.write_line("simulation: " + ", ".join(f"{count:,} {what}" for what, count in told.items()))
