"""A DART driver and its twin, joined by a paced pty or by TCP as fast as it goes, and a filling done over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from drivers.errors import DeviceFault, Transient
from drivers.line import Line, LineConfig
from drivers.pump import NozzleTotal, Order, Pump, PumpState, Sale
from drivers.pumps.config import DecimalsConfig, NozzleConfig, PumpConfig
from drivers.pumps.dart import DartPump
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import Customer
from drivers.twins.pumps.dart import DartTwin
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults, parse_pump_faults
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.wire import PumpWire

ADDRESS = 0x52
GRADES = {1: ("92", 785_000), 2: ("95", 836_000)}  # nozzle: grade, price_e3
FAST = {"gap_ms": 0, "timeout_ms": 40}
PATIENCE_S = 20.0  # no test waits so long; it is what a broken one takes to fail


@dataclass(frozen=True, slots=True)
class Rig:
    """What hangs together. `dispenser` is the truth, `pump` what the driver makes of it."""

    pump: DartPump
    bay: Bay
    dispenser: Dispenser
    line: Line
    wire: PumpWire


@asynccontextmanager
async def dart(
    *,
    wire: Literal["pty", "tcp"] = "tcp",
    head: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    twin: Mapping[str, Any] | None = None,
    faults: Iterable[str] = (),
    decimals: Mapping[str, int] | None = None,
    speed: int = 300,
    polled: bool = True,
    echo: bool = False,
    nozzles: Mapping[int, tuple[str, int | None]] = GRADES,
) -> AsyncIterator[Rig]:
    """head, twin: of the simulated pump, decimals: of what the config says of it. polled: `run` goes on beside.

    echo: the adapter hears itself, which the line has to find out.
    """
    scales = DecimalsConfig(**(decimals or {}))
    config = PumpConfig(
        id="P1",
        number=1,
        protocol="dart",
        address=ADDRESS,
        line="forecourt",
        nozzles=tuple(NozzleConfig(number=n, grade=grade) for n, (grade, _) in nozzles.items()),
        decimals=scales,
        poll_s=0.02 if wire == "tcp" else 0.1,
        options={**(FAST if wire == "tcp" else {}), **(options or {})},
    )
    parts = {"needs_reset": True, "decimals": config.scales, **(head or {})}
    built = [
        Nozzle(n, grade, price, total_ml=1_000_000 * n, total_fen=700_000) for n, (grade, price) in nozzles.items()
    ]
    dispenser = Dispenser(built, Head(**parts))
    plan = PumpFaults(dispenser, faults=parse_pump_faults(faults))
    bay = Bay(dispenser, faults=plan, speed=speed)
    bay.twin = DartTwin(dispenser, ADDRESS, plan, {**({"answer-ms": 0} if wire == "tcp" else {}), **(twin or {})})
    async with PumpWire([bay], kind=wire, echo=echo) as on, Line(_line(wire, on.port)) as line:
        pump = DartPump(line, config)
        task = asyncio.create_task(pump.run()) if polled else None
        try:
            yield Rig(pump, bay, dispenser, line, on)
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])


def _line(wire: str, port: str) -> LineConfig:
    if wire == "pty":
        return LineConfig(id="forecourt", path=port, baud=9600, parity="O")
    host, number = port.split(":")
    return LineConfig(id="forecourt", host=host, port=int(number), guard_ms=0, drain_ms=0)


def order(kind: Literal["amount", "volume", "full"], limit: int = 0, nozzles: tuple[int, ...] = (1, 2)) -> Order:
    """At the prices that the pump was built with."""
    return Order(kind, limit, nozzles, {nozzle: GRADES[nozzle][1] for nozzle in nozzles})


async def until(what: Callable[[], bool], why: str = "") -> None:
    """Wait for something that the twin or the driver will come to."""
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110  # neither tells by an event
            await asyncio.sleep(0.002)


async def shows(pump: Pump, *states: PumpState) -> PumpState:
    """Wait until the polled status is one of these."""

    def state() -> PumpState | None:
        value = pump.status().value
        return None if value is None else value.state

    try:
        await until(lambda: state() in states)
    except TimeoutError as error:
        error.add_note(f"waited for {states}, last: {pump.status()}")
        raise
    found = state()
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class Filling:
    """One filling as the till sees it."""

    before: Mapping[int, NozzleTotal]
    sale: Sale | None
    after: Mapping[int, NozzleTotal]

    @property
    def moved_ml(self) -> int:
        """By the totalizers of all nozzles."""
        return sum(self.after[nozzle].volume_ml - self.before[nozzle].volume_ml for nozzle in self.before)


async def fill(pump: Pump, bay: Bay, wanted: Order, customer: Customer) -> Filling:
    """One whole filling, as the till does it. `pump` is polled by its `run`; any protocol will do.

    An order may come just as the customer hangs the nozzle up again: the pump then does not take it, and calls anew.
    """
    await ready(pump)
    bay.add(customer)
    while True:
        await shows(pump, PumpState.CALLING)
        before = await pump.read_totals()
        try:
            await pump.authorise(wanted)
        except Transient:
            status = (await pump.read_status()).value
            if status is not None and status.state in (PumpState.CALLING, PumpState.IDLE):
                continue
        return await finish(pump, before)


async def ready(pump: Pump) -> None:
    """As after the till has started: whatever stands in the pump's memory is stored."""
    if await shows(pump, PumpState.IDLE, PumpState.CALLING, PumpState.ENDED) is PumpState.ENDED:
        await pump.release()


