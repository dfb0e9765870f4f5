"""Which pump protocols are there? From what a site's config says of a pump to the pump itself.

A driver is loaded when the first pump of its protocol is built, so that a site pays in memory for what it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from drivers.line import Line
from drivers.pump import Pump
from drivers.pumps.config import Protocol, PumpConfig
from drivers.pumps.probe import Sign

if TYPE_CHECKING:
    from drivers.pumps.pts_config import ControllerConfig
    from drivers.pumps.pts_controller import PtsController

Probe = Callable[..., Awaitable[Sign | None]]
"""`probe(line, address, timeout_s=...)`: who is there, by harmless questions; None: nobody answers."""


def build_pump(config: PumpConfig, on: Line | PtsController) -> Pump:
    """The pump, attached to its line or controller; nothing is sent until its `run` or a read.

    Raises door.Refused with every fault, those of its options included.
    """
    return DRIVERS[config.protocol](on, config)


def build_controller(config: ControllerConfig) -> PtsController:
    """The controller that pumps of protocol `pts` hang on. Raises door.Refused."""
    from drivers.pumps.pts_controller import PtsController

    return PtsController(config)


def probe_of(protocol: Protocol) -> Probe:
    """How to ask who is there. Not for `pts`, whose controller knows its pumps."""
    return PROBES[protocol]()


def _dart(on: Line, config: PumpConfig) -> Pump:
    from drivers.pumps.dart import DartPump

    return DartPump(on, config)


def _gilbarco(on: Line, config: PumpConfig) -> Pump:
    from drivers.pumps.gilbarco import GilbarcoPump

    return GilbarcoPump(on, config)


def _azt(on: Line, config: PumpConfig) -> Pump:
    from drivers.pumps.azt import AztPump

    return AztPump(on, config)


def _sanki(on: Line, config: PumpConfig) -> Pump:
    from drivers.pumps.sanki import SankiPump

    return SankiPump(on, config)


def _pts(on: PtsController, config: PumpConfig) -> Pump:
    from drivers.pumps.pts import PtsPump

    return PtsPump(on, config)


def _probe_dart() -> Probe:
    from drivers.pumps.dart_probe import probe

    return probe


def _probe_gilbarco() -> Probe:
    from drivers.pumps.gilbarco import probe

    return probe


def _probe_azt() -> Probe:
    from drivers.pumps.azt import probe

    return probe


def _probe_sanki() -> Probe:
    from drivers.pumps.sanki import probe

    return probe


# Protocol -> what drives a pump, and what looks for one. A new protocol is a new line in each.
DRIVERS: Final[Mapping[Protocol, Callable[..., Pump]]] = {
    "dart": _dart,
    "gilbarco": _gilbarco,
    "azt": _azt,
    "sanki": _sanki,
    "pts": _pts,
}
PROBES: Final[Mapping[Protocol, Callable[[], Probe]]] = {
    "gilbarco": _probe_gilbarco,
    "dart": _probe_dart,
    "azt": _probe_azt,
    "sanki": _probe_sanki,
}
