"""Leg 4 for fuel: does a tank's book follow from the records, and does the tank hold what its book says?

A book goes from dip to dip: opening + received - sold - unattributed = expected, and the closing dip less that is the
variance. A day without a dip is not closed: the next book covers it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, Told
from protocols.trade.quantities import litres, round_half_up
from protocols.trade.records_fuel import (
    FillingClosed,
    FuelDayClosed,
    FuelReceived,
    FuelUnattributed,
    GradeSum,
    TankDipped,
    WetStockClosed,
)

VARIANCE_PPM_NOTED = 5_000
"""Five per mille of what went out: about what evaporation, temperature and the pumps' own tolerance explain."""
VARIANCE_ML_NOTED = 30_000
"""And thirty litres: a millimetre or two of a dip stick in a common tank."""


@dataclass(frozen=True, slots=True)
class Flow:
    """mL since an instant."""

    received_ml: int = 0
    sold_ml: int = 0
    unattributed_ml: int = 0

    @property
    def gain_ml(self) -> int:
        return self.received_ml - self.sold_ml - self.unattributed_ml

    def plus(self, other: Flow, sign: int = 1) -> Flow:
        return Flow(
            self.received_ml + sign * other.received_ml,
            self.sold_ml + sign * other.sold_ml,
            self.unattributed_ml + sign * other.unattributed_ml,
        )


@dataclass(slots=True)
class TankBook:
    """A tank as the log tells it. opening: the dip that the book began with. dip: the newest one, often the same;
    dipped: its record. flow: since the opening dip; at_dip: of it, before the newest.
    """

    grade: str
    opening: TankDipped | None = None
    dip: TankDipped | None = None
    dipped: Told | None = None
    flow: Flow = Flow()
    at_dip: Flow = Flow()

    @property
    def stock_ml(self) -> int | None:
        """What it should hold now; None: never dipped."""
        return None if self.dip is None else self.dip.volume_ml + self.flow.plus(self.at_dip, -1).gain_ml

    def after(self, earlier: TankBook) -> TankBook:
        """The tank over two epochs: the earlier book goes on where the later one has no dip yet."""
        if self.dip is None:
            earlier.flow = earlier.flow.plus(self.flow)
            return earlier
        return self

    def dips(self, body: TankDipped, told: Told) -> None:
        if self.opening is None:
            self.opening, self.flow = body, Flow()
        self.grade, self.dip, self.dipped, self.at_dip = body.grade, body, told, self.flow

    def closes(self, day: int, tank: str) -> WetStockClosed:
        """The record that the site should write now. With a second dip, the book begins anew at that."""
        opening_ml = None if self.opening is None else self.opening.volume_ml
        closing = self.dip if self.dip is not self.opening else None
        flow = self.flow if closing is None else self.at_dip
        gone_ml = flow.sold_ml + flow.unattributed_ml
        variance_ml = None
        if self.opening is not None and closing is not None:
            variance_ml = closing.volume_ml - (self.opening.volume_ml + flow.gain_ml)
            self.opening, self.flow, self.at_dip = closing, self.flow.plus(flow, -1), Flow()
        ppm = None if variance_ml is None or not gone_ml else round_half_up(Fraction(variance_ml * 1_000_000, gone_ml))
        return WetStockClosed(
            day=day,
            tank=tank,
            grade=self.grade,
            opening_ml=opening_ml,
            received_ml=flow.received_ml,
            sold_ml=flow.sold_ml,
            unattributed_ml=flow.unattributed_ml,
            closing_ml=None if closing is None else closing.volume_ml,
            variance_ml=variance_ml,
            variance_ppm=ppm,
        )


def read_tanks(facts: LogFacts) -> tuple[dict[str, TankBook], list[Finding]]:
    """The book of every tank in this log, and which of the site's own sums do not follow from its records."""
    books: dict[str, TankBook] = {}
    grades: dict[str, GradeSum] = {}
    findings: list[Finding] = []
    for told in facts.fuel:
        body = told.body
        if isinstance(body, FillingClosed):
            _flows(books, body.sold.tank, body.sold.grade, Flow(sold_ml=body.volume_ml))
            _add(grades, body.sold.grade, GradeSum(body.sold.grade, 1, body.volume_ml, body.amount_fen, 0))
        elif isinstance(body, FuelUnattributed):
            _flows(books, body.tank, body.grade, Flow(unattributed_ml=body.volume_ml))
            _add(grades, body.grade, GradeSum(body.grade, 0, 0, 0, body.volume_ml))
        elif isinstance(body, FuelReceived):
            _flows(books, body.tank, body.grade, Flow(received_ml=body.volume_ml))
        elif isinstance(body, TankDipped):
            books.setdefault(body.tank, TankBook(body.grade)).dips(body, told)
        elif isinstance(body, WetStockClosed):
            findings += _against(facts, told, body, books.setdefault(body.tank, TankBook(body.grade)))
        elif isinstance(body, FuelDayClosed):
            findings += _fuel_day(facts, told, body, grades)
            grades = {}
    return books, findings


