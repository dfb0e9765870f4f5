"""The desk on a real journal: durable before acting, no overspending, nothing forgotten, and a full disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from edge import desk as desks
from edge.journal.connection import set_up
from edge.journal.errors import JournalFull
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.step import Identity, Step
from edge.journal.store import Store, begin_log
from edge.till.progress import Phase, StopReason, decode_progress
from edge.till.start import Refusal, Refused
from edge.till.state import OpenSession, decode_state, encode_state
from protocols.proof.ed25519 import public_of
from protocols.trade.records import (
    ConfigApplied,
    DayClosed,
    Draft,
    GrantAccepted,
    SessionClosed,
    SessionOpened,
    TechnicianAct,
    TotalizersRead,
    ValueReturned,
)
from tests.edge.desk_rig import LOG_KEY, POLICY, Till, Time, a_till, reopen, slow_disk, turns
from tests.edge.journal.failing_disk import Disk
from tests.edge.till.story import FLAT, MIDNIGHT_MS, TWO_PRICES


async def test_r1_nothing_flows_before_the_opening_is_durable(tmp_path: Path) -> None:
    """While the fsync runs the session is decided and its rights are held, but no charger is let go."""
    async with a_till(tmp_path) as till:
        with slow_disk(till.journal) as disk_goes_on:
            starting = asyncio.create_task(till.desk.start(till.ask(), till.watch.sight("c1")))
            await turns()
            assert till.desk.session_at("c1") is not None
            assert till.lease().held == 1_000
            assert till.journal.size == till.desk.state.size - 1
            assert not till.desk.wants_delivery("c1")
            disk_goes_on()
            assert isinstance(await starting, OpenSession)
        assert till.desk.wants_delivery("c1")


async def test_a_stop_is_wanted_at_once(tmp_path: Path) -> None:
    """Opening a relay waits for no disk."""
    async with a_till(tmp_path) as till:
        session = await till.start()
        with slow_disk(till.journal):
            stopping = asyncio.create_task(till.desk.stop(session.seq, StopReason.LOCAL))
            await turns()
            assert not till.desk.wants_delivery("c1")
        assert await stopping


async def test_a_stop_during_the_opening_wins(tmp_path: Path) -> None:
    """Tapped again before the fsync is done: the charger is never let go."""
    async with a_till(tmp_path) as till:
        with slow_disk(till.journal) as disk_goes_on:
            starting = asyncio.create_task(till.desk.start(till.ask(), till.watch.sight("c1")))
            await turns()
            (session, _) = till.desk.sessions()[0]
            stopping = asyncio.create_task(till.desk.stop(session.seq, StopReason.LOCAL))
            await turns()
            disk_goes_on()
            await asyncio.gather(starting, stopping)
        assert not till.desk.wants_delivery("c1")
        await till.wait(2)
        assert till.kinds[-2:] == ["session-voided", "value-returned"]


async def test_two_starts_of_one_account_never_overspend(tmp_path: Path) -> None:
    """Two connectors in the same moment: the second sees what the first has set aside, durable or not."""
    async with a_till(tmp_path, granted_fen=1_500) as till:
        with slow_disk(till.journal) as disk_goes_on:
            both = [asyncio.create_task(till.desk.start(till.ask(c), till.watch.sight(c))) for c in ("c1", "c2")]
            await turns()
            disk_goes_on()
            outcomes = await asyncio.gather(*both)
        assert [outcome.hold_fen for outcome in outcomes if isinstance(outcome, OpenSession)] == [1_000, 500]
        assert till.lease().rights == 0
        refused = await till.desk.start(till.ask(), till.watch.sight("c1"))
        assert isinstance(refused, Refused)


async def test_a_session_from_start_to_end(tmp_path: Path) -> None:
    """One commit opens it, one commit ends it: bill, capture and returned value together."""
    async with a_till(tmp_path) as till:
        await till.start()
        await till.wait(100)
        commits = till.journal.counters.commits
        await till.finish()
        (closed,) = till.bodies(SessionClosed)
        assert (closed.energy_wh, closed.amount_fen) == (200, 20)
        (returned,) = [record for record in till.journal.records() if record.kind == "value-returned"]
        assert returned.moves[0].amount == 9_980
        assert till.kinds[-2:] == ["session-closed", "value-returned"]
        assert till.journal.counters.commits - commits == 2  # the stop, and the end
        assert till.journal.progress() == {}


async def test_r6_all_running_sessions_are_saved_in_one_commit(tmp_path: Path) -> None:
    """Once in progress_s for the whole site, not once for each session."""
    async with a_till(tmp_path) as till:
        await till.start("c1")
        await till.start("c2")
        commits = till.journal.counters.commits
        await till.wait(4 * POLICY.progress_s)
        saved = till.journal.counters.commits - commits
        assert saved <= 4 + 1  # and the two that began to charge at the same look
        assert len(till.journal.progress()) == 2


async def test_the_daemon_is_killed_and_the_session_goes_on(tmp_path: Path) -> None:
    """The same boot: payer, register and hold are found again, and the energy of the gap is billed."""
    async with a_till(tmp_path) as till:
        await till.start()
        await till.wait(30)
        await till.desk.save()
        await reopen(till, tmp_path)
        assert till.desk.wants_delivery("c1")
        till.time += 3_000
        till.bays["c1"].register_wh += 6
        await till.wait(10)
        await till.finish()
        (closed,) = till.bodies(SessionClosed)
        assert closed.energy_wh == 60 + 6 + 20


async def test_evcc_8788_the_power_is_cut_and_the_session_settles(tmp_path: Path) -> None:
    """Another boot: nothing is resumed; what the meter counted is billed to whom it belongs."""
    async with a_till(tmp_path) as till:
        await till.start()
        await till.wait(30)
        await reopen(till, tmp_path, boot=b"boot-002")
        assert not till.desk.wants_delivery("c1")
        till.obey()
        await till.wait(3)
        (closed,) = till.bodies(SessionClosed)
        assert (closed.energy_wh, closed.reason) == (60, "PowerLoss")
        assert till.lease().held == 0


async def test_a_price_change_is_saved_when_it_happens(tmp_path: Path) -> None:
    """R8 and tariff boundaries: the row is saved as the price changes, so a crash later cannot blur it."""
    async with a_till(tmp_path, tariff=TWO_PRICES) as till:
        eight_ms = MIDNIGHT_MS + 8 * 3_600_000
        till.time += eight_ms - till.time.wall_ms - 12_500
        await till.start()
        assert till.desk.boundary_in_ms() == 12_500
        await till.wait(13)  # saved 11.5, 6.5 and 1.5 s before eight by the period, and now by the boundary
        (row,) = map(decode_progress, till.journal.progress().values())
        assert till.time.wall_ms == eight_ms + 500
        assert row.register.wall_ms >= eight_ms
        await till.wait(5)
        await till.finish()
        (closed,) = till.bodies(SessionClosed)
        assert [(line.period, line.price_e3) for line in closed.lines] == [(0, 50_000), (1, 150_000)]


async def test_a_snapshot_and_the_rest_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart folds the snapshot and what follows, and stands exactly where the daemon stood."""
    monkeypatch.setattr(desks, "SNAPSHOT_RECORDS", 20)
    async with a_till(tmp_path, may_stay=10_000) as till:
        for _ in range(9):
            await till.start()
            await till.wait(5)
            await till.finish()
        await till.start("c2")
        snapshot = till.journal.snapshot()
        assert snapshot is not None
        assert 0 < snapshot.size < till.journal.size
        before = till.desk.state
        await reopen(till, tmp_path)
        assert till.desk.state == before


