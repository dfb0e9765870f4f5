"""What is a pile to reckon by, and does its own bill agree with ours? Ours is what is charged; a difference is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.port_board import EnergyPart
from edge.till.port.cost import Terms
from edge.till.port.progress import Last, PortProgress
from edge.till.state import OpenPort
from protocols.door import Refused
from protocols.fieldbus.ykc_money import PriceModel
from protocols.trade.pile_bill import check
from protocols.trade.pile_prices import price_model
from protocols.trade.records import ClockQuality, Draft, Notice
from protocols.trade.tariff import Offset, Period, Tariff

TOLD_MAX = 4
"""Disagreements named in one notice; what is wrong with one price is mostly wrong with all."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A settlement as the check wants it."""

    energy_wh: int | None
    amount_fen: int | None
    parts: Sequence[EnergyPart]
    register_wh: tuple[int, int] | None
    began_ms: int | None
    ended_ms: int | None


def reckoned_by(terms: Terms, utc_offset_min: int) -> Tariff | None:
    """A price as a tariff: for a price by energy a flat one, by whatever clock the pile has. None: by time, which piles
    do not sell, or none yet.
    """
    price = terms.price
    if price.by == "tariff":
        return terms.tariff
    if price.by == "time":
        return None
    flat = Period(0, "flat", price.energy_e3, 0)
    return Tariff(f"{price.name} {price.energy_e3}", 1, "UTC", [Offset(0, 60 * utc_offset_min)], [flat], 0, 0, 0)


def pile_doubts(
    session: OpenPort, progress: PortProgress, last: Last, terms: Terms, utc_offset_min: int
) -> Sequence[Draft]:
    """A notice of everything in the pile's own bill that does not agree; none where it does."""
    began_ms = None
    if session.stamp.quality is not ClockQuality.UNKNOWN:
        began_ms = session.stamp.wall_ms + progress.begun_ms
    register = (last.register_wh[0], last.register_wh[1]) if len(last.register_wh) == 2 else None
    parts = [EnergyPart(*part) for part in last.parts]
    said = _Said(last.energy_wh, last.own_fen, parts, register, last.began_ms, last.ended_ms)
    power_w_max = session.opened.power_w_max
    found = check(
        said, _model(terms, utc_offset_min), utc_offset_min, seen_ms=(began_ms, None), power_w_max=power_w_max
    )
    if not found:
        return ()
    words = "; ".join(f"{one.what.value}: expected {one.expected}, got {one.got}" for one in found[:TOLD_MAX])
    return (Draft(Notice("pile-bill-differs", session.place, f"session {session.seq}: {words}")),)


def _model(terms: Terms, utc_offset_min: int) -> PriceModel | None:
    tariff = reckoned_by(terms, utc_offset_min)
    try:
        return None if tariff is None else price_model(tariff, utc_offset_min)
    except Refused:
        return None
