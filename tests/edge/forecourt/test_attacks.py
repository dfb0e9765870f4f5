"""Attacks on a working forecourt: a death at each single act, a disk that fills up at each moment, cards at a shared
reader, and what must not bring down the daemon.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.twins.pumps.parts import Phase
from edge.epochs import Closing
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.forecourt.taps import tap
from edge.till.ask import Refusal, Refused, Source
from edge.till.fill.point import FuelPoint, NozzlePlace
from edge.till.fill.progress import FillPhase
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.records import EpochClosed, Preset, SessionVoided
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelUnattributed
from tests.edge.desk_rig import Time, reopen
from tests.edge.forecourt.court_rig import PRICES, Court, a_court
from tests.edge.journal.failing_disk import Disk
from tests.edge.test_desk_survival import journal_on

OTHER_CARD = "99887766"
ACTS = ("read_status", "read_totals", "read_sale", "read_prices", "authorise", "stop", "release")


class Killed(BaseException):
    """The daemon dies here."""


# --- a death at each act ----------------------------------------------------------------------------------------------


class Death:
    """Kills the daemon at its n-th act, pump's or journal's, before or after it was done; without n, only counts."""

    def __init__(self, court: Court, at: int, *, done: bool) -> None:
        self.court, self.at, self.done = court, at, done
        self.acts = 0
        for name in ACTS:
            setattr(court.pump, name, self._deadly(getattr(court.pump, name)))
        court.journal.commit = self._deadly(court.journal.commit)  # type: ignore[method-assign,assignment]  # a test's stand-in

    def _deadly(self, act: Callable[..., object]) -> Callable[..., object]:
        async def does(*args: object) -> object:
            self.acts += 1
            if self.acts == self.at and not self.done:
                raise Killed
            outcome = await act(*args)  # type: ignore[misc]  # all of them are awaited
            if self.acts == self.at:
                raise Killed
            return outcome

        return does

    def is_over(self) -> None:
        """The next daemon finds the same pump."""
        for name in ACTS:
            delattr(self.court.pump, name)
        self.court.journal.__dict__.pop("commit", None)


async def customer_comes(court: Court) -> None:
    await court.begin_filling(Preset("volume", 5_000))
    await court.wait(1)
    await court.pour(9_000)
    await court.wait(2)


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["killed", "power-cut"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_a_death_at_every_single_act(tmp_path: Path, *, done: bool, boot: bytes | None) -> None:
    """Whichever act it dies at, the customer goes on, and in the end every mL is billed once and paid once."""
    deaths = 0
    for at in itertools.count(1):
        path = tmp_path / str(at)
        path.mkdir()
        async with a_court(path) as court:
            flowed_before = sum(court.model.delivered_ul.values())
            death = Death(court, at, done=done)
            try:
                await customer_comes(court)
            except Killed:
                deaths += 1
            else:
                assert death.acts < at
                break
            death.is_over()
            await reopen(court, path, boot=boot, meanwhile=lambda court=court: court.elapse(3_000))  # type: ignore[misc]  # bound
            await court.wait(2)
            if court.model.phase in (Phase.IDLE, Phase.AUTHORISED):
                await court.pour(9_000)
            court.model.hang_up()
            await court.wait(3)
            flowed_ml = (sum(court.model.delivered_ul.values()) - flowed_before) // 1000
            assert [ml for ml, _ in court.bills] == ([flowed_ml] if flowed_ml else []), at
            assert flowed_ml <= 5_000, at
            assert court.bodies(FuelUnattributed) == [], at
            assert (court.lease().held, court.model.phase) == (0, Phase.IDLE), at
            court.audit()
            await customer_comes(court)
            assert court.bills[-1] == (5_000, 3_925), at
    assert deaths > 10


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.5, 5.0, 8.0, 8.5, 9.0, 9.5])
async def test_a_disk_that_is_full_for_a_while(tmp_path: Path, moment: float) -> None:
    """From each moment of a filling on, for ten seconds: nobody is billed twice or not at all."""
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk")
    try:
        court = Court(journal_on(disk), Time(), bays={})
        await court.begin(50_000, may_stay=50_000)
        await court.price(PRICES)
        await court.wait(4)
        await court.begin_filling(Preset("volume", 5_000))
        court.model.lift(1)
        for step in range(20):
            if step / 2 == moment:
                disk.capacity = disk.used()
            if step == 3:
                court.model.squeeze(700, 9_000)
            if step == 18:
                court.model.hang_up()
            await court.wait(0.5)
        await court.wait(10)
        disk.capacity = None
        await court.wait(5)
        assert court.bills == [(5_000, 3_925)]
        assert (court.lease().held, court.model.phase) == (0, Phase.IDLE)
        court.audit()
        await court.journal.close()
    finally:
        disk.unregister()


# --- a reader between two pumps ---------------------------------------------------------------------------------------


async def waits_for_a_payer(court: Court, pump: str) -> None:
    await court.begin_filling(Preset("volume", 5_000), guaranteed=True, pump=pump)
    await court.wait(1)
    model = court.pumps[pump].model
    model.lift(1)
    model.squeeze(700, 9_000)
    await court.wait(8)
    model.hang_up()
    await court.wait(1)
    found = court.fills.filling_at(pump)
    assert found is not None
    assert found[1].phase is FillPhase.PAYING


async def test_whoever_lifts_at_one_pump_does_not_pay_for_the_other(tmp_path: Path) -> None:
    """Pump 1 waits for its payer; bob takes the nozzle of pump 2 and taps. It is not for the till to guess."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await waits_for_a_payer(court, "p1")
        court.pumps["p2"].model.lift(1)
        await court.wait(1)
        tapped = await tap(court.islands, ["p1", "p2"], OTHER_CARD)
        assert tapped.refused is not None
        await court.wait(1)
        assert court.lease("bob").used == court.lease("bob").held == 0
        court.pumps["p2"].model.hang_up()
        await court.wait(1)
        tapped = await tap(court.islands, ["p1", "p2"], OTHER_CARD)
        assert (tapped.pump, tapped.refused) == ("p1", None)
        await court.wait(1)
        assert court.lease("bob").used == 3_925


