"""What must be written down about a pack link?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from drivers.line_config import LineConfig
from protocols.door import Refused, check

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741  # the options of one protocol

Protocol = Literal["greenway", "jbd", "jk4e57", "daly", "daly-modbus", "pace", "seplos", "vmo"]
WakesBy = Literal["frame", "charger", "none"]


@dataclass(frozen=True, slots=True)
class Wire:
    """How a protocol travels, and how patient one is with it.

    address: every pack's as it comes, and so the default. addresses: what it can be. bauds: the usual first; all 8N1.
    timeout_s: until the first byte of an answer. late_s: how much later one may still come. tries: questions until a
    pack counts as silent. gap_s: rest between two questions. wakes_by: what wakes a sleeping one. read_s: about so long
    takes one reading of a pack that has dozed while others were asked, the switching of its relay included.
    """

    address: int
    addresses: range
    bauds: tuple[int, ...]
    timeout_s: float
    late_s: float
    tries: int
    gap_s: float
    wakes_by: WakesBy
    read_s: float

    def misfit(self, line: LineConfig) -> str | None:
        """What of a serial line's settings does not fit, in words; None: all does."""
        if line.baud in self.bauds and line.mode == "8N1":
            return None
        return f"{line.baud} baud {line.mode}"


# Time-outs and tries: facts, cabinets 9, where each sans-IO module has them from too. Readings: of greenway as measured
# (`python -m bench shop`); of others the time of their frames, one question that is missed, and the relay.
WIRES: Final[dict[Protocol, Wire]] = {
    "greenway": Wire(0x0116, range(1, 0x10000), (9600,), 0.15, 0.1, 4, 0.0, "charger", 0.8),
    "jbd": Wire(0, range(1), (9600,), 0.3, 0.1, 2, 0.0, "frame", 0.7),
    "jk4e57": Wire(0, range(1), (115200,), 0.5, 0.2, 2, 0.1, "frame", 0.5),
    "daly": Wire(0x40, range(0x40, 0x81), (9600,), 0.5, 0.2, 3, 0.02, "charger", 1.2),
    "daly-modbus": Wire(0xD2, range(1, 248), (9600,), 0.5, 0.2, 3, 0.0, "charger", 1.1),
    "pace": Wire(1, range(256), (9600, 19200), 2.0, 1.0, 2, 0.0, "none", 0.8),
    "seplos": Wire(0, range(256), (19200, 9600), 2.0, 1.0, 2, 0.0, "none", 0.5),
    "vmo": Wire(1, range(1, 32), (115200,), 0.1, 0.1, 3, 0.0, "none", 0.05),
}


MODBUS: Final[frozenset[Protocol]] = frozenset({"daly-modbus", "vmo"})
"""These may share a line with Modbus devices."""
ADDRESSED: Final[frozenset[Protocol]] = frozenset({"vmo"})
"""What answers is the slot's own board, with an address of its own: several may share a line."""


class PackLinkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data wire of one slot.

    line: the id of the line that it is, alone or behind the relay of this slot. address: by the protocol's own count;
    None: the one that packs come with. timeout_ms: until the first byte of an answer; None: the protocol's. wakes_by:
    what wakes a sleeping pack, where these are other than usual. options: what one protocol alone asks of its packs;
    `drivers/packs/options.py` says what there is.
    """

    protocol: Protocol
    line: str
    address: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None = None
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] | None = None
    wakes_by: WakesBy | None = None
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        addresses = WIRES[self.protocol].addresses
        if self.address is not None and self.address not in addresses:
            raise ValueError(
                f"`address` of `{self.protocol}` is {addresses[0]} to {addresses[-1]}"
                f" (0x{addresses[0]:02X} to 0x{addresses[-1]:02X}), not {self.address}"
            )

    @property
    def wire(self) -> Wire:
        return WIRES[self.protocol]

    @property
    def pack_address(self) -> int:
        return self.wire.address if self.address is None else self.address

    def options_as(self, into: type[O]) -> O:
        """The options, typed. Raises door.Refused with every fault."""
        options, faults = check(self.options, into, "options")
        if options is None or faults:
            raise Refused(f"pack link on {self.line}", faults)
        return options
