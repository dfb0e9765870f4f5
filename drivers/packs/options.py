"""How do packs of one protocol differ, as far as a site must say it?

cells: read the voltage of every cell with every reading; it costs another question. charge_switch: the pack's own
charge switch may be used. Where sources disagree the option has no right value for all packs: `docs/packs.md` says how
to find out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.fieldbus.daly_app import Sign
from protocols.fieldbus.daly_app import SwitchOn as DalySwitchOn
from protocols.fieldbus.pace_app import KELVIN_PACE_DC, KELVIN_SEPLOS_DC
from protocols.fieldbus.pace_app import SwitchOn as PaceSwitchOn

Signs = Literal["above-discharges", "above-charges"]
SwitchOns = Literal["one", "zero"]
KelvinDc = Annotated[int, msgspec.Meta(ge=KELVIN_PACE_DC, le=KELVIN_SEPLOS_DC)]

SIGNS: dict[Signs, Sign] = {"above-discharges": Sign.ABOVE_DISCHARGES, "above-charges": Sign.ABOVE_CHARGES}
DALY_ON: dict[SwitchOns, DalySwitchOn] = {"one": DalySwitchOn.ONE, "zero": DalySwitchOn.ZERO}
PACE_ON: dict[SwitchOns, PaceSwitchOn] = {"one": PaceSwitchOn.ONE, "zero": PaceSwitchOn.ZERO}


class GreenwayOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "greenway"`."""

    cells: bool = False


class JbdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "jbd"`. charge_switch: by register E1; boards after V13 have another and refuse it."""

    cells: bool = False
    charge_switch: bool = False


class Jk4e57Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "jk4e57"`."""

    charge_switch: bool = False


class DalyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "daly"`.

    sign: what a raw current above 30000 means. switch_on: the byte that turns a switch on. filler: what questions are
    filled with, 0 or AAh; some cheap UARTs find the frame better in the latter.
    """

    sign: Signs = "above-discharges"
    switch_on: SwitchOns = "one"
    filler: Literal[0, 0xAA] = 0
    cells: bool = False
    charge_switch: bool = False


class DalyModbusOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "daly-modbus"`. sign: as with `daly`. registers: how many a reading asks for."""

    sign: Signs = "above-charges"
    registers: Literal[62, 80] = 62
    charge_switch: bool = False


class PaceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "pace"`.

    kind: CID1, 46h for iron phosphate, 4Fh for lithium ion. kelvin_dc: 0 C in tenths of a kelvin, 2730 or 2731.
    switch_on: the byte that turns a switch on; None: not known, so the charge switch cannot be used.
    """

    kind: Literal[0x46, 0x4F] = 0x46
    kelvin_dc: KelvinDc = KELVIN_PACE_DC
    switch_on: SwitchOns | None = None
    charge_switch: bool = False

    def __post_init__(self) -> None:
        if self.charge_switch and self.switch_on is None:
            raise ValueError("`charge_switch` needs `switch_on`: the one source says both")


class VmoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "vmo"`: none."""


class SeplosOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` with `protocol = "seplos"`."""

    kind: Literal[0x46, 0x4F] = 0x46
    kelvin_dc: KelvinDc = KELVIN_SEPLOS_DC