async def test_two_fillings_wait_and_one_card_is_shown(tmp_path: Path) -> None:
    """Nobody knows which of them it should pay for."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await waits_for_a_payer(court, "p1")
        await waits_for_a_payer(court, "p2")
        tapped = await tap(court.islands, ["p1", "p2"], OTHER_CARD)
        assert tapped.refused is not None
        await court.wait(1)
        assert court.lease("bob").used == court.lease("bob").held == 0
        assert (await tap(court.islands, ["p2"], OTHER_CARD)).refused is None


async def test_a_start_is_taken_back_although_the_other_pump_waits(tmp_path: Path) -> None:
    """The payer's second tap is for his own start, not a payment for pump 1."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await waits_for_a_payer(court, "p1")
        await tap(court.islands, ["p2"], OTHER_CARD)
        await court.wait(1)
        assert (await tap(court.islands, ["p1", "p2"], OTHER_CARD)).cancelled
        await court.wait(2)
        assert court.lease("bob").used == court.lease("bob").held == 0


# --- guarantees -------------------------------------------------------------------------------------------------------


async def test_a_guarantee_is_no_way_round_an_accounts_terms(tmp_path: Path) -> None:
    """Whoever stands in may have to pay: an account for diesel alone guarantees diesel alone."""
    async with a_court(tmp_path) as court:
        await court.terms(FuelTerms(1, [Terms("ann", b"", ["0"], 20_000, "odometer")]))
        filling = await court.begin_filling(guaranteed=True)
        assert [one.grade for one in filling.opened.offered] == ["0"]
        assert filling.opened.order_limit <= 15_000


