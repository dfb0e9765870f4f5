"""What of a filling, a swap or a session at a port is measured? From its opening and its closing record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from protocols.proof.measurement import Measured, Reading
from protocols.trade import fuel_prices, port_prices, swap_terms
from protocols.trade.documents import TARIFF
from protocols.trade.quantities import kwh, litres
from protocols.trade.records import Pin, Stamp
from protocols.trade.records_fuel import FillingClosed, FillingOpened, PumpTotals
from protocols.trade.records_pack import PackSeen, SwapClosed, SwapOpened
from protocols.trade.records_port import PortClosed, PortOpened

MeasuredOpened: TypeAlias = FillingOpened | SwapOpened | PortOpened
MeasuredClosed: TypeAlias = FillingClosed | SwapClosed | PortClosed

_REASONS = {"local": "L", "remote": "R", "power-loss": "P", "other": "A", "emergency-stop": "A"}
"""Why it ended -> TX. Every other ending is a plain E; A is a fault."""


@dataclass(frozen=True, slots=True)
class Told:
    """The records of one session. seq, opened_at: of the opening one. closed_at: of the closing one."""

    site: str
    epoch: int
    seq: int
    opened_at: Stamp
    opened: MeasuredOpened
    closed: MeasuredClosed
    closed_at: Stamp


def measured(told: Told) -> Measured | None:
    """None: nothing was handed over, so that there is nothing to sign; or the records are not of one session."""
    match told.opened, told.closed:
        case FillingOpened() as opened, FillingClosed() as closed:
            return _measured(told, opened.pump, _totals(told, opened, closed), _filled(opened, closed))
        case SwapOpened() as opening, SwapClosed() as swapped if swapped.returned or swapped.taken:
            return _measured(told, opening.cabinet, _packs(told, swapped), _swapped(opening, swapped))
        case PortOpened() as port, PortClosed() as counted:
            place = f"{port.board}.{port.port}"
            return _measured(told, place, _counted(told, counted), _delivered(port, counted))
    return None


def _measured(told: Told, device: str, readings: Sequence[Reading], said: Mapping[str, str | int | None]) -> Measured:
    known = {key: part for key, part in said.items() if part not in (None, "")}
    known |= {"U_AMOUNT_FEN": told.closed.amount_fen}
    if told.closed.overrun_fen:
        known |= {"U_OVERRUN_FEN": told.closed.overrun_fen}
    return Measured(told.site, told.epoch, told.seq, device, told.opened.origin, tuple(readings), known)


def _hash(pins: Sequence[Pin], kind: str) -> str:
    return next((pin.hash.hex() for pin in pins if pin.kind == kind), "")


# --- fuel ------------------------------------------------------------------------------------------------------------


def _totals(told: Told, opened: FillingOpened, closed: FillingClosed) -> list[Reading]:
    """The totalizer of the nozzle that sold, before and after, in litres."""
    nozzle = closed.sold.nozzle
    ends = (opened.begin, told.opened_at, "B"), (closed.end, told.closed_at, _REASONS.get(closed.reason, "E"))
    return [
        Reading(totals.wall_ms, stamp, reason, litres(_total_ml(totals, nozzle)), f"nozzle-{nozzle}", "L")
        for totals, stamp, reason in ends
    ]


def _total_ml(totals: PumpTotals, nozzle: int) -> int:
    """0 where the pump has no such nozzle: then the record disagrees with the log, and says so."""
    return next((one.volume_ml for one in totals.nozzles if one.nozzle == nozzle), 0)


def _filled(opened: FillingOpened, closed: FillingClosed) -> Mapping[str, str | int | None]:
    return {
        "U_VOLUME_ML": closed.volume_ml,
        "U_PRICE_E3": closed.sold.price_e3,
        "V_PUMP": opened.pump,
        "V_NOZZLE": closed.sold.nozzle,
        "V_GRADE": closed.sold.grade,
        "W_PRICES_SHA256": _hash(opened.pins, fuel_prices.KIND),
    }


# --- packs -----------------------------------------------------------------------------------------------------------


def _packs(told: Told, closed: SwapClosed) -> list[Reading]:
    """What is in the pack that was put in, and in the one that was taken out."""
    ends = (closed.returned, told.opened_at, "B", "pack-in"), (closed.taken, told.closed_at, "E", "pack-out")
    return [_pack(seen, stamp, reason, what) for seen, stamp, reason, what in ends if seen is not None]


def _pack(seen: PackSeen, stamp: Stamp, reason: str, what: str) -> Reading:
    """Energy by the pack's own count; where it tells none, its charge."""
    if seen.energy_wh is not None:
        return Reading(stamp.wall_ms, stamp, reason, kwh(seen.energy_wh), what, "kWh")
    if seen.soc_permille is not None:
        charge = f"{seen.soc_permille // 10}.{seen.soc_permille % 10}"
        return Reading(stamp.wall_ms, stamp, reason, charge, what, "%")
    return Reading(stamp.wall_ms, stamp, reason, None, what, "kWh", "N")


def _swapped(opened: SwapOpened, closed: SwapClosed) -> Mapping[str, str | int | None]:
    returned, taken = closed.returned, closed.taken
    return {
        "U_ENERGY_WH": closed.energy_wh,
        "U_IN_CHARGE_PERMILLE": None if returned is None else returned.soc_permille,
        "U_OUT_CHARGE_PERMILLE": None if taken is None else taken.soc_permille,
        "V_CABINET": opened.cabinet,
        "V_OUTCOME": closed.outcome,
        "V_PACK_IN": "" if returned is None else returned.code,
        "V_SLOT_IN": closed.returned_slot,
        "V_PACK_OUT": "" if taken is None else taken.code,
        "V_SLOT_OUT": closed.taken_slot,
        "W_TERMS_SHA256": _hash(opened.pins, swap_terms.KIND),
    }


# --- ports -----------------------------------------------------------------------------------------------------------


def _counted(told: Told, closed: PortClosed) -> list[Reading]:
    """A pile's register; where there is none, what the board counted from nothing: energy, else time. What the board
    has not settled is a substitute.
    """
    reason, status = _REASONS.get(closed.reason, "E"), "G" if closed.settled else "S"
    if len(closed.register_wh) == 2:
        values, what, unit = [kwh(one) for one in closed.register_wh], "register", "kWh"
    elif closed.energy_wh is not None:
        values, what, unit = [kwh(0), kwh(closed.energy_wh)], "energy", "kWh"
    else:
        values, what, unit = ["0", str(closed.elapsed_s or 0)], "time", "s"
    begin, end = told.opened_at, told.closed_at
    return [
        Reading(begin.wall_ms, begin, "B", values[0], what, unit),
        Reading(end.wall_ms, end, reason, values[1], what, unit, status),
    ]


def _delivered(opened: PortOpened, closed: PortClosed) -> Mapping[str, str | int | None]:
    return {
        "U_ENERGY_WH": closed.energy_wh,
        "U_TIME_S": closed.elapsed_s,
        "U_PEAK_W": closed.peak_w,
        "V_BOARD": opened.board,
        "V_PORT": opened.port,
        "V_REASON": closed.reason,
        "W_PRICES_SHA256": _hash(opened.pins, port_prices.KIND),
        "W_TARIFF_SHA256": _hash(opened.pins, TARIFF) if closed.slices else "",
    }
