"""Which protocols the simulated pumps speak: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from drivers.twins.pty import BITS_PER_CHARACTER
from drivers.twins.pumps.azt import AztTwin
from drivers.twins.pumps.bay import Bay, PumpTwin
from drivers.twins.pumps.dart import DartTwin
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFaults
from drivers.twins.pumps.gilbarco import HEAD as GILBARCO_HEAD
from drivers.twins.pumps.gilbarco import GilbarcoTwin
from drivers.twins.pumps.parts import Head
from drivers.twins.pumps.pts_serve import serve as serve_pts
from drivers.twins.pumps.sanki import SankiTwin

Option = str | int | bool
Options = Mapping[str, Option]

MakeTwin = Callable[[Dispenser, int, PumpFaults, Options], PumpTwin]
"""(pump, address, faults, options of the protocol). Raises ValueError for an option that it does not know."""

Serve = Callable[[Mapping[int, Bay], str, int, Options], AbstractAsyncContextManager[str]]
"""(bays by number, host, port or 0, options). The value is where it serves. Calls `bay.catch_up()` before it looks."""


@dataclass(frozen=True, slots=True)
class Serial:
    """A protocol on a serial line. bits: per character, 10 without parity. first_address: of the first pump."""

    make: MakeTwin
    head: Head = field(default_factory=Head)
    baud: int = 9600
    bits: int = BITS_PER_CHARACTER
    first_address: int = 1


@dataclass(frozen=True, slots=True)
class Server:
    """A protocol of a controller in the network, which has pumps by number."""

    serve: Serve
    head: Head = field(default_factory=Head)
    first_address: int = 1


PROTOCOLS: Mapping[str, Serial | Server] = {
    "dart": Serial(DartTwin, Head(needs_reset=True), first_address=0x50),
    "gilbarco": Serial(GilbarcoTwin, GILBARCO_HEAD, baud=5787),
    "azt": Serial(AztTwin, Head(total_ml_wraps=1_000_000_000, totals_live=True), baud=4800),
    "sanki": Serial(SankiTwin, Head(total_ml_wraps=100_000_000_000)),
    "pts": Server(serve_pts),
}