async def test_a_payment_and_the_deadline_in_one_moment(tmp_path: Path) -> None:
    """Both are under way at once: one of the two pays, and nobody's hold is left."""
    async with a_court(tmp_path) as court:
        await court.grant(50_000, "bob", OTHER_CARD, may_stay=50_000)
        await waits_for_a_payer(court, "p1")
        found = court.fills.filling_at("p1")
        assert found is not None
        court.elapse(court.fuel.pay_within_s * 1000)
        await court.wait(0.1)
        late = await court.islands.pay(found[0].seq, Source("bob"))
        await court.wait(1)
        assert isinstance(late, Refused)
        assert (court.lease("ann").used, court.lease("bob").used) == (3_925, 0)
        assert court.lease("bob").held == court.lease("ann").held == 0
        court.audit()


# --- a config that changes --------------------------------------------------------------------------------------------


async def test_a_tank_that_is_renamed_is_in_the_log_before_anything_is_sold_of_it(tmp_path: Path) -> None:
    """Nozzle, grade and price are what they were, and a customer stands there already: the log has the name first."""
    async with a_court(tmp_path) as court:
        places = {1: NozzlePlace("92", "north"), 2: NozzlePlace("0", "t2")}
        points = {name: FuelPoint(name, places, pump.traits) for name, pump in court.pumps.items()}
        court.fills = FillDesk(court.desk, court.clock, court.fuel, points)
        court.islands = court.site.islands = Islands(court.site, court.fills, court.pumps, {}, court.clock)
        filling = await court.begin_filling(Preset("volume", 5_000))
        assert [one.tank for one in filling.opened.offered] == ["north", "t2"]
        await court.wait(1)
        await court.pour(9_000)
        assert court.bills == [(5_000, 3_925)]


# --- what must not bring down the daemon ------------------------------------------------------------------------------


async def test_a_totalizer_that_moves_after_the_epoch(tmp_path: Path) -> None:
    """The log has had its last record: a start is refused, and a technician may still read the pump."""
    async with a_court(tmp_path) as court:
        await court.desk.ask_to_close(Closing("li", "a new box"))
        await court.site._look()
        assert len(court.bodies(EpochClosed)) == 1
        court.model.move_total(1, 1_000)
        outcome = await court.islands.start(court.fill())
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.EPOCH_CLOSING
        assert len(await court.islands.read_totals()) == 2
        assert court.kinds[-1] == "epoch-closed"


async def test_a_filling_that_is_settled_while_orphans_are_looked_at(tmp_path: Path) -> None:
    """Two fillings at pumps that have gone: one is settled by hand while the other is being saved."""
    async with a_court(tmp_path) as court:
        first = await court.begin_filling(Preset("volume", 5_000), pump="p1")
        second = await court.begin_filling(Preset("volume", 5_000), pump="p2")
        fills = FillDesk(court.desk, court.clock, court.fuel, {})
        islands = Islands(court.site, fills, {}, {}, court.clock)
        for _ in range(100):
            court.elapse(1_000)
            await islands.look_at_orphans()
        court.elapse(court.fuel.settle_after_s * 1000)
        look = fills.look

        async def settled_meanwhile(*args: object) -> bool:
            await islands.settle_held(second.seq, "li", "gone")
            fills.look = look  # type: ignore[method-assign]  # once
            return await look(*args)  # type: ignore[arg-type]  # as they came

        fills.look = settled_meanwhile  # type: ignore[assignment,method-assign]  # a test's stand-in
        await islands.look_at_orphans()
        assert [body.session for body in court.bodies(SessionVoided)] == [second.seq, first.seq]
        assert court.lease().held == 0


async def test_a_command_comes_twice_and_out_of_order_at_two_pumps(tmp_path: Path) -> None:
    """Each number once, whichever pump it names."""
    from tests.edge.forecourt.test_ways import command

    async with a_court(tmp_path) as court:
        assert await court.site.command(command(court, 5, "start", place="1")) == "started"
        assert await court.site.command(command(court, 5, "start", place="2")) == "old-number"
        assert await court.site.command(command(court, 4, "start", place="2")) == "old-number"
        await reopen(court, tmp_path)
        await court.wait(4)
        assert await court.site.command(command(court, 5, "start", place="2")) == "old-number"
        assert len(court.bodies(FillingOpened)) == 1
        assert court.bodies(FillingClosed) == []