def day_findings(facts: LogFacts, told: Told, closed: WetStockClosed) -> Iterator[Finding]:
    """What a person should look at in one day's wet stock."""
    if closed.opening_ml is None or closed.closing_ml is None:
        which = "no dip has been taken" if closed.opening_ml is None else "no dip since the one that opened its book"
        yield _finding("dip-missing", facts, told, closed.tank, f"day {closed.day}, {closed.grade}: {which}", None)
        return
    gone_ml = closed.sold_ml + closed.unattributed_ml
    usual_ml = VARIANCE_ML_NOTED + gone_ml * VARIANCE_PPM_NOTED // 1_000_000
    if closed.variance_ml is not None and abs(closed.variance_ml) > usual_ml:
        detail = (
            f"day {closed.day}, {closed.grade}: expected {litres(closed.closing_ml - closed.variance_ml)} L, "
            f"dipped {litres(closed.closing_ml)} L, {litres(gone_ml)} L went out"
        )
        yield _finding("tank-variance", facts, told, closed.tank, detail, closed.variance_ml)


def per_mille(ppm: int) -> str:
    """-5250 ppm -> "-5.25"."""
    return f"{'-' if ppm < 0 else ''}{abs(ppm) // 1000}.{abs(ppm) % 1000 // 10:02}"


def _against(facts: LogFacts, told: Told, closed: WetStockClosed, book: TankBook) -> Iterator[Finding]:
    should = book.closes(closed.day, closed.tank)
    if should != closed:
        names = [name for name in closed.__struct_fields__ if getattr(should, name) != getattr(closed, name)]
        detail = "; ".join(f"{name}: records say {getattr(should, name)}, {getattr(closed, name)}" for name in names)
        theirs = (closed.variance_ml or 0) - (should.variance_ml or 0)
        yield _finding("stock-differs", facts, told, closed.tank, f"day {closed.day}: {detail}", theirs)


def _fuel_day(facts: LogFacts, told: Told, closed: FuelDayClosed, grades: dict[str, GradeSum]) -> Iterator[Finding]:
    should = [grades[grade] for grade in sorted(grades)]
    if should == closed.grades:
        return
    sums, theirs = (_total(it) for it in (should, closed.grades))
    yield Finding(
        code="fuel-day-differs",
        leg=Leg.FUEL,
        site=facts.key.site,
        subject=f"{facts.key} day {closed.day}",
        source=f"record {facts.key}/{told.at.seq} / fillings since the fuel day before",
        detail="fillings, mL, fen and unattributed mL: the fillings give {}, {}, {}, {}; the site's total says "
        "{}, {}, {}, {}".format(*sums, *theirs),
        difference_fen=sums[2] - theirs[2],
        difference_ml=sums[1] - theirs[1],
        since_ms=told.at.at_ms,
    )


def _total(grades: Iterable[GradeSum]) -> tuple[int, int, int, int]:
    its = list(grades)
    return (
        sum(it.fillings for it in its),
        sum(it.volume_ml for it in its),
        sum(it.amount_fen for it in its),
        sum(it.unattributed_ml for it in its),
    )


def _flows(books: dict[str, TankBook], tank: str, grade: str, flow: Flow) -> None:
    if tank:
        book = books.setdefault(tank, TankBook(grade))
        book.flow = book.flow.plus(flow)


def _add(grades: dict[str, GradeSum], grade: str, more: GradeSum) -> None:
    had = grades.get(grade) or GradeSum(grade, 0, 0, 0, 0)
    grades[grade] = GradeSum(
        grade,
        had.fillings + more.fillings,
        had.volume_ml + more.volume_ml,
        had.amount_fen + more.amount_fen,
        had.unattributed_ml + more.unattributed_ml,
    )


def _finding(code: str, facts: LogFacts, told: Told, tank: str, detail: str, difference_ml: int | None) -> Finding:
    return Finding(
        code=code,
        leg=Leg.FUEL,
        site=facts.key.site,
        subject=f"{facts.key.site} tank {tank}",
        source=f"record {facts.key}/{told.at.seq} / dips, deliveries and sales",
        detail=detail,
        difference_ml=difference_ml,
        since_ms=told.at.at_ms,
    )
