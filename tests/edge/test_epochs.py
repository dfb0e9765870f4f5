"""The end of a log: in order, by a person's word, and whole wherever the power is cut."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from desk_rig import FLAT, LOG_KEY, Till, Time, a_till, reopen

from edge import epochs
from edge.clock import Clock
from edge.desk import Desk
from edge.epochs import Closing, EpochOver
from edge.journal import recovery
from edge.journal.errors import JournalError, JournalLocked
from edge.journal.journal import Journal
from edge.till.policy import Policy
from edge.till.start import Refusal, Refused
from protocols.proof import checkpoint
from protocols.proof.ed25519 import public_of
from protocols.trade.records import EpochClosed, TechnicianAct, ValueReturned

RECORDS = 6
"""Of `_make_log`: what every log begins with, and one session."""
WHY = Closing("li", "the disk is exchanged")


async def close(till: Till) -> None:
    """As `fieldtill epoch close` does, and the next look."""
    await till.desk.ask_to_close(WHY)
    await till.site._look()


async def acknowledge(till: Till) -> None:
    """Headquarters has stored, verified and posted everything."""
    note = checkpoint.cosign(till.journal.checkpoint(), LOG_KEY, "hq.example", 1_767_300_000)
    await till.journal.store_cosignature(note, till.journal.size)


async def test_close_gives_everything_back_and_is_the_last_record(tmp_path: Path) -> None:
    """Also what might have stayed; in one commit with the day's end and the person's name."""
    async with a_till(tmp_path, may_stay=100_000) as till:
        await till.grant(700, "bob", "04FFFFFF", may_stay=700)
        before = till.journal.size
        await close(till)
        assert till.kinds[before:] == [
            "technician-act", "totalizers-read", "day-closed", "value-returned", "value-returned", "epoch-closed",
        ]  # fmt: skip
        assert all(lease.rights == lease.held == 0 for lease in till.desk.state.leases.values())
        assert till.bodies(TechnicianAct)[-1] == TechnicianAct("li", "epoch-close", "the disk is exchanged")
        assert till.bodies(EpochClosed) == [EpochClosed("the disk is exchanged")]
        assert till.desk.state.closed


async def test_nothing_follows_the_last_record(tmp_path: Path) -> None:
    """Grants and tariffs that come late change nothing; a start, a note and a clock that is set do no harm."""
    async with a_till(tmp_path) as till:
        await close(till)
        size = till.journal.size
        assert await till.grant(99_000) == 0
        await till.publish(FLAT)
        refused = await till.site.start(till.ask())
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.EPOCH_CLOSING
        for act in (till.site.note("li", "raw", ""), till.site.close_day("li"), till.desk.ask_to_close(None)):
            with pytest.raises(EpochOver):
                await act
        till.time.wall_ms += 3_600_000
        await till.site._look()
        await till.desk.agreed()
        await reopen(till, tmp_path)
        assert till.journal.size == size
        assert till.desk.state.closed


async def test_running_sessions_end_first(tmp_path: Path) -> None:
    """From the word on nobody starts; whoever charges goes on; a restart between does not forget the word."""
    async with a_till(tmp_path) as till:
        await till.start()
        await close(till)
        assert not till.desk.state.closed
        refused = await till.desk.start(till.ask("c2"), till.watch.sight("c2"))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.EPOCH_CLOSING
        await till.wait(5)
        await reopen(till, tmp_path)
        assert till.desk.closing == WHY
        await till.site._look()
        assert till.desk.wants_delivery("c1")
        await till.finish()
        await till.site._look()
        assert till.kinds[-1] == "epoch-closed"
        assert till.bodies(ValueReturned)


async def test_the_word_can_be_taken_back(tmp_path: Path) -> None:
    """As long as a session runs, or the next look has not come."""
    async with a_till(tmp_path) as till:
        await till.desk.ask_to_close(WHY)
        await till.desk.ask_to_close(None)
        await till.site._look()
        await till.start()
        await till.finish()
        await reopen(till, tmp_path)
        assert till.desk.closing is None
        assert not till.desk.state.closed


async def test_a_disputed_log_is_not_closed(tmp_path: Path) -> None:
    """Headquarters would not take its last record: it is left as it is, for a person to give up."""
    async with a_till(tmp_path) as till:
        till.desk.disputed = "a fork"
        await close(till)
        assert not till.desk.state.closed
        till.desk.disputed = None
        await till.site._look()
        assert till.desk.state.closed


async def test_it_is_over_when_headquarters_has_all_of_it(tmp_path: Path) -> None:
    """A closed log that headquarters has not acknowledged stays in its place and goes on uploading."""
    path = tmp_path / "journal.db"
    assert not epochs.is_over(path)
    async with a_till(tmp_path) as till:
        await acknowledge(till)
        assert not epochs.is_over(path)
        await close(till)
        assert not epochs.is_over(path)
        waiting = asyncio.create_task(epochs.until_over(till.journal, lambda: till.desk.state.closed))
        await acknowledge(till)
        await waiting
        assert epochs.is_over(path)
        with pytest.raises(JournalLocked):
            epochs.put_aside(path)
    place = epochs.put_aside(path)
    assert place == tmp_path / "epochs" / "1" / "journal.db"
    assert not path.exists()
    recovery.check(place, public_of(LOG_KEY), full=True)
    (kept,) = epochs.kept(path)
    assert (kept.site, kept.epoch, kept.records, kept.cosigned, kept.why) == ("hz-1", 1, 8, 8, "")
    with pytest.raises(JournalError):
        epochs.put_aside(path)


def test_each_log_given_up_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    """The same backup restored twice is two logs, their reasons beside them. A file that is no log is kept as well."""
    asyncio.run(_make_log(tmp_path))
    saved = (tmp_path / "journal.db").read_bytes()
    for why in ("li: restored", "li: restored again"):
        (tmp_path / "journal.db").write_bytes(saved)
        epochs.put_aside(tmp_path / "journal.db", why=why)
    (tmp_path / "journal.db").write_bytes(b"rubbish" * 1_000)
    place = epochs.put_aside(tmp_path / "journal.db", why="li: damaged")
    assert place.parent.name == "unknown-abandoned"
    assert [(one.name, one.why) for one in epochs.kept(tmp_path / "journal.db")] == [
        ("1-abandoned", "li: restored"), ("1-abandoned-2", "li: restored again")
    ]  # fmt: skip


class PowerCut(Exception):
    """The box is dark from here on."""


@pytest.mark.parametrize("why", ["", "li: a copy"])
def test_power_cuts_at_every_step_of_a_move_leave_one_whole_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Killed between any two operations on the disk, with records still in the write-ahead log: the next start finds
    the log whole, at its old place or at its new one, and never both or a half.
    """
    template = tmp_path / "template"
    template.mkdir()
    asyncio.run(_make_log(template, torn=True))
    steps = cuts = 0
    while True:
        box = tmp_path / f"box-{steps}"
        shutil.copytree(template, box)
        with monkeypatch.context() as patched:
            _cut_after(steps, patched)
            try:
                epochs.put_aside(box / "journal.db", why=why)
                ended = True
            except PowerCut:
                ended = False
                cuts += 1
        epochs.finish_move(box / "journal.db")
        places = [path for path in box.rglob("journal.db") if path.exists()]
        assert len(places) == 1, steps
        recovery.check(places[0], public_of(LOG_KEY), full=True)
        assert _size(places[0]) == RECORDS
        assert not list(box.rglob("moving"))
        if places[0].parent == box:
            epochs.put_aside(box / "journal.db", why=why)
        (kept,) = epochs.kept(box / "journal.db")
        assert (kept.records, kept.why) == (RECORDS, why)
        if ended:
            break
        steps += 1
    assert cuts > 12


