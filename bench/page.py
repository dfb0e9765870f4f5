"""docs/benchmarks.md: what each benchmark means, and its rows as last measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.figure import HEAD, cells
from bench.results import Results
from bench.run import Benchmark

PATH = Path(__file__).parent.parent / "docs" / "benchmarks.md"

INTRO = """\
<!-- Written by `python -m bench --doc` from the last whole run of `python -m bench`. -->
# Benchmarks

`make bench` runs all of them in some twenty minutes, half of that for a log of a million records;
`python -m bench NAME ... [--quick]` runs some, with `--quick` only to see that they run. Processes, disk writes and
wires are real; cars, chargers and meters are twins.

A number alone says little, so each stands beside a limit or a peer *of the same run on the same machine*; *ratio* is
measured / limit or peer. Other machines have other times and rates, but much the same ratios.
"""


def page(results: Results, benchmarks: Mapping[str, Benchmark]) -> str:
    """The page's text. Raises ValueError for results that are not of a whole run of all of them."""
    there = {table.name: table for table in results.tables}
    if not results.whole or list(there) != list(benchmarks):
        raise ValueError("the page is made from a whole run of every benchmark: run `python -m bench`")
    parts = [INTRO, f"Measured on: {results.machine}.\n"]
    for name, benchmark in benchmarks.items():
        lines = [HEAD, ("---",) * len(HEAD), *map(cells, there[name].figures)]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        parts.append(f"## {name}\n\n{benchmark.means}\n{table}")
    return "\n".join(parts)
