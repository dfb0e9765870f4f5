"""What does a DNY (AP3000 V8.6) port board or cabinet say to its platform?

Reports it makes by itself, and its answers to what it was asked (see `dny_platform`). Ports count from 0. Codes are
those of `dny_codes`. `*_at_s` is a Unix time of a clock that nobody should trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocols.fieldbus.dny_codes import Command
from protocols.fieldbus.dny_fields import (
    U8,
    U16,
    U32,
    Celsius,
    Counted,
    Millivolts,
    Milliwatts,
    Order,
    PerPort,
    Raw,
    Uid,
    WattHours,
)
from protocols.fieldbus.dny_platform import Floating, Limits, Load


@dataclass(frozen=True, slots=True)
class Register:
    """After power on, until it is answered with Result(0), and again when one of these changes.

    firmware: 126 is 1.26. mode: bit 0 sells by card alone, 1 BL0939 metering, 2 checks for shorts, 3 has lamps.
    """

    COMMAND: ClassVar = Command.REGISTER
    firmware: U16
    ports: U8
    virtual_id: U8
    kind: U8
    mode: U8
    power_board: U16 | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Every 3 minutes; wants Result(0). A board that misses two answers counts itself as offline.

    states: a PortState for each port. rssi: 0 on a wire. temp_c: of the board; one printed example is far too low.
    """

    COMMAND: ClassVar = Command.HEARTBEAT
    voltage_mv: Millivolts
    states: PerPort
    rssi: U8 | None = None
    temp_c: Celsius = None


@dataclass(frozen=True, slots=True)
class AskTime:
    """After power on and every 12 hours; wants Time."""

    COMMAND: ClassVar = Command.TIME


@dataclass(frozen=True, slots=True)
class HostAskTime:
    """The same of a host that has boards on its RS-485 line."""

    COMMAND: ClassVar = Command.HOST_TIME


@dataclass(frozen=True, slots=True)
class HostState:
    """Of a host, every 30 minutes; wants no answer. signal: 0..=31, above 100 another scale of 0..=97, 99 unknown."""

    COMMAND: ClassVar = Command.HOST_STATE
    firmware: U16
    clock: U8
    host_at_s: U32
    signal: U8
    module: U8
    iccid: Annotated[bytes, Raw(20)]
    kind: U8 | None = None
    frequency: U16 | None = None
    imei: Annotated[bytes, Raw(15)] | None = None
    module_version: Annotated[bytes, Raw(24)] | None = None


@dataclass(frozen=True, slots=True)
class CardShown:
    """Wants CardAnswer; when the port is not PORT_ANY, a Switch after it starts the port.

    uid: as the card sends it; printed decimal numbers read it big-endian. number: of cards with a longer one.
    """

    COMMAND: ClassVar = Command.CARD
    uid: Uid
    kind: U8
    port: U8
    balance_fen: U16
    shown_at_s: U32 | None = None
    number: Annotated[bytes, Counted()] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a session; wants Result(0). Kept in the board's memory and repeated every 30 minutes until then.

    energy_wh: in steps of 10. started_by: a StartKind. card: zeros when the platform started it. order: as the platform
    gave it. power_early_mw: the greatest of the first five minutes. occupied_min: of a cabinet, after it was full.
    """

    COMMAND: ClassVar = Command.SETTLEMENT
    duration_s: U16
    power_max_mw: Milliwatts
    energy_wh: WattHours
    port: U8
    started_by: U8
    card: Uid
    reason: U8
    order: Order
    power_early_mw: Milliwatts | None = None
    ended_at_s: U32 | None = None
    occupied_min: U16 | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A cabinet: full or stopped, but not settled, for the door is still shut. Wants no answer."""

    COMMAND: ClassVar = Command.FINISHED
    duration_s: U16
    power_max_mw: Milliwatts
    energy_wh: WattHours
    port: U8
    started_by: U8
    card: Uid
    reason: U8
    order: Order


@dataclass(frozen=True, slots=True)
class PowerReport:
    """Of a charging port, every 5 minutes, never repeated; wants no answer.

    energy_wh: of the session so far. debug_energy: divided by 4800 it is the period's energy, in what unit is not said.
    """

    COMMAND: ClassVar = Command.POWER
    port: U8
    state: U8
    duration_s: U16
    energy_wh: WattHours
    started_by: U8
    power_mw: Milliwatts
    power_max_mw: Milliwatts
    power_min_mw: Milliwatts
    power_mean_mw: Milliwatts
    order: Order
    debug_energy: U16 | None = None
    power_peak_mw: Milliwatts | None = None
    voltage_mv: Millivolts | None = None
    current_ma: U16 | None = None
    ambient_c: Celsius = None
    port_c: Celsius = None
    reported_at_s: U32 | None = None
    occupied_min: U16 | None = None


@dataclass(frozen=True, slots=True)
class CabinetState:
    """Doors and fans of a cabinet: bit n is port n, 1 open or running. Wants no answer."""

    COMMAND: ClassVar = Command.CABINET
    ports: U8
    doors: U32
    fans: U32


@dataclass(frozen=True, slots=True)
class Alarm:
    """Wants no answer. port: of hot melt and doors the port; of water, smoke, heat and level the sensor's address, 0
    for the board's own; else without meaning. trigger: which of that sensor's inputs, bits."""

    COMMAND: ClassVar = Command.ALARM
    kind: U8
    port: U8
    trigger: U8 | None = None


@dataclass(frozen=True, slots=True)
class PortNotice:
    """kind: DOOR_NOT_CLOSED. Wants no answer."""

    COMMAND: ClassVar = Command.PORT_NOTICE
    kind: U8
    port: U8
    order: Order


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a request. code: 0 is good; of Change a ChangeResult."""

    code: U8


@dataclass(frozen=True, slots=True)
class Switched:
    """The answer to Switch. result: a SwitchResult. waiting: with SEVERAL_WAIT, bit n is port n."""

    result: U8
    order: Order | None = None
    port: U8 | None = None
    waiting: U16 | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The answer to StopKeepShut."""

    result: U8
    order: Order | None = None


Report = (
    Register | Heartbeat | AskTime | HostAskTime | HostState | CardShown | Settlement | Finished | PowerReport
    | CabinetState | Alarm | PortNotice
)  # fmt: skip
Answer = Result | Switched | Stopped | Floating | Load | Limits

REPORTS: Final[Mapping[int, type[Report]]] = {
    kind.COMMAND: kind
    for kind in (
        Register, Heartbeat, AskTime, HostAskTime, HostState, CardShown, Settlement, Finished, PowerReport,
        CabinetState, Alarm, PortNotice,
    )
}  # fmt: skip

ANSWERS: Final[Mapping[int, type[Answer]]] = {
    Command.STOP_KEEP_SHUT: Stopped,
    Command.SWITCH: Switched,
    Command.FLOATING: Result,
    Command.LOAD: Result,
    Command.LIMITS: Result,
    Command.REBOOT: Result,
    Command.CHANGE: Result,
    Command.READ_FLOATING: Floating,
    Command.READ_LOAD: Load,
    Command.READ_LIMITS: Limits,
    Command.CABINET_ORDER: Result,
}
