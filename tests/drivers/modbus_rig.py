"""A real driver on a real line, with a twin of the product at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from drivers.api import Charger, Meter
from drivers.line import Line, LineConfig
from drivers.registry import DeviceConfig, build_device, profile_of
from drivers.twins.car import Car
from drivers.twins.config import DeviceConfig as TwinConfig
from drivers.twins.config import LineConfig as WireConfig
from drivers.twins.config import OutletConfig, SiteConfig
from drivers.twins.faults import Fault, FaultKind
from drivers.twins.site import TwinSite
from drivers.twins.twin import Twin

BRISK: dict[str, int | str | bool] = {
    "polling.fast_ms": 50,
    "polling.slow_ms": 100,
    "limits.poll_ms_min": 0,
    "limits.pause_ms": 0,
    "limits.write_pause_ms": 0,
    "limits.timeout_ms": 200,
}


@dataclass
class Rig:
    device: Charger | Meter
    twin: Twin
    site: TwinSite

    @property
    def charger(self) -> Charger:
        return self.device  # type: ignore[return-value]  # the test knows what it asked for

    @property
    def meter(self) -> Meter:
        return self.device  # type: ignore[return-value]  # the test knows what it asked for

    def plug(self, power_w_max: int = 22_000) -> None:
        self.site.outlet("o").plug(Car(power_w_max=power_w_max))

    def fault(self, kind: FaultKind, **how: Any) -> None:
        self.twin.fault(Fault(kind=kind, **how))

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait for something to become true; the test's own time-out ends a vain wait."""
        while not what():  # noqa: ASYNC110  # a poll of a device under test, not of a condition in this process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(profile_id: str, mine: dict[str, Any] | None = None, **twin: Any) -> AsyncIterator[Rig]:
    """The product `profile_id`, with its driver running briskly. mine: the driver's overrides; twin: of its config."""
    laid_over: dict[str, Any] = {**BRISK, **(mine or {})}
    profile = profile_of(DeviceConfig(id="d", line="l", profile=profile_id))
    kind = "tcp" if profile.link.tcp is not None else "rtu"
    config = SiteConfig(
        line=(WireConfig(id="l", kind=kind, baud=115200),),  # type: ignore[arg-type]  # one of the kinds
        outlet=(OutletConfig(id="o", limit_ma=16_000),),
        device=(msgspec.convert({"id": "d", "line": "l", "profile": profile_id, "outlet": "o", **twin}, TwinConfig),),
    )
    async with TwinSite(config) as site:
        host, _, port = site.port("l").rpartition(":")
        wire: dict[str, Any] = {"host": host, "port": int(port)} if kind == "tcp" else {"path": site.port("l")}
        async with Line(LineConfig(id="l", baud=115200, **wire)) as line:
            device = build_device(DeviceConfig(id="d", line="l", profile=profile_id, overrides=laid_over), line)
            running = asyncio.create_task(device.run())
            try:
                yield Rig(device, site.device("d"), site)
            finally:
                running.cancel()
                await asyncio.wait([running])
