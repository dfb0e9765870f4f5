"""What must be written down about a pump?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from drivers.line_config import LineConfig
from drivers.pump import Decimals
from protocols.door import Refused, check

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741  # the options of one protocol

Protocol = Literal["dart", "gilbarco", "azt", "sanki", "pts"]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]
Grade = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,15}$",
        description='a grade such as "92": 1 to 16 letters, digits and . _ + -, a letter or digit first',
    ),
]


@dataclass(frozen=True, slots=True)
class Wire:
    """How a protocol travels: the addresses it has, and the settings of a serial line that it is known to use.

    scanned: the addresses that pumps mostly have. answer_s: the longest until the first byte of an answer.
    """

    addresses: range
    scanned: range
    answer_s: float = 0.5
    bauds: tuple[int, ...] = ()
    data_bits: int = 8
    parity: str = "N"
    stop_bits: int = 1

    @property
    def mode(self) -> str:
        """Such as `8E1`."""
        return f"{self.data_bits}{self.parity}{self.stop_bits}"

    def misfit(self, line: LineConfig) -> str | None:
        """What of a serial line's settings does not fit, in words; None: all does."""
        if line.baud in self.bauds and line.mode == self.mode:
            return None
        return f"{line.baud} baud {line.mode}"


WIRES: Final[dict[Protocol, Wire]] = {
    "dart": Wire(range(0x50, 0xD0), range(0x50, 0x70), 0.12, (9600, 19200), parity="O"),
    "gilbarco": Wire(range(1, 17), range(1, 17), 0.1, (5787, 5760, 9600), parity="E"),
    "azt": Wire(range(1, 226), range(1, 16), 0.4, (4800, 9600, 2400, 19200), data_bits=7, parity="E", stop_bits=2),
    "sanki": Wire(range(1, 100), range(1, 33), 0.3, (9600,), parity="E"),
    "pts": Wire(range(1, 51), range(1, 51)),
}


class NozzleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One nozzle. number: by the pump's own count. tank: where its fuel comes from; None: not followed."""

    number: Annotated[int, msgspec.Meta(ge=1, le=15)]
    grade: Grade
    tank: Name | None = None


class DecimalsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As `drivers.pump.Decimals`, from a file."""

    volume: Annotated[int, msgspec.Meta(ge=0, le=3)] = 2
    amount: Annotated[int, msgspec.Meta(ge=0, le=2)] = 2
    price: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    total_volume: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    total_amount: Annotated[int, msgspec.Meta(ge=0, le=2)] | None = None


class PumpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[pump]]`: one fuelling point, which is one side of a dispenser and one address.

    id: the name in logs and commands. number: what customers read on it. line or controller: the id of what it hangs
    on; `pts` has a controller, all others a line. address: by the protocol's own count (DART 0x50.., others 1..).
    nozzles: at least one, their numbers rising. decimals: where the points stand in its digits. poll_s: seconds
    between polls; None: the protocol's. serial: what stands on its plate. flow_ml_s_max: fastest flow, for margins.
    options: what one protocol alone asks of its heads; the driver's own options struct says what there is.
    """

    id: Name
    number: Annotated[int, msgspec.Meta(ge=1, le=999)]
    protocol: Protocol
    address: Annotated[int, msgspec.Meta(ge=0, le=255)]
    nozzles: tuple[NozzleConfig, ...]
    line: str | None = None
    controller: str | None = None
    decimals: DecimalsConfig = DecimalsConfig()
    poll_s: Annotated[float, msgspec.Meta(ge=0.02, le=60)] | None = None
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] | None = None
    flow_ml_s_max: Annotated[int, msgspec.Meta(ge=100, le=10_000)] = 1_500
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        wanted, unwanted = ("controller", "line") if self.protocol == "pts" else ("line", "controller")
        if getattr(self, wanted) is None or getattr(self, unwanted) is not None:
            raise ValueError(f"`{self.protocol}` hangs on a `{wanted}`, and on no `{unwanted}`")
        addresses = WIRES[self.protocol].addresses
        if self.address not in addresses:
            raise ValueError(
                f"`address` of `{self.protocol}` is {addresses[0]} to {addresses[-1]}"
                f" (0x{addresses[0]:02X} to 0x{addresses[-1]:02X}), not {self.address}"
            )
        numbers = [nozzle.number for nozzle in self.nozzles]
        if not numbers or numbers != sorted(set(numbers)):
            raise ValueError(f"`nozzles` are at least one, each number once, rising; these are {numbers}")

    @property
    def scales(self) -> Decimals:
        """What the pump's digits mean."""
        return Decimals(**msgspec.structs.asdict(self.decimals))

    @property
    def nozzle_numbers(self) -> tuple[int, ...]:
        return tuple(nozzle.number for nozzle in self.nozzles)

    def options_as(self, into: type[O]) -> O:
        """The options, typed. Raises door.Refused with every fault."""
        options, faults = check(self.options, into, "options")
        if options is None or faults:
            raise Refused(f"pump {self.id}", faults)
        return options
