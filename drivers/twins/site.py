"""A whole site of twins in one process: lines, devices and outlets, built from a config and served until closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from drivers.api import Iec61851
from drivers.modbus_device import literal
from drivers.profile import Profile
from drivers.profile_state import Value, kinds_of
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.front import ShopFront, ShopLine
from drivers.twins.car import UJ_PER_WH, Car, Outlet
from drivers.twins.config import Checked, LineConfig, SiteConfig, check_site
from drivers.twins.ports.yard import Yard
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.forecourt import Forecourt, PumpLine
from drivers.twins.twin import Twin, monotonic_us
from drivers.twins.wire_serial import SerialWire
from drivers.twins.wire_tcp import TcpWire
from protocols.fieldbus.modbus import Framing

_TICK_S = 0.5  # so that a car that nobody asks about gets full in time, not when asked


class Place:
    """An outlet and the clock it lives by."""

    def __init__(self, outlet: Outlet, clock: Callable[[], int]) -> None:
        self.outlet = outlet
        self._clock = clock

    def plug(self, car: Car | None = None) -> None:
        """Put a car in, a usual one if not said otherwise. ValueError: one is there."""
        self.outlet.plug(Car() if car is None else car, self._clock())

    def unplug(self) -> None:
        """Take the car out."""
        self.outlet.unplug(self._clock())

    @property
    def iec(self) -> Iec61851:
        self.outlet.advance(self._clock())
        return self.outlet.iec

    @property
    def power_w(self) -> int:
        self.outlet.advance(self._clock())
        return self.outlet.power_w

    @property
    def delivered_uj(self) -> int:
        """All that ever flowed here, exactly; the truth to hold a bill against."""
        self.outlet.advance(self._clock())
        return self.outlet.delivered_uj

    def state(self) -> dict[str, str | int | bool]:
        """Where it stands, for a person or a test."""
        self.outlet.advance(self._clock())
        outlet = self.outlet
        return {
            "outlet": outlet.id,
            "iec": outlet.iec.value,
            "plugged": outlet.car is not None,
            "full": outlet.full,
            "limit_ma": outlet.limit_ma,
            "power_w": outlet.power_w,
            "session_wh": outlet.session_uj // UJ_PER_WH,
            "delivered_wh": outlet.delivered_uj // UJ_PER_WH,
            "stuck": outlet.stuck,
        }


class TwinSite:
    """`async with TwinSite(config) as site:` serves until the block ends. Raises door.Refused for a bad config."""

    def __init__(self, config: SiteConfig, *, clock: Callable[[], int] = monotonic_us) -> None:
        checked = check_site(config)
        self.forecourt = Forecourt(config.pump_line, config.pump, source="site")
        self.shop = ShopFront(config.shop, source="site")
        self.yard = Yard(config.port_board, config.pile, source="site")
        self._clock = clock
        self._ticker: asyncio.Task[None] | None = None
        self.places = {
            outlet.id: Place(Outlet(id=outlet.id, phases=outlet.phases, voltage_mv=outlet.voltage_mv), clock)
            for outlet in config.outlet
        }
        for outlet in config.outlet:
            self.places[outlet.id].outlet.allow(outlet.limit_ma, clock())
        self.twins = {twin.id: twin for twin in self._build(checked)}
        for outlet in config.outlet:
            if outlet.car is not None:
                self.places[outlet.id].plug(outlet.car)
        self.wires = {line.id: self._wire(line, checked) for line in config.line}
        for device in config.device:
            for fault in device.faults:
                self.twins[device.id].fault(fault)

    def outlet(self, outlet_id: str) -> Place:
        return self.places[outlet_id]

    def device(self, device_id: str) -> Twin:
        return self.twins[device_id]

    def pump(self, pump_id: str) -> Bay:
        return self.forecourt.bays[pump_id]

    def cabinet(self, cabinet_id: str) -> Cabinet:
        return self.shop.cabinet(cabinet_id)

    def port(self, line_id: str) -> str:
        """Where to reach a line once it serves: a path, or `host:port`."""
        wire = self._wire_of(line_id)
        if isinstance(wire, PumpLine | ShopLine):
            return wire.port
        return wire.port if isinstance(wire, SerialWire) else f"{wire.host}:{wire.port}"

    async def cut(self, line_id: str) -> None:
        """Take a line away, as when its adapter is pulled out. Repeating it is harmless."""
        await self._wire_of(line_id).close()

    async def restore(self, line_id: str) -> None:
        """Put a line back: a pty under its symlink, a server on the port it had. Repeating it is harmless."""
        wire = self._wire_of(line_id)
        await wire.close()
        await wire.open()

    async def __aenter__(self) -> TwinSite:
        try:
            for wire in (*self.wires.values(), *self.forecourt.lines.values()):
                await wire.open()
            await self.shop.open()
            await self.yard.open()
        except BaseException:
            await self._close()
            raise
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        await self.yard.close()
        await self.shop.close()
        for wire in (*self.wires.values(), *self.forecourt.lines.values()):
            await wire.close()

    def _wire_of(self, line_id: str) -> SerialWire | TcpWire | PumpLine | ShopLine:
        """Raises KeyError."""
        own = self.forecourt.lines.get(line_id) or self.shop.lines.get(line_id)
        return self.wires[line_id] if own is None else own

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now_us = self._clock()
            for place in self.places.values():
                place.outlet.advance(now_us)

    def _build(self, checked: Checked) -> list[Twin]:
        return [
            Twin(
                device.id,
                checked.profiles[device.id],
                self.places[device.outlet].outlet,
                unit=checked.units[device.id],
                register_start_wh=device.register_start_wh,
                values=_typed(checked.profiles[device.id], device.values),
                turnaround_us=device.turnaround_ms * 1000,
                seed=device.seed,
                clock=self._clock,
            )
            for device in checked.config.device
        ]

    def _wire(self, line: LineConfig, checked: Checked) -> SerialWire | TcpWire:
        stations = [self.twins[device.id] for device in checked.config.device if device.line == line.id]
        if line.kind in ("rtu", "ascii"):
            link = None if line.link is None else Path(line.link)
            return SerialWire(stations, baud=line.baud, framing=Framing(line.kind), link=link)
        framing = Framing.TCP if line.kind == "tcp" else Framing.RTU
        return TcpWire(stations, host=line.host, port=line.port, framing=framing, single_client=line.single_client)


def _typed(profile: Profile, values: Mapping[str, int | str]) -> dict[str, Value]:
    """Values from a file: texts stay texts, everything else is a number."""
    kinds = kinds_of(profile)
    return {name: str(value) if kinds[name] == "text" else literal(value) for name, value in values.items()}
