"""How is a nightly report read? As a page for people and printers, or as a table in a terminal; from its JSON alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2
from markupsafe import Markup

from cloud.night import charts, report_fuel, report_packs, report_ports
from cloud.night.charts import Bar, Comparison, Share
from cloud.night.labels import LABELS
from cloud.night.reconcile.findings import CODES, Leg, Weight
from cloud.night.report_model import CHECKED, Found, HotListUse, LegResult, Report, SiteDay, TariffUse, decode
from cloud.night.shown import amount, days, duration, energy, grouped, instant, money, table, thousandths, volume
from protocols.trade.quantities import kwh, litres, yuan

DAY_S = 86_400
AGES = ((1, "0-1"), (3, "2-3"), (7, "4-7"), (None, ">7"))
"""Buckets of age in days: the greatest age in each, and its name."""


def show(json_path: Path) -> str:
    """The report as text: sites, legs, customers' money, findings."""
    report = decode(json_path.read_bytes())
    verdict = "everything adds up" if report.sound else f"{_unexplained(report)} unexplained"
    sections = [f"Nightly report {report.date}: {verdict}", _sites_table(report), _legs_table(report)]
    sections += [report_fuel.tables(report)] if report_fuel.has_fuel(report) else []
    sections += [report_packs.tables(report)] if report_packs.has_packs(report) else []
    sections += [report_ports.tables(report)] if report_ports.has_ports(report) else []
    sections += [_money_table(report)] if report.liabilities else []
    sections += [_risk_table(report)] if _has_risk(report) else []
    sections += [_guests_table(report)] if report.refunds or report.guests else []
    sections += [_findings_table(report)] if report.findings else []
    return "\n\n".join(sections) + "\n"


