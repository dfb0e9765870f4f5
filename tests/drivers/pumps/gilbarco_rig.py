"""A Gilbarco driver and its twin, joined by a pty paced at 5787 baud, or by TCP as fast as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from drivers.line import Line, LineConfig
from drivers.pumps.config import DecimalsConfig, NozzleConfig, PumpConfig
from drivers.pumps.gilbarco import GilbarcoPump
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults, parse_pump_faults
from drivers.twins.pumps.gilbarco import HEAD, GilbarcoTwin
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.wire import PumpWire

ADDRESS = 3
GRADES = {1: ("92", 785_000), 2: ("95", 836_000)}  # nozzle: grade, price_e3
ONE = {1: GRADES[1]}
DECIMALS = DecimalsConfig(volume=3, amount=2, price=2, total_volume=2, total_amount=2)


@dataclass(frozen=True, slots=True)
class Rig:
    """What hangs together. `dispenser` is the truth, `pump` what the driver makes of it."""

    pump: GilbarcoPump
    bay: Bay
    dispenser: Dispenser
    line: Line
    wire: PumpWire


@asynccontextmanager
async def gilbarco(
    *,
    wire: Literal["pty", "tcp"] = "tcp",
    head: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    twin: Mapping[str, Any] | None = None,
    faults: Iterable[str] = (),
    speed: int = 20,
    polled: bool = True,
    echo: bool = False,
    address: int = ADDRESS,
    nozzles: Mapping[int, tuple[str, int | None]] = GRADES,
) -> AsyncIterator[Rig]:
    """head, twin: of the simulated pump, options: of the driver. echo: of the adapter. polled: `run` goes on beside."""
    config = PumpConfig(
        id="P3",
        number=3,
        protocol="gilbarco",
        address=address,
        line="forecourt",
        nozzles=tuple(NozzleConfig(number=n, grade=grade) for n, (grade, _) in nozzles.items()),
        decimals=DECIMALS,
        poll_s=0.03 if wire == "tcp" else 0.1,
        options=dict(options or {}),
    )
    built = [
        Nozzle(n, grade, price, total_ml=1_000_000 * n, total_fen=700_000) for n, (grade, price) in nozzles.items()
    ]
    parts = {name: getattr(HEAD, name) for name in Head.__slots__}
    dispenser = Dispenser(built, Head(**{**parts, **(head or {})}))
    plan = PumpFaults(dispenser, faults=parse_pump_faults(faults))
    bay = Bay(dispenser, faults=plan, speed=speed)
    bay.twin = GilbarcoTwin(dispenser, address, plan, twin or {})
    async with PumpWire([bay], kind=wire, baud=5787, echo=echo) as on, Line(_line(wire, on.port)) as line:
        pump = GilbarcoPump(line, config)
        task = asyncio.create_task(pump.run()) if polled else None
        try:
            yield Rig(pump, bay, dispenser, line, on)
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])


def _line(wire: str, port: str) -> LineConfig:
    if wire == "pty":
        return LineConfig(id="forecourt", path=port, baud=5787, parity="E")
    host, number = port.split(":")
    return LineConfig(id="forecourt", host=host, port=int(number), guard_ms=0, drain_ms=0)
