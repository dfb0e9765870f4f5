"""The site's config file: TOML in, one frozen value out, or every fault in it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import msgspec

from drivers.boards.config import BoardConfig
from drivers.cabinets.config import CabinetConfig
from drivers.cabinets.plan import slot_plans
from drivers.line_config import LineConfig
from drivers.ports.config import ListenerConfig, PortBoardConfig
from drivers.ports.ykc_config import YkcConfig
from drivers.pumps.config import PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.readers.config import CardsConfig
from drivers.registry import DeviceConfig
from edge.config_cabinets import cabinet_doubts, cabinet_faults
from edge.config_ports import port_doubts, port_faults
from edge.config_pumps import pump_doubts, pump_faults
from edge.config_readers import ReaderConfig, reader_doubts, reader_faults
from edge.config_ykc import rooted_ykc, ykc_doubts, ykc_faults
from edge.counter import CounterConfig
from edge.plant.budget import Budget
from edge.plant.slot_charging import Charging
from edge.tank_config import TankConfig, tank_faults
from edge.till.fill.policy import FillPolicy
from edge.till.policy import Policy
from edge.till.port.policy import PortPolicy
from edge.till.swap.policy import SwapPolicy
from protocols.door import Fault, Refused, check

Id = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Headquarters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[hq]`. keys_file: the public keys that `fieldtill-hq keys` prints, pinned. ca_file: None: the system's own."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https://", description="an address that begins with https://")]
    keys_file: str
    ca_file: str | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 30.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.5, le=120)] = 15.0
    ask_timeout_s: Annotated[float, msgspec.Meta(ge=0.2, le=30)] = 4.0
    """How long a customer waits at the reader for an online grant."""


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[mqtt]`, optional: quick news. ca_file: TLS with this authority; tls = false only on a private line."""

    host: str
    port: Port = 8883
    tls: bool = True
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None


class ConnectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[connector]]`: one place to charge. meter: None: the charger's own, which must then be of billing grade.

    evse_id: as registered, for signed meter records; None: they name site and connector.
    """

    id: Id
    charger: Id
    meter: Id | None = None
    evse_id: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[panel]`: the socket of the command line. group: the Unix group that may use it; None: the daemon's own."""

    socket: str | None = None
    group: str | None = None


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[metrics]`, optional: Prometheus on a local port."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    host: str = "127.0.0.1"


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[page]`, optional: what customers' phones see over the site's own network. host: one of the box's addresses
    there, never one that the internet reaches. title: the site's name for people; None: its id.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None

    def __post_init__(self) -> None:
        try:
            address = ip_address(self.host)
        except ValueError:
            raise ValueError(f"`host` is an IP address of this box, not {self.host!r}") from None
        if address.is_unspecified or address.is_multicast or address.is_global:
            raise ValueError(f"`host` is an address of the site's own network, not {self.host}: the page has no TLS")


class JournalTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[journal]`. retain_days: acknowledged records older than this are pruned behind a signed snapshot; 0: never."""

    retain_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything. Paths are as written, relative ones to the folder of the file."""

    site: Id
    data_dir: str
    hq: Headquarters | None = None
    mqtt: Mqtt | None = None
    line: tuple[LineConfig, ...] = ()
    device: tuple[DeviceConfig, ...] = ()
    connector: tuple[ConnectorConfig, ...] = ()
    controller: tuple[ControllerConfig, ...] = ()
    pump: tuple[PumpConfig, ...] = ()
    tank: tuple[TankConfig, ...] = ()
    board: tuple[BoardConfig, ...] = ()
    cabinet: tuple[CabinetConfig, ...] = ()
    listener: tuple[ListenerConfig, ...] = ()
    port_board: tuple[PortBoardConfig, ...] = ()
    ykc: tuple[YkcConfig, ...] = ()
    reader: tuple[ReaderConfig, ...] = ()
    cards: CardsConfig | None = None
    till: Policy = Policy()
    swap: SwapPolicy = SwapPolicy()
    fuel: FillPolicy = FillPolicy()
    ports: PortPolicy = PortPolicy()
    charging: Charging = Charging()
    budget: Budget | None = None
    panel: Panel = Panel()
    metrics: Metrics | None = None
    page: Page | None = None
    counter: CounterConfig | None = None
    profiles_dir: str | None = None
    second_copy: str | None = None
    journal: JournalTable = JournalTable()
    ballast_mb: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 64

    @property
    def journal_path(self) -> Path:
        return Path(self.data_dir) / "journal.db"

    @property
    def keys_dir(self) -> Path:
        return Path(self.data_dir) / "keys"

    @property
    def socket_path(self) -> Path:
        return Path(self.panel.socket) if self.panel.socket else Path(self.data_dir) / "panel.sock"


def load(path: Path) -> Config:
    """Raises Refused with every fault, a file that is missing or is not TOML included."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(
            str(path), [Fault("", "a config file", "no such file", "Copy config.toml.example and edit it.")]
        ) from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, not TOML, a number too long
        raise Refused(str(path), [Fault("", "a readable TOML file", str(error))]) from error
    config, faults = check(data, Config)
    if config is not None:
        faults = cross_check(config)
    if config is None or faults:
        raise Refused(str(path), faults)
    return _rooted(config, path.parent)


def cross_check(config: Config) -> list[Fault]:
    """Names that do not meet: ids used twice, and references to what is not there."""
    lines = [line.id for line in config.line]
    controllers = [controller.id for controller in config.controller]
    devices = [device.id for device in config.device]
    connectors = [connector.id for connector in config.connector]
    boards = [board.id for board in config.board] + [board.id for board in config.port_board]
    cabinets = [cabinet.id for cabinet in config.cabinet]
    piles = [pile for platform in config.ykc for pile in platform.pile]
    faults = [
        *_twice("line", [*lines, *controllers, *(listener.id for listener in [*config.listener, *config.ykc])]),
        *_twice("device", [*devices, *(pump.id for pump in config.pump), *boards, *cabinets, *(p.id for p in piles)]),
        *_twice("pump number", [str(pump.number) for pump in config.pump]),
        *_twice("pump or cabinet number", _numbers(config)),
        *_twice("port board number", [str(one.number) for one in config.port_board] + [str(p.number) for p in piles]),
        *_twice("connector", connectors),
        *_twice("connector or pump", [*dict.fromkeys(connectors), *{pump.id: pump for pump in config.pump}]),
        *_twice("reader", [reader.id for reader in config.reader]),
        *_twice("connector charger", [connector.charger for connector in config.connector]),
        *_twice("connector meter", [connector.meter for connector in config.connector if connector.meter]),
    ]
    for index, device in enumerate(config.device):
        faults += _known(f"device[{index}].line", device.line, lines)
        if device.speaks_modbus and device.address is not None:
            faults.append(Fault(f"device[{index}].address", "`unit`, as of Modbus devices", device.address))
        if not device.speaks_modbus and (device.unit is not None or device.overrides):
            expected = f"no `unit` and no `overrides` for {device.profile}"
            faults.append(Fault(f"device[{index}]", expected, "one of them"))
    for index, connector in enumerate(config.connector):
        faults += _known(f"connector[{index}].charger", connector.charger, devices)
        if connector.meter is not None:
            faults += _known(f"connector[{index}].meter", connector.meter, devices)
    for index, pump in enumerate(config.pump):
        if pump.line is not None:
            faults += _known(f"pump[{index}].line", pump.line, lines)
        if pump.controller is not None:
            faults += _known(f"pump[{index}].controller", pump.controller, controllers)
    if config.budget is not None and config.budget.meter is not None:
        faults += _known("budget.meter", config.budget.meter, devices)
    faults += pump_faults(config.line, config.controller, config.device, config.pump)
    faults += tank_faults(config.tank, config.device, config.pump)
    faults += cabinet_faults(config.line, config.device, config.pump, config.board, config.cabinet)
    faults += port_faults(config.line, config.listener, config.port_board, _spoken(config))
    faults += ykc_faults(config.ykc, config.listener)
    pumps = [name for pump in config.pump for name in (pump.id, str(pump.number))]
    faults += reader_faults(config.reader, config.line, connectors, pumps, cabinets)
    for index, reader in enumerate(config.reader):
        if reader.board is not None:
            with_ports = [board.id for board in config.port_board] + [pile.id for pile in piles]
            faults += _known(f"reader[{index}].board", reader.board, with_ports)
    return faults


def doubts(config: Config) -> list[str]:
    """What is no fault but mostly a mistake, for `fieldtill check`."""
    return [
        *pump_doubts(config.line, config.pump),
        *cabinet_doubts(config.line, config.board, config.cabinet, config.charging.silent_s),
        *port_doubts(config.line, config.listener, config.port_board),
        *ykc_doubts(config.ykc),
        *reader_doubts(config.reader, config.cards),
    ]


def _spoken(config: Config) -> dict[str, set[str]]:
    """What is spoken on each line, but for port boards."""
    spoken: dict[str, set[str]] = {line.id: set() for line in config.line}
    said = [(device.line, device.profile if not device.speaks_modbus else "modbus") for device in config.device]
    said += [(pump.line, pump.protocol) for pump in config.pump if pump.line is not None]
    said += [(board.line, f"{board.protocol} boards") for board in config.board]
    for cabinet in config.cabinet:
        packs = [slot.pack.link for slot in slot_plans(cabinet) if slot.pack is not None]
        said += [(pack.line, f"{pack.protocol} packs") for pack in packs]
    for line, protocol in said:
        spoken.setdefault(line, set()).add(protocol)
    return spoken


def _numbers(config: Config) -> list[str]:
    """What customers read on pumps and cabinets: one name at the page and in commands. A pump's own is told apart."""
    pumps = {str(pump.number): pump for pump in config.pump}
    return [*pumps, *(str(one.number) for one in config.cabinet if one.number is not None)]


def _twice(what: str, ids: list[str]) -> list[Fault]:
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    return [Fault(what, "each id once", f"`{name}` {ids.count(name)} times", "Rename one.") for name in repeated]


def _known(path: str, name: str, names: Iterable[str]) -> list[Fault]:
    if name in names:
        return []
    return [Fault(path, f"one of {', '.join(sorted(set(names))) or '(none defined)'}", f"`{name}`")]


def _rooted(config: Config, root: Path) -> Config:
    """Relative paths start at the config file's own folder, wherever the daemon was started."""

    def rooted(name: str | None) -> str | None:
        return None if name is None else str((root / name).absolute())

    hq = config.hq and msgspec.structs.replace(
        config.hq, keys_file=rooted(config.hq.keys_file), ca_file=rooted(config.hq.ca_file)
    )
    mqtt = config.mqtt and msgspec.structs.replace(
        config.mqtt, ca_file=rooted(config.mqtt.ca_file), password_file=rooted(config.mqtt.password_file)
    )
    controllers = tuple(
        msgspec.structs.replace(one, password_file=rooted(one.password_file), ca_file=rooted(one.ca_file))
        for one in config.controller
    )
    return msgspec.structs.replace(
        config,
        data_dir=rooted(config.data_dir),
        controller=controllers,
        hq=hq,
        mqtt=mqtt,
        ykc=rooted_ykc(config.ykc, root),
        panel=msgspec.structs.replace(config.panel, socket=rooted(config.panel.socket)),
        counter=config.counter and msgspec.structs.replace(config.counter, path=rooted(config.counter.path)),
        profiles_dir=rooted(config.profiles_dir),
        second_copy=rooted(config.second_copy),
    )
