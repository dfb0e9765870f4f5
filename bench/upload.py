"""How fast does a site tell headquarters what it sold while the link was down? To the last cosigned record."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.box import Box, send_all
from bench.figure import Figure, ratio_at_least, ratio_at_most
from bench.headquarters import Headquarters
from bench.processes import Child, python
from bench.run import Benchmark, Run, wait
from cloud import home, schema, store
from cloud.ingest import Ingested, ingest
from edge.journal.journal import Journal
from edge.sync.uplink import BATCH_ENVELOPE_BYTES
from protocols.trade.codec import encode
from protocols.trade.wire import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Batch

MEANS = """\
A site's log of 100,000 records of sold sessions goes to the real headquarters over HTTPS: read, signed, compressed,
checked, posted, cosigned. Posting alone, in one process, stands beside bare writes of the same rows.
"""

RECORDS = 100_000


def figures(run: Run) -> list[Figure]:
    box = run.box("sold-out", run.sized(RECORDS, least=200))
    hq = run.headquarters()
    copies = [hq.copy_to(run.work / f"upload-{name}") for name in ("posting", "bare")]
    posted_per_s = wait(_post(box, copies[0]))
    bare_per_s = _insert(copies[0], copies[1], box)
    per_s, wire_bytes, record_bytes = wait(_upload(box, hq))
    return [
        Figure("posting at headquarters", posted_per_s, "records/s", bare_per_s, "bare writes", ratio_at_least(0.5)),
        Figure("upload, from disk to cosigned", per_s, "records/s", posted_per_s, "posting alone"),
        Figure("on the wire, both ways", wire_bytes, "bytes a record", record_bytes, "as stored", ratio_at_most(1)),
    ]


# --- headquarters alone ----------------------------------------------------------------------------------------------


async def _post(box: Box, hq_home: Path) -> float:
    """Records a second that `ingest` takes in, transaction by transaction."""
    journal = box.open()
    opened = home.open_home(hq_home)
    try:
        with store.reading(opened.engine) as connection:
            log_id, sent = _log_of(connection, box)
        bodies = [encode(batch) for batch in _batches(journal, sent)]
        began_s = time.perf_counter()
        for body in bodies:
            with store.writing(opened.engine) as connection:
                taken = ingest(connection, opened.keys, log_id, body, opened.clock)
            assert isinstance(taken, Ingested), taken
        took_s = time.perf_counter() - began_s
        return (journal.size - sent) / took_s
    finally:
        opened.engine.dispose()
        await journal.close()


def _batches(journal: Journal, first: int) -> Iterator[Batch]:
    """What the uplink would send."""
    while records := journal.read(first, BATCH_RECORDS_MAX, BATCH_BYTES_MAX - BATCH_ENVELOPE_BYTES):
        yield Batch(first, records, journal.checkpoint_at(first + len(records)), bytes(8), 0, 0)
        first += len(records)


def _log_of(connection: sa.Connection, box: Box) -> tuple[int, int]:
    """Headquarters' row of the box's log, and how many records are there."""
    epochs = schema.epochs
    row = connection.execute(sa.select(epochs).where(epochs.c.site == box.site, epochs.c.epoch == box.epoch)).one()
    return int(row.id), int(row.size)


def _insert(posted: Path, empty: Path, box: Box) -> float:
    """Records a second when somebody else has worked out every row: the same ones, in as many transactions.

    Records and transfers are inserted; the balance, counter and lease of each customer are written once a batch, since
    every full batch moves value for every customer.
    """
    opened = home.open_home(empty)
    with store.reading(opened.engine) as connection:
        log_id, sent = _log_of(connection, box)
    opened.engine.dispose()
    source = sqlite3.connect(posted / "hq.db")
    records = _rows(source, "records", log_id, sent)
    transfers = _rows(source, "transfers", log_id, sent)
    accounts = source.execute("SELECT * FROM ledger").fetchall()
    counters = source.execute("SELECT * FROM counters WHERE log = ?", (log_id,)).fetchall()
    leases = source.execute("SELECT log, account, asset FROM leases WHERE log = ?", (log_id,)).fetchall()
    source.close()
    target = sqlite3.connect(empty / "hq.db", isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cell_size_check = ON"):
        target.execute(f"PRAGMA {setting}")
    target.executemany(f"INSERT OR IGNORE INTO ledger VALUES ({_marks(accounts)})", accounts)
    touched = [(account[0],) for account in accounts]
    began_s = time.perf_counter()
    first = 0
    for at in range(0, len(records), BATCH_RECORDS_MAX):
        batch = records[at : at + BATCH_RECORDS_MAX]
        end = bisect_right(transfers, batch[-1][1], lo=first, key=itemgetter(1))  # column 1 is seq, in both tables
        target.execute("BEGIN IMMEDIATE")
        target.executemany(f"INSERT INTO records VALUES ({_marks(records)})", batch)
        target.executemany("UPDATE ledger SET debits = debits + 1, credits = credits + 1 WHERE id = ?", touched)
        target.executemany(f"INSERT INTO transfers VALUES ({_marks(transfers)})", transfers[first:end])
        target.executemany(f"INSERT OR REPLACE INTO counters VALUES ({_marks(counters)})", counters)
        target.executemany("UPDATE leases SET used = used WHERE log = ? AND account = ? AND asset = ?", leases)
        target.execute("COMMIT")
        first = end
    took_s = time.perf_counter() - began_s
    target.close()
    return len(records) / took_s


def _rows(source: sqlite3.Connection, table: str, log_id: int, sent: int) -> list[tuple[Any, ...]]:
    return source.execute(f"SELECT * FROM {table} WHERE log = ? AND seq >= ? ORDER BY seq", (log_id, sent)).fetchall()


def _marks(rows: Sequence[tuple[Any, ...]]) -> str:
    return ", ".join("?" * len(rows[0]))


# --- all of it -------------------------------------------------------------------------------------------------------


async def _upload(box: Box, hq: Headquarters) -> tuple[float, float, float]:
    """Records a second, bytes on the wire for each, and bytes that each has in the journal."""
    journal = box.open()
    try:
        site = box.site_at(journal)
        already = journal.cosigned()
        first = already[0] if already else 0
        stored = sum(len(data) for data in journal.read(first, journal.size, 2**62))
        with Child(python("-m", "bench.relay", str(hq.port)), box.home / "relay.log") as relay:
            uplink = box.uplink(hq, journal, site, int(relay.line()))
            began_s = asyncio.get_running_loop().time()
            await send_all(uplink)
            took_s = asyncio.get_running_loop().time() - began_s
            relay.tell("")
            carried = int(relay.line())
        sent = journal.size - first
        return sent / took_s, carried / sent, stored / sent
    finally:
        await journal.close()


BENCHMARK = Benchmark("upload", MEANS, figures)
