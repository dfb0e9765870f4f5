"""What must be written down about a lock, relay or slot board?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from drivers.line_config import LineConfig
from protocols.door import Refused, check

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741  # the options of one protocol

Protocol = Literal["xor", "kerong", "xunming", "relay", "vmo", "thermometer"]
Feedback = Literal["nc", "no"]
"""How locks' feedback contacts are wired. nc: what the board sees is set while locked; no: it is set while unlocked."""

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]


@dataclass(frozen=True, slots=True)
class Wire:
    """How a board's protocol travels. family: boards of one family may share a line, and then need other addresses.

    bauds: as they leave the factory. All are 8N1.
    """

    family: Literal["modbus", "lock-xor", "kerong"]
    addresses: range
    bauds: tuple[int, ...]

    def misfit(self, line: LineConfig) -> str | None:
        """What of a serial line's settings is not usual, in words; None: all is."""
        if line.baud in self.bauds and line.mode == "8N1":
            return None
        return f"{line.baud} baud {line.mode}"


WIRES: Final[dict[Protocol, Wire]] = {
    "xor": Wire("lock-xor", range(1, 33), (9600,)),
    "kerong": Wire("kerong", range(16), (9600, 19200)),
    "xunming": Wire("modbus", range(1, 248), (115200, 9600)),
    "relay": Wire("modbus", range(1, 256), (9600,)),
    "vmo": Wire("modbus", range(1, 32), (115200,)),
    "thermometer": Wire("modbus", range(1, 248), (9600,)),
}


class BoardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[board]]`: one board on a line.

    address: by the protocol's own count. feedback: of all its locks; None: not known, so that nothing is made of it
    (KERONG's protocol says it by itself). poll_s: seconds between two readings of its inputs; None: 0.25. serial: what
    stands on its plate. options: what one protocol alone asks; the driver's own options struct says what there is.
    """

    id: Name
    protocol: Protocol
    line: str
    address: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    feedback: Feedback | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=0.02, le=60)] | None = None
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        addresses = WIRES[self.protocol].addresses
        if self.address not in addresses:
            raise ValueError(f"`address` of `{self.protocol}` is {addresses[0]} to {addresses[-1]}, not {self.address}")

    def options_as(self, into: type[O]) -> O:
        """The options, typed. Raises door.Refused with every fault."""
        options, faults = check(self.options, into, "options")
        if options is None or faults:
            raise Refused(f"board {self.id}", faults)
        return options
