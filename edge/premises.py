"""The hardware of a site, put together from the config: lines, devices and pumps on them, the outlets they form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.api import Charger, Device, Meter
from drivers.gauge import TankGauge
from drivers.line import Line
from drivers.pump import Pump
from drivers.pumps.registry import build_controller, build_pump
from drivers.registry import build_device, profile_of
from edge.config import Config, ConnectorConfig
from edge.plant.watch import Outlet
from protocols.door import Fault, Refused
from protocols.proof.ocmf_session import Plate

if TYPE_CHECKING:
    from drivers.boards.board import Board
    from drivers.cabinets.cabinet import BoardCabinet
    from drivers.port_board import PortBoard
    from drivers.ports.config import UnixMs
    from drivers.ports.listener import Listener
    from drivers.pumps.pts_controller import PtsController


@dataclass(frozen=True, slots=True)
class Premises:
    """Everything that is attached. Nothing here has been opened yet."""

    lines: dict[str, Line]
    devices: dict[str, Device]
    outlets: dict[str, Outlet]
    pumps: dict[str, Pump] = field(default_factory=dict)
    controllers: dict[str, PtsController] = field(default_factory=dict)
    gauges: dict[str, TankGauge] = field(default_factory=dict)
    boards: dict[str, Board] = field(default_factory=dict)
    cabinets: dict[str, BoardCabinet] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    port_boards: dict[str, PortBoard] = field(default_factory=dict)

    def meter(self, name: str | None) -> Meter | None:
        """The meter of this name. None: there is none."""
        device = self.devices.get(name or "")
        return device if isinstance(device, Meter) else None

    def carriers(self) -> Iterator[Line | PtsController | Listener]:
        """What all that hangs on, each of which keeps itself up."""
        yield from self.lines.values()
        yield from self.controllers.values()
        yield from self.listeners.values()

    def everything(self) -> Iterator[Device]:
        """All that may be silent: devices, pumps, boards, the cabinets made of them, and port boards."""
        yield from self.devices.values()
        yield from self.pumps.values()
        yield from self.boards.values()
        yield from self.cabinets.values()
        yield from self.port_boards.values()


def build(config: Config, unix_ms: UnixMs = lambda: None) -> Premises:
    """unix_ms: the time, for boards that ask; None: not known well enough.

    Raises Refused with every fault: profiles that are not there or are wrong, kinds that do not fit their place.
    """
    lines = {line.id: Line(line) for line in config.line}
    devices: dict[str, Device] = {}
    faults: list[Fault] = []
    folder = Path(config.profiles_dir) if config.profiles_dir else None
    for index, device in enumerate(config.device):
        try:
            devices[device.id] = build_device(device, lines[device.line], folder)
        except Refused as refused:
            faults += _within(f"device[{index}]", refused)
    controllers: dict[str, PtsController] = {}
    for index, controller in enumerate(config.controller):
        try:
            controllers[controller.id] = build_controller(controller)
        except Refused as refused:
            faults += _within(f"controller[{index}]", refused)
    pumps, refusals = _pumps(config, {**lines, **controllers})
    faults += refusals
    outlets: dict[str, Outlet] = {}
    for index, connector in enumerate(config.connector):
        outlet, found = _outlet(f"connector[{index}]", connector, devices)
        faults += found
        if outlet is not None:
            outlets[connector.id] = outlet
    gauges: dict[str, TankGauge] = {}
    for index, tank in enumerate(config.tank):
        gauge = devices.get(tank.gauge or "")
        if isinstance(gauge, TankGauge):
            gauges[tank.id] = gauge
        elif gauge is not None:
            faults.append(Fault(f"tank[{index}].gauge", "a gauge", f"`{tank.gauge}`, a {gauge.profile_id}"))
    main = None if config.budget is None else devices.get(config.budget.meter or "")
    if main is not None and not isinstance(main, Meter):
        faults.append(Fault("budget.meter", "a meter", f"`{main.id}`, a {main.profile_id}"))
    boards, cabinets, refusals = _cabinets(config, lines, devices)
    faults += refusals
    listeners, port_boards, refusals = _port_boards(config, lines, unix_ms)
    faults += refusals
    if faults:
        raise Refused("config", faults)
    return Premises(lines, devices, outlets, pumps, controllers, gauges, boards, cabinets, listeners, port_boards)


def meter_plates(config: Config) -> dict[str, Plate]:
    """What is known of each device that may be a meter, by its id, for signed meter records. `build` has passed."""
    folder = Path(config.profiles_dir) if config.profiles_dir else None
    plates: dict[str, Plate] = {}
    for device in config.device:
        if not device.speaks_modbus:
            plates[device.id] = Plate(serial=device.serial or device.address or "")
            continue
        about = profile_of(device, folder).device
        model = about.models[0] if len(about.models) == 1 else None  # the profile does not say which of them this is
        plates[device.id] = Plate(serial=device.serial or "", maker=about.maker, model=model)
    return plates


def _pumps(config: Config, places: Mapping[str, Line | PtsController]) -> tuple[dict[str, Pump], list[Fault]]:
    """places: what pumps hang on, by its id; one whose own fault has been said is missing, and so are its pumps."""
    pumps: dict[str, Pump] = {}
    faults: list[Fault] = []
    for index, pump in enumerate(config.pump):
        place = places.get(pump.line or pump.controller or "")
        if place is None:
            continue
        try:
            pumps[pump.id] = build_pump(pump, place)
        except Refused as refused:
            faults += _within(f"pump[{index}]", refused)
    return pumps, faults


def _cabinets(
    config: Config, lines: Mapping[str, Line], devices: Mapping[str, Device]
) -> tuple[dict[str, Board], dict[str, BoardCabinet], list[Fault]]:
    """Boards, and the cabinets on them, which are put together only from boards and devices that are all there."""
    if not config.board:
        return {}, {}, []
    from drivers.boards.registry import build_board  # a site without them pays no memory for them

    boards: dict[str, Board] = {}
    faults: list[Fault] = []
    for index, board in enumerate(config.board):
        try:
            boards[board.id] = build_board(board, lines[board.line])
        except Refused as refused:
            faults += _within(f"board[{index}]", refused)
    if faults or not config.cabinet or len(devices) < len(config.device):
        return boards, {}, faults
    from drivers.cabinets.registry import build_cabinets

    try:
        return boards, build_cabinets(config.cabinet, boards, lines, devices), []
    except Refused as refused:
        return boards, {}, list(refused.faults)


def _port_boards(
    config: Config, lines: Mapping[str, Line], unix_ms: UnixMs
) -> tuple[dict[str, Listener], dict[str, PortBoard], list[Fault]]:
    if not config.port_board and not config.listener and not config.ykc:
        return {}, {}, []
    from drivers.ports.registry import build_listener, build_port_board  # a site without them pays no memory for them

    listeners = {listener.id: build_listener(listener) for listener in config.listener}
    places: dict[str, Line | Listener] = {**lines, **listeners}
    boards: dict[str, PortBoard] = {}
    faults: list[Fault] = []
    for index, board in enumerate(config.port_board):
        try:
            boards[board.id] = build_port_board(board, places[board.line or board.listener or ""], unix_ms)
        except Refused as refused:
            faults += _within(f"port_board[{index}]", refused)
    for index, platform in enumerate(config.ykc):
        from drivers.ports.ykc_switchboard import build_ykc

        try:
            listeners[platform.id], piles = build_ykc(platform, unix_ms)
            boards |= {pile.id: pile for pile in piles}
        except Refused as refused:
            faults += _within(f"ykc[{index}]", refused)
    return listeners, boards, faults


def _within(path: str, refused: Refused) -> list[Fault]:
    return [Fault(f"{path} {fault.path}", fault.expected, fault.got, fault.remedy) for fault in refused.faults]


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
