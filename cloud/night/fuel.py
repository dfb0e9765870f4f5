"""What fuel did a site sell on a business day, what is in its tanks, and did its pumps show the right prices? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from cloud.night.day import Since, Site, bounds_ms, came_late
from cloud.night.reconcile.captures import TendersByHash
from cloud.night.reconcile.fillings import PriceLists, reconcile_fillings
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, LogKey, Told
from cloud.night.reconcile.price_changes import late_changes, price_changes
from cloud.night.reconcile.pumps import NozzleSum, reconcile_pumps
from cloud.night.reconcile.tanks import TankBook, day_findings, read_tanks
from cloud.night.report_model import FuelDay, GradeDay, PumpDay, TankDay, TankNow, Unattributed
from protocols.trade.quantities import litres
from protocols.trade.records import Notice, session_id
from protocols.trade.records_fuel import FillingClosed, FuelUnattributed, WetStockClosed
from protocols.trade.stock_forecast import MONTH, Forecast, SoldDay, forecast

ALARMS = ("tank-leak", "tank-water", "tank-low")
"""Notices of a tank's gauge, which are findings of the same code."""


def site_fuel(
    site: Site, day: date, logs: Sequence[LogFacts], since: Since | None, lists: PriceLists, tenders: TendersByHash
) -> tuple[FuelDay | None, list[NozzleSum], list[Finding]]:
    """The site's fuel on this date, its nozzles over all its logs, and what does not add up. None: it has no pump or
    tank.
    """
    nozzles, findings = reconcile_pumps(site.id, logs)
    findings += reconcile_fillings(logs, lists, tenders)
    books: dict[str, TankBook] = {}
    for facts in sorted(logs, key=lambda facts: facts.key):
        of_log, differs = read_tanks(facts)
        findings += differs
        for name, book in of_log.items():
            books[name] = book if name not in books else book.after(books[name])
    if not nozzles and not books:
        return None, [], findings
    iso = day.isoformat()
    losses = _losses(logs, iso, since)
    findings += (_unanswered(key, told, body) for key, told, body in losses)
    changes = []
    for facts in logs:
        due = price_changes(facts, lists, *bounds_ms(site, day))
        findings += late_changes(facts, due)
        changes += due
    stock = [
        (facts, told, told.body)
        for facts in logs
        for told in facts.fuel
        if isinstance(told.body, WetStockClosed) and told.at.date == iso
    ]
    for facts, told, closed in stock:
        findings += day_findings(facts, told, closed)
    findings += _alarms(logs, iso)
    pumps, sold = _pumps(logs, iso), _sold_days(logs, day)
    made = FuelDay(
        grades=_grades(pumps),
        pumps=pumps,
        unattributed=[_shown(key, told, body) for key, told, body in losses],
        stock=[_stock(facts.key, told, closed) for facts, told, closed in stock],
        tanks=[_tank(name, book, sold.get(name, []), day) for name, book in sorted(books.items())],
        price_changes=changes,
    )
    return made, nozzles, findings


# --- sales and losses ------------------------------------------------------------------------------------------------


def _pumps(logs: Iterable[LogFacts], iso: str) -> list[PumpDay]:
    """By pump, nozzle and grade."""
    sums: dict[tuple[str, int, str], list[int]] = {}
    for facts in logs:
        for told in facts.fuel:
            if told.at.date != iso:
                continue
            body = told.body
            if isinstance(body, FillingClosed) and body.session in facts.fillings:
                key = (facts.fillings[body.session].opened.pump, body.sold.nozzle, body.sold.grade)
                _count(sums, key, 1, body.volume_ml, body.amount_fen, 0)
            elif isinstance(body, FuelUnattributed):
                _count(sums, (body.pump, body.nozzle, body.grade), 0, 0, 0, body.volume_ml)
    return [
        PumpDay(
            pump=pump,
            nozzle=nozzle,
            grade=grade,
            fillings=fillings,
            volume_ml=volume_ml,
            amount_fen=amount_fen,
            unattributed_ml=unattributed_ml,
        )
        for (pump, nozzle, grade), (fillings, volume_ml, amount_fen, unattributed_ml) in sorted(sums.items())
    ]


def _count(sums: dict[tuple[str, int, str], list[int]], key: tuple[str, int, str], *more: int) -> None:
    had = sums.setdefault(key, [0] * len(more))
    sums[key] = [before + by for before, by in zip(had, more, strict=True)]


def _grades(pumps: Iterable[PumpDay]) -> list[GradeDay]:
    by_grade: dict[str, list[PumpDay]] = {}
    for it in pumps:
        by_grade.setdefault(it.grade, []).append(it)
    return [
        GradeDay(
            grade=grade,
            fillings=sum(it.fillings for it in its),
            volume_ml=sum(it.volume_ml for it in its),
            amount_fen=sum(it.amount_fen for it in its),
            unattributed_ml=sum(it.unattributed_ml for it in its),
        )
        for grade, its in sorted(by_grade.items())
    ]


