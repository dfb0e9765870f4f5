"""Which pack protocols are there? From what a site's config says of a slot's data wire to the link itself.

A protocol is loaded when its first link is built, so that a site pays in memory for what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drivers.line import Line
from drivers.packs.bms import BmsLink, Tongue
from drivers.packs.config import PackLinkConfig, Protocol
from drivers.packs.talk import PackTalk
from protocols.door import Refused


def build_pack_link(config: PackLinkConfig, line: Line, name: str = "pack") -> BmsLink:
    """The link, attached to its line under `name`; nothing is sent until a read.

    Raises door.Refused with every fault of its options.
    """
    talk = PackTalk(config, line, name)
    try:
        return BmsLink(config, talk, TONGUES[config.protocol](config, talk))
    except Refused:
        talk.device.detach()
        raise


def _greenway(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.greenway import GreenwayTongue
    from drivers.packs.options import GreenwayOptions

    return GreenwayTongue(talk, config.pack_address, config.options_as(GreenwayOptions))


def _jbd(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.jbd import JbdTongue
    from drivers.packs.options import JbdOptions

    return JbdTongue(talk, config.options_as(JbdOptions))


def _jk4e57(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.jk4e57 import Jk4e57Tongue
    from drivers.packs.options import Jk4e57Options

    return Jk4e57Tongue(talk, config.options_as(Jk4e57Options))


def _daly(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.daly import DalyTongue
    from drivers.packs.options import DalyOptions

    return DalyTongue(talk, config.pack_address, config.options_as(DalyOptions))


def _daly_modbus(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.daly_modbus import DalyModbusTongue
    from drivers.packs.options import DalyModbusOptions

    return DalyModbusTongue(talk, config.pack_address, config.options_as(DalyModbusOptions))


def _pace(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.options import PaceOptions
    from drivers.packs.pace import PaceTongue

    return PaceTongue(talk, config.pack_address, config.options_as(PaceOptions))


def _seplos(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.options import SeplosOptions
    from drivers.packs.pace import SeplosTongue

    return SeplosTongue(talk, config.pack_address, config.options_as(SeplosOptions))


def _vmo(config: PackLinkConfig, talk: PackTalk) -> Tongue:
    from drivers.packs.options import VmoOptions
    from drivers.packs.vmo import VmoTongue

    config.options_as(VmoOptions)
    return VmoTongue(talk, config.pack_address)


# Protocol -> what speaks it. A new protocol is a new line here.
TONGUES: Final[Mapping[Protocol, Callable[[PackLinkConfig, PackTalk], Tongue]]] = {
    "greenway": _greenway,
    "jbd": _jbd,
    "jk4e57": _jk4e57,
    "daly": _daly,
    "daly-modbus": _daly_modbus,
    "pace": _pace,
    "seplos": _seplos,
    "vmo": _vmo,
}
