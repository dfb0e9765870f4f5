"""The pump kind: one fuelling point (one side of a dispenser) with its nozzles, as the daemon knows it.

Every protocol gives the same few states, and the same promises:

* What a pump has acknowledged has not happened: an act returns when the pump's own status shows it, or raises.
* `authorise` may wipe the pump's memory of the last sale. Whoever calls it has that sale durably stored.
* `read_sale`, `read_totals` and `read_prices` change nothing, and may be repeated.

Quantities are whole mL, fen and thousandths of a fen per litre (7.85 yuan per litre is 785,000), whatever a pump has on
its wire; `Decimals` says how its digits become them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, runtime_checkable

from drivers.api import Device, Reading


class PumpState(Enum):
    """What a fuelling point does, in the order of a sale."""

    UNPRICED = "unpriced"  # it has lost its prices and sells nothing until it is given them
    IDLE = "idle"  # every nozzle is hung up, nothing is authorised
    CALLING = "calling"  # a nozzle is out and waits for an authorisation
    AUTHORISED = "authorised"  # may deliver, nothing has flowed
    DELIVERING = "delivering"
    SUSPENDED = "suspended"  # paused by us in mid-sale
    REACHED = "reached"  # preset reached, or stopped by us, with the nozzle still out
    ENDED = "ended"  # the sale is over; its data stand in the pump until the next `authorise` or `release`
    OUT = "out"  # switched off, in local mode, or ill: sells nothing; `reason` says why


SELLS = (PumpState.AUTHORISED, PumpState.DELIVERING, PumpState.SUSPENDED, PumpState.REACHED)
"""States in which a sale is under way."""


@dataclass(frozen=True, slots=True)
class PumpStatus:
    """The pump's own word at one instant.

    nozzle: the one that is out, or was chosen for this sale, 1..=15; None: none, or the pump does not tell. nozzle_out:
    None: it does not tell. volume_ml, amount_fen: of the sale under way or just ended, as displayed; None: not told
    yet. price_e3: of `nozzle`, as the pump shows it; None: not told. alarm: an emergency stop, a leak, a power failure,
    in the protocol's own word; None: none.
    """

    state: PumpState
    reason: str  # the protocol's own word or number for the state
    nozzle: int | None = None
    nozzle_out: bool | None = None
    volume_ml: int | None = None
    amount_fen: int | None = None
    price_e3: int | None = None
    alarm: str | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """The last sale as it stands in the pump's memory.

    nozzle: None: the pump does not tell. number: the pump's own number of the sale; None: it counts none. Without one
    a sale has no identity but the totalizers before and after it.
    """

    nozzle: int | None
    volume_ml: int
    amount_fen: int
    price_e3: int | None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class NozzleTotal:
    """A nozzle's totalizers. amount_fen: None: the pump has no totalizer of money for it."""

    volume_ml: int
    amount_fen: int | None


@dataclass(frozen=True, slots=True)
class Order:
    """What the pump may deliver.

    kind: `amount` (fen), `volume` (mL), or `full`: until the tank is full; limit is then 0. nozzles: those that may be
    used, at least one. price_e3: for each of them, what the pump must charge per litre.
    """

    kind: Literal["amount", "volume", "full"]
    limit: int
    nozzles: tuple[int, ...]
    price_e3: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class PumpTraits:
    """What does not change while the pump stays the same pump.

    nozzles: their numbers, rising. volume_step_ml, amount_step_fen, price_step_e3: one step of the last digit of each.
    total_step_ml: of the volume totalizers. total_ml_wraps: they begin again at 0 after this many mL. amount_max_fen,
    volume_max_ml: the largest preset it takes. price_max_e3: the highest price it shows. lift_first: it takes a preset
    only once a nozzle has been lifted. can_suspend: it can pause and go on. flow_ml_s_max: fastest flow, for margins.
    """

    nozzles: tuple[int, ...]
    volume_step_ml: int
    amount_step_fen: int
    price_step_e3: int
    total_step_ml: int
    total_ml_wraps: int
    amount_max_fen: int
    volume_max_ml: int
    price_max_e3: int
    lift_first: bool
    can_suspend: bool
    flow_ml_s_max: int = 1_500


