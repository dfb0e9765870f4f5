"""Every benchmark runs and yields its rows; what they say on this machine is not tested."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench import page, results
from bench.__main__ import BENCHMARKS, main, measure
from bench.figure import HEAD, Figure, at_most, cells, ratio_at_least, short
from bench.machine import describe
from bench.results import Results, Table
from bench.run import Run, percentile
from protocols.door import Refused

TINY = 0.005
ROWS = {
    "bus": 8,
    "pumps": 8,
    "shop": 8,
    "dead": 4,
    "coalescing": 3,
    "tap": 8,
    "journal": 5,
    "upload": 3,
    "daemon": 5,
    "pricing": 15,
    "signing": 5,
    "verify": 3,
    "receipts": 4,
    "failures": 6,
}
"""At least so many; strace adds two where it is there."""


@pytest.mark.system
@pytest.mark.timeout(300)
def test_they_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With tiny sizes every row has a number and something beside it, and the table is printed."""
    found = measure(list(BENCHMARKS.values()), Run(tmp_path, TINY))
    printed = capsys.readouterr().out
    assert [table.name for table in found.tables] == list(ROWS)
    for table in found.tables:
        assert len(table.figures) >= ROWS[table.name]
        for figure in table.figures:
            assert math.isfinite(figure.measured), figure
            assert figure.beside >= 0, figure
            assert figure.what in printed
    assert not found.whole


def test_results_come_back(tmp_path: Path) -> None:
    """What is written is what is read; another format is refused with what to do."""
    path = tmp_path / "folder" / "results.json"
    results.write(_whole_run(tmp_path), path)
    assert results.read(path) == _whole_run(tmp_path)
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(Refused, match=r"Run `python -m bench` again"):
        results.read(path)


def test_the_page_has_every_benchmark_and_row(tmp_path: Path) -> None:
    """It is made from results of the present format, and of a whole run alone."""
    found = _whole_run(tmp_path)
    text = page.page(found, BENCHMARKS)
    for table in found.tables:
        assert f"\n## {table.name}\n\n{BENCHMARKS[table.name].means}" in text
        assert all(f"| {' | '.join(cells(figure))} |" in text for figure in table.figures)
    with pytest.raises(ValueError, match="a whole run of every benchmark"):
        page.page(Results(1, True, found.machine, found.tables[1:]), BENCHMARKS)
    with pytest.raises(ValueError, match="a whole run of every benchmark"):
        page.page(Results(1, False, found.machine, found.tables), BENCHMARKS)


def test_the_page_in_docs_says_what_they_mean_today() -> None:
    """docs/benchmarks.md tells of the benchmarks that there are; its numbers are of the last whole run."""
    text = page.PATH.read_text(encoding="utf-8")
    assert text.startswith(page.INTRO)
    told = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert told == list(BENCHMARKS)
    assert all(benchmark.means in text for benchmark in BENCHMARKS.values())


def test_a_page_cannot_be_made_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without results it says so and writes nothing."""
    assert main(["--doc", "--json", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.00971, "0.00971"), (0.9654, "0.965"), (1.0, "1"), (21.495, "21.50"), (171.94, "171.9"), (18839.9, "18,840")],
)
def test_numbers_are_short(value: float, said: str) -> None:
    """Three digits that count."""
    assert short(value) == said


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", 96, "x", 100, "limit", ratio_at_least(0.95)), True),
        (Figure("a", 94, "x", 100, "limit", ratio_at_least(0.95)), False),
        (Figure("a", 61, "MB", 50, "peer", at_most(60)), False),
        (Figure("a", 61, "MB", 50, "peer"), None),
        (Figure("a", 61, "MB", 0, "peer", ratio_at_least(1)), False),
    ],
)
def test_goals(figure: Figure, met: bool | None) -> None:
    """A goal is for the ratio or for the value; where nothing is asked, nothing is met or missed."""
    assert figure.met is met
    assert len(cells(figure)) == len(HEAD)


def test_percentiles_are_values_that_were_there() -> None:
    """The nearest rank, without interpolation."""
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (50, 99, 7)


def _whole_run(folder: Path) -> Results:
    rows = [Figure("a row", 1.5, "ms", 1.0, "a limit", ratio_at_least(0.95))]
    machine = describe(folder)
    fixed = type(machine)(machine.cpu, 2, 1, "ext4", "6.1", "3.11", "3.40", 0.1)
    return Results(1, True, fixed, [Table(name, 1.0, rows) for name in BENCHMARKS])
