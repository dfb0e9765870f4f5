"""What a file says of a whole site of twins: its lines, outlets and devices."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from drivers.profile import Profile
from drivers.profile_load import load
from drivers.twins.cabinets.config import ShopConfig
from drivers.twins.car import Car
from drivers.twins.faults import Fault
from drivers.twins.ports.yard import TwinBoardConfig, TwinPileConfig
from drivers.twins.pumps.config import PumpLineConfig, TwinPumpConfig
from protocols import door

PROFILES = Path(__file__).parent.parent / "profiles"

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class LineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One wire. rtu and ascii: a pty paced at `baud`, with a symlink at `link` if given. tcp, rtu-over-tcp: a port.

    port 0: the system chooses. single_client: a second connection is closed at once.
    """

    id: str
    kind: Literal["rtu", "ascii", "tcp", "rtu-over-tcp"] = "rtu"
    baud: Annotated[int, msgspec.Meta(ge=300, le=921_600)] = 9600
    link: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    single_client: bool = False


class OutletConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place to plug in. car: there from the start. limit_ma: what it offers where no charger twin decides."""

    id: str
    phases: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3
    voltage_mv: Annotated[int, msgspec.Meta(ge=1)] = 230_000
    limit_ma: NotNegative = 0
    car: Car | None = None


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One twin. profile: the id of a shipped one, or a path to a file. unit: None is the profile's usual one.

    register_start_wh: what its lifetime counter shows at the start. values: points that stay as they are, in base
    units. overrides: laid over the profile. faults: in force from the start. seed: of its noise and chances.
    """

    id: str
    line: str
    profile: str
    outlet: str
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    register_start_wh: NotNegative = 0
    turnaround_ms: NotNegative = 0
    values: dict[str, int | str] = {}
    overrides: dict[str, int | str | bool] = {}
    faults: tuple[Fault, ...] = ()
    seed: int = 0


class SiteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. Devices on one outlet see the same flow. Pumps, a shop front and boards have lines of their own."""

    line: tuple[LineConfig, ...] = ()
    device: tuple[DeviceConfig, ...] = ()
    outlet: tuple[OutletConfig, ...] = ()
    pump_line: tuple[PumpLineConfig, ...] = ()
    pump: tuple[TwinPumpConfig, ...] = ()
    shop: ShopConfig = ShopConfig()
    port_board: tuple[TwinBoardConfig, ...] = ()
    pile: tuple[TwinPileConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A config that holds together, with its profiles loaded; `units` and `profiles` by device id."""

    config: SiteConfig
    profiles: dict[str, Profile]
    units: dict[str, int]


def read_site(path: Path) -> SiteConfig:
    """The site in a TOML file. Raises door.Refused with every fault, OSError, tomllib.TOMLDecodeError."""
    return door.admit(tomllib.loads(path.read_text(encoding="utf-8")), SiteConfig, source=str(path))


def check_site(config: SiteConfig, *, source: str = "site") -> Checked:
    """Load the profiles and look for faults between the parts. Raises door.Refused."""
    faults: list[door.Fault] = []
    for kind, ids in (
        ("line", [*(line.id for line in config.line), *(line.id for line in config.pump_line), *config.shop.lines()]),
        ("outlet", [outlet.id for outlet in config.outlet]),
        ("device", [device.id for device in config.device]),
    ):
        faults += [door.Fault(kind, "ids that differ", repr(i)) for i in dict.fromkeys(ids) if ids.count(i) > 1]
    lines = {line.id: line for line in config.line}
    outlets = {outlet.id for outlet in config.outlet}
    profiles: dict[str, Profile] = {}
    units: dict[str, int] = {}
    taken: dict[tuple[str, object], str] = {}
    for index, device in enumerate(config.device):
        path = f"device[{index}]"
        if device.line not in lines:
            faults.append(door.Fault(f"{path}.line", f"one of {', '.join(lines)}", repr(device.line)))
        if device.outlet not in outlets:
            faults.append(door.Fault(f"{path}.outlet", f"one of {', '.join(sorted(outlets))}", repr(device.outlet)))
        try:
            profile = load(profile_path(device.profile), device.overrides)
        except FileNotFoundError:
            faults.append(door.Fault(f"{path}.profile", "a shipped profile or a path", repr(device.profile)))
            continue
        except door.Refused as refused:
            faults += refused.faults
            continue
        profiles[device.id] = profile
        kind = lines[device.line].kind if device.line in lines else "rtu"
        units[device.id] = usual_unit(profile, kind) if device.unit is None else device.unit
        places: list[tuple[str, object]] = [(device.line, units[device.id])]
        places += [(device.outlet, "charger")] if profile.device.kind == "charger" else []
        for place in places:
            if place in taken:
                what = "one charger on an outlet" if place[1] == "charger" else "one device at a unit of a line"
                faults.append(door.Fault(path, what, f"{device.id} beside {taken[place]} at {place[0]} {place[1]}"))
            taken[place] = device.id
        if unknown := device.values.keys() - profile.points.keys():
            faults.append(door.Fault(f"{path}.values", f"points of {profile.id}", ", ".join(sorted(unknown))))
    if faults:
        raise door.Refused(source, faults)
    return Checked(config, profiles, units)


def profile_path(name: str) -> Path:
    """The file of a shipped profile's id; a name with a slash or `.toml` is a path already."""
    return Path(name) if "/" in name or name.endswith(".toml") else PROFILES / f"{name}.toml"


def usual_unit(profile: Profile, kind: str) -> int:
    """The unit that the product comes with on this kind of line; 1 where none is usual."""
    link = profile.link
    serial, peer = (link.rtu, link.ascii), (link.tcp, link.rtu_over_tcp)
    for usual in (*serial, *peer) if kind in ("rtu", "ascii") else (*peer, *serial):
        if usual is not None:
            return 1 if usual.unit is None else usual.unit
    return 1
