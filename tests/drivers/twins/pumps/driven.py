"""The real driver of a protocol on a simulated pump of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.line import Line, LineConfig
from drivers.pump import Pump, PumpState
from drivers.pumps.config import PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.pumps.registry import build_controller, build_pump
from drivers.twins.pumps.forecourt import Forecourt
from drivers.twins.pumps.registry import PROTOCOLS
from protocols import door

PRICE_E3 = 785_000


@asynccontextmanager
async def driven(protocol: str, site: Forecourt, tmp_path: Path) -> AsyncIterator[Pump]:
    """The real driver of a protocol on the first pump of its line."""
    bay = site.bays["p1"]
    host, _, port = site.lines["line"].port.rpartition(":")
    address = int(site.about()["p1"]["address"])
    place = "controller" if protocol == "pts" else "line"
    plain = {"id": "P1", "number": 1, "protocol": protocol, "address": address, place: "x", "poll_s": 0.05}
    config = door.admit(
        {
            **plain,
            "nozzles": [{"number": n, "grade": bay.pump.nozzles[n].grade} for n in bay.pump.nozzles],
            **_decimals(protocol),
        },
        PumpConfig,
        source="",
    )
    async with AsyncExitStack() as stack:
        runs = []
        if protocol == "pts":
            (tmp_path / "password").write_text("admin\n")
            on: Any = build_controller(
                ControllerConfig(
                    id="x", host=host, port=int(port), tls=False, password_file=str(tmp_path / "password"), poll_s=0.05
                )
            )
            runs.append(asyncio.create_task(on.run()))
        else:
            on = await stack.enter_async_context(Line(LineConfig(id="x", host=host, port=int(port), drain_ms=0)))
        pump = build_pump(config, on)
        runs.append(asyncio.create_task(pump.run()))
        try:
            yield pump
        finally:
            for task in runs:
                task.cancel()
            await asyncio.wait(runs)


def _decimals(protocol: str) -> dict[str, Any]:
    """As the protocol's usual heads have them."""
    return {"decimals": dataclasses.asdict(PROTOCOLS[protocol].head.decimals)}


async def shows(pump: Pump, *states: PumpState) -> None:
    async with asyncio.timeout(20):
        while (value := pump.status().value) is None or value.state not in states:  # noqa: ASYNC110  # polled
            await asyncio.sleep(0.01)
