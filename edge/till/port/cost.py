"""What has a port session cost, and what may its order come to? One price of three kinds, one bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.till.port.place import PortPlace
from protocols.trade import port_prices, price
from protocols.trade.daytime import DAY_MS
from protocols.trade.port_prices import PortPrice, Profile, billed_seconds
from protocols.trade.price import Bill, Delivered
from protocols.trade.records import Preset, Slice
from protocols.trade.tariff import Tariff

OrderKind = Literal["time", "energy", "full"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The price that a session pins. tariff: of a price by tariff, else None."""

    price: PortPrice
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a port gave. None of energy_wh: the board does not count it."""

    elapsed_s: int
    energy_wh: int | None
    step_s: tuple[int, ...] = ()
    slices: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an order may come to: its kind and limit, and the longest time of any kind."""

    kind: OrderKind
    limit: int
    time_max_s: int


def bill(terms: Terms, delivery: Delivery, clock_lb_ms: int, clock_ub_ms: int | None) -> Bill:
    """Exact, rounded once."""
    if terms.price.by != "tariff":
        return port_prices.bill(terms.price, delivery.step_s, delivery.energy_wh or 0)
    assert terms.tariff is not None
    return price.bill(terms.tariff, Delivered(delivery.slices, 0, clock_lb_ms, clock_ub_ms))


def most_fen(terms: Terms, delivery: Delivery, clock_lb_ms: int, clock_ub_ms: int | None) -> int:
    """The most that it may have cost so far, rounded up."""
    if terms.price.by != "tariff":
        return bill(terms, delivery, clock_lb_ms, clock_ub_ms).amount_fen
    assert terms.tariff is not None
    delivered = Delivered(delivery.slices, 0, clock_lb_ms, clock_ub_ms)
    return -(-price.ceiling(terms.tariff, delivered) // 1)


def delivery_of(
    terms: Terms, profile: Profile, slices: Sequence[Slice], elapsed_s: int, energy_wh: int | None, peak_w: int | None
) -> Delivery:
    """What is billed: by the board's own last word where there is one, in the cheapest reading of what was seen."""
    step_s = billed_seconds(terms.price, profile, elapsed_s, peak_w)
    return Delivery(elapsed_s, energy_wh, step_s, tuple(slices) if terms.price.by == "tariff" else ())


def need_fen(terms: Terms, preset: Preset, place: PortPlace, cap_fen: int, clock: tuple[int, int | None]) -> int:
    """What a session should hold. It holds exactly that for a preset in money, time, or energy where energy is priced;
    else as much as there is, up to this.
    """
    traits, one = place.traits, terms.price
    if preset.kind == "money":
        return preset.amount
    if one.by == "tariff" and preset.kind == "energy":
        assert terms.tariff is not None
        return price.hold_for_energy(terms.tariff, preset.amount + traits.energy_step_wh, *clock)
    if one.by == "energy" and preset.kind == "energy":
        return port_prices.fen_for_energy(one, preset.amount + traits.energy_step_wh)
    if one.by == "time" and preset.kind == "time":
        return port_prices.fen_for_time(one, min(preset.amount, traits.time_max_s), traits.power_w_max)
    return one.cap_fen or cap_fen


def is_exact(terms: Terms, preset: Preset) -> bool:
    """Whether a session holds exactly what it needs, or cannot start."""
    if preset.kind in ("full", "money"):
        return preset.kind == "money"
    return (preset.kind == "time") == (terms.price.by == "time")


def limits(
    terms: Terms, preset: Preset, place: PortPlace, worth_fen: int, clock: tuple[int, int | None]
) -> Limits | None:
    """What the port is told at most, so that whatever it delivers within that is paid. None: not even the least.

    By time the hold pays the dearest power step that the port can come to; what a lighter load leaves goes back. By
    energy one step of the board's counter is left as its overshoot.
    """
    traits, one = place.traits, terms.price
    longest_s = min(traits.time_max_s, preset.amount) if preset.kind == "time" else traits.time_max_s
    wanted_wh = preset.amount - preset.amount % traits.energy_step_wh
    if preset.kind != "full" and (wanted_wh if preset.kind == "energy" else preset.amount) <= 0:
        return None
    if one.by == "time":
        paid_s = port_prices.time_for(one, worth_fen, traits.power_w_max)
        time_s = longest_s if paid_s is None else min(longest_s, paid_s)
        if time_s <= 0:
            return None
        return Limits("energy", wanted_wh, time_s) if preset.kind == "energy" else Limits("time", time_s, time_s)
    if one.by == "energy":
        paid_wh = port_prices.energy_for(one, worth_fen)
    else:
        assert terms.tariff is not None
        paid_wh = price.energy_within(terms.tariff, worth_fen, *clock, DAY_MS)
    if paid_wh is None:  # it is free
        kind: OrderKind = "full" if preset.kind in ("full", "money") else "time"
        return (
            Limits("energy", wanted_wh, longest_s)
            if preset.kind == "energy"
            else Limits(kind, 0 if kind == "full" else longest_s, longest_s)
        )
    energy_wh = paid_wh - traits.energy_step_wh
    if preset.kind == "energy":
        energy_wh = min(energy_wh, wanted_wh)
    energy_wh -= energy_wh % traits.energy_step_wh
    return Limits("energy", energy_wh, longest_s) if energy_wh > 0 else None
