"""Is a pile's own bill what the tariff says? Findings for a person; no money is moved.

Our own bill is what is charged. A pile that reckons otherwise has other prices, another clock, a meter that does not
agree with itself, or faulty software, and each is worth knowing before the customer asks why the pile shows something
else. What comes here has been rounded to Wh and fen (`drivers.port_board.Settlement`); what rounding explains is no
finding. The digits themselves are compared where the bill arrives (`ykc_money.faults`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from protocols.fieldbus.ykc_money import HALF_HOURS, PriceModel, Slot

HALF_HOUR_MS: Final = 1_800_000
CLOCK_MS_MAX: Final = 180_000
"""JJG 1148-2022 allows 3 minutes in use. So much may a pile be off, and so far over a boundary may it count."""
POWER_MARGIN_WH: Final = 2


class PartSaid(Protocol):
    """As `drivers.port_board.EnergyPart`."""

    @property
    def period(self) -> int: ...
    @property
    def energy_wh(self) -> int: ...
    @property
    def amount_fen(self) -> int: ...


class BillSaid(Protocol):
    """As much of a `drivers.port_board.Settlement` as is compared."""

    @property
    def energy_wh(self) -> int | None: ...
    @property
    def amount_fen(self) -> int | None: ...
    @property
    def parts(self) -> Sequence[PartSaid]: ...
    @property
    def register_wh(self) -> tuple[int, int] | None: ...
    @property
    def began_ms(self) -> int | None: ...
    @property
    def ended_ms(self) -> int | None: ...


class Wrong(Enum):
    """What does not agree."""

    REGISTER_BACK = "register-back"  # the meter ended below its start
    REGISTER = "register"  # the energy is not what the meter counted
    PARTS = "parts"  # the parts are not the energy
    TIMES = "times"  # it ended before it began, or at no time
    CLOCK = "clock"  # its times are not ours
    POWER = "power"  # more energy than the gun can give in that time
    PERIOD = "period"  # energy at a price of hours in which it did not charge
    PRICE = "price"  # a part's amount is not its energy at the tariff's price
    SUM = "sum"  # the parts' amounts are not the amount
    AMOUNT = "amount"  # the whole is not what the tariff makes of the energy


@dataclass(frozen=True, slots=True)
class BillFinding:
    """One disagreement, in words for a person."""

    what: Wrong
    expected: str
    got: str


def check(
    said: BillSaid,
    model: PriceModel | None,
    utc_offset_min: int,
    *,
    seen_ms: tuple[int | None, int | None] = (None, None),
    power_w_max: int | None = None,
) -> list[BillFinding]:
    """Everything that does not agree, most basic first.

    model: what the pile was told for that charge (`pile_prices.price_model`); None: it is not known, and prices are not
    compared. seen_ms: when we saw it begin and end, in Unix ms; None: not seen. power_w_max: of the gun.
    """
    found = [*_energy(said), *_times(said, seen_ms, power_w_max)]
    if model is not None:
        found += _periods(said, model, utc_offset_min)
        found += _prices(said, model)
    return found


def _energy(said: BillSaid) -> list[BillFinding]:
    found = []
    if said.register_wh is not None:
        first, last = said.register_wh
        if last < first:
            found.append(BillFinding(Wrong.REGISTER_BACK, f"at least {first} Wh", f"{last} Wh"))
        elif said.energy_wh is not None and abs(last - first - said.energy_wh) > 1:  # each was rounded down
            found.append(BillFinding(Wrong.REGISTER, f"{last - first} Wh by the register", f"{said.energy_wh} Wh"))
    parts_wh = sum(part.energy_wh for part in said.parts)
    if said.energy_wh is not None and abs(parts_wh - said.energy_wh) > 1:
        found.append(BillFinding(Wrong.PARTS, f"{said.energy_wh} Wh", f"{parts_wh} Wh in the parts"))
    return found


def _times(said: BillSaid, seen_ms: tuple[int | None, int | None], power_w_max: int | None) -> list[BillFinding]:
    began_ms, ended_ms = said.began_ms, said.ended_ms
    if began_ms is None or ended_ms is None or ended_ms < began_ms:
        return [BillFinding(Wrong.TIMES, "an end after a beginning", f"{began_ms} to {ended_ms} Unix ms")]
    found = []
    for what, own_ms, pile_ms in (("begin", seen_ms[0], began_ms), ("end", seen_ms[1], ended_ms)):
        if own_ms is not None and abs(own_ms - pile_ms) > CLOCK_MS_MAX:
            off_s = (pile_ms - own_ms) // 1000
            expected = f"within {CLOCK_MS_MAX // 1000} s of {own_ms} Unix ms"
            found.append(BillFinding(Wrong.CLOCK, expected, f"to {what} {off_s:+} s from it"))
            break
    if power_w_max is not None and said.energy_wh is not None:
        most_wh = power_w_max * (ended_ms - began_ms + 1_000) // 3_600_000 + POWER_MARGIN_WH
        if said.energy_wh > most_wh:
            got = f"{said.energy_wh} Wh in {(ended_ms - began_ms) // 1000} s"
            found.append(BillFinding(Wrong.POWER, f"at most {most_wh} Wh at {power_w_max} W", got))
    return found


def _periods(said: BillSaid, model: PriceModel, utc_offset_min: int) -> list[BillFinding]:
    """By the pile's own clock: that it is wrong is another finding."""
    began_ms, ended_ms = said.began_ms, said.ended_ms
    if began_ms is None or ended_ms is None or ended_ms < began_ms:
        return []
    touched = slots_between(model, utc_offset_min, began_ms - CLOCK_MS_MAX, ended_ms + CLOCK_MS_MAX)
    return [
        BillFinding(Wrong.PERIOD, f"energy in {_names(touched)}", f"{part.energy_wh} Wh in {_names({part.period})}")
        for part in said.parts
        if part.energy_wh > 1 and part.period not in touched
    ]


