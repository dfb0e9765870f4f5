"""Many fillings at two pumps of one controller, with answers lost, late and refused: not a mL may be missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from pts_rig import PATIENCE_S, PRICES, Rig, pts

from drivers.errors import Misconfigured, Transient
from drivers.pump import SELLS, Order, PumpState, Sale
from drivers.pumps.pts import PtsPump
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import random_customer
from drivers.twins.pumps.faults import parse_pump_faults

FILLINGS = 20
FAULTS = ["silent", "short", "late:*:250", "refuse:*:41"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_sold_is_what_the_totalizers_moved(tmp_path: Path, seed: int) -> None:
    """Every sale is read once, by its number; together they are the totals, and what truly flowed."""
    async with pts(tmp_path, speed=1_000, controller={"timeout_s": 0.15}) as rig:
        for bay in rig.bays:
            for fault in parse_pump_faults(FAULTS):
                bay.faults.set(replace(fault, chance_permille=15))
        sold = await asyncio.gather(*(_serve(rig, n, Random(seed * 10 + n)) for n in range(2)))
        for pump, bay, sales in zip(rig.pumps, rig.bays, sold, strict=True):
            numbers = [sale.number for sale in sales]
            assert len(set(numbers)) == len(numbers) > FILLINGS // 2
            assert sum(sale.volume_ml for sale in sales) == sum(bay.pump.volume_ml(sale) for sale in bay.sold)
            assert sum(sale.amount_fen for sale in sales) == sum(bay.pump.amount_fen(sale) for sale in bay.sold)
            bay.faults.clear()
            totals = await pump.read_totals()
            for nozzle in PRICES:
                moved_ml = totals[nozzle].volume_ml - nozzle * 1_000_000
                here_ml = sum(sale.volume_ml for sale in sales if sale.nozzle == nozzle)
                beside_ml = 10 * len(sales)  # totals keep what each display does not show
                assert here_ml <= moved_ml <= here_ml + beside_ml


async def _serve(rig: Rig, index: int, random: Random) -> list[Sale]:
    """What the till does: order, look, wait for the end, read, store, release. Failures are tried again."""
    pump, bay, sales = rig.pumps[index], rig.bays[index], list[Sale]()
    for _ in range(FILLINGS):
        kind, limit = random.choice([("amount", 5_000), ("volume", 8_000), ("full", 0)])
        nozzles = random.choice([(1,), (2,), (1, 2)])
        await _authorise(pump, Order(kind, limit, nozzles, PRICES))  # type: ignore[arg-type]  # three literals
        bay.add(random_customer(random, nozzles, room_ml=(500, 15_000)))
        await _gone(bay)
        state = await _over(pump)
        if state is PumpState.ENDED:
            while True:
                try:
                    sale = await pump.read_sale()
                    assert sale is not None
                    await pump.release()
                    break
                except Transient:
                    await asyncio.sleep(0.01)
            sales.append(sale)
    return sales


async def _authorise(pump: PtsPump, order: Order) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await pump.authorise(order)
                return
            except Transient:
                status = await _status(pump)
                if status in SELLS:
                    return
            except Misconfigured as error:
                raise AssertionError(error) from error


async def _over(pump: PtsPump) -> PumpState:
    """Whoever came in vain leaves the pump authorised: the till takes it back."""
    async with asyncio.timeout(PATIENCE_S):
        while (state := await _status(pump)) in SELLS:
            try:
                await pump.stop()
            except Transient:
                await asyncio.sleep(0.01)
        return state


async def _status(pump: PtsPump) -> PumpState:
    while True:
        try:
            status = (await pump.read_status()).value
        except Transient:
            await asyncio.sleep(0.01)
            continue
        assert status is not None
        return status.state


async def _gone(bay: Bay) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while bay.busy:
            bay.catch_up()
            await asyncio.sleep(0.005)
