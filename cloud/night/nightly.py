"""The nightly run: what was taken on a business date, and does everything add up? One report as JSON, a page from it.

Deterministic: the same pins, date and previous report give the same bytes. Ages count to the end of the business day,
so no clock enters. A report can be run again until a later date has one; after that its pins stand, and what comes late
appears as an adjustment in the report of a later day.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path

import sqlalchemy as sa

from cloud import store
from cloud.calendar import date_of
from cloud.clock import Clock, SystemClock
from cloud.night import pinned, report_model
from cloud.night.day import LATE_AFTER_S, Since, Site, add, bounds_ms, site_day
from cloud.night.exposure import account_exposures, lease_sums
from cloud.night.fuel import site_fuel
from cloud.night.packs import Fleet, deposit_findings, fleet_findings, ledger_findings, site_shop
from cloud.night.phone import guests_waiting, reconcile_refunds, refunds_due
from cloud.night.pinned import LogRow
from cloud.night.ports import site_ports
from cloud.night.reconcile.bills import reconcile_bills
from cloud.night.reconcile.books import reconcile_accounts, reconcile_log
from cloud.night.reconcile.findings import CODES, Finding, Leg, Weight, in_order
from cloud.night.reconcile.liability import (
    Flows,
    RollForward,
    add_flows,
    reconcile_liability,
    reconcile_opening,
    roll_forward,
)
from cloud.night.reconcile.log import LogFacts, LogKey, read
from cloud.night.reconcile.meters import MeterSum, reconcile_meters
from cloud.night.reconcile.pumps import NozzleSum
from cloud.night.reconcile.running import unfinished, unreported
from cloud.night.report import page
from cloud.night.report_model import CHECKED, FORMAT, Found, LegResult, Previous, Report, RiskPool, SiteDay
from cloud.night.risk import lives, operator_risk, risk_pools, site_exposures, with_booked
from protocols.trade.books import HQ, Books, CounterKey, Lease, LeaseCounters, fold, lease_counters

DAY_MS = 86_400_000

EXIT_SOUND = 0
EXIT_UNEXPLAINED = 1


class DayPassed(ValueError):
    """The date has no report, and a later one has: its sales stand there as adjustments."""

    remedy = "Read the later report; or move it and all after it away, and run each date again in order."


@dataclass(frozen=True, slots=True)
class NightlyResult:
    """exit_code: 0 when all adds up, 1 when a fen, a Wh or a record is unexplained."""

    exit_code: int
    json_path: Path
    html_path: Path


def run(engine: sa.Engine, day: date | None, out_dir: Path, *, clock: Clock | None = None) -> NightlyResult:
    """Write `nightly-DATE.json` and `.html` into out_dir. day: None for the last business day that is over everywhere.

    Raises DayPassed.
    """
    with store.reading(engine) as connection:
        day = day or last_day_over(connection, clock or SystemClock())
        json_path = out_dir / f"nightly-{day.isoformat()}.json"
        report = build(connection, day, *_earlier_runs(out_dir, day))
    data = report_model.encode(report)
    html_path = json_path.with_suffix(".html")
    out_dir.mkdir(parents=True, exist_ok=True)
    _write(json_path, data)
    _write(html_path, page(data).encode())
    return NightlyResult(EXIT_SOUND if report.sound else EXIT_UNEXPLAINED, json_path, html_path)


def today(engine: sa.Engine, clock: Clock | None = None) -> date:
    """The business date that it is now, where it is latest. Its report holds what came in so far."""
    now_ms = (clock or SystemClock()).now_ms()
    with store.reading(engine) as connection:
        return max(date_of(now_ms, it.zone, it.day_starts_h) for it in pinned.sites(connection))


def last_day_over(connection: sa.Connection, clock: Clock) -> date:
    """The last business date that has ended at every site."""
    running = min(date_of(clock.now_ms(), it.zone, it.day_starts_h) for it in pinned.sites(connection))
    return running - timedelta(days=1)


# --- earlier reports are inputs too ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """A report that was written before, and the hash of its bytes."""

    named: Previous
    report: Report


def _earlier_runs(out_dir: Path, day: date) -> tuple[Earlier | None, Report | None]:
    """The last report before this date; and the date's own, when a later one stands on it and its pins must be kept."""
    reports = {path.stem.removeprefix("nightly-"): path for path in out_dir.glob("nightly-????-??-??.json")}
    iso = day.isoformat()
    own = None
    if any(it > iso for it in reports):
        if iso not in reports:
            raise DayPassed(f"expected no report after {iso}, found one of {max(reports)}")
        own = report_model.decode(reports[iso].read_bytes())
    before = max((it for it in reports if it < iso), default=None)
    if before is None:
        return None, own
    data = reports[before].read_bytes()
    named = Previous(date=before, sha256=hashlib.sha256(data).hexdigest())
    return Earlier(named, report_model.decode(data)), own


