"""How much of the disk's own speed does the journal keep, and how fast is a log checked and folded?"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.box import Box
from bench.figure import Figure
from bench.run import Benchmark, Run, wait
from bench.selling import raw_append_ms
from edge.journal import store as tables
from edge.journal.connection import connect
from edge.journal.journal import Journal
from edge.journal.recovery import check
from edge.journal.step import Identity, Step
from edge.till.fold import apply
from edge.till.state import TillState
from protocols.proof.ed25519 import public_of
from protocols.trade.codec import decode
from protocols.trade.records import ClockQuality, Draft, Record, Stamp, body_of

MEANS = """\
Durable appends of real records, each with tree and signature, beside SQLite alone with the same settings and rows, and
beside a bare append with fsync. Then the whole log: hashed and checked, and folded, beside SHA-256 of the same bytes.
"""

T = TypeVar("T")

RECORDS = 100_000  # of the log that is checked
ALONE = 300
TOGETHER = 5_000
TURNS = 4
GROUP = 500
STAMP = Stamp(b"bench-01", 1_000, 1_767_300_000_000, ClockQuality.SYNCHRONISED, 1_767_300_000_000, 1_767_300_000_000)


def figures(run: Run) -> list[Figure]:
    box = run.box("sold-out", run.sized(RECORDS, least=200))
    folder = run.folder("journal")
    return [*_appends(run, box, folder), *_whole_log(box)]


# --- appending -------------------------------------------------------------------------------------------------------


def _appends(run: Run, box: Box, folder: Path) -> list[Figure]:
    alone, together = run.sized(ALONE, least=20), run.sized(TOGETHER, least=GROUP)
    leaves = wait(_read(box, max(alone, together)))
    drafts = [_draft(data) for data in leaves]
    single_s, bare_single_s, raw_s, grouped_s, bare_grouped_s = 0.0, 0.0, 0.0, 0.0, 0.0
    for turn in range(TURNS):  # by turns, since a disk has its moods
        single_s += wait(_append(folder / f"alone-{turn}.db", drafts[:alone], 1)) / TURNS
        bare_single_s += _insert(folder / f"bare-alone-{turn}.db", leaves[:alone], 1) / TURNS
        raw_s += sum(raw_append_ms(folder / "raw") for _ in range(alone)) / 1000 / TURNS
        grouped_s += wait(_append(folder / f"together-{turn}.db", drafts[:together], GROUP)) / TURNS
        bare_grouped_s += _insert(folder / f"bare-together-{turn}.db", leaves[:together], GROUP) / TURNS
    single, grouped = alone / single_s, together / grouped_s
    bare_grouped = f"SQLite alone, {GROUP} a commit"
    return [
        Figure("one record a commit", single, "records/s", alone / bare_single_s, "SQLite alone"),
        Figure("one record a commit", single, "records/s", alone / raw_s, "bare append and fsync"),
        Figure(f"{GROUP} waiting at once", grouped, "records/s", together / bare_grouped_s, bare_grouped),
    ]


async def _read(box: Box, count: int) -> list[bytes]:
    """Records of sold sessions: the last ones of the box's log."""
    journal = box.open()
    try:
        return journal.read(max(0, journal.size - count), count, 2**62)
    finally:
        await journal.close()


def _draft(data: bytes) -> Draft:
    record = decode(data, Record)
    body = body_of(record)
    assert body is not None, record.kind
    return Draft(body, tuple(record.moves))


async def _append(path: Path, drafts: Sequence[Draft], at_once: int) -> float:
    """Seconds for all of them: each is a step of its own, and so many of them wait at the same time."""
    path.parent.mkdir(exist_ok=True)
    journal = Journal.create(path, "bench", 1, Ed25519PrivateKey.generate(), ballast_bytes=4096)
    try:
        began_s = time.perf_counter()
        for group in _groups(drafts, at_once):
            await asyncio.gather(*(journal.commit(Step(journal.seal([draft], STAMP))) for draft in group))
        return time.perf_counter() - began_s
    finally:
        await journal.close()


def _insert(path: Path, leaves: Sequence[bytes], at_once: int) -> float:
    """Seconds for all of them into the journal's own tables: the records and a head of the same size, no more."""
    connection = connect(path)
    tables.begin_log(connection, Identity("bench", 1, bytes(32)))
    frontier, note, seq = os.urandom(500), os.urandom(170), 0
    began_s = time.perf_counter()
    for group in _groups(leaves, at_once):
        connection.execute("BEGIN IMMEDIATE")
        for leaf in group:
            connection.execute("INSERT INTO records (seq, bytes) VALUES (?, ?)", (seq, leaf))
            seq += 1
        connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (seq, frontier, note))
        connection.execute("COMMIT")
    took_s = time.perf_counter() - began_s
    connection.close()
    return took_s


def _groups(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


# --- reading it all --------------------------------------------------------------------------------------------------


def _whole_log(box: Box) -> list[Figure]:
    leaves = wait(_read(box, 2**31))
    sha256 = hashlib.sha256
    began_s = time.perf_counter()
    for leaf in leaves:
        sha256(b"\x00" + leaf).digest()
    hashed_per_s = len(leaves) / (time.perf_counter() - began_s)
    began_s = time.perf_counter()
    check(box.journal_path, public_of(box.ring.log(box.epoch)), full=True)
    checked_per_s = len(leaves) / (time.perf_counter() - began_s)
    began_s = time.perf_counter()
    state = TillState()
    for leaf in leaves:
        state = apply(state, decode(leaf, Record))
    folded_per_s = len(leaves) / (time.perf_counter() - began_s)
    assert state.size == len(leaves)
    return [
        Figure("the whole log checked", checked_per_s, "records/s", hashed_per_s, "SHA-256 alone"),
        Figure("the whole log folded", folded_per_s, "records/s", hashed_per_s, "SHA-256 alone"),
    ]


BENCHMARK = Benchmark("journal", MEANS, figures)
