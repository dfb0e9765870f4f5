"""A day at a pump: random customers, the real driver of each protocol, and an auditor who saw what truly flowed.

The attendant goes by what the driver says alone: authorises whoever calls, and when a sale is over reads it and the
totals, writes both down, and releases the pump.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.errors import Transient
from drivers.pump import NozzleTotal, Order, Pump, PumpState, Sale
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.config import PumpLineConfig, TwinNozzleConfig, TwinPumpConfig
from drivers.twins.pumps.customer import random_customers
from drivers.twins.pumps.forecourt import Forecourt
from drivers.twins.pumps.registry import PROTOCOLS

from .driven import PRICE_E3, driven, shows

CUSTOMERS, SPEED = 6, 60
SLOW = {"sanki": (3, 20)}  # asked every tenth of a second: hands must not be much faster
NOZZLES = {"azt": 1, "sanki": 1}  # these have one at an address
OVER = (PumpState.ENDED, PumpState.IDLE)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the attendant writes down. moved_ml: by the totals, of all nozzles."""

    sale: Sale | None
    moved_ml: int


async def attend(pump: Pump, bay: Bay, chance: random.Random) -> list[Entry]:
    """Serve until the last customer has gone."""
    book: list[Entry] = []
    totals = await totals_of(pump)
    serving = False
    while bay.busy or serving or bay.pump.out is not None:
        await asyncio.sleep(0.01)
        value = pump.status().value
        if value is None:
            continue
        if serving and value.state in OVER and bay.pump.sale is None:
            now = await totals_of(pump)
            moved_ml = sum(now[n].volume_ml - totals[n].volume_ml for n in now)
            book.append(Entry(await pump.read_sale() if moved_ml else None, moved_ml))
            await pump.release()
            totals, serving = now, False
        elif not serving and value.state is PumpState.CALLING:
            try:
                await pump.authorise(order(chance, pump))
            except Transient:  # the customer has changed his mind in that very moment
                value = (await pump.read_status()).value
            serving = True
    return book


async def totals_of(pump: Pump) -> Mapping[int, NozzleTotal]:
    async with asyncio.timeout(30):
        while True:
            try:
                return await pump.read_totals()
            except Transient:  # a nozzle is out
                await asyncio.sleep(0.02)


def order(chance: random.Random, pump: Pump) -> Order:
    prices = dict.fromkeys(pump.traits.nozzles, PRICE_E3)
    kind = chance.choice(["full", "amount", "volume"])
    if kind == "amount":
        return Order("amount", chance.randint(20, 100) * 100, pump.traits.nozzles, prices)
    if kind == "volume":
        return Order("volume", chance.randint(2, 12) * 1_000, pump.traits.nozzles, prices)
    return Order("full", 0, pump.traits.nozzles, prices)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_no_drop_is_lost(protocol: str, seed: int, tmp_path: Path) -> None:
    """Every sale is read as it was shown, once and in order; the totals moved by what flowed; zeros are zeros."""
    print(f"seed {seed}")
    count = NOZZLES.get(protocol, 2)
    nozzles = tuple(TwinNozzleConfig(grade=grade, price_e3=PRICE_E3) for grade in ("92", "95")[:count])
    customers, speed = SLOW.get(protocol, (CUSTOMERS, SPEED))
    line = PumpLineConfig(id="line", protocol=protocol, kind="tcp", speed=speed)
    pumps = [TwinPumpConfig(id="p1", line="line", nozzles=nozzles, seed=seed)]
    async with Forecourt([line], pumps) as site, driven(protocol, site, tmp_path) as pump:
        bay = site.bays["p1"]
        await shows(pump, *OVER)
        await pump.release()
        for customer in random_customers(
            seed, range(1, count + 1), gap_ms=10_000, count=customers, room_ml=(2_000, 9_000)
        ):
            bay.add(customer)
        book = await attend(pump, bay, random.Random(seed))
        step_ml = pump.traits.total_step_ml
        sold = [(sale.nozzle, bay.pump.volume_ml(sale), bay.pump.amount_fen(sale)) for sale in bay.sold if sale.ul]
        read = [(e.sale.nozzle, e.sale.volume_ml, e.sale.amount_fen) for e in book if e.sale is not None]
        assert read == sold
        assert (
            abs(sum(e.moved_ml for e in book) * 1_000 - sum(bay.pump.delivered_ul.values())) <= count * step_ml * 1_000
        )
