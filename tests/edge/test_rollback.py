"""An older disk is put in: the counter tells, before anything is sold and without a link."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from desk_rig import FULL, Till, a_till, reopen

from edge import rollback
from edge.counter import CounterConfig, CounterError, SlotCounter
from edge.till.start import Ask, Refusal, Refused, Source
from edge.till.state import OpenSession
from protocols.trade.records import CounterTicked, Notice, Origin


class Medium(SlotCounter):
    """A counter that the test can break, and that says what had been ticked when a charger could have started."""

    broken = False

    def tick(self) -> int:
        if self.broken:
            raise CounterError("the stick is gone")
        return super().tick()

    def read(self) -> int:
        if self.broken:
            raise CounterError("the stick is gone")
        return super().read()


def medium(path: Path) -> Medium:
    return Medium(CounterConfig(str(path / "counter")))


@asynccontextmanager
async def guarded(path: Path) -> AsyncIterator[tuple[Till, Medium]]:
    counter = medium(path)
    async with a_till(path, counter=counter, may_stay=100_000, granted_fen=100_000) as till:
        yield till, counter


def alone(connector: str = "c1") -> Ask:
    return Ask(connector, b"", "ann", FULL, Origin("panel", b"", 0, "li"), alone=True)


async def sell(till: Till, ask: Ask | None = None) -> None:
    """One session from the first to the last record."""
    ask = ask or alone()
    session = await till.desk.start(ask, till.watch.sight(ask.connector))
    assert isinstance(session, OpenSession), session
    till.obey()
    await till.wait(5)
    await till.finish()


def notices(till: Till) -> list[str]:
    return [body.what for body in till.bodies(Notice) if body.subject == "counter"]


async def test_each_hold_without_a_link_ticks_once(tmp_path: Path) -> None:
    """In the record's own commit, then on the medium; with a link nothing is ticked."""
    async with guarded(tmp_path) as (till, counter):
        await sell(till)
        await sell(till)
        await sell(till, till.ask())
        assert [body.value for body in till.bodies(CounterTicked)] == [1, 2]
        assert (till.desk.state.ticks, counter.read()) == (2, 2)
        kinds = till.kinds
        assert kinds[kinds.index("session-opened") + 1] == "counter-ticked"


async def test_nothing_is_energised_before_the_tick(tmp_path: Path) -> None:
    """R1 for the counter: at the moment of the tick the record is durable, and the charger may not yet deliver."""
    async with guarded(tmp_path) as (till, counter):
        seen: list[tuple[int, bool]] = []
        real = counter.tick

        def watched() -> int:
            seen.append((till.journal.size, till.desk.wants_delivery("c1")))
            return real()

        counter.tick = watched  # type: ignore[method-assign]  # what is looked at happens within
        size = till.journal.size
        await till.desk.start(alone(), till.watch.sight("c1"))
        assert seen == [(size + 2, False)]
        assert till.desk.wants_delivery("c1")


async def test_an_older_disk_sells_nothing_until_headquarters_agrees(tmp_path: Path) -> None:
    """Two holds are missing from the image that is put back: refused, told, noted; then the counter is taken over."""
    async with guarded(tmp_path) as (till, counter):
        await sell(till)
        disk, image = tmp_path / "journal.db", tmp_path / "image.db"
        await reopen(till, tmp_path, meanwhile=lambda: shutil.copy(disk, image))
        await sell(till)
        await sell(till)
        await reopen(till, tmp_path, boot=b"boot-002", meanwhile=lambda: shutil.copy(image, disk))
        for ask in (alone(), till.ask()):
            refused = await till.desk.start(ask, till.watch.sight("c1"))
            assert isinstance(refused, Refused)
            assert refused.refusal == Refusal.ROLLED_BACK
        assert "stands at 3, this log knows 1" in refused.detail
        assert notices(till) == ["rolled-back"]
        await till.desk.agreed()
        assert till.desk.state.ticks == counter.read() == 3
        await sell(till)
        assert counter.read() == 4
        await reopen(till, tmp_path)
        assert notices(till) == ["rolled-back"]


