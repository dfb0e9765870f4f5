"""A running session between its two records: a mutable row, saved every few seconds, never part of the log.

It holds the payer, so that whoever finds it after a crash knows whom the energy belongs to.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from protocols.trade.price import Delivered
from protocols.trade.records import Register, Slice
from protocols.trade.tariff import Tariff


class Phase(StrEnum):
    """Where a session stands. Delivery is wanted in the first two alone."""

    STARTING = "starting"  # let go, nothing drawn yet
    CHARGING = "charging"
    STOPPING = "stopping"  # told to stop; waits for the relay and a last register
    IDLE = "idle"  # has ended, car still plugged, idle fee runs


class StopReason(StrEnum):
    """Why delivery ended; the words of OCPP 2.0.1."""

    DE_AUTHORIZED = "DeAuthorized"
    ENERGY_LIMIT = "EnergyLimitReached"
    EV_DISCONNECTED = "EVDisconnected"
    LOCAL = "Local"
    LOCAL_OUT_OF_CREDIT = "LocalOutOfCredit"
    OTHER = "Other"
    POWER_LOSS = "PowerLoss"
    REMOTE = "Remote"
    STOPPED_BY_EV = "StoppedByEV"
    TIME_LIMIT = "TimeLimitReached"
    TIMEOUT = "Timeout"


class Progress(msgspec.Struct, frozen=True):
    """One running session as last seen.

    register: the last good one of the meter that bills. boot: the boot that its monotonic times belong to. slices:
    energy since opening. Monotonic instants: drawn_ms, when energy was last seen to flow; stopping_ms, of the order to
    stop; off_ms, when the charger was first seen not to deliver after it; idle_from_ms, since when the car only blocks
    the place; resumed_ms, when a restarted daemon took the session up again; looked_ms, of the last look at it while it
    is held for review. waited_ms: how long it has been so at least, over all boots. finding: what is wrong with the
    meter; nothing is billed after it. meter_serial: the meter's own number, as it told during this session; None: it
    tells none.
    """

    session: int
    account: str
    boot: bytes
    phase: Phase
    register: Register
    slices: tuple[Slice, ...]
    clock_lb_ms: int
    clock_ub_ms: int | None
    drawn_ms: int
    power_w: int | None = None
    reason: StopReason | None = None
    detail: str = ""
    stopping_ms: int | None = None
    off_ms: int | None = None
    idle_from_ms: int | None = None
    idle_ms: int = 0
    finding: str | None = None
    resumed_ms: int | None = None
    looked_ms: int | None = None
    waited_ms: int = 0
    meter_serial: str | None = None

    @property
    def energy_wh(self) -> int:
        return sum(piece.energy_wh for piece in self.slices)

    @property
    def wants_delivery(self) -> bool:
        return self.phase in (Phase.STARTING, Phase.CHARGING)

    def had_time_to_ask(self, mono_ms: int, silence_ms: int) -> bool:
        """Whether a device that has not answered is silent; a daemon just started has yet to ask it."""
        return self.resumed_ms is None or mono_ms - self.resumed_ms > silence_ms

    def delivered(self, tariff: Tariff) -> Delivered:
        """What there is to price so far. Idle time counts beyond the tariff's grace alone."""
        idle_s = max(0, self.idle_ms // 1000 - tariff.idle_grace_s)
        return Delivered(self.slices, idle_s, self.clock_lb_ms, self.clock_ub_ms)


def encode_progress(progress: Progress) -> bytes:
    return msgspec.msgpack.encode(progress)


def decode_progress(data: bytes) -> Progress:
    return msgspec.msgpack.decode(data, type=Progress)
