"""Do these holds surely pay what has been delivered, and what may still flow before the relay opens?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from protocols.trade import tender
from protocols.trade.price import Delivered, bounds_by_code
from protocols.trade.records import Hold
from protocols.trade.tariff import Tariff
from protocols.trade.tender import Tenders


def pays_all(holds: Sequence[Hold], tenders: Tenders) -> bool:
    """Whether each of these holds may pay any line, so that a sum says it all."""
    found = [tender.tender_of(hold.asset, tenders) for hold in holds]
    return all(one is not None and not one.lines for one in found)


def covers(
    holds: Sequence[Hold], tenders: Tenders, tariff: Tariff, delivered: Delivered, total_fen: int, flow_wh: Fraction
) -> bool:
    """Whether the holds surely pay a bill of up to total_fen: what was delivered, and up to flow_wh more at any price.

    An asset that may pay energy alone is worth at most the energy lines, as low as they may come out.
    """
    if pays_all(holds, tenders):
        return total_fen <= tender.all_worth_fen(holds, tenders)
    least, most = bounds_by_code(tariff, delivered)
    for code, prices in (
        ("energy", [period.energy_e3 for period in tariff.periods]),
        ("service", [period.service_e3 for period in tariff.periods]),
    ):
        least[code] += floor(flow_wh * min(prices) / 1_000_000)
        most[code] += ceil(flow_wh * max(prices) / 1_000_000)
    return tender.covers(total_fen, least, most, holds, tenders)
