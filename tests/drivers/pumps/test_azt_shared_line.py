"""AZT: several pumps on one line, whose answers do not say from whom they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from one_nozzle_rig import PRICE_E3, order

from drivers.errors import Transient
from drivers.line import Line, LineConfig
from drivers.pump import PumpState
from drivers.pumps.azt import AztPump
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.twins.pumps.azt import AztTwin
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.wire import PumpWire

LITRES = (2, 5, 3, 4)


@asynccontextmanager
async def island(pumps: int) -> AsyncIterator[list[tuple[AztPump, Bay]]]:
    """Addresses from 14 on, so that some are above 15."""
    bays = []
    for number in range(pumps):
        pump = Dispenser([Nozzle(1, "92", PRICE_E3, total_ml=10_000 * number)], Head(totals_live=True))
        bay = Bay(pump, faults=PumpFaults(pump, seed=number), speed=100)
        bay.twin = AztTwin(pump, 14 + number, bay.faults, {"turnaround_ms": 1})
        bays.append(bay)
    async with (
        PumpWire(bays, baud=57_600) as wire,
        Line(LineConfig(id="i", path=wire.port, baud=57_600, parity="E", data_bits=7, stop_bits=2)) as line,
    ):
        yield [(AztPump(line, _config(14 + number)), bay) for number, bay in enumerate(bays)]


def _config(address: int) -> PumpConfig:
    nozzles = (NozzleConfig(number=1, grade="92"),)
    return PumpConfig(
        id=f"p{address}", number=address, protocol="azt", address=address, line="i", nozzles=nozzles, poll_s=0.1
    )


async def test_a_late_answer_is_not_taken_for_another_pumps() -> None:
    """One pump is late by half a second with `idle`; the other, whose nozzle is out, is asked meanwhile."""
    async with island(2) as ((late, late_bay), (other, other_bay)):
        other_bay.pump.lift(1)
        late_bay.faults.set(PumpFault(kind=PumpFaultKind.LATE, count=1, amount=500))
        readings = await asyncio.gather(late.read_status(), other.read_status())
        states = [reading.value.state for reading in readings if reading.value is not None]
        assert states == [PumpState.IDLE, PumpState.CALLING]
        assert late.link().counts["late"] == 1


async def test_pumps_side_by_side_on_a_bad_line() -> None:
    """Four pumps sell at once while answers are lost and turned: each sale is its own pump's, to the mL."""
    async with island(4) as pumps:
        polling = [asyncio.create_task(driver.run()) for driver, _ in pumps]
        for _, bay in pumps:
            for kind in (PumpFaultKind.SILENT, PumpFaultKind.GARBLE, PumpFaultKind.NOISE_BEFORE):
                bay.faults.set(PumpFault(kind=kind, chance_permille=20))
        async with asyncio.timeout(30):
            await asyncio.gather(*(_sell(driver, bay, seed) for seed, (driver, bay) in enumerate(pumps)))
        for task in polling:
            task.cancel()


async def _sell(driver: AztPump, bay: Bay, seed: int) -> None:
    random = Random(seed)
    for _ in range(2):
        litres = random.choice(LITRES)
        before = await _patiently(driver.read_totals)
        sold_before = bay.pump.delivered_ul[1]
        await _patiently(lambda: driver.authorise(order("full")))
        bay.add(fills(1, litres * 1000))
        await _patiently(lambda: _ended(driver))
        sale, after = await _patiently(driver.read_sale), await _patiently(driver.read_totals)
        assert sale is not None
        assert sale.volume_ml == litres * 1000 == (bay.pump.delivered_ul[1] - sold_before) // 1000
        assert after[1].volume_ml - before[1].volume_ml == sale.volume_ml
        await _patiently(driver.release)


async def _ended(driver: AztPump) -> None:
    status = (await driver.read_status()).value
    if status is None or status.state is not PumpState.ENDED:
        raise Transient("it sells", where="here")


async def _patiently(act):  # type: ignore[no-untyped-def]  # whatever the pump's method gives
    while True:
        try:
            return await act()
        except Transient:
            await asyncio.sleep(0.05)
