"""How long after a tap does the car get its current, and what does a session cost the disk? All durable, no link."""

from __future__ import annotations

import shutil

from bench.figure import Figure, ratio_at_most
from bench.processes import Child, Twins, python
from bench.run import Benchmark, Run, percentile, wait
from bench.selling import CONNECTORS, MARK, RAW_BYTES, SECOND_COPY, sell, write_twins

MEANS = """\
A card is held to the reader of a site without a link: the meter is asked, the opening record made durable, the charger
told, and its answer checked. Beside it: asking the meter and one raw append of 4 KiB with fsync, right before.
"""

TAPS = 200
TRACED_SESSIONS = 10
LEAST = 2
"""Fsyncs that a session cannot do without: its opening record, and its bill."""


def figures(run: Run) -> list[Figure]:
    folder = run.folder("tap")
    with Twins(write_twins(folder)) as twins:
        sold = wait(sell(folder / "site", twins.port("tcp"), run.sized(TAPS, least=4), CONNECTORS, measured=True))
    steps = {"record durable": sold.durable_ms, "charger told": sold.told_ms, "charger obeys": sold.obeys_ms}
    rows: list[Figure] = []
    for what, took_ms in steps.items():
        for name, percent in (("median", 50), ("p99", 99)):
            parts_ms = percentile(sold.meter_ms, percent) + percentile(sold.raw_ms, percent)
            whole_ms = percentile(took_ms, percent)
            rows.append(Figure(f"tap to {what}, {name}", whole_ms, "ms", parts_ms, "meter asked, raw append"))
    fsyncs = {"by the journal's counters": sold.fsyncs / sold.sessions, **_traced_syncs(run)}
    rows += [
        Figure(f"fsyncs a session, {how}", count, "fsyncs", LEAST, "opening and bill", ratio_at_most(2))
        for how, count in fsyncs.items()
    ]
    written = sold.written / sold.sessions - RAW_BYTES  # one raw append was made beside each session
    rows.append(
        Figure("written to the disk a session", written, "bytes", sold.record_bytes / sold.sessions, "its records")
    )
    return rows


def _traced_syncs(run: Run) -> dict[str, float]:
    """Fsyncs a session on each medium, as strace sees them in a process that sells on one connector alone.

    Empty where this machine has no strace.
    """
    strace = shutil.which("strace")
    if strace is None:
        return {}
    folder, sessions = run.folder("tap-traced"), run.sized(TRACED_SESSIONS, least=2)
    trace = folder / "trace"
    command = [strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
    with Twins(write_twins(folder)) as twins:
        arguments = python("-m", "bench.selling", str(folder / "site"), str(twins.port("tcp")), str(sessions))
        with Child(command + arguments, folder / "sells.log") as child:
            child.process.wait(60)
    synced = [line.split("<")[1] for line in trace.read_text().splitlines() if "sync(" in line and "<" in line]
    begins, ends = (at for at, path in enumerate(synced) if f"/{MARK}>" in path)
    media = {"by strace": "/journal.db", "by strace, second copy": f"/{SECOND_COPY}/"}
    return {how: sum(name in path for path in synced[begins:ends]) / sessions for how, name in media.items()}


BENCHMARK = Benchmark("tap", MEANS, figures)
