"""What the desk must outlive: a caller that goes away, a connector that is gone, a disk without any room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from edge.desk import Desk
from edge.journal.connection import set_up
from edge.journal.errors import JournalFull
from edge.journal.files import Ballast
from edge.journal.journal import Journal
from edge.journal.step import Identity
from edge.journal.store import Store, begin_log
from edge.plant.watch import Watch
from edge.site import Site
from edge.till.progress import StopReason
from edge.till.start import Refused
from protocols.proof.ed25519 import public_of
from protocols.trade.records import Draft, SessionClosed, SessionHeld, TechnicianAct
from tests.edge.desk_rig import CREDENTIAL_KEY, LOG_KEY, Till, Time, a_till, slow_disk, turns
from tests.edge.journal.failing_disk import Disk


async def test_a_start_that_nobody_waits_for_any_more_is_served(tmp_path: Path) -> None:
    """The broker breaks while a commanded start is being written: once it is durable the charger is let go."""
    async with a_till(tmp_path) as till:
        with slow_disk(till.journal) as go_on:
            start = asyncio.create_task(till.desk.start(till.ask(), till.watch.sight("c1")))
            await turns()
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            assert not till.desk.wants_delivery("c1")
            go_on()
        await till.desk.record([Draft(TechnicianAct("li", "looked", ""))])
        assert till.desk.wants_delivery("c1")


async def test_a_session_whose_connector_is_gone_ends(tmp_path: Path) -> None:
    """The config lacks it after a restart: the session is stopped, held, and settled; the rights come back."""
    async with a_till(tmp_path) as till:
        await till.start("c1")
        await till.wait(50)
        policy = changed(till.policy, settle_after_s=60)
        desk = Desk(till.journal, till.clock, policy, {"c2": till.desk.places["c2"]})
        sights = {"c2": till.watch.sight("c2")}
        for _ in range(80):
            till.time += 1_000
            await desk.look(sights)
        assert desk.sessions() == []
        assert len(till.bodies(SessionHeld)) == 1
        (closed,) = till.bodies(SessionClosed)
        assert closed.energy_wh == 100
        lease = desk.state.leases["ann CNY"]
        assert (lease.held, lease.used, lease.rights) == (0, closed.amount_fen, 0)


async def test_a_price_changes_for_a_session_whose_connector_is_gone(tmp_path: Path) -> None:
    """Meters are read around the change, but not the one that the config lacks; the others' sessions go on."""
    async with a_till(tmp_path) as till:
        await till.start("c1")
        await till.start("c2")
        desk = Desk(till.journal, till.clock, till.policy, {"c2": till.desk.places["c2"]})
        watch = Watch(till.clock, {"c2": till.watch.outlets["c2"]})
        site = Site(desk, watch, till.clock, {}, CREDENTIAL_KEY)
        await site._read_at_boundary(0)
        assert till.bays["c2"].asked == ["read", "read"]


# --- a disk without space ---------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    directory = tmp_path / "disk"
    directory.mkdir()
    disk = Disk(directory)
    yield disk
    disk.unregister()


def journal_on(disk: Disk) -> Journal:
    """Without a ballast."""
    path = disk.directory / "journal.db"
    connection = disk.connect(path)
    set_up(connection)
    begin_log(connection, Identity("hz-1", 1, public_of(LOG_KEY)))
    return Journal(Store(connection, LOG_KEY), disk.connect(path), Ballast(disk.directory / "journal.ballast", 0))


async def test_a_stopped_session_stays_stopped_without_any_room(disk: Disk) -> None:
    """Neither the stop nor the end can be written: the customer who has stopped does not go on charging."""
    till = Till(journal_on(disk), Time())
    await till.begin()
    session = await till.start("c1")
    await till.wait(20)
    disk.capacity = disk.used()
    await till.desk.stop(session.seq, StopReason.LOCAL)
    till.obey()
    with pytest.raises(JournalFull):
        await till.wait(5)
    assert till.desk.session_at("c1") is not None
    assert not till.desk.wants_delivery("c1")
    disk.capacity = None
    await till.wait(3)
    (closed,) = till.bodies(SessionClosed)
    assert (closed.energy_wh, closed.reason) == (40, "Local")
    await till.journal.close()


async def test_nothing_is_decided_on_records_that_were_not_kept(disk: Disk) -> None:
    """A look comes between the failure of a commit and its waiter: what it decides is void as well, and said to be."""
    till = Till(journal_on(disk), Time())
    await till.begin()
    await till.start("c1")
    durable = till.desk.state
    for act in (till.desk.record([looked()]), till.desk.start(till.ask("c2"), till.watch.sight("c2"))):
        till.desk._seal([looked()])
        till.journal._on_failure(JournalFull("no room"))  # as the writer tells, before the commit's own waiter runs
        (outcome,) = await asyncio.gather(act, return_exceptions=True)
        assert isinstance(outcome, (JournalFull, Refused))
        assert till.desk.state == durable
    await till.desk.record([looked()])
    assert till.desk.state.size == till.journal.size
    assert Desk(till.journal, till.clock, till.policy, till.desk.places).state == till.desk.state
    await till.journal.close()


def looked() -> Draft:
    return Draft(TechnicianAct("li", "looked", ""))