# --- the report ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sums:
    """What is gathered while one site after the other is read; a site's own records are let go of when it is done."""

    findings: list[Finding] = field(default_factory=list)
    sites: list[SiteDay] = field(default_factory=list)
    meters: list[MeterSum] = field(default_factory=list)
    nozzles: list[NozzleSum] = field(default_factory=list)
    told: dict[Lease, LeaseCounters] = field(default_factory=dict)
    before: dict[str, Flows] = field(default_factory=dict)
    since: dict[str, Flows] = field(default_factory=dict)
    posted: Books = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    pools: list[RiskPool] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)
    hq_size: int = 0
    hq_counters: dict[CounterKey, int] = field(default_factory=dict)

    def count(self, name: str, by: int) -> None:
        self.checked[name] = self.checked.get(name, 0) + by


def build(connection: sa.Connection, day: date, previous: Earlier | None, own: Report | None) -> Report:
    """The report of one date. own: an earlier run of the same date, whose pins are kept; None pins what is cosigned
    now.
    """
    sites = pinned.sites(connection)
    rows = pinned.logs(connection, None if own is None else {LogKey(it.site, it.epoch): it for it in own.pins})
    incidents = pinned.incidents_now(connection) if own is None else own.incidents
    reported: dict[str, bool] = {}
    if own is not None:
        reported = {it.site: it.reported for it in own.sites}
        sites = [it for it in sites if it.id == HQ or it.id in reported]
    ledger = pinned.ledger(connection)
    since = None
    if previous is not None:
        sizes = {LogKey(it.site, it.epoch): it.size for it in previous.report.pins}
        since = Since(previous.named.date, sizes)
    sums = _Sums()
    by_site = {site: list(its) for site, its in groupby(rows, key=lambda row: row.key.site)}
    for site in sites:
        logs = [_read_log(connection, row, ledger, since, sums) for row in by_site.get(site.id, [])]
        if site.id == HQ:
            sums.hq_size, sums.hq_counters = logs[0].size, logs[0].counters
            sums.fleet.hear(logs, {})
        else:
            tenders = pinned.tenders(connection, site.id)
            lists = pinned.price_lists(connection, site.id)
            fuel, nozzles, found_of_fuel = site_fuel(site, day, logs, since, lists, tenders)
            heard_ms = _heard(by_site.get(site.id, []), reported.get(site.id))
            shop, found_of_swaps = site_shop(site, day, logs, pinned.swap_terms(connection, site.id), sums.fleet)
            tariffs = pinned.tariffs(connection, site.id)
            port_lists = pinned.port_prices(connection, site.id)
            ports, found_of_ports = site_ports(day, logs, since, port_lists, tariffs, tenders)
            made = site_day(site, day, logs, since, heard_ms, fuel, shop, ports)
            bills = reconcile_bills(logs, tariffs, tenders)
            sums.nozzles += nozzles
            sums.findings += found_of_fuel
            sums.findings += found_of_swaps
            sums.findings += found_of_ports
            _add_site(site, made, logs, bills, sums)
            sums.pools += risk_pools(logs, sums.hq_counters, day.isoformat())
    current = own is None
    leases = pinned.leases(connection) if current else None
    summed = pinned.summed(connection, ledger.codes)
    sums.findings += reconcile_accounts(ledger.balances, summed, leases, sums.told)
    sums.findings += with_booked(connection, pinned.incidents(connection, incidents), sums.hq_size, sums.hq_counters)
    sums.count("accounts", len(sums.posted))
    sums.count("leases", len(sums.told))
    sums.count("nozzles", len(sums.nozzles))
    sums.count("totals", sum(it.readings for it in sums.nozzles))
    books = ledger.balances if current else sums.posted
    rolls = _roll_forward(sums, books, previous)
    fleet, packs, found_of_packs = fleet_findings(sums.fleet, sites[0], day)
    sums.findings += found_of_packs
    sums.findings += deposit_findings(packs, books)
    sums.findings += ledger_findings(packs, pinned.packs(connection)) if current else ()
    sums.count("packs", len(packs))
    sums.count("scans", sum(it.scans for its in sums.fleet.cabinets.values() for it in its.values()))
    sums.findings += lives(connection, rows, sums.hq_size, lease_sums(books), sums.hq_counters)
    ends_ms = {site.id: bounds_ms(site, day)[1] for site in sites}
    refunds = refunds_due(connection, sums.hq_size, sums.hq_counters, ends_ms[HQ])
    sums.findings += reconcile_refunds(refunds)
    found = [_age(it, ends_ms) for it in in_order(sums.findings)]
    return Report(
        format=FORMAT,
        date=day.isoformat(),
        software=software(),
        previous=None if previous is None else previous.named,
        late_after_s=LATE_AFTER_S,
        pins=[row.pinned for row in rows],
        incidents=incidents,
        total=add(it.day for it in sums.sites),
        adjusted=add(it.adjusted for it in sums.sites),
        sites=sums.sites,
        legs=_legs(found, sums.checked),
        liabilities=rolls,
        meters=sums.meters,
        nozzles=sums.nozzles,
        leases=lease_sums(books),
        accounts=account_exposures(books),
        refunds=refunds,
        guests=guests_waiting(connection, books, ends_ms[HQ]),
        exposures=site_exposures(connection, books),
        pools=sums.pools,
        operator=operator_risk(books, sums.hq_counters),
        findings=found,
        fleet=fleet,
    )


