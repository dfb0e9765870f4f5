"""Pruned logs, lost disks and saved folds of a forecourt: a filling that is under way outlives them all."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from edge.evidence.gather import receipt_of
from edge.journal import signed_snapshot
from edge.journal.connection import connect_reader
from edge.journal.journal import Journal
from edge.journal.prune import BLOCK, Pruner
from edge.journal.verify import replay, verify
from edge.till.state import OpenFilling
from protocols.proof.lines import Mark
from protocols.proof.statement import state
from protocols.trade.fuel_prices import KIND as PRICE_LIST
from protocols.trade.records import Draft, Preset, TechnicianAct
from protocols.trade.records_fuel import FillingClosed
from tests.edge.desk_rig import LOG_KEY, reopen
from tests.edge.forecourt.court_rig import PRICES
from tests.edge.forecourt.proven_court import ProvenCourt, a_proven_court
from tests.edge.journal.verify_rig import TRUST
from tests.edge.till.story import MIDNIGHT_MS

DAY_MS = 86_400_000


async def acts(court: ProvenCourt, count: int) -> None:
    await court.desk.record([Draft(TechnicianAct("li", "looked", str(number))) for number in range(count)])


async def pours_on(court: ProvenCourt) -> OpenFilling:
    """A filling of 20 litres at most, of which some have flowed; the nozzle is out."""
    filling = await court.begin_filling(Preset("volume", 20_000))
    await court.wait(1)
    court.model.lift(1)
    court.model.squeeze(700, 5_600)
    await court.wait(10)
    await court.fills.save()
    return filling


async def hangs_up(court: ProvenCourt) -> None:
    court.model.hang_up()
    await court.wait(2)


def versions(court: ProvenCourt) -> list[int]:
    """Of the price lists that the journal still has."""
    return sorted(version for kind, version, _ in court.journal.documents_named() if kind == PRICE_LIST)


def pruner_of(court: ProvenCourt) -> Pruner:
    return Pruner(court.journal, court.clock.stamp, 30, "test")


async def prune(court: ProvenCourt) -> None:
    pruner = pruner_of(court)
    while await pruner.step():
        pass
    assert pruner.stopped is None


async def test_an_open_filling_keeps_its_records_and_its_price_list(tmp_path: Path) -> None:
    """Everything around it is pruned; it is settled at its own price, and its receipt spans the gap."""
    async with a_proven_court(tmp_path) as court:
        court.clock.learn(MIDNIGHT_MS, MIDNIGHT_MS + 30_000)
        await acts(court, 40)
        before = await court.fill_up(7_000, Preset("full", 0))
        await acts(court, 40)
        filling = await pours_on(court)
        await acts(court, 2 * BLOCK)
        await court.price({grade: e3 + 10_000 for grade, e3 in PRICES.items()}, version=2)
        await court.cosign()
        court.time += 40 * DAY_MS
        await court.price({grade: e3 + 20_000 for grade, e3 in PRICES.items()}, version=3)
        await acts(court, 2 * BLOCK)
        await court.cosign()
        await prune(court)
        assert court.journal.base_size >= BLOCK
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            kept = {seq for (seq,) in connection.execute("SELECT seq FROM records")}
        assert (filling.seq in kept, before.seq in kept) == (True, False)
        assert versions(court) == [1, 2, 3]
        report = verify(tmp_path / "journal.db", TRUST)
        assert (list(report.findings), report.first) == ([], court.journal.base_size)

        await reopen(court, tmp_path)
        await hangs_up(court)
        with closing(connect_reader(tmp_path / "journal.db")) as connection:
            gathered = receipt_of(connection, filling.seq)
        assert isinstance(gathered.story.closed, FillingClosed)
        assert (gathered.story.closed.volume_ml, gathered.story.closed.amount_fen) == (5_600, 4_396)
        told = state(gathered.file, TRUST.sites, [])
        assert told.proven
        assert (told.mark_of("listed"), told.mark_of("measurement")) == (Mark.PROVEN, Mark.PROVEN)
        assert verify(tmp_path / "journal.db", TRUST).sound


async def test_the_trail_of_pumps_goes_through_a_signed_snapshot(tmp_path: Path) -> None:
    """Totals, prices and open fillings, the number of the last measurement: the audit goes on from its bytes."""
    async with a_proven_court(tmp_path) as court:
        await court.fill_up(7_000, Preset("full", 0))
        filling = await pours_on(court)
        _, found = replay(tmp_path / "journal.db", TRUST)
        assert found is not None
        signed = signed_snapshot.read(signed_snapshot.sign(found.opened, found.fold, LOG_KEY, "test"))
        assert signed.fold == found.fold
        trail = signed.fold.trail.fuel
        assert list(trail.fillings) == [filling.seq]
        assert trail.fillings[filling.seq].opened == filling.opened
        assert (trail.totals_ml["p1", 1], signed.fold.trail.measurements) == (1_007_000, 1)
        assert [one.price_e3 for one in trail.prices["p1"]] == [785_000, 750_000]


async def test_a_row_of_somebody_else_is_found(tmp_path: Path) -> None:
    """The row of a filling that is not open, and one that cannot be read."""
    async with a_proven_court(tmp_path) as court:
        await pours_on(court)
        copy = tmp_path / "copy.db"
        with sqlite3.connect(tmp_path / "journal.db") as source, sqlite3.connect(copy) as target:
            source.backup(target)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("INSERT INTO progress SELECT session + 7, bytes FROM progress")
    assert [finding.code for finding in verify(copy, TRUST).findings] == ["progress"]
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE progress SET bytes = x'00'")
    assert [finding.code for finding in verify(copy, TRUST).findings] == ["progress", "progress"]


async def test_the_second_copy_brings_a_bill_back(tmp_path: Path) -> None:
    """The disk forgot the end of a filling; the copy has it, and the row of what has ended goes."""
    usb, path = tmp_path / "usb", tmp_path / "journal.db"
    async with a_proven_court(tmp_path) as court:
        await court.journal.close()
        court.journal = Journal.open(path, LOG_KEY, ballast_bytes=0, second_copy=usb)
        court.open()
        await court.wait(2)
        filling = await pours_on(court)
        await court.journal.close()
        shutil.copy(path, tmp_path / "older.db")
        court.journal = Journal.open(path, LOG_KEY, ballast_bytes=0, second_copy=usb)
        court.open()
        await hangs_up(court)
        assert court.bills == [(5_600, 4_396)]
        await court.journal.close()
        shutil.copy(tmp_path / "older.db", path)
        court.journal = Journal.open(path, LOG_KEY, ballast_bytes=0, second_copy=usb)
        court.open()
        assert court.bills == [(5_600, 4_396)]
        assert filling.seq not in court.journal.progress()
        assert court.fills.fillings() == []
        await court.wait(2)
        assert verify(path, TRUST).sound
