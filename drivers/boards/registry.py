"""Which boards are there? From what a site's config says of a board to the board itself.

A dialogue is loaded when the first board of its protocol is built, so that a site pays in memory for what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from drivers.boards.board import Board
from drivers.boards.channels import Channels
from drivers.boards.config import BoardConfig, Feedback, Protocol
from drivers.line import Line


def build_board(config: BoardConfig, line: Line) -> Board:
    """The board, attached to its line; nothing is sent until its `run`, or a method that asks.

    Raises door.Refused with every fault of its options.
    """
    module, talk = DIALOGUES[config.protocol]()
    module.channels_of(config)
    return Board(config, talk(line, config), known_feedback(config.protocol))


def channels_of(config: BoardConfig) -> Channels:
    """What the board has. Raises door.Refused with every fault of its options."""
    channels: Channels = DIALOGUES[config.protocol]()[0].channels_of(config)
    return channels


def known_feedback(protocol: Protocol) -> Feedback | None:
    """What the protocol itself says of its locks' contacts. None: vendors wire them both ways."""
    return "no" if protocol == "kerong" else None


def _xor() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import xor

    return xor, xor.XorTalk


def _kerong() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import kerong

    return kerong, kerong.KerongTalk


def _xunming() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import xunming

    return xunming, xunming.XunmingTalk


def _relay() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import relay

    return relay, relay.RelayTalk


def _vmo() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import vmo

    return vmo, vmo.VmoTalk


def _thermometer() -> tuple[ModuleType, Callable[..., Any]]:
    from drivers.boards import thermometer

    return thermometer, thermometer.ThermometerTalk


# Protocol -> its module and what speaks it. A new protocol is a new line here.
DIALOGUES: Final[Mapping[Protocol, Callable[[], tuple[ModuleType, Callable[..., Any]]]]] = {
    "xor": _xor,
    "kerong": _kerong,
    "xunming": _xunming,
    "relay": _relay,
    "vmo": _vmo,
    "thermometer": _thermometer,
}