async def test_a_snapshot_of_another_version_is_passed_over(tmp_path: Path) -> None:
    """Its bytes cannot be read: the log itself can, from the first record on."""
    async with a_till(tmp_path) as till:
        await till.start()
        before = till.desk.state
        sealed = till.journal.seal([Draft(TechnicianAct("li", "looked", ""))], till.clock.stamp())
        await till.journal.commit(Step(sealed=sealed, snapshot=b"\x81\xa4size\xa3big"))
        await reopen(till, tmp_path)
        assert till.desk.state == changed(before, size=before.size + 1)
        assert decode_state(encode_state(till.desk.state)) == till.desk.state


async def test_a_new_tariff_holds_for_new_sessions_alone(tmp_path: Path) -> None:
    """R8: the running session ends at the price it began with, a restart in between included."""
    async with a_till(tmp_path) as till:
        await till.start("c1")
        await till.wait(50)
        await till.publish(changed(FLAT, version=2, session_e3=100_000))
        assert till.desk.tariff is not None
        assert till.desk.tariff.version == 2
        await till.desk.save()
        await reopen(till, tmp_path)
        await till.start("c2")
        await till.wait(50)
        await till.finish()
        old, new = sorted(till.bodies(SessionClosed), key=lambda body: body.session)
        assert [line.code for line in old.lines] == ["energy"]
        assert [line.code for line in new.lines] == ["energy", "session"]
        assert [body.pins[0].version for body in till.bodies(SessionOpened)] == [1, 2]
        assert len(till.bodies(ConfigApplied)) == 2


