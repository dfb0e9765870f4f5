"""What did the pump sell? Its memory, its totalizers and its display must say the same, or nothing is billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.till.fill.limits import most_ml
from edge.till.fill.point import FuelPoint
from edge.till.fill.progress import FillProgress
from edge.till.fill.sight import SaleSeen
from edge.till.state import OpenFilling
from protocols.trade.fuel_bill import FuelBill, bill_of
from protocols.trade.records_fuel import NozzleTotals, Offered, PumpTotals

BEYOND_ML = 1_000
"""More than any pump goes on beyond its order unseen."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """sold, volume_ml and bill: what is billed; None: nothing flowed, or why says what does not fit.

    moved: mL that each totalizer went on by; None: it shows less than before. left_ml: of moved, what the bill does not
    explain. Both by nozzle.
    """

    sold: Offered | None = None
    bill: FuelBill | None = None
    volume_ml: int = 0
    why: str = ""
    moved: Mapping[int, int | None] = field(default_factory=dict)
    left_ml: Mapping[int, int] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether all that the pump says fits together."""
        return not self.why


def judge(filling: OpenFilling, progress: FillProgress, point: FuelPoint) -> Verdict | None:
    """What was sold between the totals before and after. None: memory or totals have not been read since the end."""
    sale, end = progress.sale, progress.end
    if sale is None or end is None:
        return None
    moved = movements(filling.opened.begin, end, point.traits.total_ml_wraps)
    flowed = {nozzle: ml for nozzle, ml in moved.items() if ml is not None and ml > 0}
    if any(ml is None for ml in moved.values()):
        return Verdict(why="a totalizer shows less than before", moved=moved, left_ml=flowed)
    if not flowed and progress.volume_ml == 0:
        return Verdict(moved=moved)  # the pump's memory still shows the sale before
    sold, why = _nozzle(filling, progress, sale, end, flowed, point)
    if sold is None:
        return Verdict(why=why, moved=moved, left_ml=flowed)
    found = _bill(filling, progress, sale, sold, flowed.get(sold.nozzle, 0), point)
    if isinstance(found, str):
        return Verdict(why=found, moved=moved, left_ml=flowed)
    volume_ml, bill = found
    left_ml = {nozzle: ml for nozzle, ml in flowed.items() if nozzle != sold.nozzle}
    if flowed.get(sold.nozzle, 0) - volume_ml > _step_ml(filling):
        left_ml[sold.nozzle] = flowed[sold.nozzle] - volume_ml
    return Verdict(sold, bill, volume_ml, moved=moved, left_ml=left_ml)


def movements(before: PumpTotals, after: PumpTotals, wraps_ml: int) -> dict[int, int | None]:
    """mL that each totalizer went on by; None: it shows less than before, and has not come round either."""
    now = {one.nozzle: one.volume_ml for one in after.nozzles}
    return {
        one.nozzle: moved_ml(one.volume_ml, now[one.nozzle], wraps_ml) for one in before.nozzles if one.nozzle in now
    }


def moved_ml(before_ml: int, after_ml: int, wraps_ml: int) -> int | None:
    """From one totalizer reading to the next. A fall is the counter coming round only within its last and first
    thousandth.
    """
    if after_ml >= before_ml:
        return after_ml - before_ml
    near_ml = wraps_ml // 1000
    came_round = before_ml >= wraps_ml - near_ml and after_ml <= near_ml
    return after_ml + wraps_ml - before_ml if came_round else None


def total_of(totals: PumpTotals, nozzle: int) -> NozzleTotals:
    """One nozzle's. Raises StopIteration for a nozzle that is not in it."""
    return next(one for one in totals.nozzles if one.nozzle == nozzle)


def _step_ml(filling: OpenFilling) -> int:
    """How far totalizer and display may be apart, each counting in its own steps."""
    return max(filling.opened.total_step_ml, filling.opened.volume_step_ml)


