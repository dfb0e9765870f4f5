"""Which drivers are there? From what a site's config says of a device to the device itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from drivers.api import Charger, Meter
from drivers.dlt645_meter import PROFILE_ID, Dlt645Meter
from drivers.gauge import TankGauge
from drivers.line import Line
from drivers.modbus_charger import ModbusCharger
from drivers.modbus_device import ModbusDevice
from drivers.modbus_gauge import ModbusGauge
from drivers.modbus_meter import ModbusMeter
from drivers.profile import Profile
from drivers.profile_load import load
from protocols.door import Fault, Refused

SHIPPED: Final = Path(__file__).parent / "profiles"

# Kind in the profile -> what drives it. A new kind of device is a new line here.
DRIVERS: Mapping[str, Callable[[ModbusDevice], Charger | Meter | TankGauge]] = {
    "charger": ModbusCharger,
    "meter": ModbusMeter,
    "gauge": ModbusGauge,
}


OTHERS: Final = (PROFILE_ID,)
"""Profiles that are no files: devices that speak another protocol than Modbus, on a line of their own."""


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device of a site.

    line: the id of the line it hangs on. profile: an id from `profile_ids`. unit: its Modbus address; None: the
    profile's usual one. poll_s: seconds between polls of what changes fast; None: the profile's. overrides: laid over
    the profile, by path: {"command.max" = 16, "limits.max_read" = 20}. serial: what stands on its plate, for signed
    meter records; None: not known. address: of a `dlt645-2007` meter, twelve digits; None: the only one on its line.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    line: str
    profile: str
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=0.05, le=3600)] | None = None
    overrides: dict[str, int | str | bool] = {}
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    address: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$", description="twelve digits")] | None = None

    @property
    def speaks_modbus(self) -> bool:
        return self.profile not in OTHERS


def profile_ids(folder: Path | None = None) -> list[str]:
    """The ids of all shipped profiles and of those in the site's own folder, sorted."""
    return sorted(set(_files(SHIPPED)) | (set(_files(folder)) if folder is not None else set()))


def profile_of(config: DeviceConfig, folder: Path | None = None) -> Profile:
    """The profile of a Modbus device with its overrides; the site's own folder goes before the shipped ones.

    Raises door.Refused with every fault, also when there is no such profile.
    """
    files = {**_files(SHIPPED), **(_files(folder) if folder is not None else {})}
    if config.profile not in files:
        known = ", ".join(sorted({*OTHERS, *files}))
        raise Refused(f"device {config.id}", [Fault("profile", f"one of {known}", config.profile)])
    profile = load(files[config.profile], config.overrides)
    if profile.id != config.profile:
        raise Refused(str(files[config.profile]), [Fault("device.id", f"{config.profile}, as the file", profile.id)])
    return profile


def build_device(config: DeviceConfig, line: Line, folder: Path | None = None) -> Charger | Meter | TankGauge:
    """The device, attached to its line; nothing is sent until its `run`. Raises door.Refused."""
    if config.profile == PROFILE_ID:
        return Dlt645Meter(line, id=config.id, address=config.address, poll_s=config.poll_s)
    profile = profile_of(config, folder)
    unit = config.unit if config.unit is not None else usual_unit(profile, line)
    device = ModbusDevice(profile, line, id=config.id, unit=unit, poll_s=config.poll_s)
    return DRIVERS[profile.device.kind](device)


def usual_unit(profile: Profile, line: Line) -> int:
    """The unit id as the device leaves the factory, on the kind of line it hangs on; 1 where there is no usual one."""
    link = profile.link
    serial, peer = (link.rtu, link.ascii), (link.tcp, link.rtu_over_tcp)
    for usual in (*peer, *serial) if line.config.host is not None else (*serial, *peer):
        if usual is not None:
            return 1 if usual.unit is None else usual.unit
    return 1


def _files(folder: Path) -> Mapping[str, Path]:
    return dict(_named(folder))


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*.toml")):
        yield path.stem, path