async def test_only_news_gets_into_the_log(tmp_path: Path) -> None:
    """A grant that is repeated, older, or another site's leaves no record."""
    async with a_till(tmp_path) as till:
        taken = [await till.grant(total, serial=serial) for total, serial in ((500, 1), (10_000, 1), (9_000, 1))]
        assert taken == [0, 0, 0]
        assert await till.grant(10_000, serial=2) == 1  # other limits
        assert await till.grant(12_000, serial=1) == 1  # an older one that says more
        assert till.lease().granted == 12_000
        assert len(till.bodies(GrantAccepted)) == 3


async def test_a_day_closes_while_a_session_runs(tmp_path: Path) -> None:
    """What has ended counts in the day, what runs counts in the next; all meters are read in the same commit."""
    async with a_till(tmp_path, may_stay=10_000) as till:
        await till.start("c1")
        await till.wait(50)
        await till.finish()
        await till.start("c2")
        await till.wait(20)
        body = await till.desk.close_day(till.watch.registers())
        assert (body.day, body.sessions, body.energy_wh, body.amount_fen) == (1, 1, 100, 10)
        (read,) = till.bodies(TotalizersRead)
        assert [(one.meter, one.energy_wh) for one in read.registers] == [("m1", 1_000_100), ("m2", 1_000_040)]
        await till.finish()
        second = await till.desk.close_day(till.watch.registers())
        assert (second.day, second.sessions, second.first_seq) == (2, 1, till.kinds.index("day-closed") + 1)
        assert len(till.bodies(DayClosed)) == 2


async def test_a_grant_during_a_session_stays_out_of_its_hold(tmp_path: Path) -> None:
    """More money while the session runs is rights, and goes back with the rest."""
    async with a_till(tmp_path, granted_fen=300) as till:
        await till.start()
        await till.grant(900)
        assert (till.lease().held, till.lease().rights) == (300, 600)
        await till.wait(10)
        await till.finish()
        assert till.lease().rights == 0
        assert len(till.bodies(ValueReturned)) == 1


# --- a disk without space ---------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    directory = tmp_path / "disk"
    directory.mkdir()
    disk = Disk(directory)
    yield disk
    disk.unregister()


def journal_on(disk: Disk, ballast_bytes: int) -> Journal:
    path = disk.directory / "journal.db"
    connection = disk.connect(path)
    set_up(connection)
    begin_log(connection, Identity("hz-1", 1, public_of(LOG_KEY)))
    ballast = Ballast(disk.directory / "journal.ballast", ballast_bytes)
    assert ballast.restore()
    return Journal(Store(connection, LOG_KEY), disk.connect(path), ballast)


async def test_g11_a_full_disk_refuses_new_sessions_and_finishes_running_ones(disk: Disk) -> None:
    """The ballast pays for the end of what runs; nobody new is let in, and told why."""
    journal = journal_on(disk, ballast_bytes=256 * 1024)
    till = Till(journal, Time())
    await till.begin()
    await till.start("c1")
    await till.wait(20)
    disk.capacity = disk.used()
    while not journal.full:
        await till.wait(POLICY.progress_s)
    refused = await till.desk.start(till.ask("c2"), till.watch.sight("c2"))
    assert isinstance(refused, Refused)
    assert refused.refusal == Refusal.DISK_FULL
    await till.finish()
    (closed,) = till.bodies(SessionClosed)
    assert closed.energy_wh == till.bays["c1"].register_wh - 1_000_000
    await journal.close()


async def test_without_any_space_a_start_is_refused_and_undone(disk: Disk) -> None:
    """The commit itself finds no room: the customer is refused, no rights stay held, and space makes it well again."""
    journal = journal_on(disk, ballast_bytes=0)
    till = Till(journal, Time())
    await till.begin()
    await till.start("c1")
    await till.wait(20)
    before = till.desk.state
    disk.capacity = disk.used()
    outcome = await till.desk.start(till.ask("c2"), till.watch.sight("c2"))
    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal.DISK_FULL
    assert till.desk.state == before
    big = Draft(TechnicianAct("li", "looked", "x" * 30_000))
    with pytest.raises(JournalFull):
        await till.desk.record([big])
    assert till.desk.state.size == journal.size == journal.next_seq
    running = till.desk.session_at("c1")
    assert running is not None
    assert running[1].phase == Phase.CHARGING
    disk.capacity = None
    await till.finish()
    assert till.bodies(SessionClosed)[0].energy_wh == till.bays["c1"].register_wh - 1_000_000
    await journal.close()
