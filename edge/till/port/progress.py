"""A port session between its two records: a mutable row, saved when its phase changes and every few seconds."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from protocols.trade.port_prices import Profile
from protocols.trade.records import Slice


class PortPhase(StrEnum):
    """Where a session stands."""

    ORDERED = "ordered"  # durable; the port has not been seen to have the order
    RUNNING = "running"  # seen so
    STOPPING = "stopping"  # told to stop
    ENDED = "ended"  # the port says that it is over; its settlement tells what it was


class PortEnds(StrEnum):
    """Why a session ended. The first ones are those of `drivers.port_board.PortEnd`, with the same words."""

    FULL = "full"
    LIMIT = "limit"
    UNPLUGGED = "unplugged"
    STOPPED = "stopped"
    OVERLOAD = "overload"
    NO_LOAD = "no-load"
    HAZARD = "hazard"
    POWER_LOSS = "power-loss"
    FAULT = "fault"
    OTHER = "other"
    LOCAL = "local"
    REMOTE = "remote"
    COLLECTED = "collected"  # the pack has been taken out of its locker
    OUT_OF_CREDIT = "out-of-credit"
    NOT_STARTED = "not-started"
    NO_SETTLEMENT = "no-settlement"


class Last(msgspec.Struct, frozen=True):
    """The board's last word on an order: its settlement, without what only the driver needs.

    reason: a `PortEnds`. said: the board's own word. parts: (the pile's own price period, Wh, fen by its reckoning).
    """

    reason: PortEnds
    said: str
    energy_wh: int | None
    elapsed_s: int | None
    peak_w: int | None
    own_fen: int | None
    register_wh: tuple[int, ...] = ()
    parts: tuple[tuple[int, int, int], ...] = ()
    began_ms: int | None = None
    ended_ms: int | None = None
    doubts: tuple[str, ...] = ()


class PortProgress(msgspec.Struct, frozen=True):
    """One session as last seen.

    boot: the boot that its monotonic times belong to. since_ms: of the phase. begun_ms: from the opening to the order
    having been taken, at the latest. told_ms: when it last took a stop. unsure: a start may have reached the board
    unseen, so only what it says after unsure_ms tells. never: by the board's own word the order has never begun. taken:
    the board has said that it has the order. cut: that the power ended it, and that it settles once its door opens.
    ran: it has been seen to deliver. idle_ms, heard_ms: of the first and the newest word of those that say without a
    break that nothing of it runs; None: there is none. gap: there was a break. energy_wh, elapsed_s, power_w: as the
    board told them last. profile: seconds by power step. slices with to_ms: of a price by time of day, in ms since the
    opening, and how far they reach. last: its settlement. doubt: why the one that waits is not believed; empty: none
    waits. bare_ms: since when nothing has been plugged in. resumed_ms: when a restarted daemon took it up. looked_ms,
    waited_ms: as of `waiting`.
    """

    session: int
    account: str
    boot: bytes
    phase: PortPhase
    since_ms: int
    begun_ms: int = 0
    told_ms: int | None = None
    unsure: bool = False
    unsure_ms: int = 0
    never: bool = False
    taken: bool = False
    ran: bool = False
    cut: bool = False
    idle_ms: int | None = None
    heard_ms: int | None = None
    gap: bool = False
    reason: PortEnds | None = None
    detail: str = ""
    energy_wh: int | None = None
    elapsed_s: int | None = None
    power_w: int | None = None
    peak_w: int | None = None
    profile: Profile = Profile()
    slices: tuple[Slice, ...] = ()
    to_ms: int = 0
    last: Last | None = None
    doubt: str = ""
    bare_ms: int | None = None
    resumed_ms: int | None = None
    looked_ms: int | None = None
    waited_ms: int = 0

    @property
    def may_flow(self) -> bool:
        """Whether the port is let deliver."""
        return self.phase in (PortPhase.ORDERED, PortPhase.RUNNING)


def encode_port(progress: PortProgress) -> bytes:
    return msgspec.msgpack.encode(progress)


def decode_port(data: bytes) -> PortProgress:
    return msgspec.msgpack.decode(data, type=PortProgress)
