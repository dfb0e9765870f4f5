"""How fast, and in how little memory, is a whole log replayed and every bill in it worked out again?"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.box import Box
from bench.figure import Figure, at_most
from bench.run import Benchmark, Run

MEANS = """\
`fieldtill verify` of a whole journal as a person runs it, in a process of its own: every record decoded and hashed,
every counter, meter, clock and bill checked, every meter record's signature verified, the till's state derived anew.
Beside it: SQLite reading the same rows, SHA-256 of the same bytes, and the memory that a hundredth of the log takes.
"""

RECORDS = 1_000_000
MEMORY_MB_MAX = 150


class Verdict(msgspec.Struct):
    """What the command says, as far as it is looked at here."""

    records: int
    findings: list[dict[str, object]]


def figures(run: Run) -> list[Figure]:
    small = run.box("verified-small", run.sized(RECORDS // 100, least=200))
    large = run.box("verified", run.sized(RECORDS, least=400))
    read_per_s, hashed_per_s = _bare(large.journal_path)
    _, small_mb = _verify(small)
    per_s, mb = _verify(large)
    return [
        Figure("the whole log verified", per_s, "records/s", read_per_s, "SQLite reading the rows"),
        Figure("the whole log verified", per_s, "records/s", hashed_per_s, "SHA-256 alone"),
        Figure("memory at its highest", mb, "MB", small_mb, "for a hundredth of the log", at_most(MEMORY_MB_MAX)),
    ]


def _bare(path: Path) -> tuple[float, float]:
    """Records a second: read from SQLite and thrown away; and hashed, once they are in memory."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        began_s = time.perf_counter()
        count = sum(1 for _ in connection.execute("SELECT seq, bytes FROM records ORDER BY seq"))
        read_s = time.perf_counter() - began_s
        hashed_s = 0.0
        cursor = connection.execute("SELECT bytes FROM records ORDER BY seq")
        while rows := cursor.fetchmany(1_000):
            began_s = time.perf_counter()
            for (data,) in rows:
                hashlib.sha256(data).digest()
            hashed_s += time.perf_counter() - began_s
    finally:
        connection.close()
    return count / read_s, count / hashed_s


_PROGRAM = """
import sys
from edge.panel.cli import main
sys.argv = ["fieldtill", "verify", sys.argv[1], "--json"]
try:
    main()
finally:
    sys.stderr.write(open("/proc/self/status").read())
"""


def _verify(box: Box) -> tuple[float, float]:
    """(records a second, MB of memory at its highest), the start of the program included."""
    began_s = time.perf_counter()
    command = [sys.executable, "-c", _PROGRAM, str(box.journal_path)]
    done = subprocess.run(command, capture_output=True, check=False)
    took_s = time.perf_counter() - began_s
    (highest_kb,) = re.findall(rb"^VmHWM:\s+(\d+) kB$", done.stderr, re.M)
    verdict = msgspec.json.decode(done.stdout, type=Verdict)
    codes = [finding["code"] for finding in verdict.findings]
    assert codes in ([], ["clock"]), verdict.findings  # the benchmark's sessions were sold before its box was enrolled
    return verdict.records / took_s, int(highest_kb) / 1024


BENCHMARK = Benchmark("verify", MEANS, figures)
