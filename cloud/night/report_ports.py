"""How are the charging ports of a nightly report read in a terminal? One row for each site that has any."""

from __future__ import annotations

from cloud.night.report_model import Report
from cloud.night.shown import money, table
from protocols.trade.quantities import kwh


def has_ports(report: Report) -> bool:
    return any(site.ports is not None for site in report.sites)


def tables(report: Report) -> str:
    """Sessions, what nobody is charged for, and lockers."""
    head = ("ports", "sessions", "kWh", "yuan", "unsettled", "unattributed", "their kWh", "lockers", "late", "stored")
    rows = [
        (
            site.site,
            str(it.sessions),
            kwh(it.energy_wh),
            money(it.amount_fen),
            str(it.unsettled),
            str(it.unattributed),
            kwh(it.unattributed_wh),
            str(it.stays),
            money(it.late_fen),
            str(it.stored),
        )
        for site in report.sites
        if (it := site.ports) is not None
    ]
    return table(head, rows, left=(0,)) if rows else ""
