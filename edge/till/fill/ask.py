"""What somebody asks of the till at a pump."""

from __future__ import annotations

from dataclasses import dataclass

from edge.till.ask import Source
from protocols.trade.records import Origin, Preset


@dataclass(frozen=True, slots=True)
class FillAsk:
    """Somebody wants fuel.

    preset: `full`, `money` (fen) or `volume` (mL). sources: who pays, in this order; at least one. credential: of the
    card that was shown, else empty. asked: odometer or masked plate, as told; empty: nothing was. nozzle: the only one
    wanted; None: any. guaranteed: the first source stands in for whoever pays afterwards. alone: headquarters is out of
    reach, as in `edge.till.ask.Ask`.
    """

    pump: str
    preset: Preset
    origin: Origin
    sources: tuple[Source, ...]
    credential: bytes = b""
    asked: str = ""
    nozzle: int | None = None
    guaranteed: bool = False
    alone: bool = False