def _nozzle(
    filling: OpenFilling,
    progress: FillProgress,
    sale: SaleSeen,
    end: PumpTotals,
    flowed: Mapping[int, int],
    point: FuelPoint,
) -> tuple[Offered | None, str]:
    """Which nozzle gave the fuel, as it was offered; or why nobody can say."""
    told = sale.nozzle if not sale.empty else None
    if len(flowed) == 1:
        nozzle = next(iter(flowed))
        if told not in (None, nozzle):
            return None, f"the pump says nozzle {told}, the totalizer of {nozzle} moved"
    else:
        known = told or progress.nozzle or (next(iter(point.nozzles)) if len(point.nozzles) == 1 else None)
        seen = progress.nozzle if progress.volume_ml and progress.nozzle in flowed else None
        if seen not in (None, known):
            return (
                None,
                f"the pump says nozzle {known}, nozzle {seen} was seen to flow, and the totalizers of both moved",
            )
        if known is None or (flowed and known not in flowed):
            return None, f"the totalizers of nozzles {', '.join(map(str, flowed)) or 'none'} moved, nobody knows whose"
        nozzle = known
    offered = next((one for one in filling.opened.offered if one.nozzle == nozzle), None)
    if offered is None:
        return None, f"nozzle {nozzle} was not allowed to this customer"
    if all(one.nozzle != nozzle for one in end.nozzles):
        return None, f"the totalizer of nozzle {nozzle} is not told any more"
    return offered, ""


def _bill(
    filling: OpenFilling,
    progress: FillProgress,
    sale: SaleSeen,
    sold: Offered,
    gone_ml: int,
    point: FuelPoint,
) -> tuple[int, FuelBill] | str:
    """The volume and its bill, or what does not fit. gone_ml: what the nozzle's totalizer went on by."""
    if sale.empty:
        said = _from_totals(progress, sold.nozzle, gone_ml, filling.opened.begin)
        if said is None:
            return f"the pump has lost its last sale, and only its totalizer moved, by {gone_ml} mL"
        volume_ml, shown_fen = said
    else:
        volume_ml, shown_fen = sale.volume_ml, sale.amount_fen
    if sale.price_e3 is not None and sale.price_e3 != sold.price_e3 and not sale.empty:
        return f"the pump sold at {sale.price_e3} thousandths of a fen per litre, {sold.price_e3} were agreed"
    step_ml = _step_ml(filling)
    if volume_ml > gone_ml + step_ml:
        return f"the pump says {volume_ml} mL, its totalizer moved by {gone_ml} mL"
    if volume_ml > max(most_ml(filling), progress.volume_ml) + BEYOND_ML:
        return f"the pump says {volume_ml} mL, {most_ml(filling)} mL were ordered at most: it may be another's"
    if gone_ml - volume_ml > step_ml and not _surely_own(filling, volume_ml, gone_ml, progress.volume_ml):
        seen = f"{progress.volume_ml} mL were seen, its totalizer moved by {gone_ml} mL"
        return f"the pump's last sale is {volume_ml} mL, {seen}: it may be another's"
    opened = filling.opened
    bill = bill_of(volume_ml, sold.price_e3, shown_fen, opened.volume_step_ml, opened.amount_step_fen)
    if bill is None:
        return (
            f"{volume_ml} mL at {sold.price_e3} thousandths of a fen per litre is not {shown_fen} fen: "
            "check the decimals of this pump"
        )
    return volume_ml, bill


def _surely_own(filling: OpenFilling, volume_ml: int, gone_ml: int, seen_ml: int) -> bool:
    """Whether the last sale is the one that was seen to run, although the totalizer went on by more.

    If another came after it, what the last sale leaves unexplained is at least what was seen of this one. If the
    memory is late, it shows less than was seen.
    """
    as_seen = abs(volume_ml - seen_ml) <= filling.opened.volume_step_ml
    return as_seen or volume_ml > seen_ml > gone_ml - volume_ml + _step_ml(filling)


def _from_totals(progress: FillProgress, nozzle: int, gone_ml: int, begin: PumpTotals) -> tuple[int, int] | None:
    """(volume, amount) of a sale that the pump has forgotten: by its totalizers of litres and money, or by its display
    where that had come to the very volume.
    """
    assert progress.end is not None
    before, after = total_of(begin, nozzle).amount_fen, total_of(progress.end, nozzle).amount_fen
    if before is not None and after is not None and after >= before:
        return gone_ml, after - before
    return (gone_ml, progress.amount_fen) if progress.volume_ml == gone_ml else None
