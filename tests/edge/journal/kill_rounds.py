"""Kill a writing daemon again and again, and look at what it left. Run by test_journal_kills.py.

    python kill_rounds.py DIRECTORY SEED ROUNDS

Each round forks a process that opens the journal and commits steps from several tasks at once. After each commit it
writes the record's seq to a pipe: the customer has been told. The parent kills it with SIGKILL at a random moment.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from journal_rig import LOG_PUBLIC, STAMP, act, create, reopen

from edge.journal.journal import Journal
from edge.journal.recovery import check
from edge.journal.second_copy import Copies
from edge.journal.step import Step

TASKS = 4


async def write(path: Path, copy: Path, told: int) -> None:
    journal = reopen(path, copy)

    async def customer(index: int) -> None:
        for turn in range(1_000_000):
            sealed = journal.seal([act(f"{index} {turn}", 200)], STAMP)
            seq = sealed[0].seq
            await journal.commit(Step(sealed, progress={index: b"%d" % seq}, facts={f"task {index}": b"%d" % seq}))
            os.write(told, b"%d\n" % seq)

    await asyncio.gather(*(customer(index) for index in range(TASKS)))


async def look(path: Path, copy: Path, acknowledged: set[int]) -> int:
    """The size of the log, when nothing that was told is missing and nothing else is wrong."""
    check(path, LOG_PUBLIC, full=True)
    journal: Journal = reopen(path, copy)
    assert journal.size > max(acknowledged, default=-1), f"lost {max(acknowledged)}: the log has {journal.size}"
    records = journal.read(0, 10**9, 10**12)
    newest = {int(data) for data in journal.progress().values()}
    assert newest == {int(data) for data in journal.facts().values()}, "half a step"
    assert not newest or max(newest) == journal.size - 1, "a record without the values of its step"
    copies = Copies(copy, journal.origin)
    copied = [copies.record(seq) for seq in range(copies.size())]
    assert copied == records, "the second copy was not brought up to date"
    await journal.close()
    return journal.size


def main(directory: Path, seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    path, copy = directory / "journal.db", directory / "copy"
    asyncio.run(create(path, copy).close())
    told_total = 0
    size = 0
    for _ in range(rounds):
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            asyncio.run(write(path, copy, told))
            os._exit(1)
        os.close(told)
        time.sleep(chance.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(heard, "rb") as pipe:
            acknowledged = {int(line) for line in pipe.read().split(b"\n")[:-1]}
        told_total += len(acknowledged)
        before, size = size, asyncio.run(look(path, copy, acknowledged))
        assert size >= before
    print(f"seed {seed}: {rounds} kills, {told_total} acknowledged, {size} in the log")
    assert told_total > 0, "every child was killed before its first commit: nothing was tested"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
