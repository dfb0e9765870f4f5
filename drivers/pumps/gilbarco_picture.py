"""What is known of a Gilbarco pump, and what does it mean in the daemon's words?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from drivers.api import Point, Reading
from drivers.pump import PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.gilbarco_options import GilbarcoOptions
from protocols.fieldbus.gilbarco import Status
from protocols.fieldbus.gilbarco_watch import Stage

_STATES: Final = {
    Status.OFF: (PumpState.IDLE, False),
    Status.CALL: (PumpState.CALLING, True),
    Status.AUTHORISED: (PumpState.AUTHORISED, True),
    Status.BUSY: (PumpState.DELIVERING, True),
    Status.PEOT: (PumpState.REACHED, True),
    Status.FEOT: (PumpState.ENDED, False),
    Status.STOP: (PumpState.ENDED, None),
}


@dataclass(slots=True)
class Picture:
    """The newest of everything. volume_ml, amount_fen: of the sale under way, then of the last one, once `final`."""

    raw: Status | None = None
    at_ms: int | None = None
    nozzle: int | None = None
    volume_ml: int | None = None
    amount_fen: int | None = None
    final: bool = False
    alarm: str | None = None  # of this sale
    missed: int = 0  # details asked for in vain in this state, in a row
    prices_e3: dict[int, int] = field(default_factory=dict)

    def see(self, raw: Status, now_ms: int) -> None:
        if raw is not self.raw:
            self.missed = 0
        self.raw, self.at_ms = raw, now_ms

    def flows(self, amount_fen: int) -> None:
        """The running money; the volume follows from it where the price is known."""
        self.amount_fen, self.missed = amount_fen, 0
        price_e3 = None if self.nozzle is None else self.prices_e3.get(self.nozzle)
        if price_e3 is None and len(prices := set(self.prices_e3.values())) == 1:
            price_e3 = prices.pop()
        self.volume_ml = None if price_e3 is None else amount_fen * 1_000_000 // price_e3

    def over(self, sale: Sale | None) -> None:
        """What the pump's memory says now that it no longer delivers."""
        if sale is not None:
            self.volume_ml, self.amount_fen, self.final = sale.volume_ml, sale.amount_fen, True
            self.nozzle = sale.nozzle or self.nozzle

    def clear_sale(self) -> None:
        """Another sale begins, or none is left."""
        self.volume_ml = self.amount_fen = None
        self.final, self.alarm = False, None

    def forget(self) -> None:
        """The pump was away: its prices may be others."""
        self.prices_e3 = {}


def state_of(raw: Status, stage: Stage, *, suspended: bool) -> tuple[PumpState, bool | None]:
    """The state, and whether a nozzle is out. A sale that is over stays ENDED until it is released."""
    state, out = _STATES.get(raw, (PumpState.OUT, None))
    if raw is Status.STOP and suspended:
        return PumpState.SUSPENDED, True
    if stage is Stage.OVER and state in (PumpState.IDLE, PumpState.CALLING):
        return PumpState.ENDED, out
    return state, out


def traits_of(config: PumpConfig, options: GilbarcoOptions) -> PumpTraits:
    """What follows from the digits of its mode and the decimals that were configured."""
    scales, width = config.scales, options.width
    volume_preset_max_ml = (10**options.volume_digits - 1) * int(10 ** (3 - options.volume_preset_decimals))
    return PumpTraits(
        nozzles=config.nozzle_numbers,
        volume_step_ml=scales.volume_ml(1),
        amount_step_fen=scales.amount_fen(1),
        price_step_e3=scales.price_e3(1),
        total_step_ml=scales.total_ml(1),
        total_ml_wraps=scales.total_ml(10**width.total),
        amount_max_fen=scales.amount_fen(10 ** min(options.amount_digits, width.amount) - 1),
        volume_max_ml=min(volume_preset_max_ml, scales.volume_ml(10**width.volume - 1)),
        price_max_e3=scales.price_e3(10**width.price - 1),
        lift_first=True,
        can_suspend=options.can_resume,
        flow_ml_s_max=config.flow_ml_s_max,
    )


def points_of(reading: Reading[PumpStatus], picture: Picture, took_ms: float | None) -> list[Point]:
    """Everything as last read."""
    status = reading.value
    prices = ", ".join(f"{number}: {price}" for number, price in sorted(picture.prices_e3.items()))
    shown = [
        ("state", None if status is None else status.state.value, "status word"),
        ("word", None if status is None else status.reason, "status word"),
        ("nozzle", None if status is None else status.nozzle, "special function 010 or the sale"),
        ("amount", _with_unit(None if status is None else status.amount_fen, "fen"), "live money or the sale"),
        ("volume", _with_unit(None if status is None else status.volume_ml, "mL"), "the sale, or money by price"),
        ("prices", prices or None, "totals"),
    ]
    return [
        Point(name, "-" if value is None else str(value), reading.quality, reading.at_ms, took_ms, where=where)
        for name, value, where in shown
    ]


def _with_unit(value: int | None, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"
