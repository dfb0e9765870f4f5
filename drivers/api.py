"""The device kinds that the daemon knows, and the values they give.

Every reading says when it was true: `at_ms` is the instant the answer arrived on the box's monotonic clock, and it is
never renewed without a new answer. Whoever uses a reading asks `age_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class Quality(Enum):
    """How far a reading can be trusted."""

    GOOD = "good"
    STALE = "stale"  # a good reading, but the device has been silent since, longer than its stale limit
    NONE = "none"  # never read, or the device says that it does not know


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One value as a device gave it. `value` is None exactly when `quality` is NONE."""

    value: T | None
    quality: Quality
    at_ms: int | None  # monotonic ms of the answer; None when never read

    def age_ms(self, now_ms: int) -> int | None:
        return None if self.at_ms is None else now_ms - self.at_ms


class Iec61851(Enum):
    """State of the pilot line. A no car; B car, not charging; C, D charging; E, F fault."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"


@dataclass(frozen=True, slots=True)
class ChargerStatus:
    """What the charger says of itself and of the car."""

    iec: Iec61851
    reason: str  # the vendor's own word or number for the state
    power_w: int | None
    current_ma: int | None  # greatest phase
    limit_ma: int | None  # the limit in force, where it can be read back

    @property
    def plugged(self) -> bool:
        return self.iec in (Iec61851.B, Iec61851.C, Iec61851.D)

    @property
    def delivering(self) -> bool:
        return self.iec in (Iec61851.C, Iec61851.D)


@dataclass(frozen=True, slots=True)
class ChargerLimits:
    """What the profile promises of a charger, for guards and presets."""

    current_ma_min: int  # below this it does not charge
    current_ma_max: int
    power_w_max: int  # greatest power that can flow, for the guard and for the jump rule
    failsafe_s: int | None  # delivery ends by itself this long after the last contact; None: it has no fail-safe


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A lifetime register and, where the meter has it, the power of the same moment.

    register_wh: the ever-growing import register, quantised down to `resolution_wh`. None inside a Reading never
    appears here: a meter that cannot say its register gives a Reading of quality NONE. serial: the number of the very
    meter that gave the register, by its own word; None: it has no register for it.
    """

    register_wh: int
    power_w: int | None
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class MeterTraits:
    """What does not change while the meter stays the same meter."""

    billing_grade: bool
    resolution_wh: int
    register_wh_max: int | None  # it wraps to 0 above this; None: not within the meter's life
    power_w_max: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """One named value of a device, for a technician to look at."""

    name: str
    value: str  # rendered with its unit; "-" when the device does not know
    quality: Quality
    at_ms: int | None
    took_ms: float | None  # of the request that brought it
    where: str  # e.g. "input 0x0048"
    error: str | None = None


class LinkState(Enum):
    """Whether a device answers."""

    NEW = "new"  # not asked yet
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Link:
    """How the conversation with a device goes."""

    state: LinkState
    since_ms: int  # monotonic
    last_good_ms: int | None  # monotonic; None: never
    error: str | None  # the last failure in words, with its remedy; None when all is well
    counts: dict[str, int] = field(default_factory=dict)  # answered, timeouts, quiet, crc, noise, late, ...
    latency_ms: dict[str, float] = field(default_factory=dict)  # p50, p90, p99 of answered requests


class Device(Protocol):
    """Anything on a line that the daemon looks after."""

    @property
    def id(self) -> str: ...
    @property
    def profile_id(self) -> str: ...

    def link(self) -> Link:
        """How the conversation goes. No I/O."""
        ...

    def points(self) -> list[Point]:
        """Every point as last read, in the profile's order. No I/O."""
        ...

    async def run(self) -> None:
        """Poll, keep alive, and set up again after each break, until cancelled. Survives any device failure."""
        ...


@runtime_checkable
class Charger(Device, Protocol):
    """Lets a car draw current, or not."""

    @property
    def limits(self) -> ChargerLimits: ...

    def status(self) -> Reading[ChargerStatus]:
        """As last read. No I/O."""
        ...

    async def allow(self, current_ma: int) -> None:
        """Let the car draw up to `current_ma` (current_ma_min ..= current_ma_max). Repeating it is harmless.

        Raises DeviceError: Transient (try again), DeviceFault, Misconfigured.
        """
        ...

    async def stop(self) -> None:
        """End delivery. Repeating it is harmless. Raises DeviceError."""
        ...


@runtime_checkable
class Meter(Device, Protocol):
    """Counts what was delivered."""

    @property
    def traits(self) -> MeterTraits: ...

    def reading(self) -> Reading[MeterReading]:
        """As last read. No I/O."""
        ...

    async def read_now(self) -> Reading[MeterReading]:
        """Ask at command priority, ahead of polls. Raises DeviceError when no valid answer comes."""
        ...