def page(data: bytes) -> str:
    """The report as one HTML page that needs nothing else."""
    report = decode(data)
    return _template().render(
        report=report,
        verdict=_verdict(report),
        legs=charts.comparisons([_comparison(it) for it in report.legs]),
        takings=charts.bars(_by_hour(report, "gross_fen"), charts.MONEY, lambda fen: grouped(str(fen // 100))),
        energy=charts.bars(_by_hour(report, "energy_wh"), charts.ENERGY, lambda wh: grouped(_short(wh))),
        litres=charts.bars(_by_hour(report, "volume_ml"), charts.ENERGY, lambda ml: grouped(_short(ml))),
        use=charts.shares(_use(report), charts.ENERGY),
        ages=_ages(report.findings),
        actions=_actions(report.findings),
        has_risk=_has_risk(report),
        has_fuel=report_fuel.has_fuel(report),
        has_packs=report_packs.has_packs(report),
        has_ports=report_ports.has_ports(report),
        has_energy=_has_energy(report),
        has_charging=_has_charging(report),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"versions": _versions, "t": label, "codes": CODES, "duration": duration, "instant": instant}
    environment.filters |= {"yuan": money, "kwh": energy, "amount": amount}
    environment.filters |= {"litres": volume, "per_mille": thousandths, "days": days}
    return environment.get_template("nightly.html.j2")


def label(key: str) -> Markup:
    """A label in both languages."""
    zh, en = LABELS[key]
    return Markup('<span class="zh">{}</span> <span class="en">{}</span>').format(zh, en)


def _versions(used: Sequence[TariffUse | HotListUse]) -> str:
    """How many sessions each version of a document was in force for: `v3 × 10`; version 0: there was none."""
    return ", ".join(f"v{it.version} × {it.sessions}" for it in used if it.version) or "–"


def _short(thousandths: int) -> str:
    """Wh as kWh, mL as litres, without noughts at the end."""
    return kwh(thousandths).rstrip("0").rstrip(".")


# --- what the page draws ---------------------------------------------------------------------------------------------


def _unexplained(report: Report) -> int:
    return sum(it.unexplained for it in report.legs)


def _verdict(report: Report) -> tuple[str, str]:
    """(class, label) of the one line that says how it stands."""
    if not report.sound:
        return "bad", "unexplained"
    return ("wait", "sound-awaiting") if any(it.awaited for it in report.legs) else ("good", "sound")


_SIDES: dict[Leg, tuple[tuple[str, str], tuple[str, str]]] = {
    Leg.BOOKS: (("站点日志", "Site logs"), ("总部账簿", "Headquarters' books")),
    Leg.LIABILITY: (("期初与收支", "Opening and flows"), ("客户余额", "Customers' balances")),
    Leg.ENERGY: (("账单电量与金额", "Billed Wh and fen"), ("电表与费率", "Meters and tariffs")),
    Leg.FUEL: (("加油升数与金额", "Billed mL and fen"), ("油机累计数与价目", "Totalizers and price lists")),
    Leg.PACKS: (("电池台账与账单", "Ledger of packs and bills"), ("实物盘点与条款", "Scans and terms")),
}


def _comparison(leg: LegResult) -> Comparison:
    ours, theirs = _SIDES[leg.leg]
    checked = " · ".join(
        f"{zh} {grouped(str(leg.checked.get(key, 0)))} {en}"
        for key, (zh, en) in ((it, LABELS[f"checked-{it}"]) for it in CHECKED[leg.leg])
    )
    if leg.unexplained:
        gaps = []
        if leg.difference_fen:
            gaps.append(f"{money(leg.difference_fen)} ¥")
        if leg.difference_wh:
            gaps.append(f"{energy(leg.difference_wh)} kWh")
        if leg.difference_ml:
            gaps.append(f"{volume(leg.difference_ml)} L")
        said = f"未解释 {leg.unexplained} unexplained" + "".join(f" · {it}" for it in gaps)
        return Comparison(ours, theirs, "bad", said, checked)
    if leg.awaited:
        return Comparison(ours, theirs, "wait", f"相符，待报 {leg.awaited} awaited", checked)
    return Comparison(ours, theirs, "good", "相符 agree", checked)


def _has_charging(report: Report) -> bool:
    """Whether there are connectors with meters; also where nothing at all has ever been told."""
    others = (report_fuel.has_fuel, report_packs.has_packs, report_ports.has_ports)
    return (
        bool(report.meters) or any(site.connectors for site in report.sites) or not any(has(report) for has in others)
    )


def _has_energy(report: Report) -> bool:
    return _has_charging(report) or report_ports.has_ports(report)


def _by_hour(report: Report, what: Literal["gross_fen", "energy_wh", "volume_ml"]) -> list[Bar]:
    """Sums over all sites by local clock hour, in the order of the first site's business day."""
    sums: dict[int, int] = {}
    for site in report.sites:
        for it in site.hours:
            sums[it.hour] = sums.get(it.hour, 0) + getattr(it, what)
    show, unit = {"gross_fen": (yuan, "¥"), "energy_wh": (kwh, "kWh"), "volume_ml": (litres, "L")}[what]
    return [
        Bar(value, f"{hour:02}" if at % 3 == 0 else "", f"{hour:02}:00-{(hour + 1) % 24:02}:00  {show(value)} {unit}")
        for at, (hour, value) in enumerate(sums.items())
    ]


def _use(report: Report) -> list[Share]:
    """How much of the day each connector was occupied."""
    rows = []
    for site in report.sites:
        day_s = (site.ends_ms - site.begins_ms) // 1000
        for it in site.connectors:
            part = None if it.occupied_s is None else it.occupied_s * 10_000 // day_s
            share = "–" if part is None else f"{part // 100} %"
            rows.append(Share(f"{site.site} · {it.name}", part, f"{duration(it.occupied_s)} · {share}"))
    return rows


def _ages(found: Iterable[Found]) -> list[tuple[str, list[int]]]:
    """Findings of each weight that there is, by bucket of age."""
    found = list(found)
    rows = []
    for weight in Weight:
        its = [it.age_days or 0 for it in found if it.weight is weight]
        if its:
            rows.append((weight.value, [sum(_bucket(age) == name for age in its) for _, name in AGES]))
    return rows


def _bucket(age_days: int) -> str:
    return next(name for most, name in AGES if most is None or age_days <= most)


def _actions(found: Iterable[Found]) -> list[tuple[str, str, int, int | None]]:
    """(owner, code, how many findings, age of the oldest in days): one action for each kind that needs one."""
    kinds: dict[str, list[Found]] = {}
    for it in found:
        kinds.setdefault(it.code, []).append(it)
    rows = []
    for code, its in kinds.items():
        ages = [it.age_days for it in its if it.age_days is not None]
        rows.append((its[0].owner.value, code, len(its), max(ages, default=None)))
    return rows


# --- text tables -----------------------------------------------------------------------------------------------------


def _sites_table(report: Report) -> str:
    head = ("site", "sessions", "kWh", "gross", "captured", "overrun", "voided", "running", "held", "reported")
    rows = [_site_row(it) for it in report.sites]
    total = report.total
    running, held = sum(it.running for it in report.sites), sum(it.held for it in report.sites)
    sums = (total.sessions, energy(total.all_wh), money(total.gross_fen), money(total.captured_fen))
    rows.append(("all", *map(str, sums), money(total.overrun_fen), *map(str, (total.voided, running, held)), ""))
    if report.adjusted != type(total)():
        late = report.adjusted
        shown = (late.sessions, energy(late.all_wh), money(late.gross_fen), money(late.captured_fen))
        rows.append(("earlier days", *map(str, shown), money(late.overrun_fen), str(late.voided), "", "", ""))
    return table(head, rows)


def _site_row(site: SiteDay) -> tuple[str, ...]:
    day = site.day
    shown = (day.sessions, energy(day.all_wh), money(day.gross_fen), money(day.captured_fen), money(day.overrun_fen))
    counts = (day.voided, site.running, site.held)
    return (site.site, *map(str, shown), *map(str, counts), "yes" if site.reported else "awaited")


def _legs_table(report: Report) -> str:
    fuel = any(it.leg is Leg.FUEL for it in report.legs)
    units = ("yuan", "kWh", "litres") if fuel else ("yuan", "kWh")
    head = ("leg", "unexplained", *units, "awaited", "open", "noted", "checked")
    rows = []
    for it in report.legs:
        counts = map(str, (it.awaited, it.open, it.noted))
        checked = " ".join(f"{it.checked.get(name, 0)} {name}" for name in CHECKED[it.leg])
        gaps = (money(it.difference_fen), energy(it.difference_wh), volume(it.difference_ml))[: len(units)]
        rows.append((it.leg.value, str(it.unexplained), *gaps, *counts, checked))
    return table(head, rows, left=(0, len(head) - 1))


def _money_table(report: Report) -> str:
    head = ("owed to customers", "opening", "paid in", "loaned", "used", "paid out", "repaid", "closing", "difference")
    rows = []
    for it in report.liabilities:
        flows = (it.paid_in, it.loaned, -it.used, -it.paid_out, -it.repaid)
        shown = (it.opening, *flows, it.closing, it.difference)
        rows.append((it.asset, *(amount(value, it.asset) for value in shown)))
    return table(head, rows)


def _risk_table(report: Report) -> str:
    head = ("operator's risk", "yuan")
    parts = ("balance", "lent", "pooled", "forked", "adjusted")
    rows = [(name, money(getattr(report.operator, f"{name}_fen"))) for name in parts]
    rows += [(f"pool {it.site}/{it.epoch}, today", money(it.today_fen)) for it in report.pools]
    return table(head, rows)


def _has_risk(report: Report) -> bool:
    """Whether the operator ever stood in for anybody."""
    risk = report.operator
    return bool(report.pools or any((risk.balance_fen, risk.lent_fen, risk.forked_fen, risk.adjusted_fen)))


def _guests_table(report: Report) -> str:
    head = ("guests", "count", "yuan", "oldest, days")
    rows = [
        (f"refunds due, {it.channel}", str(it.refunds), money(it.amount_fen), str(it.age_days)) for it in report.refunds
    ]
    rows += [(f"not ended, {it.site}", str(it.guests), money(it.amount_fen), str(it.age_days)) for it in report.guests]
    return table(head, rows)


def _findings_table(report: Report) -> str:
    lines = []
    for it in report.findings:
        gaps = [f"{money(it.difference_fen)} yuan"] if it.difference_fen is not None else []
        gaps += [f"{energy(it.difference_wh)} kWh"] if it.difference_wh is not None else []
        gaps += [f"{volume(it.difference_ml)} L"] if it.difference_ml is not None else []
        age = "" if it.age_days is None else f", {it.age_days} d"
        lines.append(f"{it.weight.value}{age}: {CODES[it.code].en}: {it.subject} {' '.join(gaps)}".rstrip())
        lines.append(f"    {it.detail}")
        lines.append(f"    {it.owner.value}: {CODES[it.code].step_en}")
    return "\n".join(lines)
