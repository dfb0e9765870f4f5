"""The hardware of a site, put together from the config: lines, devices on them, and the outlets they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.api import Charger, Device, Meter
from drivers.line import Line
from drivers.registry import build_device, profile_of
from edge.config import Config, ConnectorConfig
from edge.plant.watch import Outlet
from protocols.door import Fault, Refused
from protocols.proof.ocmf_session import Plate


@dataclass(frozen=True, slots=True)
class Premises:
    """Everything that is attached. Nothing here has been opened yet."""

    lines: dict[str, Line]
    devices: dict[str, Device]
    outlets: dict[str, Outlet]


def build(config: Config) -> Premises:
    """Raises Refused with every fault: profiles that are not there or are wrong, kinds that do not fit their place."""
    lines = {line.id: Line(line) for line in config.line}
    devices: dict[str, Device] = {}
    faults: list[Fault] = []
    folder = Path(config.profiles_dir) if config.profiles_dir else None
    for index, device in enumerate(config.device):
        try:
            devices[device.id] = build_device(device, lines[device.line], folder)
        except Refused as refused:
            faults += [
                Fault(f"device[{index}] {fault.path}", fault.expected, fault.got, fault.remedy)
                for fault in refused.faults
            ]
    outlets: dict[str, Outlet] = {}
    for index, connector in enumerate(config.connector):
        outlet, found = _outlet(f"connector[{index}]", connector, devices)
        faults += found
        if outlet is not None:
            outlets[connector.id] = outlet
    if faults:
        raise Refused("config", faults)
    return Premises(lines, devices, outlets)


def meter_plates(config: Config) -> dict[str, Plate]:
    """What is known of each device that may be a meter, by its id, for signed meter records. `build` has passed."""
    folder = Path(config.profiles_dir) if config.profiles_dir else None
    plates: dict[str, Plate] = {}
    for device in config.device:
        about = profile_of(device, folder).device
        model = about.models[0] if len(about.models) == 1 else None  # the profile does not say which of them this is
        plates[device.id] = Plate(serial=device.serial or "", maker=about.maker, model=model)
    return plates


def _outlet(path: str, connector: ConnectorConfig, devices: dict[str, Device]) -> tuple[Outlet | None, Sequence[Fault]]:
    charger = devices.get(connector.charger)
    meter = devices.get(connector.meter or connector.charger)
    if charger is None or meter is None:
        return None, []  # its own fault has been said already
    faults: list[Fault] = []
    if not isinstance(charger, Charger):
        faults.append(Fault(f"{path}.charger", "a charger", f"`{connector.charger}`, a {charger.profile_id}"))
    if not (isinstance(meter, Meter) and meter.traits.billing_grade):
        faults.append(
            Fault(
                f"{path}.meter",
                "a meter of billing grade",
                f"`{connector.meter}`" if connector.meter else f"nothing, and {charger.profile_id} has no such meter",
                "Name the external meter that measures this connector.",
            )
        )
    if faults:
        return None, faults
    assert isinstance(charger, Charger)
    assert isinstance(meter, Meter)
    return Outlet(connector.id, charger, meter, connector.meter or connector.charger), []
