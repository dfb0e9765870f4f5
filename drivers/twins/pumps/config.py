"""What a file says of simulated pumps: the lines they hang on, their nozzles, and who comes to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from drivers.pump import Decimals
from drivers.pumps.config import DecimalsConfig, Grade
from drivers.twins.pumps.faults import PumpFault

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class PumpLineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[pump_line]]`: one wire, or one controller in the network.

    kind: a paced pty, with a symlink at `link` if given, or an unpaced port; a controller always has a port. baud: None
    is the protocol's. port 0: the system chooses. echo: the host hears itself, as on a current loop. speed: how much
    faster the pumps' time runs. options: of a controller.
    """

    id: str
    protocol: str
    kind: Literal["pty", "tcp"] = "pty"
    baud: Annotated[int, msgspec.Meta(ge=300, le=921_600)] | None = None
    link: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    echo: bool = False
    speed: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    options: dict[str, str | int | bool] = {}


class TwinNozzleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One nozzle. number: None is the next one. price_e3: thousandths of a fen per litre; None: it has none yet."""

    grade: Grade
    number: Annotated[int, msgspec.Meta(ge=1, le=15)] | None = None
    price_e3: Annotated[int, msgspec.Meta(ge=1)] | None = None
    total_ml: NotNegative = 0
    total_fen: NotNegative = 0


class TwinPumpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[pump]]`: one fuelling point.

    address: None is the next one of its line. decimals: None is as its protocol's heads usually have them. head: how
    this one differs from those, by the names of `parts.Head`. options: what its protocol's twin asks alone. customers:
    as `customer.parse_customers` reads them. faults: in force from the start. seed: of customers, noise and chances.
    """

    id: str
    line: str
    nozzles: tuple[TwinNozzleConfig, ...]
    address: NotNegative | None = None
    decimals: DecimalsConfig | None = None
    head: dict[str, int | bool] = {}
    options: dict[str, str | int | bool] = {}
    customers: tuple[str, ...] = ()
    faults: tuple[PumpFault, ...] = ()
    seed: int = 0

    def scales(self, usual: Decimals) -> Decimals:
        """Where the points stand in its digits."""
        if self.decimals is None:
            return usual
        plain: dict[str, Any] = msgspec.structs.asdict(self.decimals)
        return Decimals(**plain)
