"""Which pack is this, may it come in, may it go out? By its code, its own word, and headquarters' documents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.till.state_shop import PackPlace, Shop
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import Track, code_of, witness
from protocols.fieldbus import pack_code
from protocols.fieldbus.pack import Alarm, PackReading
from protocols.trade.pack_list import PackList, find, is_hot, is_overdue
from protocols.trade.records_pack import PackSeen, SwapKind
from protocols.trade.swap_terms import SwapTerms, is_fleet

DAMAGE = frozenset(
    {
        Alarm.SHORT, Alarm.MOS_FAULT, Alarm.MOS_HOT, Alarm.SENSOR_FAULT, Alarm.CELL_FAULT, Alarm.BOARD_FAULT,
        Alarm.CHARGE_FORBIDDEN, Alarm.REVERSED, Alarm.CELLS_APART, Alarm.BATTERY_HOT, Alarm.DISCHARGE_HOT,
        Alarm.CELL_HIGH, Alarm.PACK_HIGH,
    }
)  # fmt: skip
"""Protections that keep a pack from being charged and given out. An empty pack protects itself too, and is welcome."""
VOLTS_LOW, VOLTS_HIGH = 600, 1_250
"""Permille of the nominal voltage that its code names within which a pack's voltage lies, empty or full."""

NEAR_PERMILLE, NEAR_MV = 30, 1_500
"""A pack that stands in a slot, charging or not, changes by less within the minutes of a session."""


class Verdict(StrEnum):
    """What becomes of a pack that has been put in."""

    ACCEPT = "accept"
    QUARANTINE = "quarantine"  # locked in, not charged, not given out
    SEIZE = "seize"  # reported lost or stolen: locked in, and nothing is given for it
    REJECT = "reject"  # the door opens again


@dataclass(frozen=True, slots=True)
class Judged:
    """fault: the case of docs/cabinets.md; empty: it is the usual way. why: for the rider and for staff."""

    verdict: Verdict
    fault: str = ""
    why: str = ""


def seen(track: Track, since_ms: int, policy: SwapPolicy) -> PackSeen | None:
    """The pack as the slot reads it. None: none has answered since then."""
    said = witness(track, since_ms, policy)
    pack = track.sight.pack
    return None if pack is None or not (said.code or said.powered) else as_seen(pack)


def as_seen(pack: PackReading) -> PackSeen:
    """A reading as records have it."""
    voltage_mv, rest_mah = pack.voltage_mv, pack.remaining_mah
    energy_wh = None if voltage_mv is None or rest_mah is None else voltage_mv * rest_mah // 1_000_000
    found = (pack.protections or frozenset()) | (pack.warnings or frozenset())
    hottest_dc = pack.hottest_dc
    return PackSeen(
        code=code_of(pack),
        soc_permille=pack.charge_permille,
        soh_permille=pack.health_permille,
        cycles=pack.cycles,
        voltage_mv=voltage_mv,
        energy_wh=energy_wh,
        hottest_dc=None if hottest_dc is None else max(-1000, min(2000, hottest_dc)),
        alarms=sorted(alarm.value for alarm in found),
    )


def may_be_one(before: PackSeen, after: PackSeen) -> bool:
    """Whether two readings, minutes apart, may be of one pack whatever code each told. What one of them does not say
    keeps them from being told apart by it. Nobody swaps a full pack for another as full.
    """

    def near(one: int | None, other: int | None, by: int) -> bool:
        return one is None or other is None or abs(one - other) <= by

    return (
        near(before.soc_permille, after.soc_permille, NEAR_PERMILLE)
        and near(before.voltage_mv, after.voltage_mv, NEAR_MV)
        and near(before.soh_permille, after.soh_permille, 0)
        and near(before.cycles, after.cycles, 0)
    )


def owed_by(shop: Shop, packs: PackList, account: str) -> dict[str, PackPlace]:
    """Packs that went out of sight in this rider's sessions, by code: nobody paid for them, and nobody knows where they
    are. What headquarters has listed as lost is its own to settle.
    """
    return {
        code: place
        for code, place in shop.packs.items()
        if place.where == "unknown" and place.account == account and not is_hot(packs, code)
    }


def rented_by(shop: Shop, packs: PackList, code: str) -> str:
    """Who has rented this pack, by this site's log or headquarters' list, whichever is newer; empty: nobody."""
    account, at_s = shop.rented.get(code, ("", -1))
    entry = find(packs, code)
    if at_s >= packs.as_of_s:
        return account
    return "" if entry is None else entry.rented_by


def judge(
    shop: Shop, pack: PackReading, kind: SwapKind, bound: str, terms: SwapTerms, packs: PackList, policy: SwapPolicy
) -> Judged:
    """A pack that has been put in, with its code read. bound: the rider's own, as far as the site knows; empty: none.

    Any of the fleet's is taken, whoever brings it; a rented one only as a return.
    """
    code = code_of(pack)
    hottest_dc = pack.hottest_dc
    if hottest_dc is not None and hottest_dc >= policy.evacuate_dc:
        return Judged(Verdict.REJECT, "F-25", f"{hottest_dc / 10:.0f} degrees: take it out, away from the cabinet")
    parsed = pack_code.parse(code)
    if isinstance(parsed, pack_code.Refusal):
        return Judged(Verdict.REJECT, "F-24", f"{code}: {parsed.value}")
    if not is_fleet(terms, code):
        return Judged(Verdict.REJECT, "F-23", f"{code} is not one of ours")
    if not _voltage_fits(pack, parsed.voltage_v):
        return Judged(Verdict.REJECT, "F-24", f"{code} is for {parsed.voltage_v} V and shows {pack.voltage_mv} mV")
    if is_hot(packs, code):
        return Judged(Verdict.SEIZE, "F-23", f"{code} is reported lost or stolen")
    if kind == "swap" and rented_by(shop, packs, code):
        return Judged(Verdict.REJECT, "F-23", f"{code} is rented: return it as a return session")
    damage = (pack.protections or frozenset()) & DAMAGE
    if damage:
        said = ", ".join(sorted(alarm.value for alarm in damage))
        return Judged(Verdict.QUARANTINE, "F-25", f"{code}: {said}")
    if bound and bound != code:
        return Judged(Verdict.ACCEPT, "F-23", f"{code} is not the one that the rider had: {bound}")
    return Judged(Verdict.ACCEPT)


def may_go_out(shop: Shop, pack: PackReading, packs: PackList, clock_lb_s: int) -> bool:
    """Nothing is known against giving it out: it is not hot, rented, damaged or overdue for inspection."""
    code = code_of(pack)
    if is_hot(packs, code) or rented_by(shop, packs, code) or is_overdue(packs, code, clock_lb_s):
        return False
    return not (pack.protections or frozenset()) & DAMAGE


def _voltage_fits(pack: PackReading, nominal_v: int) -> bool:
    if pack.voltage_mv is None:
        return False
    return nominal_v * VOLTS_LOW <= pack.voltage_mv <= nominal_v * VOLTS_HIGH
