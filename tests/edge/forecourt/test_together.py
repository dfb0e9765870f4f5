"""Several things at once: two who start at one pump, a grant on its way, a counter that fails, a commit that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge.counter import CounterConfig, CounterError, SlotCounter
from edge.forecourt.taps import tap
from edge.till.ask import Refusal, Refused
from edge.till.state import OpenFilling
from protocols.trade.records import Preset, SessionVoided, ValueReturned
from protocols.trade.records_fuel import FillingOpened
from tests.edge.desk_rig import CARD, Time
from tests.edge.forecourt.court_rig import PRICES, Court, a_court
from tests.edge.journal.failing_disk import Disk
from tests.edge.test_desk_survival import journal_on


class Medium(SlotCounter):
    """A rollback counter that can be pulled out."""

    broken = False

    def tick(self) -> int:
        if self.broken:
            raise CounterError("the stick is gone")
        return super().tick()


async def test_two_start_at_one_pump(tmp_path: Path) -> None:
    """A card and the attendant in the same moment: one filling, and a clear no for the other."""
    async with a_court(tmp_path) as court:
        tapped, asked, other = await asyncio.gather(
            tap(court.islands, ["p1"], CARD),
            court.islands.start(court.fill()),
            court.islands.start(court.fill(pump="p2", preset=Preset("money", 1_000))),
        )
        assert tapped.filling is not None
        assert isinstance(asked, Refused)
        assert asked.refusal is Refusal.PUMP_BUSY
        assert isinstance(other, OpenFilling)
        assert len(court.bodies(FillingOpened)) == 2


async def test_rights_are_asked_for_while_the_customer_waits(tmp_path: Path) -> None:
    """The account is short here: headquarters is asked once, the pump is read again, and the filling begins."""
    async with a_court(tmp_path, granted_fen=1_000) as court:
        wanted: list[int] = []

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            wanted.append(want)
            await court.grant(want)
            return True

        court.site.ask_for_grant = ask
        filling = await court.begin_filling(Preset("money", 5_000))
        assert (wanted, filling.holds[0].amount) == ([5_000], 5_000)


async def test_what_came_for_a_start_in_vain_goes_back(tmp_path: Path) -> None:
    """Headquarters grants, and in that moment the pump falls silent."""
    async with a_court(tmp_path, granted_fen=1_000) as court:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            await court.grant(want)
            court.pump.answers = False
            court.elapse(20_000)
            return True

        court.site.ask_for_grant = ask
        outcome = await court.islands.start(court.fill(preset=Preset("money", 5_000)))
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.PUMP_SILENT
        assert len(court.bodies(ValueReturned)) == 1
        assert court.lease().rights == 0


async def test_a_counter_that_cannot_be_ticked_keeps_the_pump_from_delivering(tmp_path: Path) -> None:
    """Without a link each hold ticks; where that fails the filling ends, and the pump has never been told."""
    async with a_court(tmp_path) as court:
        counter = Medium(CounterConfig(str(tmp_path / "counter")))
        court.counter = counter
        court.open()
        await court.desk.check_counter()
        await court.wait(4)
        court.pump.asked.clear()
        await court.begin_filling()
        assert (counter.read(), court.desk.state.ticks) == (1, 1)
        await court.wait(1)
        await court.pour(7_000)
        counter.broken = True
        outcome = await court.islands.start(court.fill())
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.COUNTER_SILENT
        await court.wait(5)
        assert court.pump.asked.count("authorise") == 1
        assert len(court.bodies(SessionVoided)) == 1
        assert court.lease().held == 0


async def test_openings_that_find_no_room_leave_nothing(tmp_path: Path) -> None:
    """Two commits fail together: neither filling is open, no pump is told, and both may start again."""
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk")
    try:
        court = Court(journal_on(disk), Time(), bays={})
        await court.begin(50_000, may_stay=50_000)
        await court.price(PRICES)
        await court.wait(4)
        disk.capacity = disk.used()
        outcomes = await asyncio.gather(*(court.islands.start(court.fill(pump=pump)) for pump in court.pumps))
        assert [one.refusal for one in outcomes if isinstance(one, Refused)] == [Refusal.DISK_FULL] * 2
        assert (court.fills.fillings(), court.lease().held) == ([], 0)
        await court.wait(3)
        assert "authorise" not in court.pump.asked
        disk.capacity = None
        for preset, pump in ((Preset("volume", 5_000), "p2"), (Preset("volume", 6_000), "p1")):
            await court.begin_filling(preset, pump=pump)
        await court.wait(1)
        await court.pour(9_000)
        assert court.bills == [(6_000, 4_710)]
        court.audit()
        await court.journal.close()
    finally:
        disk.unregister()
