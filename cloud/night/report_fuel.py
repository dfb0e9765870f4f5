"""How is the fuel of a nightly report read in a terminal? Sales, tanks and price changes as tables."""

from __future__ import annotations

from cloud.night.report_model import Report, TankDay
from cloud.night.shown import days, instant, money, table, thousandths, volume


def has_fuel(report: Report) -> bool:
    return any(site.fuel is not None for site in report.sites)


def tables(report: Report) -> str:
    """Only those that have rows."""
    made = (_grades(report), _stock(report), _tanks(report), _changes(report))
    return "\n\n".join(it for it in made if it)


def _grades(report: Report) -> str:
    head = ("fuel", "grade", "fillings", "litres", "yuan", "unattributed")
    rows = [
        (
            site.site,
            it.grade,
            str(it.fillings),
            volume(it.volume_ml),
            money(it.amount_fen),
            volume(it.unattributed_ml),
        )
        for site in report.sites
        if site.fuel is not None
        for it in site.fuel.grades
    ]
    return table(head, rows, left=(0, 1)) if rows else ""


def _stock(report: Report) -> str:
    head = ("wet stock", "tank", "grade", "opening", "received", "sold", "unattributed", "expected", "dipped")
    rows = [(site.site, *_row(it)) for site in report.sites if site.fuel is not None for it in site.fuel.stock]
    return table((*head, "variance", "per mille"), rows, left=(0, 1, 2)) if rows else ""


def _row(it: TankDay) -> tuple[str, ...]:
    parts = (it.opening_ml, it.received_ml, it.sold_ml, it.unattributed_ml, it.expected_ml)
    dipped = "no dip" if it.closing_ml is None else volume(it.closing_ml)
    return (it.tank, it.grade, *map(volume, parts), dipped, volume(it.variance_ml), thousandths(it.variance_ppm))


def _tanks(report: Report) -> str:
    head = ("tanks", "tank", "grade", "in stock", "next day", "days left", "by")
    rows = [
        (site.site, it.tank, it.grade, volume(it.stock_ml), volume(it.day_ml), days(it.tenths), it.by or "-")
        for site in report.sites
        if site.fuel is not None
        for it in site.fuel.tanks
    ]
    return table(head, rows, left=(0, 1, 2, 6)) if rows else ""


def _changes(report: Report) -> str:
    head = ("price changes", "pump", "due", "shown", "late by, s")
    rows = [
        (
            site.site,
            it.pump,
            instant(it.due_ms, site.zone),
            "not yet" if it.applied_ms is None else instant(it.applied_ms, site.zone),
            "-" if it.late_s is None else str(it.late_s),
        )
        for site in report.sites
        if site.fuel is not None
        for it in site.fuel.price_changes
    ]
    return table(head, rows, left=(0, 1, 2, 3)) if rows else ""