def _read_log(
    connection: sa.Connection, row: LogRow, ledger: pinned.Ledger, since: Since | None, sums: _Sums
) -> LogFacts:
    """Read one log, compare it with what was posted for it, and add up what it tells."""
    facts = read(row.key, pinned.records(connection, row))
    posted = pinned.posted(connection, row, ledger.codes)
    sums.findings += reconcile_log(facts, row.head, posted, pinned.reasons(connection, row))
    sums.posted = fold(sums.posted, chain.from_iterable(posted.values()))
    for lease, counters in lease_counters(*row.key, facts.counters).items():
        before = sums.told.get(lease, LeaseCounters())
        sums.told[lease] = LeaseCounters(*map(sum, zip(before, counters, strict=True)))
    covered = since.sizes.get(row.key, 0) if since else 0
    for seq, meant in facts.meant.items():
        add_flows(sums.before if seq < covered else sums.since, meant)
    sums.count("logs", 1)
    sums.count("records", facts.size)
    sums.count("transfers", sum(map(len, posted.values())))
    return facts


def _heard(rows: list[LogRow], reported: bool | None) -> int | None:
    """When a site was last in touch, in Unix ms. An earlier run's word on whether it had reported stands."""
    if reported is not None:
        return 2**63 if reported else None
    return max((row.seen_ms for row in rows if row.seen_ms is not None), default=None)


