"""How are the packs of a nightly report read in a terminal? Swaps, cabinets and the fleet as tables."""

from __future__ import annotations

from cloud.night.report_model import Report
from cloud.night.shown import instant, money, table


def has_packs(report: Report) -> bool:
    return report.fleet is not None or any(site.shop is not None for site in report.sites)


def tables(report: Report) -> str:
    """Only those that have rows."""
    return "\n\n".join(it for it in (_swaps(report), _cabinets(report), _fleet(report)) if it)


def _swaps(report: Report) -> str:
    head = ("swaps", "swapped", "rented", "returned", "kept", "cancelled", "by plan", "deposits")
    rows = [
        (
            site.site,
            *map(str, (it.swapped, it.taken, it.returned, it.kept, it.cancelled)),
            " ".join(f"{asset}:{units}" for asset, units in it.plan_units.items()) or "-",
            money(it.deposit_fen),
        )
        for site in report.sites
        if (it := site.shop) is not None
    ]
    return table(head, rows, left=(0, 6)) if rows else ""


def _cabinets(report: Report) -> str:
    head = ("cabinets", "cabinet", "scanned", "slots", "packs", "empty", "unsure", "by records", "differences")
    rows = [
        (
            site.site,
            it.cabinet,
            "never" if it.scanned_ms is None else instant(it.scanned_ms, site.zone),
            *map(str, (it.slots, it.packs, it.empty, it.unsure, it.by_records, it.differences)),
        )
        for site in report.sites
        if site.shop is not None
        for it in site.shop.cabinets
    ]
    return table(head, rows, left=(0, 1, 2)) if rows else ""


def _fleet(report: Report) -> str:
    it = report.fleet
    if it is None:
        return ""
    head = ("packs", "in slots", "riders", "staff", "lost", "unknown", "hot", "rented", "late", "overdue", "deposits")
    places = (it.packs, it.in_slots, it.with_riders, it.with_staff, it.lost, it.unknown)
    row = (*map(str, (*places, it.hot, it.rented, it.late, it.overdue)), money(it.deposits_fen))
    return table(head, [row], left=())