def _cut_after(steps: int, patched: pytest.MonkeyPatch) -> None:
    """Let so many operations on the disk happen; none after that."""
    left = [steps]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any, **more: Any) -> Any:
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            return real(*args, **more)

        return do

    for name in ("fsync_directory", "make_private_directory"):
        patched.setattr(epochs, name, counted(getattr(epochs, name)))
    for name in ("rename", "unlink"):
        patched.setattr(Path, name, counted(getattr(Path, name)))
    for name in ("open", "write", "fsync"):
        patched.setattr(epochs.os, name, counted(getattr(epochs.os, name)))


async def _make_log(path: Path, *, torn: bool = False) -> None:
    """A log with a session in it. torn: as a killed daemon leaves it, with records in the write-ahead log alone."""
    work = path.with_name("work") if torn else path
    async with a_till(work) as till:
        await till.start()
        await till.wait(5)
        await till.finish()
        assert till.journal.size == RECORDS
        if torn:
            for name in ("journal.db", "journal.db-wal"):
                shutil.copy(work / name, path / name)
            assert (path / "journal.db-wal").stat().st_size > 0


def _size(path: Path) -> int:
    journal = Journal.open(path, LOG_KEY, ballast_bytes=0)
    try:
        desk = Desk(journal, Clock(Time().system()), Policy(), {})
        assert desk.state.leases["ann CNY"].used > 0
        return journal.size
    finally:
        asyncio.run(journal.close())
        with suppress(FileNotFoundError):
            path.with_suffix(".lock").unlink()
