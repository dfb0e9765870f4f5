"""Everything that can happen to a forecourt, at random, by a seed; then the litres and the fen must add up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from drivers.twins.pumps.customer import Customer, random_customer
from drivers.twins.pumps.parts import Head
from edge.till.fill.progress import FillEnd
from protocols.trade.records import Notice, Preset, body_of
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelUnattributed
from tests.edge.desk_rig import reopen
from tests.edge.forecourt.court_rig import POLICY, PRICES, STEP_MS, Court, a_court

EVENTS = 150
GRANTED_FEN = 20_000_000
PRESETS = (Preset("full", 0), Preset("money", 3_000), Preset("money", 12_345), Preset("volume", 20_000))
HEADS = (Head(), Head(overrun_ml=20), Head(keeps_sale=False), Head(totals_live=True), Head(waits_after_stop=True))


class Soak:
    """One run. Faults come and go; customers stand in a queue at each pump."""

    def __init__(self, court: Court, path: Path, seed: int) -> None:
        self.court = court
        self.path = path
        self.chance = random.Random(seed)
        self.at: dict[str, Customer | None] = dict.fromkeys(court.pumps)
        self.boots = 1
        self.version = 1

    async def run(self) -> None:
        for pump in self.court.pumps.values():
            pump.model.head = self.chance.choice(HEADS)
            pump.totals_lifted = self.chance.random() < 0.5
        for _ in range(EVENTS):
            await self.event()
            await self.wait(self.chance.randint(1, 15))
            if self.chance.random() < 0.6:
                self.heal()
        await self.end()

    async def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.court.elapse(STEP_MS)
            self.customers()
            for loop in self.court.islands.loops.values():
                await loop.step()

    def customers(self) -> None:
        for name, customer in self.at.items():
            if customer is not None and customer.step(self.court.pumps[name].model):
                self.at[name] = None

    async def event(self) -> None:
        court, chance = self.court, self.chance
        name = chance.choice(list(court.pumps))
        pump = court.pumps[name]
        match chance.randrange(22):
            case 0 | 1 | 2 | 3 | 4 | 16 | 17 | 18 | 19 | 20 | 21:
                self.come(name)
                preset = chance.choice(PRESETS)
                await court.islands.start(court.fill(preset=preset, pump=name, guaranteed=chance.random() < 0.2))
            case 5 | 6:
                self.come(name)
            case 7:
                pump.answers = not pump.answers
            case 8:
                pump.loses, pump.deaf = chance.random() < 0.3, chance.random() < 0.3
            case 9:
                boot = None
                if chance.random() < 0.5:
                    self.boots += 1
                    boot = f"boot-{self.boots:03}".encode()
                await reopen(court, self.path, boot=boot, meanwhile=self.meanwhile)
            case 10:
                pump.model.cut_power() if pump.model.powered else pump.model.return_power()
            case 11:
                pump.model.raise_alarm() if pump.model.alarm is None else pump.model.clear_alarm()
            case 12:
                for filling, _ in court.fills.fillings():
                    await court.islands.stop(filling.seq, FillEnd.REMOTE)
            case 13:
                self.version += 1
                prices = {grade: e3 + chance.randrange(50) * 1_000 for grade, e3 in PRICES.items()}
                await court.price(prices, version=self.version)
            case 14:
                pump.model.move_total(chance.choice((1, 2)), chance.randrange(1, 500) * 10)
            case 15:
                await court.site.close_day("li")

    def come(self, name: str) -> None:
        if self.at[name] is None:
            self.at[name] = random_customer(self.chance, (1, 2), room_ml=(500, 30_000))

    def meanwhile(self) -> None:
        """Nobody looks for a while."""
        for _ in range(self.chance.randrange(300)):
            self.court.elapse(STEP_MS)
            self.customers()

    def heal(self) -> None:
        """All troubles end."""
        for pump in self.court.pumps.values():
            pump.model.return_power()
            pump.model.clear_alarm()
            pump.answers, pump.loses, pump.deaf = True, False, False

    async def end(self) -> None:
        """Everybody hangs up and leaves; all that is open comes to its end."""
        self.heal()
        for name, pump in self.court.pumps.items():
            self.at[name] = None
            for nozzle in (*pump.model.blocked, pump.model.out):
                pump.model.hang_up(nozzle)
        await self.wait(200)


@pytest.mark.parametrize("seed", range(4))
async def test_litres_and_fen_add_up(tmp_path: Path, seed: int) -> None:
    """Every mL that a totalizer went on by is billed or booked as nobody's; every fen used stands in a bill."""
    async with a_court(tmp_path, granted_fen=GRANTED_FEN) as court:
        court.fuel = changed(POLICY, settle_after_s=120)
        court.open()
        start = {(name, n): pump.model.total(n).volume_ml for name, pump in court.pumps.items() for n in (1, 2)}
        await Soak(court, tmp_path, seed).run()
        assert court.fills.fillings() == []
        lease = court.lease()
        bills, gone = court.bodies(FillingClosed), court.bodies(FuelUnattributed)
        assert (lease.held, lease.used) == (0, sum(body.amount_fen - body.overrun_fen for body in bills))
        fell = any(body.what == "totalizer-fell" for body in court.bodies(Notice))
        bodies = [body_of(record) for record in court.journal.records()]
        pump_of = {seq: body.pump for seq, body in enumerate(bodies) if isinstance(body, FillingOpened)}
        for (name, nozzle), before in start.items():
            moved = court.pumps[name].model.total(nozzle).volume_ml - before
            sold = [body.volume_ml for body in bills if (pump_of[body.session], body.sold.nozzle) == (name, nozzle)]
            nobodys = [body.volume_ml for body in gone if (body.pump, body.nozzle) == (name, nozzle)]
            off = moved - sum(sold) - sum(nobodys)
            assert fell or abs(off) <= 10 * (len(sold) + 1), f"seed {seed}: {name} {nozzle} {moved} {sold} {nobodys}"
        court.audit()
        assert bills, f"seed {seed}"
