"""Run seeds on all cores: `make sim`, `make sim SEEDS=1000`, `make sim SEED=42`.

Results go to .sim/<code>.jsonl, one line for each seed, so that a run that was cut short goes on where it stopped;
<code> is a hash of all that runs in a simulation. A seed that fails is printed with how to replay it, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from unittest import mock

from sim_hq import DIRECTORY, memory
from sim_report import Report
from sim_shrink import shrink
from sim_variants import VARIANTS
from sim_world import Variant, simulate

import protocols

ROOT = Path(__file__).parents[2]
PROGRESS_S = 10.0


def counts(reports: Sequence[Report]) -> dict[str, int]:
    """What a run came to, by what is counted."""
    return {
        "seeds": len(reports),
        "sessions": sum(report.sessions for report in reports),
        "swaps": sum(report.swaps for report in reports),
        "sessions at ports": sum(report.port_sessions for report in reports),
        "simulated minutes": sum(report.virtual_s for report in reports) // 60,
        "kills": sum(report.kills for report in reports),
        "messages lost": sum(report.lost for report in reports),
        "audits": sum(report.checks for report in reports),
        "receipts proven": sum(report.receipts for report in reports),
        "fen differing": sum(report.differing_fen for report in reports),
        "failed": sum(report.wrong is not None for report in reports),
    }


def summary(reports: Iterable[Report]) -> str:
    """Everything of a run in one line."""
    reports = list(reports)
    failed = [report.seed for report in reports if report.wrong]
    parts = [
        f"{len(reports):,} seeds",
        f"{sum(report.sessions for report in reports):,} sessions",
        f"{sum(report.swaps for report in reports):,} packs charged as taken",
        f"{sum(report.packs_moved for report in reports):,} moved",
        f"{sum(report.port_sessions for report in reports):,} settled at ports",
        f"{sum(report.port_wh for report in reports) // 1000:,} kWh",
        f"{sum(report.virtual_s for report in reports) / 3600:,.0f} simulated hours",
        f"{sum(report.kills for report in reports):,} kills",
        f"{sum(report.hq_deaths for report in reports):,} deaths of headquarters",
        f"{sum(report.lost for report in reports):,} messages lost",
        f"{sum(report.doubled + report.replayed for report in reports):,} doubled or replayed",
        f"{sum(report.checks for report in reports):,} audits",
        f"{sum(one.disks_lost + one.set_back + one.copied for one in reports):,} disks lost, set back or copied",
        f"{sum(report.receipts for report in reports):,} receipts proven",
        f"slowest to agree {max((report.converged_s for report in reports), default=0)} s",
        f"{sum(report.differing_fen for report in reports)} fen differing",
        f"{len(failed)} failed" + (f": {failed[:20]}" if failed else ""),
    ]
    return ", ".join(parts)


def main() -> int:
    """0 when all is well, 1 when a seed fails, 2 when a known-bad variant was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many, from 1 on")
    parser.add_argument("--seed", type=int, help="this one alone, with all its numbers")
    parser.add_argument("--shrink", action="store_true", help="with --seed: the fewest faults that still show it")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--variants", action="store_true", help="the known-bad variants instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.variants:
        return _variants(min(arguments.seeds, 100))
    if arguments.seed is not None:
        return _shrunk(arguments.seed) if arguments.shrink else _one(arguments.seed)
    return _many(range(arguments.first, arguments.first + arguments.seeds), arguments.jobs)


def first_caught(variant: Variant, seeds: Iterable[int]) -> Report | None:
    """The first of these seeds that shows what is wrong with a variant."""
    return next((report for report in (simulate(seed, variant) for seed in seeds) if report.wrong), None)


def _one(seed: int) -> int:
    report = simulate(seed)
    for name, value in asdict(report).items():
        print(f"{name:16} {value}")
    return 1 if report.wrong else 0


def _shrunk(seed: int) -> int:
    found = shrink(seed, tell=lambda line: print(line, flush=True))
    if found is None:
        print(f"seed {seed} shows nothing wrong")
        return 0
    print("for tests/simulation/corpus.toml:", "", found.as_toml(), sep="\n")
    return 1


def _variants(seeds: int) -> int:
    print("| variant | seed | what the auditor said |", "| --- | --- | --- |", sep="\n")
    missed = 0
    for variant in VARIANTS:
        report = first_caught(variant, range(1, seeds + 1))
        missed += report is None
        caught = f"{report.seed} | {report.wrong}" if report else "- | not caught"
        print(f"| {variant.name} | {caught} |", flush=True)
    return 2 if missed else 0


def _many(seeds: range, jobs: int) -> int:
    path = ROOT / ".sim" / f"{code()}.jsonl"
    path.parent.mkdir(exist_ok=True)
    done = {report.seed: report for report in read_results(path) if report.seed in seeds}
    todo = [seed for seed in seeds if seed not in done]
    print(f"results in {path.relative_to(ROOT)}; {len(done)} of {len(seeds)} are there", flush=True)
    began_s = told_s = time.monotonic()
    ran = 0
    with (
        tempfile.TemporaryDirectory(prefix="fieldtill-sim-run-", dir=memory()) as directory,
        mock.patch.dict(os.environ, {DIRECTORY: directory}),
        multiprocessing.get_context("spawn").Pool(jobs) as pool,
        path.open("a", encoding="utf-8") as file,
    ):
        for report in pool.imap_unordered(simulate, todo):
            ran += 1
            done[report.seed] = report
            file.write(json.dumps(asdict(report)) + "\n")
            file.flush()
            if report.wrong:
                print(f"seed {report.seed}: {report.wrong}\n  replay it: make sim SEED={report.seed}", flush=True)
            now_s = time.monotonic()
            if now_s - told_s > PROGRESS_S:
                told_s = now_s
                rate = ran / (now_s - began_s)
                left_min = (len(todo) - ran) / rate / 60
                told = f"{len(done)} of {len(seeds)} seeds, {rate:.1f} a second, {left_min:.0f} min left"
                print(told, file=sys.stderr, flush=True)
    reports = [done[seed] for seed in sorted(done)]
    seen: Counter[str] = Counter()
    for report in reports:
        seen.update(report.seen)
    print(", ".join(f"{count:,} {what}" for what, count in sorted(seen.items())))
    print(summary(reports))
    return 1 if any(report.wrong for report in reports) else 0


def read_results(path: Path) -> Iterator[Report]:
    """The results that are there; a line that a kill cut short is none."""
    if not path.exists():
        return
    whole, _, cut = path.read_bytes().rpartition(b"\n")
    if cut:
        os.truncate(path, path.stat().st_size - len(cut))
    for line in whole.splitlines():
        yield Report(**json.loads(line))


def code() -> str:
    """A name for all code that runs in a simulation: results of other code are not mixed with its own."""
    production = Path(protocols.__file__).parents[1]
    found = [file for name in ("protocols", "drivers", "edge", "cloud") for file in (production / name).rglob("*.py")]
    told = hashlib.sha256()
    for file in sorted([*found, *Path(__file__).parent.glob("*.py")], key=lambda file: (file.name, str(file))):
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
