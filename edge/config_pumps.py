"""Do the pumps of a site's config fit each other, their lines and the devices beside them?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from drivers.line_config import USUAL_BAUDS, LineConfig
from drivers.pumps.config import WIRES, PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.registry import DeviceConfig
from protocols.door import Fault


def pump_faults(
    lines: Sequence[LineConfig],
    controllers: Sequence[ControllerConfig],
    devices: Sequence[DeviceConfig],
    pumps: Sequence[PumpConfig],
) -> list[Fault]:
    """What cannot work. That each name is there and used once is not looked at here."""
    faults = [*_addresses(pumps), *_protocols(lines, devices, pumps), *_grades(pumps)]
    with_modbus = {device.line for device in devices if device.speaks_modbus}
    for index, line in enumerate(lines):
        if line.id in with_modbus and line.baud not in USUAL_BAUDS:
            near = min(USUAL_BAUDS, key=lambda baud: abs(baud - line.baud))
            said = ", ".join(str(baud) for baud in USUAL_BAUDS)
            faults.append(Fault(f"line[{index}].baud", f"one of {said}", str(line.baud), f"Did you mean {near}?"))
        if line.framing == "raw" and line.id in with_modbus:
            faults.append(Fault(f"line[{index}].framing", "rtu, ascii or tcp for Modbus devices", "raw"))
    return faults


def pump_doubts(lines: Sequence[LineConfig], pumps: Sequence[PumpConfig]) -> list[str]:
    """What may work and mostly does not, in words for a person."""
    doubts: list[str] = []
    for index, line in enumerate(lines):
        for protocol in sorted({pump.protocol for pump in pumps if pump.line == line.id}):
            wire = WIRES[protocol]
            misfit = wire.misfit(line)
            if misfit is not None and (line.path is not None or line.framing is not None):
                usual = " or ".join(f"{baud}" for baud in wire.bauds)
                doubts.append(f"line[{index}]: {protocol} pumps have {usual} baud {wire.mode}, and this line {misfit}")
            if line.host is not None and line.framing is None:
                doubts.append(f'line[{index}]: a serial server with pumps behind it has `framing = "raw"`')
    return doubts


def _addresses(pumps: Sequence[PumpConfig]) -> list[Fault]:
    faults: list[Fault] = []
    seen: dict[tuple[str | None, int], str] = {}
    for index, pump in enumerate(pumps):
        place = (pump.line or pump.controller, pump.address)
        if place in seen:
            got = f"{pump.address}, which `{seen[place]}` on `{place[0]}` has already"
            faults.append(Fault(f"pump[{index}].address", "an address of its own", got))
        seen.setdefault(place, pump.id)
    return faults


def _protocols(
    lines: Sequence[LineConfig], devices: Sequence[DeviceConfig], pumps: Sequence[PumpConfig]
) -> list[Fault]:
    """A frame of one protocol may be an order in another: a byte 11h anywhere authorises pump 1 of a Gilbarco loop."""
    faults: list[Fault] = []
    for line in lines:
        spoken: set[str] = {pump.protocol for pump in pumps if pump.line == line.id}
        spoken |= {"modbus" if one.speaks_modbus else one.profile for one in devices if one.line == line.id}
        if len(spoken) > 1:
            got = ", ".join(sorted(spoken))
            faults.append(Fault(f"line `{line.id}`", "one protocol", got, "Give each a line of its own."))
    return faults


def _grades(pumps: Sequence[PumpConfig]) -> list[Fault]:
    faults: list[Fault] = []
    by_tank: dict[str, set[str]] = defaultdict(set)
    for pump in pumps:
        for nozzle in pump.nozzles:
            if nozzle.tank is not None:
                by_tank[nozzle.tank].add(nozzle.grade)
    for tank, grades in by_tank.items():
        if len(grades) > 1:
            faults.append(Fault(f"tank `{tank}`", "one grade at all its nozzles", ", ".join(sorted(grades))))
    return faults
