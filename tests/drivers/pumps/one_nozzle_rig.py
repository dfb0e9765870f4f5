"""A pump of one nozzle and its driver, joined by a paced pty: AZT and Sanki, which share their scenarios."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from drivers.errors import Transient
from drivers.line import Line, LineConfig
from drivers.pump import NozzleTotal, Order, Pump, PumpState, PumpStatus, Sale
from drivers.pumps.azt import AztPump
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.pumps.sanki import SankiPump
from drivers.twins.pumps.azt import AztTwin
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import Customer, fills
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import Head, Nozzle, Phase
from drivers.twins.pumps.sanki import SankiTwin
from drivers.twins.pumps.wire import PumpWire

Done = TypeVar("Done")

PRICE_E3 = 785_000  # 7.85 yuan per litre
FAST = 115_200  # baud; the fillings of each protocol go at the real 9,600
FASTER: dict[str, Any] = {"gap_ms": 0}  # a simulated Sanki pump needs no rest
SPEED = 100  # the pump's time
PATIENCE_S = 15.0  # no test waits so long; it is what a broken one takes to fail


@dataclass
class Station:
    """What a test holds: the till's end, the pump's end, and what is between them."""

    driver: Pump
    pump: Dispenser
    twin: Any  # AztTwin or SankiTwin
    faults: PumpFaults
    bay: Bay
    line: Line
    wire: PumpWire

    def fault(
        self, kind: PumpFaultKind, count: int | None = 1, amount: int | None = None, at: Phase | None = None
    ) -> None:
        self.faults.set(PumpFault(kind=kind, count=count, amount=amount, at=at))

    async def until(self, *states: PumpState) -> PumpStatus:
        """Poll until the driver says one of `states`."""
        return await self.until_true(lambda status: status.state in states)

    async def until_true(self, condition: Callable[[PumpStatus], bool]) -> PumpStatus:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status = (await self.driver.read_status()).value
                assert status is not None
                if condition(status):
                    return status
                await asyncio.sleep(0.02)

    async def total(self) -> NozzleTotal:
        return (await self.driver.read_totals())[1]

    async def sell(self, what: Order, customer: Customer) -> Sale:
        """One filling as the till does it: totals, authorise, watch, sale and totals, release. All must agree."""
        before = await self.total()
        await self.driver.authorise(what)
        self.bay.add(customer)
        status = await self.until(PumpState.ENDED)
        sale, after = await self.driver.read_sale(), await self.total()
        assert sale is not None
        if status.volume_ml is not None:  # Sanki: not polled while it flowed
            assert (status.volume_ml, status.amount_fen) == (sale.volume_ml, sale.amount_fen)
        assert after.volume_ml - before.volume_ml == sale.volume_ml
        assert (after.amount_fen or 0) - (before.amount_fen or 0) == sale.amount_fen
        await self.driver.release()
        await self.until(PumpState.IDLE)
        return sale

    async def until_done(self, act: Callable[[], Awaitable[Done]]) -> Done:
        """Repeat `act` while the pump cannot be asked."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await act()
                except Transient:
                    await asyncio.sleep(0.05)


def order(kind: Literal["amount", "volume", "full"], limit: int = 0, price_e3: int = PRICE_E3) -> Order:
    return Order(kind, limit, (1,), {1: price_e3})


def fills_litres(litres: int) -> Customer:
    return fills(1, litres * 1000)


Make = Callable[..., Any]
MAKERS: dict[str, tuple[Make, Make, dict[str, Any]]] = {
    "azt": (AztPump, AztTwin, {"parity": "E", "data_bits": 7, "stop_bits": 2}),
    "sanki": (SankiPump, SankiTwin, {"parity": "E"}),
}


@dataclass
class Stand:
    """The pump's end alone."""

    pump: Dispenser
    twin: Any  # AztTwin or SankiTwin
    faults: PumpFaults
    bay: Bay
    wire: PumpWire


@asynccontextmanager
async def stand(
    protocol: Literal["azt", "sanki"],
    *,
    twin: Mapping[str, Any] | None = None,
    head: Head | None = None,
    address: int = 1,
    baud: int = FAST,
    speed: int = SPEED,
    price_e3: int | None = PRICE_E3,
    echo: bool = False,
) -> AsyncIterator[Stand]:
    """The pump stands at 55.03 L and 187.36 yuan."""
    head = replace(head or Head(), totals_live=protocol == "azt")
    pump = Dispenser([Nozzle(1, "92", price_e3, total_ml=55_030, total_fen=18_736)], head)
    faults = PumpFaults(pump, seed=7)
    bay = Bay(pump, faults=faults, speed=speed)
    bay.twin = speaker = MAKERS[protocol][1](pump, address, faults, {"turnaround_ms": 1, **(twin or {})})
    async with PumpWire([bay], baud=baud, echo=echo) as wire:
        yield Stand(pump, speaker, faults, bay, wire)


@asynccontextmanager
async def station(
    protocol: Literal["azt", "sanki"],
    *,
    options: Mapping[str, Any] | None = None,
    address: int = 1,
    baud: int = FAST,
    **of_the_stand: Any,
) -> AsyncIterator[Station]:
    """A pump, a line and a driver; what is not said here is of `stand`."""
    make_driver, _, serial = MAKERS[protocol]
    if protocol == "sanki":
        options = {**FASTER, **(options or {})}
    config = PumpConfig(
        id="pump-1",
        number=1,
        protocol=protocol,
        address=address,
        line="island",
        nozzles=(NozzleConfig(number=1, grade="92"),),
        poll_s=0.05,
        options=dict(options or {}),
    )
    async with (
        stand(protocol, address=address, baud=baud, **of_the_stand) as on,
        Line(LineConfig(id="island", path=on.wire.port, baud=baud, **serial)) as line,
    ):
        yield Station(make_driver(line, config), on.pump, on.twin, on.faults, on.bay, line, on.wire)
