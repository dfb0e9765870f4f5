"""Leg 4 for fuel: did every mL that a nozzle's totalizer counted go to a filling, or to nobody by name?

   begin             end   found    begin       readings of one nozzle in the order of the log. Between two at which
---|==================|------|--------|-----     the pump stood still, the totalizer went on by exactly what was
   `----- sold ------' `-nobody's-'              sold and what was booked as unattributed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import Filling, LogFacts, Told
from protocols.trade.records import Notice, SessionVoided
from protocols.trade.records_fuel import FillingClosed, FillingOpened, FuelUnattributed, PumpTotals, PumpTotalsRead

EXPLAINS = ("totalizer-fell", "sale-disagrees")
"""Notices by which a site says that it has seen a totalizer begin anew."""
COMES_ROUND_ML = tuple(10**power for power in range(8, 16))
"""What a totalizer may hold: whole decades, from five digits before the point on."""


class NozzleSum(msgspec.Struct, frozen=True):
    """One nozzle, first reading to last: last_ml - first_ml + wrapped_ml = sold_ml + unattributed_ml + running_ml +
    rounding_ml + missing_ml - fallen_ml.

    wrapped_ml: what the totalizer holds, each time it came round. running_ml: in a filling that has not ended.
    rounding_ml: display and totalizer count in steps; at most one a sale. missing_ml: what no record explains; below 0,
    more is booked than flowed. fallen_ml: by how much it went back in all.
    """

    site: str
    pump: str
    nozzle: int
    grade: str
    readings: int
    first_ml: int
    last_ml: int
    fillings: int
    sold_ml: int
    unattributed_ml: int
    running_ml: int
    rounding_ml: int
    missing_ml: int
    wrapped_ml: int
    fallen_ml: int


def reconcile_pumps(site: str, logs: Iterable[LogFacts]) -> tuple[list[NozzleSum], list[Finding]]:
    """A sum for each nozzle, and a finding for each stretch that does not add up. Logs of all epochs of a site stand in
    one row, for a pump outlives the box.
    """
    pumps: dict[str, _Pump] = {}
    for facts in sorted(logs, key=lambda facts: facts.key):
        for pump in pumps.values():
            pump.running.clear()  # what ran in the epoch before ends in none
        for told in facts.fuel:
            _hear(pumps, facts.fillings, told)
    sums, findings = list[NozzleSum](), list[Finding]()
    for name, pump in sorted(pumps.items()):
        for number, nozzle in sorted(pump.nozzles.items()):
            if nozzle.stretches:
                judge = _Judge(site, name, number, nozzle)
                sums.append(judge.sum())
                findings += judge.findings
    return sums, findings


# --- what each nozzle did, stretch by stretch ------------------------------------------------------------------------


@dataclass(slots=True)
class _Stretch:
    """From one rest of a nozzle to the next. before, after: the records that tell them. to_ml: newest reading so far.
    excused: the site has said that a totalizer began anew. running: a filling has not ended.
    """

    from_ml: int
    before: Told
    to_ml: int
    after: Told
    sales: int = 0
    sold_ml: int = 0
    lost_ml: int = 0
    excused: bool = False
    running: bool = False


@dataclass(slots=True)
class _Nozzle:
    """step_ml: of display or totalizer, whichever is the coarser."""

    grade: str = ""
    step_ml: int = 1
    readings: int = 0
    stretches: list[_Stretch] = field(default_factory=list)

    def shows(self, total_ml: int, told: Told) -> _Stretch:
        """A reading; the running stretch with it."""
        self.readings += 1
        if not self.stretches:
            self.stretches.append(_Stretch(total_ml, told, total_ml, told))
        self.stretches[-1].to_ml, self.stretches[-1].after = total_ml, told
        return self.stretches[-1]

    def sells(self, volume_ml: int, told: Told) -> None:
        """One whose totals the record does not hold stands at 0, for want of any."""
        stretch = self.stretches[-1] if self.stretches else self.shows(0, told)
        stretch.sales += 1
        stretch.sold_ml += volume_ml

    def rests(self, total_ml: int, told: Told) -> None:
        """A reading at a pump that stands still: here all must add up, and the next stretch begins. What has moved
        since the newest reading is a stretch of its own: there was no sale in it.
        """
        if self.stretches and self.stretches[-1].to_ml != total_ml:
            newest = self.stretches[-1]
            self.stretches.append(_Stretch(newest.to_ml, newest.after, total_ml, told, excused=newest.excused))
        self.shows(total_ml, told)
        self.stretches.append(_Stretch(total_ml, told, total_ml, told))


@dataclass(slots=True)
class _Pump:
    """running: fillings that have begun and not ended. boot, mono_ms: of the newest reading."""

    nozzles: dict[int, _Nozzle] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    boot: bytes = b""
    mono_ms: int = 0

    def nozzle(self, number: int, grade: str = "") -> _Nozzle:
        found = self.nozzles.setdefault(number, _Nozzle())
        found.grade = grade or found.grade
        return found

    def read(self, totals: PumpTotals, told: Told) -> None:
        if told.at.boot == self.boot and totals.mono_ms < self.mono_ms:
            return  # taken before the newest one, and told after it
        self.boot, self.mono_ms = told.at.boot, totals.mono_ms
        for one in totals.nozzles:
            if self.running:
                self.nozzle(one.nozzle).shows(one.volume_ml, told)
            else:
                self.nozzle(one.nozzle).rests(one.volume_ml, told)

    def newest(self) -> list[_Stretch]:
        """Where each nozzle is now."""
        return [nozzle.stretches[-1] for nozzle in self.nozzles.values() if nozzle.stretches]

    def set_running(self) -> None:
        for stretch in self.newest():
            stretch.running = bool(self.running)


def _hear(pumps: dict[str, _Pump], fillings: Mapping[int, Filling], told: Told) -> None:
    """One record more."""
    body = told.body
    if isinstance(body, FillingClosed | SessionVoided):
        filling = fillings.get(body.session)
        pump = None if filling is None else pumps.get(filling.opened.pump)
        if pump is None or body.session not in pump.running:
            return
        if isinstance(body, FillingClosed):
            pump.read(body.end, told)
            pump.nozzle(body.sold.nozzle, body.sold.grade).sells(body.volume_ml, told)
        pump.running.remove(body.session)
        pump.set_running()
    elif isinstance(body, FillingOpened):
        pump = pumps.setdefault(body.pump, _Pump())
        pump.read(body.begin, told)
        for one in body.offered:
            pump.nozzle(one.nozzle, one.grade).step_ml = max(body.volume_step_ml, body.total_step_ml)
        pump.running.add(told.at.seq)
        pump.set_running()
    elif isinstance(body, FuelUnattributed):
        nozzle = pumps.setdefault(body.pump, _Pump()).nozzle(body.nozzle, body.grade)
        if not nozzle.stretches:
            nozzle.rests(body.before.volume_ml, told)
        nozzle.shows(body.after.volume_ml, told).lost_ml += body.volume_ml
    elif isinstance(body, PumpTotalsRead):
        for totals in body.pumps:
            pumps.setdefault(totals.pump, _Pump()).read(totals, told)
    elif isinstance(body, Notice) and body.what in EXPLAINS and body.subject in pumps:
        for stretch in pumps[body.subject].newest():
            stretch.excused = True


# --- does each stretch add up ----------------------------------------------------------------------------------------


class _Judge:
    """Adds up one nozzle's stretches."""

    def __init__(self, site: str, pump: str, number: int, nozzle: _Nozzle) -> None:
        self.site, self.pump, self.number, self.nozzle = site, pump, number, nozzle
        self.findings: list[Finding] = []
        self.running_ml = self.rounding_ml = self.missing_ml = self.wrapped_ml = self.fallen_ml = 0
        for stretch in nozzle.stretches:
            self._add(stretch)

    def sum(self) -> NozzleSum:
        stretches = self.nozzle.stretches
        return NozzleSum(
            site=self.site,
            pump=self.pump,
            nozzle=self.number,
            grade=self.nozzle.grade,
            readings=self.nozzle.readings,
            first_ml=stretches[0].from_ml,
            last_ml=stretches[-1].to_ml,
            fillings=sum(it.sales for it in stretches),
            sold_ml=sum(it.sold_ml for it in stretches),
            unattributed_ml=sum(it.lost_ml for it in stretches),
            running_ml=self.running_ml,
            rounding_ml=self.rounding_ml,
            missing_ml=self.missing_ml,
            wrapped_ml=self.wrapped_ml,
            fallen_ml=self.fallen_ml,
        )

    def _add(self, it: _Stretch) -> None:
        booked_ml = it.sold_ml + it.lost_ml
        moved_ml = it.to_ml - it.from_ml
        if moved_ml < 0:
            wraps_ml = next((held for held in COMES_ROUND_ML if self._rounded(it, moved_ml + held - booked_ml)), None)
            if wraps_ml is None:
                self.fallen_ml += booked_ml - moved_ml
                self._find("totalizer-began-anew" if it.excused else "totalizer-fell", it, None)
                return
            self.wrapped_ml += wraps_ml
            moved_ml += wraps_ml
        left_ml = moved_ml - booked_ml
        if it.running and left_ml > 0:
            self.running_ml += left_ml
        elif self._rounded(it, left_ml):
            self.rounding_ml += left_ml
        else:
            self.missing_ml += left_ml
            self._find("litres-missing" if left_ml > 0 else "litres-too-many", it, left_ml)

    def _rounded(self, it: _Stretch, left_ml: int) -> bool:
        """Whether it comes from counting in steps: display and totalizer each cut what they do not show, sale by
        sale.
        """
        return abs(left_ml) <= it.sales * self.nozzle.step_ml

    def _find(self, code: str, it: _Stretch, difference_ml: int | None) -> None:
        name = f"{self.site} {self.pump} nozzle {self.number}"
        self.findings.append(
            Finding(
                code=code,
                leg=Leg.FUEL,
                site=self.site,
                subject=name,
                source=f"totalizer of {name} / fillings and unattributed litres",
                detail=f"{it.from_ml} mL in record {_name(it.before)}, {it.to_ml} mL in record {_name(it.after)}; "
                f"sold {it.sold_ml} mL, unattributed {it.lost_ml} mL",
                difference_ml=difference_ml,
                since_ms=it.after.at.at_ms,
            )
        )


def _name(told: Told) -> str:
    return f"{told.epoch}/{told.at.seq}"