async def finish(pump: Pump, before: Mapping[int, NozzleTotal]) -> Filling:
    """Wait for the end of the sale, read what it was, release the pump."""
    await shows(pump, PumpState.ENDED)
    sale, after = await pump.read_sale(), await pump.read_totals()
    await pump.release()
    return Filling(before, sale, after)


def exact_sale(filling: Filling, volume_ml: int) -> None:
    """The sale and the totalizers are this volume."""
    assert filling.sale is not None
    assert (filling.sale.volume_ml, filling.moved_ml) == (volume_ml, volume_ml)


class Till:
    """As much of a till as a pump needs: reads what ended, opens what is called for, and believes totals alone.

    billed_ml: by the sales read. unexplained_ml: totals that moved by more than a display step beyond the sale read.
    Any protocol will do. `pump` is polled by its `run`.
    """

    def __init__(self, pump: Pump, orders: Iterator[Order]) -> None:
        self.billed_ml = self.unexplained_ml = self.sales = 0
        self._pump = pump
        self._orders = orders
        self._totals: Mapping[int, NozzleTotal] = {}

    async def serve(self, served: Callable[[], bool]) -> None:
        """Until `served` says that nobody comes any more, and the pump is idle."""
        idle = 0
        while not (served() and idle > 20):
            reading = self._pump.status()
            state = None if reading.value is None else reading.value.state
            idle = idle + 1 if state is PumpState.IDLE else 0
            try:
                await self._do(state)
            except (Transient, DeviceFault):
                pass  # the next look decides, as after a restart
            await asyncio.sleep(0.005)

    async def _do(self, state: PumpState | None) -> None:
        if state is PumpState.ENDED:
            sale, totals = await self._pump.read_sale(), await self._pump.read_totals()
            if sale is not None:
                self._book(sale, totals)
                await self._pump.release()
        elif state is PumpState.CALLING and self._totals and await self._pump.read_totals() == self._totals:
            await self._pump.authorise(next(self._orders))

    def _book(self, sale: Sale, totals: Mapping[int, NozzleTotal]) -> None:
        before, self._totals = self._totals, totals
        moved_ml = sum(totals[n].volume_ml - before[n].volume_ml for n in before)
        if moved_ml:
            self.sales += 1
            self.billed_ml += sale.volume_ml
            extra_ml = moved_ml - sale.volume_ml
            self.unexplained_ml += extra_ml if abs(extra_ml) > self._pump.traits.volume_step_ml else 0
