"""Which port-board protocols are there? From what a site's config says of a board to the board itself.

A driver is loaded when the first board of its protocol is built, so that a site pays in memory for what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drivers.line import Line
from drivers.port_board import PortBoard
from drivers.ports.config import ListenerConfig, PortBoardConfig, Protocol, UnixMs
from drivers.ports.listener import Listener


def build_port_board(config: PortBoardConfig, on: Line | Listener, unix_ms: UnixMs) -> PortBoard:
    """The board, attached to its line or listener; nothing is sent until its `run` or a method that asks.

    Raises door.Refused with every fault, those of its options included.
    """
    return DRIVERS[config.protocol](on, config, unix_ms)


def build_listener(config: ListenerConfig) -> Listener:
    """The port that `dny-tcp` boards connect to; not open until its `run`."""
    from drivers.ports.dny_tcp import DnySwitchboard

    return Listener(config, DnySwitchboard())


def _dny(on: Line, config: PortBoardConfig, unix_ms: UnixMs) -> PortBoard:
    from drivers.ports.dny_line import dny_on_line

    return dny_on_line(on, config, unix_ms)


def _dny_tcp(on: Listener, config: PortBoardConfig, unix_ms: UnixMs) -> PortBoard:
    from drivers.ports.dny_tcp import dny_on_listener

    return dny_on_listener(on, config, unix_ms)


def _dongjun(on: Line, config: PortBoardConfig, unix_ms: UnixMs) -> PortBoard:
    from drivers.ports.dongjun import DongjunBoard

    return DongjunBoard(on, config)


# Protocol -> what drives a board. A new protocol is a new line.
DRIVERS: Final[Mapping[Protocol, Callable[..., PortBoard]]] = {
    "dny": _dny,
    "dny-tcp": _dny_tcp,
    "dongjun": _dongjun,
}