async def test_a_power_cut_between_commit_and_tick_is_no_rollback(tmp_path: Path) -> None:
    """The log is one ahead: the medium is brought up to it before anything is served."""
    async with guarded(tmp_path) as (till, counter):
        await sell(till)
        counter.broken = True
        refused = await till.desk.start(alone(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)
        assert not till.desk.wants_delivery("c1")
        counter.broken = False
        await reopen(till, tmp_path, boot=b"boot-002")
        assert (till.desk.state.ticks, counter.read()) == (2, 2)
        assert notices(till) == []
        till.obey()
        await till.wait(15)
        assert till.desk.sessions() == []
        assert till.kinds.count("session-voided") == 1


async def test_a_medium_that_is_gone_stops_what_nobody_sees_and_nothing_else(tmp_path: Path) -> None:
    """Without a link: refused. With one: sold. When it comes back, headquarters' next word sets it right."""
    async with guarded(tmp_path) as (till, counter):
        await sell(till)
        counter.broken = True
        await reopen(till, tmp_path)
        refused = await till.desk.start(alone(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.COUNTER_SILENT
        await sell(till, till.ask())
        await till.desk.agreed()
        assert till.desk.guard.silent is not None
        counter.broken = False
        await till.desk.agreed()
        await sell(till)
        assert notices(till) == ["counter-silent"]
        assert (till.desk.state.ticks, counter.read()) == (2, 2)


async def test_a_medium_that_was_wiped_waits_for_headquarters(tmp_path: Path) -> None:
    """A new stick is no proof of anything: offline sales wait, then it counts on from what the log says."""
    async with guarded(tmp_path) as (till, counter):
        await sell(till)
        (tmp_path / "counter").unlink()
        await reopen(till, tmp_path)
        refused = await till.desk.start(alone(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.COUNTER_SILENT
        assert not (tmp_path / "counter").exists()
        await till.desk.agreed()
        assert counter.read() == 1
        await sell(till)
        assert notices(till) == ["counter-blank", "counter-renewed"]


async def test_an_older_medium_is_brought_up_to_the_log(tmp_path: Path) -> None:
    """The stick of last month is put back: told, and no reason to refuse anybody."""
    async with guarded(tmp_path) as (till, counter):
        for _ in range(3):
            await sell(till)
        counter.begin(1)
        await reopen(till, tmp_path)
        assert counter.read() == 3
        assert notices(till) == ["counter-behind"]
        await sell(till)


async def test_a_new_log_with_a_used_counter_only_waits_for_a_word(tmp_path: Path) -> None:
    """A new epoch, or a counter that has been added: nothing is missing, so no notice calls anybody."""
    counter = medium(tmp_path)
    counter.begin(500)
    async with a_till(tmp_path, counter=counter) as till:
        refused = await till.desk.start(alone(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.ROLLED_BACK
        assert notices(till) == []
        await till.desk.agreed()
        assert till.desk.state.ticks == 500
        await sell(till)
        assert counter.read() == 501


async def test_a_further_hold_without_a_link_ticks_too(tmp_path: Path) -> None:
    """It sets aside rights that headquarters does not see, like the first one."""
    async with guarded(tmp_path) as (till, counter):
        await till.grant(500, "guest", "04FFFFFF", may_stay=500)
        session = await till.start()
        assert isinstance(await till.desk.extend(session.seq, Source("guest"), alone=True), OpenSession)
        assert (till.desk.state.ticks, counter.read()) == (1, 1)
        assert isinstance(await till.desk.extend(session.seq, Source("ann"), most_fen=100), OpenSession)
        assert counter.read() == 1
        await till.finish()


async def test_without_a_counter_nothing_is_ticked(tmp_path: Path) -> None:
    """The default: a site without [counter]."""
    async with a_till(tmp_path) as till:
        await sell(till)
        assert till.bodies(CounterTicked) == []


async def test_a_medium_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick that answers no more keeps nobody waiting for ever, neither at the start nor at the reader."""
    monkeypatch.setattr(rollback, "PATIENCE_S", 0.05)
    async with guarded(tmp_path) as (till, counter):
        answers = threading.Event()
        monkeypatch.setattr(counter, "tick", answers.wait)
        refused = await till.desk.start(alone(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.COUNTER_SILENT
        monkeypatch.setattr(counter, "read", answers.wait)
        await reopen(till, tmp_path)
        assert till.desk.guard.silent == "no answer within 0 s"
        answers.set()
