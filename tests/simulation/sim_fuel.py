"""Who says that no drop and no fen of fuel was lost, invented, doubled or given to the wrong person?

The auditor's part for pumps. It sees each authorisation and each first drop at the physical pump, knows what every sale
there really gave, and reads each record as it becomes durable. It shares no arithmetic with the till.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from sim_pump import FuelStand
from sim_wrong import Wrong, expect

from drivers.twins.pumps.parts import Sale
from protocols.trade import fuel_prices, fuel_terms
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.records import ClockQuality, Record, SessionHeld, SessionVoided
from protocols.trade.records_fuel import (
    FillingClosed,
    FillingOpened,
    FuelDayClosed,
    FuelUnattributed,
    PumpTotals,
    PumpTotalsRead,
)

E6 = 1_000_000
"""mL times thousandths of a fen per litre, in a fen."""

Place = tuple[str, str]
"""(branch, pump)"""


@dataclass
class Filling:
    """A filling as the auditor sees it. holds: by whose they are. sales: the pump's own, authorised for it.

    inherited: it was open when its disk was copied; what the pump has done since is not this history's.
    """

    place: Place
    holds: dict[str, int]
    opened: FillingOpened
    opened_ms: int
    sales: list[Sale] = field(default_factory=list)
    inherited: bool = False


@dataclass(frozen=True)
class FuelView:
    """What the auditor knows of a branch's fuel when somebody copies its disk."""

    fillings: dict[int, Filling]
    counted: dict[str, dict[int, int]]
    had_ml: dict[tuple[str, int], int]
    grades: dict[str, list[int]]


