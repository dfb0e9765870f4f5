"""YKC 1.6: how does a pile come on line, show its state, and start and stop a charge?

Each class is one message; what it answers stands in `ykc.ANSWERS`. The result bytes are not of one mind: 0 means done
in some, 1 in others, so that each field says which. (facts: chargers_meters 6.2, 6.3; the document's tables.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Annotated, Final

from protocols.fieldbus.ykc_fields import (
    AmountE2,
    Card,
    Choice,
    EnergyDwh,
    Flag,
    Gun,
    Hex,
    Moment,
    Order,
    Pile,
    Raw,
    Text,
    Uint,
    ZeroUnknown,
)

NO_ORDER: Final = "0" * 32
NO_CARD: Final = "0" * 16

BalanceFen = Annotated[int, Uint(4)]


class Supply(IntEnum):
    """What a pile gives, at login. `ykc_upkeep.Model` counts otherwise."""

    DC = 0
    AC = 1


class Network(IntEnum):
    SIM = 0
    LAN = 1
    WAN = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Login:
    """0x01. version: tenths, 16 is 1.6. sim: digits. operator: of the SIM, as the document numbers them."""

    pile: Pile
    supply: Annotated[int, Choice(Supply)]
    guns: Annotated[int, Uint(1)]
    version: Annotated[int, Uint(1)]
    software: Annotated[str, Text(8)]
    network: Annotated[int, Choice(Network)]
    sim: Annotated[str, Hex(10)]
    operator: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """0x02."""

    pile: Pile
    welcome: Annotated[bool, Flag(yes=0)]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """0x03, of each gun every `ykc.HEARTBEAT_S`."""

    pile: Pile
    gun: Gun
    sound: Annotated[bool, Flag(yes=0)]


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """0x04. After three that stay away the pile logs in again."""

    pile: Pile
    gun: Gun
    zero: Annotated[int, Uint(1)] = 0


@dataclass(frozen=True, slots=True)
class SetTime:
    """0x56. time: in the pile's zone."""

    pile: Pile
    time: Annotated[datetime | None, Moment()]


@dataclass(frozen=True, slots=True)
class SetTimeAnswer:
    """0x55. time: the pile's own, now."""

    pile: Pile
    time: Annotated[datetime | None, Moment()]


class GunStatus(IntEnum):
    OFFLINE = 0
    FAULT = 1
    IDLE = 2
    CHARGING = 3


class Holder(IntEnum):
    """Whether the gun hangs where it belongs."""

    OUT = 0
    IN = 1
    UNKNOWN = 2  # the pile cannot tell


class PileFault(IntFlag):
    """The document's bit 1 is 0x0001."""

    EMERGENCY_STOP = 0x0001
    NO_MODULE = 0x0002
    AIR_TOO_HOT = 0x0004
    SURGE_PROTECTOR = 0x0008
    MODULE_SILENT = 0x0010
    INSULATION_SILENT = 0x0020
    METER_SILENT = 0x0040
    READER_SILENT = 0x0080
    CONTROLLER_SILENT = 0x0100
    FANS = 0x0200
    FUSE = 0x0400
    CONTACTOR = 0x0800
    DOOR_OPEN = 0x1000


@dataclass(frozen=True, slots=True)
class ReadState:
    """0x12."""

    pile: Pile
    gun: Gun


