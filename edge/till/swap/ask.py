"""What somebody asks of the till at a cabinet."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.trade.records import Origin
from protocols.trade.records_pack import SwapKind


@dataclass(frozen=True, slots=True)
class SwapAsk:
    """A rider wants to swap, rent or return a pack.

    account: the rider's; empty: whose the credential is. offer: the price, plan or rent term by its name; empty: the
    first of a swap's that the rider can pay. consent: the rider takes a pack that is not full, too. scanned_ms: when
    the rider was seen, on the box's monotonic clock. alone: headquarters is out of reach.
    """

    cabinet: str
    kind: SwapKind
    origin: Origin
    scanned_ms: int
    account: str = ""
    credential: bytes = b""
    offer: str = ""
    consent: bool = False
    alone: bool = False