@dataclass
class Fuel:
    """The truth of pumps, and what is claimed of them.

    counted: by (branch, pump) and nozzle: the totalizer up to which every mL is in a bill, or counted as nobody's.
    had_ml: by (branch, account, local day). grades: of the running day: fillings, mL, fen, unattributed mL.
    """

    start_utc_ms: int
    clock_ms: int
    seen: Callable[[str], None]
    stands: dict[Place, FuelStand] = field(default_factory=dict)
    fillings: dict[tuple[str, int], Filling] = field(default_factory=dict)
    lists: dict[bytes, PriceList] = field(default_factory=dict)
    terms: FuelTerms = fuel_terms.NO_TERMS
    counted: dict[Place, dict[int, int]] = field(default_factory=dict)
    had_ml: dict[tuple[str, str, int], int] = field(default_factory=dict)
    grades: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    sold_ml: int = 0
    stray_ml: int = 0

    # --- histories ---------------------------------------------------------------------------------------------------

    def view(self, branch: str) -> FuelView:
        return FuelView(
            {seq: _copied(one) for (at, seq), one in self.fillings.items() if at == branch},
            {pump: dict(totals) for (at, pump), totals in self.counted.items() if at == branch},
            {(account, day): ml for (at, account, day), ml in self.had_ml.items() if at == branch},
            {grade: list(sums) for grade, sums in self.grades.get(branch, {}).items()},
        )

    def fork(self, view: FuelView, branch: str, stands: dict[str, FuelStand]) -> None:
        """A box goes on from there, at these pumps, whatever else has followed."""
        self.stand_at(branch, stands)
        for stand in stands.values():
            stand.excused = True
        for seq, one in view.fillings.items():
            place = (branch, one.place[1])
            self.fillings[branch, seq] = replace(_at(one, stands[one.place[1]]), place=place, inherited=True)
        for pump, totals in view.counted.items():
            self.counted[branch, pump] = dict(totals)
        for (account, day), ml in view.had_ml.items():
            self.had_ml[branch, account, day] = ml
        self.grades[branch] = {grade: list(sums) for grade, sums in view.grades.items()}

    def stand_at(self, branch: str, stands: dict[str, FuelStand]) -> None:
        """What the boxes of this branch sell flows at these pumps from now on."""
        for name, stand in stands.items():
            self.stands[branch, name] = stand
        for (at, seq), one in list(self.fillings.items()):
            if at == branch:
                self.fillings[at, seq] = _at(one, stands[one.place[1]])

    def abandon(self, branch: str) -> None:
        """No box lives this history any more."""
        self.fillings = {key: one for key, one in self.fillings.items() if key[0] != branch}
        self.stands = {place: stand for place, stand in self.stands.items() if place[0] != branch}

    # --- at the pump -------------------------------------------------------------------------------------------------

    def authorised(self, site: str, stand: FuelStand, sale: Sale) -> None:
        """A pump may deliver from now on: a durable record says for whom, what he pays, and how much at most."""
        found = [one for one in self.fillings.values() if one.place == (site, stand.name)]
        if not found:
            raise Wrong("durable-before-acting", f"{site} {stand.name} may deliver, no durable record says for whom")
        (filling,) = found
        if not any(filling.holds.values()):
            raise Wrong("hold-before-start", f"{site} {stand.name} may deliver, and nothing is set aside for it")
        if any(one.ul for one in filling.sales):
            raise Wrong("authorised-once", f"{site} {stand.name}: fuel has flowed for this filling, and may flow again")
        offered = {one.nozzle: one.price_e3 for one in filling.opened.offered}
        shown = {nozzle: stand.pump.prices_e3[nozzle] for nozzle in sale.nozzles}
        if not shown.items() <= offered.items():
            raise Wrong("price-as-agreed", f"{site} {stand.name}: offered at {offered}, the pump shows {shown}")
        limit, held = sale.preset.limit, sum(fen for its, fen in filling.holds.items() if " " not in its)
        dearest_e3 = max(shown.values())
        most_fen = {"amount": limit, "volume": ceil(Fraction(limit * dearest_e3, E6))}.get(sale.preset.kind)
        if most_fen is None or most_fen > held:
            raise Wrong("order-within-holds", f"{site} {stand.name}: {sale.preset} ordered, {held} fen held")
        filling.sales.append(sale)

    def flowed(self, site: str, stand: FuelStand, sale: Sale) -> None:
        """The first drop of a sale."""
        if not self._open_for(site, stand, sale) and not stand.excused:
            raise Wrong("no-flow-unordered", f"{site} {stand.name} delivers, and its filling is not open")

    def wiped(self, site: str, stand: FuelStand, sale: Sale) -> None:
        """The till lets the pump forget a sale."""
        if self._open_for(site, stand, sale) and sale.ul and not stand.excused:
            raise Wrong("stored-before-forgotten", f"{site} {stand.name}: {sale.ul // 1000} mL, and no record has them")

    # --- in the log --------------------------------------------------------------------------------------------------

    def opened(self, site: str, seq: int, body: FillingOpened, record: Record) -> Filling:
        """The filling, with nothing held for it yet."""
        place = (site, body.pump)
        stand = self.stands[place]
        if any(one.place == place for one in self.fillings.values()):
            raise Wrong("one-session-each", f"{site} {body.pump} has two fillings")
        stand.settle()
        self._priced(site, body, record, stand.now_ms())
        self._may_have(site, body)
        filling = Filling(place, {}, body, stand.now_ms())
        self.fillings[site, seq] = filling
        counted = self.counted.setdefault(place, {})
        for one in body.begin.nozzles:
            expect("every-ml", f"{site}/{seq}: nozzle {one.nozzle} begins at", counted.get(one.nozzle), one.volume_ml)
        if not stand.faulty:
            stand.excused = False
        return filling

    def closed(self, site: str, body: FillingClosed, captured: dict[str, int]) -> Filling:
        """A bill: for what his own sale gave, as the pump displayed it at its end, at the price of the record."""
        filling = self.fillings.pop((site, body.session))
        stand = self.stands[filling.place]
        stand.settle()
        where = f"{site}/{body.session}"
        for its, units in captured.items():
            if units > filling.holds.get(its, 0):
                raise Wrong("capture-within-hold", f"{where}: {units} of {filling.holds} of {its}")
        if body.sold not in filling.opened.offered:
            raise Wrong("price-as-agreed", f"{where}: sold {body.sold}, offered {filling.opened.offered}")
        paid_fen = sum(fen for its, fen in captured.items() if " " not in its)
        expect("bill-is-captured", where, body.amount_fen, paid_fen + body.overrun_fen)
        if not filling.inherited:
            self._is_the_sale(where, filling, stand, body)
        self._guaranteed(where, filling, body, captured)
        self._moved(where, filling, stand, body)
        for its in filling.holds:
            key = (site, its, filling.opened.local_day)
            self.had_ml[key] = self.had_ml.get(key, 0) + body.volume_ml
        self._within_the_day(where, filling, stand)
        sums = self._sums(site, body.sold.grade)
        sums[0] += 1
        sums[1] += body.volume_ml
        sums[2] += body.amount_fen
        self.sold_ml += body.volume_ml
        return filling

    def voided(self, site: str, body: SessionVoided) -> Filling:
        filling = self.fillings.pop((site, body.session))
        stand = self.stands[filling.place]
        stand.settle()
        return filling

    def held(self, site: str, body: SessionHeld) -> None:
        """The pump is silent or does not stop: in the end its filling is given up, whatever it does then."""
        self.stands[self.fillings[site, body.session].place].excused = True

    def unattributed(self, site: str, body: FuelUnattributed, record: Record) -> None:
        """Nobody's fuel: it is counted from where the last count ended, and no money moves."""
        place, where = (site, body.pump), f"{site} {body.pump} nozzle {body.nozzle}"
        if record.moves:
            raise Wrong("nobody-pays-for-it", f"{where}: {record.moves}")
        wraps_ml = self.stands[place].pump.head.total_ml_wraps
        expect("every-ml", f"{where} counted from", self.counted[place][body.nozzle], body.before.volume_ml)
        gone_ml = (body.after.volume_ml - body.before.volume_ml) % wraps_ml
        expect("every-ml", f"{where}: unattributed", gone_ml, body.volume_ml)
        self.counted[place][body.nozzle] = body.after.volume_ml
        self._sums(site, body.grade)[3] += body.volume_ml
        self.stray_ml += body.volume_ml

    def totals_read(self, site: str, body: PumpTotalsRead) -> None:
        """A baseline, or what has been counted already; less than that only at a pump that was reset."""
        for totals in body.pumps:
            place = (site, totals.pump)
            stand = self.stands[place]
            if any(one.place == place for one in self.fillings.values()):
                continue  # in mid-sale: what has flowed by then belongs to the sale
            counted = self.counted.setdefault(place, {})
            for one in totals.nozzles:
                before = counted.setdefault(one.nozzle, one.volume_ml)
                if before != one.volume_ml and not (one.nozzle in stand.fell and one.volume_ml < before):
                    text = f"nozzle {one.nozzle}: counted up to {before} mL, now {one.volume_ml} with no reason given"
                    raise Wrong("every-ml", f"{site} {totals.pump}: {text}")
                counted[one.nozzle] = one.volume_ml

    def day_closed(self, site: str, body: FuelDayClosed) -> None:
        told = {one.grade: [one.fillings, one.volume_ml, one.amount_fen, one.unattributed_ml] for one in body.grades}
        expect("day-sums", f"{site}: fuel of day {body.day}", self.grades.pop(site, {}), told)

    # --- the end -----------------------------------------------------------------------------------------------------

    def uncounted(self, branch: str) -> list[str]:
        """Pumps whose totalizers show more than the log has counted, in words."""
        found = []
        for (site, pump), stand in self.stands.items():
            if site == branch:
                stand.settle()
                shows = {nozzle: one.volume_ml for nozzle, one in stand.totals().items()}
                counted = self.counted.get((site, pump), {})
                found += [f"{site} {pump}: totals {shows}, counted {counted}"] if shows != counted else []
        return found

    def _open_for(self, site: str, stand: FuelStand, sale: Sale) -> bool:
        here = (one for one in self.fillings.values() if one.place == (site, stand.name))
        return any(one is sale for filling in here for one in filling.sales)

    # --- how ---------------------------------------------------------------------------------------------------------

    def _is_the_sale(self, where: str, filling: Filling, stand: FuelStand, body: FillingClosed) -> None:
        """What is billed is what his own sale gave in the end, to a step of the pump's digits, and for its price."""
        sales = [sale for sale in filling.sales if sale.ul]
        if any(sale.nozzle != body.sold.nozzle or sale.price_e3 != body.sold.price_e3 for sale in sales):
            raise Wrong("price-as-agreed", f"{where}: billed as {body.sold}, sold as {sales}")
        pump, step_ml, price_e3 = stand.pump, stand.step_ml, body.sold.price_e3
        gave_ml, shown_fen = sum(map(pump.volume_ml, sales)), sum(map(pump.amount_fen, sales))
        gave_ul = sum(sale.ul for sale in sales)
        if body.volume_ml * 1000 > gave_ul + step_ml * 1000:
            raise Wrong("only-what-flowed", f"{where}: billed {body.volume_ml} mL, {gave_ul} uL flowed for him")
        if body.amount_fen * E6 > (gave_ul // 1000 + step_ml) * price_e3 + 2 * E6:
            raise Wrong("never-above-the-price", f"{where}: {body.amount_fen} fen for {gave_ul} uL at {price_e3}")
        if abs(body.volume_ml - gave_ml) > step_ml:
            raise Wrong("the-whole-sale", f"{where}: billed {body.volume_ml} mL, the pump showed {gave_ml} at the end")
        if abs(body.amount_fen - shown_fen) * E6 > step_ml * price_e3 + E6:
            raise Wrong("the-whole-sale", f"{where}: billed {body.amount_fen} fen, the pump showed {shown_fen}")
        slack_ml = stand.pump.head.overrun_ml + 2 * step_ml
        if body.overrun_fen * E6 > slack_ml * price_e3 + E6:
            raise Wrong("cut-off", f"{where}: {body.overrun_fen} fen beyond holds of {filling.holds}")

    def _guaranteed(self, where: str, filling: Filling, body: FillingClosed, captured: dict[str, int]) -> None:
        """A guarantor pays what all others together cannot."""
        opened = filling.opened
        if not opened.guaranteed:
            return
        guarantor = opened.holds[0].account
        others = {its: fen for its, fen in filling.holds.items() if its != guarantor}
        if captured.get(guarantor) and any(fen > captured.get(its, 0) for its, fen in others.items()):
            raise Wrong("guarantor-last", f"{where}: {captured} captured, {filling.holds} held")
        self.seen(f"guaranteed filling, paid by {'another' if others else 'the guarantor'}")

    def _moved(self, where: str, filling: Filling, stand: FuelStand, body: FillingClosed) -> None:
        """His nozzle's totalizer is counted up to the end, or up to his share of it where more has moved."""
        counted, wraps_ml = self.counted[filling.place], stand.pump.head.total_ml_wraps
        nozzle = body.sold.nozzle
        before, after = _total(filling.opened.begin, nozzle), _total(body.end, nozzle)
        beyond_ml = (after - before) % wraps_ml - body.volume_ml
        if beyond_ml < -stand.step_ml:
            raise Wrong("every-ml", f"{where}: {body.volume_ml} mL billed, totalizer from {before} to {after}")
        counted[nozzle] = after if beyond_ml <= stand.step_ml else (before + body.volume_ml) % wraps_ml

    def _priced(self, site: str, body: FillingOpened, record: Record, now_ms: int) -> None:
        """Prices are those of the signed list around this true time; of an unsure clock, at a time that it may be."""
        pinned = next(pin for pin in body.pins if pin.kind == fuel_prices.KIND)
        prices = self.lists[pinned.hash]
        at_ms, around_ms = self.start_utc_ms + now_ms, self.clock_ms
        first_ms, last_ms = at_ms - around_ms, at_ms + around_ms
        if record.stamp.quality != ClockQuality.SYNCHRONISED:
            first_ms, last_ms = body.clock_lb_ms, 2**60 if body.clock_ub_ms is None else body.clock_ub_ms
            if not first_ms - around_ms <= at_ms <= last_ms + around_ms:
                raise Wrong("clock-bounds", f"{site} {body.pump}: {at_ms} is not within {first_ms} to {last_ms}")
        ends_ms = [step.from_s * 1000 for step in prices.steps[1:]] + [2**60]
        steps = [
            {one.grade: one.price_e3 for one in step.prices}
            for n, (step, end_ms) in enumerate(zip(prices.steps, ends_ms, strict=True))
            if (n == 0 or step.from_s * 1000 <= last_ms) and end_ms >= first_ms
        ]
        for one in body.offered:
            if all(one.price_e3 != step[one.grade] for step in steps):
                raise Wrong("price-on-the-list", f"{site} {body.pump}: {one} of {steps}")

    def _may_have(self, site: str, body: FillingOpened) -> None:
        """No nozzle is let go that the terms of a payer forbid."""
        if not any(pin.kind == fuel_terms.KIND for pin in body.pins):
            return
        for hold in body.holds[1:] if body.guaranteed else body.holds:
            for terms in self.terms.terms:
                grades = {one.grade for one in body.offered}
                if terms.account == hold.account and terms.grades and not grades <= set(terms.grades):
                    raise Wrong("grade-terms", f"{site} {body.pump}: {grades} for {hold.account}")

    def _within_the_day(self, where: str, filling: Filling, stand: FuelStand) -> None:
        opened = filling.opened
        if filling.inherited or not any(pin.kind == fuel_terms.KIND for pin in opened.pins):
            return
        for terms in self.terms.terms:
            had_ml = self.had_ml.get((filling.place[0], terms.account, opened.local_day), 0)
            slack_ml = 5 * (stand.pump.head.overrun_ml + 2 * stand.step_ml)
            pays = any(hold.account == terms.account for hold in opened.holds) and not opened.guaranteed
            if pays and terms.day_ml and had_ml > terms.day_ml + slack_ml:
                raise Wrong("day-limit", f"{where}: {had_ml} mL of {terms.day_ml} for {terms.account}")

    def _sums(self, site: str, grade: str) -> list[int]:
        return self.grades.setdefault(site, {}).setdefault(grade, [0, 0, 0, 0])


def _total(totals: PumpTotals, nozzle: int) -> int:
    return next(one.volume_ml for one in totals.nozzles if one.nozzle == nozzle)


def _at(filling: Filling, stand: FuelStand) -> Filling:
    """The filling as it goes on at this pump: what still flows at another one that it began at is not its own."""
    stays = [sale if sale is stand.pump.sale else replace(sale) for sale in filling.sales]
    return replace(_copied(filling), sales=stays)


def _copied(filling: Filling) -> Filling:
    return replace(filling, holds=dict(filling.holds), sales=list(filling.sales))
