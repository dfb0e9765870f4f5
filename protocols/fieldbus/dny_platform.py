"""What does a platform say to a DNY (AP3000 V8.6) port board or cabinet?

Requests, and its answers to the board's reports (see `dny_board`). Ports count from 0. Codes are those of `dny_codes`.

What all such boards do by themselves, and a platform only reads about: a port is full when its power stayed below a
share of its peak (20 %) for `Floating.detect_s`, and then floated for `Floating.float_s`; it is unplugged when there
was nearly no power for ten seconds. It guards against overload of a port and of the whole, smoke and welded relays. A
session's energy and end are the board's own; some boards open their relays when they hear nothing for 1800 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from protocols.fieldbus.dny_codes import START, STOP, Command, Mode
from protocols.fieldbus.dny_fields import U8, U16, U32, Millivolts, Milliwatts, Milliwatts8, Order, Uid


@dataclass(frozen=True, slots=True)
class Query:
    """Provokes a Register and a Heartbeat; has no answer of its own."""

    COMMAND: ClassVar = Command.QUERY


@dataclass(frozen=True, slots=True)
class Switch:
    """Start or stop a port. Made by `start` and `stop`.

    balance: fen, or with MONTH the Unix time when it ends; only said aloud. limit: seconds (TIME) or hundredths of a
    kWh (ENERGY); 0: until full. time_max_s, overload_mw: 0: as set in the board. lamp: 1 off. long_charge: 1 stays on
    after floating. float_extra_s: FFFF no floating. short_check: 2 checks. ignore_unplug, force_full_stop: 1 does.
    full_w: 0 and FF off; full_max_min: how long that is tried.
    """

    COMMAND: ClassVar = Command.SWITCH
    mode: U8
    balance: U32
    port: U8
    action: U8
    limit: U16
    order: Order
    time_max_s: U16 | None = None
    overload_mw: Milliwatts | None = None
    lamp: U8 | None = None
    long_charge: U8 | None = None
    float_extra_s: U16 | None = None
    short_check: U8 | None = None
    ignore_unplug: U8 | None = None
    force_full_stop: U8 | None = None
    full_w: U8 | None = None
    full_max_min: U8 | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Give a running port a new end. mode: a ChangeMode. limit: as in Switch; below what was used it ends at once."""

    COMMAND: ClassVar = Command.CHANGE
    mode: U8
    port: U8
    limit: U16


@dataclass(frozen=True, slots=True)
class StopKeepShut:
    """A cabinet: stop a port and leave its door shut. order: the port's, else nothing is done."""

    COMMAND: ClassVar = Command.STOP_KEEP_SHUT
    port: U8
    order: Order


@dataclass(frozen=True, slots=True)
class CabinetOrder:
    """A cabinet: function FORCE_OPEN opens a door, whatever is in it."""

    COMMAND: ClassVar = Command.CABINET_ORDER
    function: U8
    port: U8


@dataclass(frozen=True, slots=True)
class Reboot:
    """Start the board anew. It tries to answer before."""

    COMMAND: ClassVar = Command.REBOOT


@dataclass(frozen=True, slots=True)
class Floating:
    """When a port is unplugged, and when it is full.

    unplug_power_mw: by the document's rule for powers; its factory value of 3 would then be 0.3 W, which other boards'
    10 W make doubtful. float_percent: of the charging power, 1..=100.
    """

    COMMAND: ClassVar = Command.FLOATING
    unplug_power_mw: Milliwatts
    unplug_s: U16
    float_percent: U8
    detect_s: U16
    float_s: U16
    heartbeat_s: U16 | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Dynamic overload, disturbed unplugging, late floating, the smallest power, temperatures.

    ambient_alarm_c, port_alarm_c: plain degrees, without the 65; boards since June 2021 do not switch off for them any
    more, nor for dynamic overload. opto: 0 looks for the plug. lamp: 1 off.
    """

    COMMAND: ClassVar = Command.LOAD
    dynamic_mw: Milliwatts
    dynamic_s: U16
    dynamic_from_s: U16
    noise_power_mw: Milliwatts8
    noise_s: U16
    late_float_from_s: U16
    late_detect_s: U16
    power_min_mw: Milliwatts
    power_min_s: U16
    power_early_s: U16
    ambient_alarm_c: U8
    port_alarm_c: U8
    opto: U8 | None = None
    lamp: U8 | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of every session that does not bring its own. overload_mw: of one port, up to 2000 W, on some boards 3500 W."""

    COMMAND: ClassVar = Command.LIMITS
    time_max_s: U16
    overload_mw: Milliwatts
    over_voltage_mv: Millivolts | None = None
    under_voltage_mv: Millivolts | None = None


@dataclass(frozen=True, slots=True)
class ReadFloating:
    """Answered with Floating."""

    COMMAND: ClassVar = Command.READ_FLOATING


@dataclass(frozen=True, slots=True)
class ReadLoad:
    """Answered with Load."""

    COMMAND: ClassVar = Command.READ_LOAD


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Answered with Limits."""

    COMMAND: ClassVar = Command.READ_LIMITS


@dataclass(frozen=True, slots=True)
class Taken:
    """A report was taken. code: 0, or the board repeats it."""

    code: U8 = 0


@dataclass(frozen=True, slots=True)
class Time:
    """The time, for AskTime and HostAskTime."""

    unix_s: U32


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """For CardShown. account: an Account. balance: as in Switch. uid, port: as the board sent them."""

    uid: Uid
    account: U8
    mode: U8
    balance: U32
    port: U8


Request = (
    Query | Switch | Change | StopKeepShut | CabinetOrder | Reboot | Floating | Load | Limits | ReadFloating | ReadLoad
    | ReadLimits
)  # fmt: skip
Answer = Taken | Time | CardAnswer

REQUESTS: Final[Mapping[int, type[Request]]] = {
    kind.COMMAND: kind
    for kind in (
        Query, Switch, Change, StopKeepShut, CabinetOrder, Reboot, Floating, Load, Limits, ReadFloating, ReadLoad,
        ReadLimits,
    )
}  # fmt: skip

ANSWERS: Final[Mapping[int, type[Answer]]] = {
    Command.REGISTER: Taken,
    Command.HEARTBEAT: Taken,
    Command.SETTLEMENT: Taken,
    Command.TIME: Time,
    Command.HOST_TIME: Time,
    Command.CARD: CardAnswer,
}

FLOATING_FACTORY: Final = Floating(300, 10, 20, 1800, 3600, 180)
LOAD_FACTORY: Final = Load(80_000, 30, 1800, 1000, 300, 10800, 300, 30_000, 1800, 300, 80, 80, 0, 1)
TIME_MAX_S_FACTORY: Final = 36000
OVER_VOLTAGE_MV_FACTORY: Final = 270_000
UNDER_VOLTAGE_MV_FACTORY: Final = 100_000


def start(
    port: int, order: bytes, *, mode: Mode = Mode.TIME, limit: int = 0, balance: int = 0, time_max_s: int = 0,
    overload_mw: int = 0,
) -> Switch:  # fmt: skip
    """port: 0..=254, or PORT_ANY. order: 16 bytes of the platform's own."""
    return Switch(mode, balance, port, START, limit, order, time_max_s, overload_mw)


def stop(port: int, order: bytes) -> Switch:
    """order: the one that the port was started with, else the board does nothing."""
    return Switch(Mode.TIME, 0, port, STOP, 0, order, 0, 0)