@dataclass(frozen=True, slots=True)
class Decimals:
    """How many decimals a pump's digits have; no protocol but one says it on the wire.

    volume: of litres, 0..=3. amount: of yuan, 0..=2. price: of yuan per litre, 0..=5. total_volume, total_amount: of
    the totalizers; None: as volume and amount.
    """

    volume: int = 2
    amount: int = 2
    price: int = 2
    total_volume: int | None = None
    total_amount: int | None = None

    def volume_ml(self, digits: int) -> int:
        return digits * _ten(3 - self.volume)

    def amount_fen(self, digits: int) -> int:
        return digits * _ten(2 - self.amount)

    def price_e3(self, digits: int) -> int:
        return digits * _ten(5 - self.price)

    def total_ml(self, digits: int) -> int:
        return digits * _ten(3 - (self.volume if self.total_volume is None else self.total_volume))

    def total_fen(self, digits: int) -> int:
        return digits * _ten(2 - (self.amount if self.total_amount is None else self.total_amount))

    def volume_digits(self, volume_ml: int) -> int:
        """Rounded down: a preset must never let more flow than was paid for."""
        return volume_ml // _ten(3 - self.volume)

    def amount_digits(self, amount_fen: int) -> int:
        """Rounded down."""
        return amount_fen // _ten(2 - self.amount)

    def price_digits(self, price_e3: int) -> int:
        """Raises ValueError for a price that the pump cannot show exactly: it would charge another one."""
        digits, rest = divmod(price_e3, _ten(5 - self.price))
        if rest:
            raise ValueError(f"expected a price of at most {self.price} decimals, got {price_e3} thousandths of a fen")
        return digits


def _ten(places: int) -> int:
    return int(10**places)


@runtime_checkable
class Pump(Device, Protocol):
    """Lets fuel flow, or not, and remembers what it sold.

    Every method that asks raises DeviceError: Transient (try again), DeviceFault (it says no or is ill), Misconfigured.
    """

    @property
    def traits(self) -> PumpTraits: ...

    def status(self) -> Reading[PumpStatus]:
        """As last polled. No I/O."""
        ...

    async def read_status(self) -> Reading[PumpStatus]:
        """Ask now, ahead of polls."""
        ...

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        """By nozzle, all of them, read now. Raises Transient while the pump does not give them, a nozzle being out."""
        ...

    async def read_sale(self) -> Sale | None:
        """The last sale in the pump's memory, read now. None: it has none, or cannot show it in this state."""
        ...

    async def read_prices(self) -> Mapping[int, int]:
        """What a litre costs at each nozzle, by the pump's own word. A nozzle that it says nothing of is missing."""
        ...

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        """For all nozzles. Only at an idle pump. Returns when the pump shows them.

        Raises Misconfigured for a price that it cannot show exactly.
        """
        ...

    async def authorise(self, order: Order) -> None:
        """Preset and authorise. Returns when the status shows it. The memory of the last sale may be gone from here on.

        A time-out leaves it open whether the pump was authorised: whoever gets one reads the status, and never just
        repeats it. Raises Transient for a pump that is not IDLE, CALLING or ENDED.
        """
        ...

    async def stop(self) -> None:
        """End the sale; an authorisation is taken back. Repeating it is harmless."""
        ...

    async def suspend(self) -> None:
        """Pause the flow. Raises Unsupported where `can_suspend` is False."""
        ...

    async def resume(self) -> None:
        """Go on after `suspend`."""
        ...

    async def release(self) -> None:
        """The last sale is durably stored: a pump that waits to hear so (AZT, PTS-2) is told. Harmless for others."""
        ...
