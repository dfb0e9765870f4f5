"""`python -m bench [NAME ...] [--quick] [--json FILE]`: measure; `python -m bench --doc`: write docs/benchmarks.md.

It ends with 0 when it has measured, whatever came of it: a shared machine has bad moments, so a person judges.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from bench import (
    bus,
    coalescing,
    daemon,
    dead,
    failures,
    journal,
    page,
    pricing,
    pumps,
    receipts,
    results,
    shop,
    signing,
    tap,
    upload,
    verify,
)  # fmt: skip
from bench.figure import HEAD, aligned, cells
from bench.machine import describe
from bench.results import Results, Table
from bench.run import Benchmark, Run
from protocols.door import Refused

MODULES = (
    bus,
    pumps,
    shop,
    dead,
    coalescing,
    tap,
    journal,
    upload,
    daemon,
    pricing,
    signing,
    verify,
    receipts,
    failures,
)
BENCHMARKS: dict[str, Benchmark] = {module.BENCHMARK.name: module.BENCHMARK for module in MODULES}
"""In this order; the journal's reads what the upload sends, so it comes first."""

QUICK = 0.03


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured, or the page written. 2: nothing of the kind."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, less than a minute; the numbers say little")
    parser.add_argument("--json", type=Path, default=results.PATH, metavar="FILE", help="where the results go")
    parser.add_argument("--doc", action="store_true", help="measure nothing, write the page from the results")
    options = parser.parse_args(arguments)
    if options.doc:
        return write_page(options.json)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    chosen = [BENCHMARKS[name] for name in BENCHMARKS if name in options.names or not options.names]
    with work_folder(options.json.parent) as work:
        found = measure(chosen, Run(work, QUICK if options.quick else 1.0))
    results.write(found, options.json)
    said = "quick sizes: the goals are not for these" if options.quick else f"{len(found.missed)} goals missed"
    print(f"{said}; written to {options.json}")
    return 0


def measure(chosen: Sequence[Benchmark], run: Run) -> Results:
    """Run them one after the other, and print each table as soon as it is there."""
    machine = describe(run.work)
    print(f"{machine}\n")
    tables: list[Table] = []
    with run.end:
        for benchmark in chosen:
            began_s = time.monotonic()
            figures = benchmark.figures(run)
            tables.append(Table(benchmark.name, time.monotonic() - began_s, figures))
            print(
                f"{benchmark.name} ({tables[-1].took_s:.0f} s)\n{aligned([HEAD, *map(cells, figures)])}\n", flush=True
            )
    return Results(1, run.whole, machine, tables)


def write_page(path: Path) -> int:
    """Write docs/benchmarks.md from the results at `path`."""
    try:
        text = page.page(results.read(path), BENCHMARKS)
    except (OSError, Refused, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    page.PATH.write_text(text, encoding="utf-8")
    print(f"{page.PATH} written")
    return 0


@contextmanager
def work_folder(beside: Path) -> Iterator[Path]:
    """A new folder on the disk of the results; gone in the end, and kept for a look when something fails."""
    work = beside.absolute() / f"work-{os.getpid()}"
    work.mkdir(parents=True)
    yield work
    shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
