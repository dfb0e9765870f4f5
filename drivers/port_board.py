"""The port-board kind: outlets that count for themselves and end by themselves, as the daemon knows them.

E-bike port boards, charging lockers and piles that speak to a platform are told an order and settle it on their own,
perhaps hours later and with the link to us down in between. So:

* An order has a number of ours, minted from its session. Starting the same number again is harmless.
* A settlement stays with the board until it is acknowledged, and comes again. Whoever acknowledges has it stored.
* What the board says of a running order (energy, time, power) is news; its settlement is its last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, runtime_checkable
from zlib import crc32

from drivers.api import Device, Reading


class PortState(Enum):
    """What an outlet does."""

    IDLE = "idle"
    PLUGGED = "plugged"  # something is plugged in, nothing is ordered
    CHARGING = "charging"
    FULL = "full"  # ended or floating, still plugged
    FAULT = "fault"
    OUT = "out"  # the board is silent, updates itself, or was switched off


class PortEnd(Enum):
    """Why an outlet ended, in a till's words."""

    FULL = "full"
    LIMIT = "limit"  # time, energy or money of the order is used up
    UNPLUGGED = "unplugged"
    STOPPED = "stopped"  # by us
    OVERLOAD = "overload"
    NO_LOAD = "no-load"  # never drew anything worth the name
    HAZARD = "hazard"  # heat, smoke, water, fire, leakage
    POWER_LOSS = "power-loss"
    FAULT = "fault"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PortStatus:
    """An outlet's own word at one instant. None: it does not say.

    order: the number of the order that runs, as told to `start`; of a PLUGGED port the one that it has taken and not
    begun. energy_wh, elapsed_s: of that order so far. plugged:
    of outlets that feel a plug. door_open: of lockers. ended: why the order there is over that is settled only once the
    door opens.
    """

    state: PortState
    reason: str  # the protocol's own word or number
    order: bytes | None = None
    energy_wh: int | None = None
    elapsed_s: int | None = None
    power_w: int | None = None
    peak_w: int | None = None
    plugged: bool | None = None
    door_open: bool | None = None
    ended: PortEnd | None = None


@dataclass(frozen=True, slots=True)
class PortOrder:
    """What an outlet may deliver.

    number: 16 bytes, from `order_number`. kind: `time` (s), `energy` (Wh) or `full` (limit 0). time_max_s: of any kind;
    None: the board's own. power_w_max: it ends above this; None: the board's own. prepaid_fen: what a pile that counts
    money is told it may use; others ignore it.
    """

    number: bytes
    kind: Literal["time", "energy", "full"]
    limit: int
    time_max_s: int | None = None
    power_w_max: int | None = None
    prepaid_fen: int = 0


@dataclass(frozen=True, slots=True)
class EnergyPart:
    """Energy in one of a pile's own price periods. amount_fen: by its own reckoning, rounded up from its digits."""

    period: int
    energy_wh: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """An outlet's last word on an order. It comes again until it is acknowledged, from before a restart too.

    number: as told to `start`; what the board made up itself where it started by itself. reason: the protocol's own.
    amount_fen: by the pile's own reckoning. register_wh: its lifetime register before and after. began_ms, ended_ms:
    Unix time by the board's clock. None: it does not say. doubts: what contradicts itself in it, to the board's own
    digits, in words. ticket: what `acknowledge` needs; opaque.
    """

    port: int
    number: bytes
    end: PortEnd
    reason: str
    energy_wh: int | None
    elapsed_s: int | None
    peak_w: int | None = None
    amount_fen: int | None = None
    parts: tuple[EnergyPart, ...] = ()
    register_wh: tuple[int, int] | None = None
    began_ms: int | None = None
    ended_ms: int | None = None
    doubts: tuple[str, ...] = ()
    ticket: object = None


@dataclass(frozen=True, slots=True)
class PortTraits:
    """What does not change while the board stays the same board.

    ports: as customers read them, rising from 1. doors: it has a door for each (a locker). feels_plug: PLUGGED is told
    apart from IDLE. counts_energy: False: it counts time alone. energy_step_wh: of its counter. power_w_max: of one
    port. settles_alone: it ends orders without us (all do but relays). time_max_s: the longest order it takes.
    """

    ports: tuple[int, ...]
    doors: bool
    feels_plug: bool
    counts_energy: bool
    energy_step_wh: int
    power_w_max: int
    time_max_s: int
    settles_alone: bool = True


def mark_of(boot: bytes, mono_ms: int) -> int:
    """Three digits of the instant in which an opening record was written, as its stamp has it.

    It tells an order from one of the same seq that this box wrote before its disk was restored.
    """
    return crc32(boot + mono_ms.to_bytes(8)) % 1000


def order_number(epoch: int, seq: int, mark: int = 0) -> bytes:
    """The order's number: 13 decimal digits of the epoch, 3 of its mark, 16 of the opening record's seq, two to a byte.

    All of it stands in the opening record, so it is the same after any restart. Digits, since some piles keep it in
    BCD. Raises ValueError for a number of too many digits.
    """
    digits = f"{epoch:013d}{mark:03d}{seq:016d}"
    if len(digits) != 32:
        raise ValueError(f"epoch {epoch}, seq {seq}: more digits than an order number has")
    return bytes.fromhex(digits)


def session_of(number: bytes) -> tuple[int, int] | None:
    """(epoch, seq) of an order number. None: it is none of ours. Its mark has still to be compared."""
    digits = number.hex()
    if len(digits) != 32 or not digits.isdigit():
        return None
    return int(digits[:13]), int(digits[16:])


@runtime_checkable
class PortBoard(Device, Protocol):
    """Outlets that are told an order. What asks raises DeviceError, as everywhere."""

    @property
    def traits(self) -> PortTraits: ...

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        """Of every port, as last told. No I/O."""
        ...

    async def read_status(self, port: int) -> Reading[PortStatus]:
        """Ask now. A board that only tells by itself gives the newest it told."""
        ...

    async def start(self, port: int, order: PortOrder) -> None:
        """Returns when the board has taken the order. Its own refusal (no plug, fault, busy) raises DeviceFault with
        its word; a time-out leaves it open: whoever gets one looks at the status, and may start the same number again.
        """
        ...

    async def stop(self, port: int, number: bytes) -> None:
        """End that order and no other. Harmless when it is over. The settlement follows by itself."""
        ...

    def settlements(self) -> Sequence[Settlement]:
        """Those that wait to be acknowledged, oldest first. No I/O."""
        ...

    async def acknowledge(self, settlement: Settlement) -> None:
        """It is durably stored. Repeating it is harmless."""
        ...

    async def open_door(self, port: int) -> None:
        """Of a locker. Raises Unsupported where there are no doors."""
        ...
