"""A filling between its two records: a mutable row, saved when its phase changes and every few seconds."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from edge.till.fill.sight import SaleSeen
from protocols.trade.records_fuel import PumpTotals


class FillPhase(StrEnum):
    """Where a filling stands."""

    ORDERED = "ordered"  # durable; the pump has not been seen to have it
    AUTHORISED = "authorised"  # seen so; nothing has flowed
    DELIVERING = "delivering"
    STOPPING = "stopping"  # told to stop
    ENDED = "ended"  # the sale is over; the pump's memory and totals tell what it was
    PAYING = "paying"  # on somebody's guarantee: what it was is known, who pays is not


class FillEnd(StrEnum):
    """Why a filling ended."""

    HUNG_UP = "hung-up"
    PRESET = "preset"
    LOCAL = "local"
    REMOTE = "remote"
    TIMEOUT = "timeout"
    OUT_OF_CREDIT = "out-of-credit"
    WRONG_GRADE = "wrong-grade"
    EMERGENCY = "emergency-stop"
    POWER_LOSS = "power-loss"
    OTHER = "other"


class FillProgress(msgspec.Struct, frozen=True):
    """One filling as last seen.

    boot: the boot that its monotonic times belong to. nozzle, volume_ml, amount_fen: as the pump displayed them last.
    Monotonic instants: since_ms, of the phase; flowed_ms, when the volume last grew, or the start; resumed_ms, when a
    restarted daemon took it up; looked_ms, of the last look while held for review. waited_ms: how long it has been held
    for review at least, over all boots. unsure: an authorisation may have reached the pump unseen, so only totals read
    after unsure_ms say whether it did. sale, end: the pump's memory and totals, read after the end; None: not yet.
    """

    session: int
    account: str
    boot: bytes
    phase: FillPhase
    since_ms: int
    flowed_ms: int
    nozzle: int | None = None
    volume_ml: int = 0
    amount_fen: int = 0
    reason: FillEnd | None = None
    detail: str = ""
    unsure: bool = False
    unsure_ms: int = 0
    sale: SaleSeen | None = None
    end: PumpTotals | None = None
    suspended: bool = False
    resumed_ms: int | None = None
    looked_ms: int | None = None
    waited_ms: int = 0

    @property
    def may_flow(self) -> bool:
        """Whether the pump is let deliver."""
        return self.phase in (FillPhase.ORDERED, FillPhase.AUTHORISED, FillPhase.DELIVERING)


def encode_fill(progress: FillProgress) -> bytes:
    return msgspec.msgpack.encode(progress)


def decode_fill(data: bytes) -> FillProgress:
    return msgspec.msgpack.decode(data, type=FillProgress)
