"""One twin on a wire of its own, for a person at a terminal: `fieldtill twin PROFILE`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from drivers.profile_load import load
from drivers.twins.car import Car
from drivers.twins.config import DeviceConfig, LineConfig, OutletConfig, SiteConfig, profile_path
from drivers.twins.faults import parse_faults
from drivers.twins.site import TwinSite
from drivers.twins.wire_serial import SerialWire


async def serve_one(
    profile: str,
    *,
    tcp_port: int | None = None,
    pty_link: str | None = None,
    unit: int | None = None,
    baud: int | None = None,
    faults: Sequence[str] = (),
    register_start_wh: int = 0,
    car: Car | None = None,
    say: Callable[[str], None] = print,
    live: bool = True,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve `profile` (an id or a path) until cancelled or `stop` is set. Say where; if `live`, say each second how.

    tcp_port: on TCP, 0 for any free one; None: on a pty, with a symlink at `pty_link` if given, unless the product only
    knows TCP. unit, baud: None is the profile's. faults: as `parse_faults` reads them. A car is plugged in; a meter
    has 16 A flowing through it. Raises FileNotFoundError, door.Refused, OSError, and ValueError for an unknown fault.
    """
    about = load(profile_path(profile))
    serial = about.link.rtu or about.link.ascii
    on_tcp = tcp_port is not None or (serial is None and pty_link is None)
    kind = "tcp" if on_tcp else "ascii" if about.link.rtu is None and about.link.ascii is not None else "rtu"
    baud = baud or (9600 if serial is None else serial.baud)
    line = LineConfig(id="line", kind=kind, baud=baud, link=pty_link, port=tcp_port or 0)  # type: ignore[arg-type]  # one of the kinds
    outlet = OutletConfig(id="outlet", limit_ma=16_000, car=Car() if car is None else car)
    device = DeviceConfig(
        id=about.id,
        line="line",
        profile=profile,
        outlet="outlet",
        unit=unit,
        register_start_wh=register_start_wh,
        faults=tuple(parse_faults(faults)),
    )
    stop = asyncio.Event() if stop is None else stop
    async with TwinSite(SiteConfig(line=(line,), outlet=(outlet,), device=(device,))) as site:
        twin = site.device(about.id)
        paced = "" if on_tcp else f", {baud} baud"
        say(f"{about.id} as unit {twin.unit} on {site.port('line')}{paced}")
        while not stop.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await stop.wait()
            except TimeoutError:
                if live:
                    say(state_line(site, about.id))


def state_line(site: TwinSite, device_id: str) -> str:
    """One line of a twin's state: `C 11000 W 15.9 A register 123.456 kWh, 42 asked, 42 answered`."""
    state = site.device(device_id).state()
    wire = next(iter(site.wires.values()))
    register_wh = int(str(state["register_wh"]))
    current_ma = int(str(state["current_ma"]))
    parts = [
        f"{state['iec']} {state['power_w']} W {current_ma // 1000}.{current_ma % 1000 // 100} A",
        f"register {register_wh // 1000}.{register_wh % 1000:03} kWh",
        f"{wire.stats.requests} asked, {wire.stats.answers} answered",
    ]
    if isinstance(wire, SerialWire) and wire.stats.answers:
        parts.append(f"own lateness {wire.stats.late_us // wire.stats.answers} us")
    faults = state["faults"]
    if isinstance(faults, list) and faults:
        parts.append(f"faults: {', '.join(faults)}")
    return "; ".join(parts)
