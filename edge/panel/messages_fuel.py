"""What the panel says of pumps and fillings. Volumes in mL, money in fen, prices in thousandths of a fen per litre."""

from __future__ import annotations

import msgspec


class FillingView(msgspec.Struct, frozen=True):
    """A filling that is open. order: what the pump was told at most. nozzle: as the pump tells, None: not yet.

    volume_ml, amount_fen: as the pump displayed them last. finding: why it is held for review.
    """

    id: str
    seq: int
    pump: str
    account: str
    phase: str
    reason: str | None
    detail: str
    preset: str
    order: str
    nozzle: int | None
    volume_ml: int
    amount_fen: int
    hold_fen: int
    guaranteed: bool
    since_s: int | None
    finding: str | None


class NozzleView(msgspec.Struct, frozen=True):
    """A nozzle. due_e3: what the list says it costs now; shown_e3: what the pump shows; total_ml: as last read."""

    number: int
    grade: str
    tank: str
    due_e3: int | None
    shown_e3: int | None
    total_ml: int | None


class PumpView(msgspec.Struct, frozen=True):
    """A pump. state: `drivers.pump.PumpState`; None: it has not been heard of late. nozzle: the one that is out."""

    id: str
    number: int
    protocol: str
    line: str
    link: str
    state: str | None
    reason: str
    alarm: str | None
    nozzle: int | None
    age_ms: int | None
    nozzles: list[NozzleView]
    filling: FillingView | None
    errors: list[str]


class TotalView(msgspec.Struct, frozen=True):
    """A nozzle's totalizers as just read. amount_fen: None: the pump has none for money."""

    pump: str
    nozzle: int
    volume_ml: int
    amount_fen: int | None
    wall_ms: int