@dataclass(frozen=True, slots=True)
class State:
    """0x13: every 15 s while charging, else every 5 minutes, at once when status or plug change, and when asked.

    order: NO_ORDER when idle. voltage_mv, current_ma: what comes out. soc_pct and remaining_min are 0 on AC piles, and
    everything below cable_temp_dc is 0 on an idle one. energy_loss_dwh: with the model's loss share; it is what costs.
    faults: as `PileFault`, and bits that no source knows.
    """

    order: Order
    pile: Pile
    gun: Gun
    status: Annotated[int, Choice(GunStatus)]
    holder: Annotated[int, Choice(Holder)]
    plugged: Annotated[bool, Flag(yes=1)]
    voltage_mv: Annotated[int, Uint(2, step=100)]
    current_ma: Annotated[int, Uint(2, step=100)]
    cable_temp_dc: Annotated[int | None, ZeroUnknown(Uint(1, step=10, offset=-50))]
    cable: Annotated[str, Hex(8)]
    soc_pct: Annotated[int, Uint(1)]
    battery_temp_dc: Annotated[int | None, ZeroUnknown(Uint(1, step=10, offset=-50))]
    charged_min: Annotated[int, Uint(2)]
    remaining_min: Annotated[int, Uint(2)]
    energy_dwh: EnergyDwh
    energy_loss_dwh: EnergyDwh
    amount_e2: AmountE2
    faults: Annotated[int, Uint(2)]

    @property
    def pile_faults(self) -> PileFault:
        return PileFault(self.faults)


class StartBy(IntEnum):
    """What a customer shows to the pile."""

    CARD = 1
    ACCOUNT = 2  # in the document, not in use
    VIN = 3


class NoStart(IntEnum):
    """Why the platform refuses a customer."""

    NONE = 0
    NO_ACCOUNT = 1
    FROZEN = 2
    BALANCE = 3
    UNSETTLED_CARD = 4
    PILE_STOPPED = 5
    NOT_HERE = 6
    PASSWORD = 7
    NO_CAPACITY = 8
    NO_SUCH_VIN = 9
    UNSETTLED_PILE = 10
    NO_CARDS = 11


@dataclass(frozen=True, slots=True)
class StartRequest:
    """0x31. digest: of the password, zeros without one. vin: travels backwards here, and nowhere else."""

    pile: Pile
    gun: Gun
    by: Annotated[int, Choice(StartBy)]
    with_password: Annotated[bool, Flag(yes=1)]
    card: Card
    digest: Annotated[bytes, Raw(16)] = field(repr=False)
    vin: Annotated[str, Text(17, backwards=True)] = ""


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """0x32. shown_card: printed on the card, for the pile's display."""

    order: Order
    pile: Pile
    gun: Gun
    shown_card: Card
    balance_fen: BalanceFen
    granted: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(NoStart)]


class StartFault(IntEnum):
    NONE = 0
    WRONG_PILE = 1
    CHARGING = 2
    FAULT = 3
    OFFLINE = 4
    NOT_PLUGGED = 5  # a success may follow, when a plug comes within `ykc.PLUG_WAIT_S`


class StopFault(IntEnum):
    NONE = 0
    WRONG_PILE = 1
    NOT_CHARGING = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Start:
    """0x34. It has started when the answer says so and a `State` shows CHARGING within `ykc.START_SHOWN_S`."""

    order: Order
    pile: Pile
    gun: Gun
    shown_card: Card
    card: Card
    balance_fen: BalanceFen


@dataclass(frozen=True, slots=True)
class StartResult:
    """0x33."""

    order: Order
    pile: Pile
    gun: Gun
    started: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(StartFault)]


@dataclass(frozen=True, slots=True)
class Stop:
    """0x36. It ends the order at once, whatever the answer; the bill follows."""

    pile: Pile
    gun: Gun


@dataclass(frozen=True, slots=True)
class StopResult:
    """0x35."""

    pile: Pile
    gun: Gun
    stopped: Annotated[bool, Flag(yes=1)]
    reason: Annotated[int, Choice(StopFault)]


class BalanceResult(IntEnum):
    DONE = 0
    WRONG_PILE = 1
    WRONG_CARD = 2


@dataclass(frozen=True, slots=True)
class SetBalance:
    """0x42. card: NO_CARD: whoever charges."""

    pile: Pile
    gun: Gun
    card: Card
    balance_fen: BalanceFen


@dataclass(frozen=True, slots=True)
class SetBalanceAnswer:
    """0x41."""

    pile: Pile
    card: Card
    result: Annotated[int, Choice(BalanceResult)]