def _add_site(site: Site, made: SiteDay, logs: list[LogFacts], bills: Iterable[Finding], sums: _Sums) -> None:
    """The site's day, and the fourth leg over all its logs."""
    meters, findings = reconcile_meters(logs)
    sums.sites.append(made)
    sums.meters += meters
    sums.findings += findings
    sums.findings += bills
    sums.findings += unfinished(logs)
    if site.admitted and not made.reported:
        sums.findings.append(unreported(site.id, logs, made.begins_ms))
    sums.count("meters", len(meters))
    sums.count("readings", sum(it.readings for it in meters))
    sums.count("bills", sum(it.closed is not None for facts in logs for it in facts.sessions.values()))
    sums.count("bills", sum(it.closed is not None for facts in logs for it in facts.ports.values()))
    sums.count("swaps", sum(it.closed is not None for facts in logs for it in facts.swaps.values()))
    sums.count("fillings", sum(it.closed is not None for facts in logs for it in facts.fillings.values()))
    if made.fuel is not None:
        sums.count("tanks", len(made.fuel.tanks))


def _roll_forward(sums: _Sums, books: Books, previous: Earlier | None) -> list[RollForward]:
    """Each asset's roll-forward from the previous report. Its opening is worked out anew from the records, so that an
    old difference stays until it is put right.
    """
    assets = sorted({asset for _, asset in books} | sums.before.keys() | sums.since.keys())
    rolls = [roll_forward(it, sums.before.get(it, Flows()).owed, sums.since.get(it, Flows()), books) for it in assets]
    sums.findings += reconcile_liability(rolls)
    told = {} if previous is None else {it.asset: it.expected for it in previous.report.liabilities}
    sums.findings += reconcile_opening({it.asset: it.opening for it in rolls}, told)
    sums.count("assets", len(rolls))
    return rolls


def _legs(found: list[Found], checked: Mapping[str, int]) -> list[LegResult]:
    results: list[LegResult] = []
    for leg in Leg:
        its = [it for it in found if it.leg is leg]
        if leg in (Leg.FUEL, Leg.PACKS) and not its and not any(checked.get(name) for name in CHECKED[leg]):
            continue  # no site sells any
        unexplained = [it for it in its if it.weight is Weight.UNEXPLAINED]
        results.append(
            LegResult(
                leg=leg,
                checked={name: checked.get(name, 0) for name in CHECKED[leg]},
                unexplained=len(unexplained),
                awaited=sum(it.weight is Weight.AWAITED for it in its),
                open=sum(it.weight is Weight.OPEN for it in its),
                noted=sum(it.weight is Weight.NOTED for it in its),
                difference_fen=sum(abs(it.difference_fen or 0) for it in unexplained),
                difference_wh=sum(abs(it.difference_wh or 0) for it in unexplained),
                difference_ml=sum(abs(it.difference_ml or 0) for it in unexplained),
            )
        )
    return results


def _age(it: Finding, ends_ms: Mapping[str, int]) -> Found:
    ends = ends_ms.get(it.site, max(ends_ms.values()))
    return Found(
        code=it.code,
        leg=it.leg,
        weight=it.weight,
        owner=CODES[it.code].owner,
        site=it.site,
        subject=it.subject,
        source=it.source,
        detail=it.detail,
        difference_fen=it.difference_fen,
        difference_wh=it.difference_wh,
        difference_ml=it.difference_ml,
        age_days=None if it.since_ms is None else max(0, (ends - it.since_ms) // DAY_MS),
    )


@cache
def software() -> str:
    """The version, and a hash of the code that a report is made by, so that its pins name that too."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for path in sorted(chain.from_iterable((root / name).rglob("*.py") for name in ("cloud", "protocols"))):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"fieldtill {version('fieldtill')} code {digest.hexdigest()[:16]}"


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
