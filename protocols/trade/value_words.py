"""Which assets are money, and what is an amount of one in words?"""

from __future__ import annotations

from collections.abc import Iterable

from protocols.trade.quantities import yuan
from protocols.trade.record_parts import CNY, Hold
from protocols.trade.records_pack import DEPOSIT

IN_FEN = frozenset({CNY, DEPOSIT})
"""Counted in fen; every other asset is counted in units of its own."""


def bare_amount(amount: int, asset: str) -> str:
    """The number alone, for a column that names the asset elsewhere: yuan of money, units of anything else."""
    return yuan(amount) if asset in IN_FEN else str(amount)


def amount_text(amount: int, asset: str) -> str:
    """`¥3.50`; of a deposit `¥300.00 DEPOSIT`; of a plan `1 swaps-30`."""
    if asset == CNY:
        return f"¥{yuan(amount)}"
    return f"{'¥' if asset in IN_FEN else ''}{bare_amount(amount, asset)} {asset}"


def holds_text(holds: Iterable[Hold]) -> str:
    """Who sets aside how much, in order: `ann holds ¥5.00, ann holds 1 swaps-30`."""
    return ", ".join(f"{one.account} holds {amount_text(one.amount, one.asset)}" for one in holds)
