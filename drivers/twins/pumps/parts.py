"""What a simulated pump is made of, how heads differ, and the words for what happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from drivers.pump import Decimals


class Phase(Enum):
    """What the head of the pump is about. Whether a nozzle is out is another question: see `Dispenser.out`."""

    UNPRICED = "unpriced"  # prices lost; sells nothing
    IDLE = "idle"
    AUTHORISED = "authorised"  # may deliver; nothing has flowed
    DELIVERING = "delivering"
    SUSPENDED = "suspended"
    REACHED = "reached"  # over, but the nozzle is still out: limit reached, or stopped by a head that waits
    ENDED = "ended"  # over; the sale stands in memory
    SWITCHED_OFF = "switched-off"


class EndedBy(Enum):
    """Why a sale is over."""

    HUNG_UP = "hung-up"
    LIMIT = "limit"  # preset reached, or all that the display can show
    STOPPED = "stopped"  # told over the line
    EMERGENCY = "emergency"
    POWER = "power"
    TIMEOUT = "timeout"  # authorised, and nothing flowed for `Head.authorised_ms_max`


class Refusal(Enum):
    """Why the head does not do what it is told, in order of precedence."""

    DARK = "dark"  # no power
    ALARM = "alarm"
    OFF = "off"  # switched off
    UNPRICED = "unpriced"
    PHASE = "phase"  # not in this phase
    LIMIT = "limit"  # a limit, nozzle or price that it does not know


class Change(Enum):
    """What listeners are told of."""

    LIFTED = "lifted"
    HUNG_UP = "hung-up"
    BLOCKED = "blocked"  # a second nozzle was lifted
    AUTHORISED = "authorised"
    FLOW = "flow"  # the first drop of a sale
    CLICKED = "clicked"  # the customer's tank is full: the nozzle shuts itself
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REACHED = "reached"
    ENDED = "ended"
    CLOSED = "closed"  # back to IDLE
    PRICED = "priced"
    ALARM = "alarm"
    SWITCHED_OFF = "switched-off"
    DARK = "dark"
    LIGHT = "light"  # power is back


@dataclass(frozen=True, slots=True)
class Nozzle:
    """A nozzle as built. number: 1..=15. price_e3: thousandths of a fen per litre; None: none yet."""

    number: int
    grade: str
    price_e3: int | None = None
    total_ml: int = 0
    total_fen: int = 0


@dataclass(frozen=True, slots=True)
class Preset:
    """Where the sale is to end: `limit` in fen or mL; 0 with `full`."""

    kind: Literal["amount", "volume", "full"] = "full"
    limit: int = 0


FULL = Preset()


@dataclass(frozen=True, slots=True)
class Head:
    """How heads differ.

    overrun_ml: flows after the valve was told to close, as through a slow valve. lands_on_amount: an amount preset ends
    showing that amount, although the last step of volume is worth more. keeps_authorisation: hanging up before any flow
    leaves it authorised; else that is a sale of zero. waits_after_stop: told to stop, it is REACHED until the nozzle is
    in; else ENDED at once. remembers_zero: a sale of zero replaces the last one in memory. totals_live: totals move
    while fuel flows; else when the sale is over. keeps_prices, keeps_sale: over a power cut. loses_ml: what totals and
    sale lose by a cut in mid-sale. needs_reset: ENDED, not IDLE, after power-up, its first prices and any stop.
    authorised_ms_max: then an authorisation lapses; None: never.
    """

    decimals: Decimals = field(default_factory=Decimals)
    flow_ml_s_max: int = 833  # 50 litres a minute
    volume_max_ml: int = 9_999_990
    amount_max_fen: int = 99_999_999
    total_ml_wraps: int = 10_000_000_000
    overrun_ml: int = 0
    lands_on_amount: bool = True
    keeps_authorisation: bool = False
    waits_after_stop: bool = False
    remembers_zero: bool = True
    totals_live: bool = False
    keeps_prices: bool = True
    keeps_sale: bool = True
    loses_ml: int = 0
    needs_reset: bool = False
    authorised_ms_max: int | None = None


@dataclass(slots=True)
class Sale:
    """One sale, under way or in memory. nozzle, price_e3: None until a nozzle is chosen. ul: what the meter counted."""

    number: int
    preset: Preset
    nozzles: tuple[int, ...]
    nozzle: int | None = None
    price_e3: int | None = None
    ul: int = 0
    stop_ul: int | None = None
    lands_fen: int | None = None
    ended_by: EndedBy | None = None