_Loss = tuple[LogKey, Told, FuelUnattributed]


def _losses(logs: Iterable[LogFacts], iso: str, since: Since | None) -> list[_Loss]:
    """Of this date, and of earlier ones that no report has had."""
    return [
        (facts.key, told, told.body)
        for facts in logs
        for told in facts.fuel
        if isinstance(told.body, FuelUnattributed)
        and (told.at.date == iso or came_late(told.at, facts.key, iso, since))
    ]


def _shown(key: LogKey, told: Told, body: FuelUnattributed) -> Unattributed:
    return Unattributed(
        record=f"{key}/{told.at.seq}",
        date=told.at.date,
        pump=body.pump,
        nozzle=body.nozzle,
        grade=body.grade,
        volume_ml=body.volume_ml,
        why=body.why,
        session="" if body.session is None else session_id(key.site, key.epoch, body.session),
        answers=list(body.answers),
    )


def _unanswered(key: LogKey, told: Told, body: FuelUnattributed) -> Finding:
    answers = ", ".join(body.answers) or "nobody is known"
    return Finding(
        code="litres-unattributed",
        leg=Leg.FUEL,
        site=key.site,
        subject=f"{key.site} {body.pump} nozzle {body.nozzle}",
        source=f"record {key}/{told.at.seq}",
        detail=f"{litres(body.volume_ml)} L of {body.grade}, {body.why}; may answer: {answers}",
        difference_ml=body.volume_ml,
        since_ms=told.at.at_ms,
    )


def _alarms(logs: Iterable[LogFacts], iso: str) -> Iterator[Finding]:
    """What the gauges have called a person for."""
    for facts in logs:
        for told in facts.fuel:
            if isinstance(told.body, Notice) and told.body.what in ALARMS and told.at.date == iso:
                yield Finding(
                    code=told.body.what,
                    leg=Leg.FUEL,
                    site=facts.key.site,
                    subject=f"{facts.key.site} tank {told.body.subject}",
                    source=f"record {facts.key}/{told.at.seq}",
                    detail=told.body.detail,
                    since_ms=told.at.at_ms,
                )


# --- tanks -----------------------------------------------------------------------------------------------------------


def _stock(key: LogKey, told: Told, closed: WetStockClosed) -> TankDay:
    expected_ml = None
    if closed.opening_ml is not None:
        expected_ml = closed.opening_ml + closed.received_ml - closed.sold_ml - closed.unattributed_ml
    return TankDay(
        record=f"{key}/{told.at.seq}",
        day=closed.day,
        tank=closed.tank,
        grade=closed.grade,
        opening_ml=closed.opening_ml,
        received_ml=closed.received_ml,
        sold_ml=closed.sold_ml,
        unattributed_ml=closed.unattributed_ml,
        expected_ml=expected_ml,
        closing_ml=closed.closing_ml,
        variance_ml=closed.variance_ml,
        variance_ppm=closed.variance_ppm,
    )


def _sold_days(logs: Iterable[LogFacts], day: date) -> dict[str, list[SoldDay]]:
    """What left each tank on each business day from its first one, at most four weeks back, to this one."""
    by_tank: dict[str, dict[str, int]] = {}
    for facts in logs:
        for told in facts.fuel:
            body = told.body
            if isinstance(body, FillingClosed | FuelUnattributed):
                by_date = by_tank.setdefault(body.sold.tank if isinstance(body, FillingClosed) else body.tank, {})
                by_date[told.at.date] = by_date.get(told.at.date, 0) + body.volume_ml
    return {tank: list(_consecutive(by_date, day)) for tank, by_date in by_tank.items()}


def _consecutive(by_date: Mapping[str, int], day: date) -> Iterator[SoldDay]:
    """A day without a sale sold nothing; before the first sale there is no day."""
    first = min(by_date, default=None)
    for back in range(MONTH - 1, -1, -1):
        at = day - timedelta(days=back)
        if first is not None and at.isoformat() >= first:
            yield SoldDay(at.weekday(), by_date.get(at.isoformat(), 0))


def _tank(name: str, book: TankBook, sold: Sequence[SoldDay], day: date) -> TankNow:
    stock_ml = book.stock_ml
    told: Forecast | None = None
    if stock_ml is not None:
        told = forecast(stock_ml, sold, (day + timedelta(days=1)).weekday())
    return TankNow(
        tank=name,
        grade=book.grade,
        stock_ml=stock_ml,
        dipped_ms=None if book.dipped is None else book.dipped.at.at_ms,
        day_ml=None if told is None else told.day_ml,
        tenths=None if told is None else told.tenths,
        by="" if told is None else told.by,
    )