def slots_between(model: PriceModel, utc_offset_min: int, from_ms: int, to_ms: int) -> set[int]:
    """The slots that hold at some instant of [from_ms, to_ms], by a clock with this offset."""
    local_ms = from_ms + utc_offset_min * 60_000
    first = local_ms // HALF_HOUR_MS
    last = min((to_ms + utc_offset_min * 60_000) // HALF_HOUR_MS, first + HALF_HOURS)
    return {model.half_hours[half % HALF_HOURS] for half in range(first, last + 1)}


def _prices(said: BillSaid, model: PriceModel) -> list[BillFinding]:
    """Amounts were rounded up to fen and energy down to Wh, in each part and in the whole."""
    found = []
    least_fen = most_fen = 0
    known = True
    for part in said.parts:
        if not 0 <= part.period < len(model.prices):
            found.append(BillFinding(Wrong.PERIOD, f"one of {_names(set(range(len(model.prices))))}", f"{part.period}"))
            known = False
            continue
        price_e3 = model.prices[part.period].price_e3
        least, most = _fen_between(part.energy_wh, price_e3)
        least_fen, most_fen = least_fen + least, most_fen + most
        if not least <= part.amount_fen <= most:
            expected = f"{least} to {most} fen for {part.energy_wh} Wh in {_names({part.period})}"
            found.append(BillFinding(Wrong.PRICE, expected, f"{part.amount_fen} fen"))
    if said.amount_fen is None:
        return found
    sum_fen = sum(part.amount_fen for part in said.parts)
    if not sum_fen - len(said.parts) <= said.amount_fen <= sum_fen + len(said.parts):
        found.append(BillFinding(Wrong.SUM, f"{sum_fen} fen in the parts", f"{said.amount_fen} fen"))
    if known and said.parts and not max(0, least_fen - len(said.parts)) <= said.amount_fen <= most_fen:
        found.append(BillFinding(Wrong.AMOUNT, f"{least_fen} to {most_fen} fen", f"{said.amount_fen} fen"))
    return found


def _fen_between(energy_wh: int, price_e3: int) -> tuple[int, int]:
    """What a part can cost in fen, whatever was rounded: its energy may be a Wh more or less, its amount a fen."""
    least = max(0, energy_wh - 1) * price_e3 // 1_000_000
    most = -(-(energy_wh + 2) * price_e3 // 1_000_000) + 1
    return max(0, least - 1), most


def _names(slots: set[int]) -> str:
    known = [slot.name.lower() for slot in Slot if slot in slots]
    return " and ".join([*known, *(str(slot) for slot in sorted(slots - set(Slot)))])
