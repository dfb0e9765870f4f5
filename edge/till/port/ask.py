"""What somebody asks of the till at a charging port or a locker."""

from __future__ import annotations

from dataclasses import dataclass

from edge.till.ask import Source
from protocols.trade.records import Origin, Preset


@dataclass(frozen=True, slots=True)
class PortAsk:
    """Somebody wants to charge at a port.

    preset: `full`, `money` (fen), `energy` (Wh) or `time` (s). sources: who pays, in this order; at least one.
    credential: of the card that was shown, else empty. alone: headquarters is out of reach, as in `edge.till.ask.Ask`.
    as_brought: no more than what the payers have here is spent: headquarters is not asked for more.
    """

    place: str
    preset: Preset
    origin: Origin
    sources: tuple[Source, ...]
    credential: bytes = b""
    alone: bool = False
    as_brought: bool = False


@dataclass(frozen=True, slots=True)
class StayAsk:
    """Somebody wants a locker for a pack.

    place: empty: any that is free. secret: of a PIN, as of `locker_pin`; empty: none. The rest as of a `PortAsk`.
    sources: may be empty where a stay costs nothing and a PIN says who comes back. charge: what runs there once its
    door is shut, paid by the same.
    """

    place: str
    origin: Origin
    sources: tuple[Source, ...] = ()
    credential: bytes = b""
    secret: bytes = b""
    charge: Preset | None = None
    alone: bool = False
