"""What does it cost? Tables of a tariff by time of day, of swaps and rents, of ports by time or energy, of lockers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edge.page.words import counted, word
from protocols.trade.daytime import local_second, period_at
from protocols.trade.port_prices import PortPrice, late_most_fen
from protocols.trade.quantities import yuan, yuan_e3
from protocols.trade.records import ClockQuality, Stamp
from protocols.trade.swap_terms import RentOffer, SwapOffer, SwapTerms
from protocols.trade.tariff import DAY_S, Tariff

Row = tuple[str, str, Sequence[str]]
"""What, its price, and what else is to be said of it."""


def by_tariff(tariff: Tariff | None, now: Stamp, language: str) -> str:
    """All periods of the day, the present one marked where the time is certain; then what else is charged."""
    if tariff is None:
        return f'<p class="note">{word("no-price", language)}</p>'
    present = period_at(tariff, now.wall_ms) if now.quality == ClockQuality.SYNCHRONISED else None
    first = 0 if present is None else _row_now(tariff, local_second(tariff, now.wall_ms))
    lines = []
    for at, (span, index) in enumerate(_spans(tariff)):
        period = tariff.periods[index]
        price = yuan_e3(period.energy_e3 + period.service_e3)
        on = present is not None and at == first
        when, mark = (f"{span} · {word('now', language)}", ' class="on"') if on else (span, "")
        lines.append(f"<tr{mark}><th>{when}</th><td>{word('per-kwh', language, yuan=price)}</td></tr>")
    extra = []
    if tariff.session_e3:
        extra.append(word("session-fee", language, yuan=yuan_e3(tariff.session_e3)))
    if tariff.idle_e3_per_min:
        minutes = tariff.idle_grace_s // 60
        extra.append(word("idle-fee", language, yuan=yuan_e3(tariff.idle_e3_per_min), minutes=minutes))
    return f'<div class="card"><table>{"".join(lines)}</table>{"".join(_soft(one) for one in extra)}</div>'


def by_terms(terms: SwapTerms, language: str) -> str:
    """What a swap and a rent cost, plans first as they are tried first."""
    if not terms.swaps and not terms.rents:
        return f'<p class="note">{word("no-terms", language)}</p>'
    return f'<div class="card">{_table([row for _, row in _offers(terms, language)])}</div>'


def choices(terms: SwapTerms, language: str) -> list[tuple[str, str]]:
    """Name and words of each offer that a rider may choose, plans first as they are tried first; none: there is one."""
    rows = _offers(terms, language)
    return [(name, f"{what} · {costs}") for name, (what, costs, _) in rows] if len(rows) > 1 else []


def at_port(
    price: PortPrice | None, tariff: Tariff | None, now: Stamp, power_w_max: int, cap_fen: int, language: str
) -> str:
    """What charging costs at a port. tariff: of a price by tariff. cap_fen: where the price names none."""
    if price is None:
        return f'<p class="note">{word("no-price", language)}</p>'
    extra = [word("port-cap", language, yuan=yuan(price.cap_fen or cap_fen))]
    extra.append(word("power-max", language, power=power_w_max))
    if price.by == "tariff":
        return by_tariff(tariff, now, language) + f'<div class="card">{"".join(_soft(one) for one in extra)}</div>'
    if price.session_e3:
        extra.insert(0, word("session-fee", language, yuan=yuan_e3(price.session_e3)))
    if price.by == "energy":
        rows: list[Row] = [(word("kwh", language), word("per-kwh", language, yuan=yuan_e3(price.energy_e3)), ())]
        return f'<div class="card">{_table(rows)}{"".join(_soft(one) for one in extra)}</div>'
    rows = _steps(price, power_w_max, language)
    if price.least_s:
        extra.insert(0, word("least-time", language, minutes=-(-price.least_s // 60)))
    if len(rows) > 1:
        extra.insert(0, word("by-the-step", language))
    return f'<div class="card">{_table(rows)}{"".join(_soft(one) for one in extra)}</div>'


def of_stay(price: PortPrice | None, language: str) -> str:
    """What keeping a pack in a locker costs, beside what it charges."""
    if price is None:
        return ""
    if not price.late_e3:
        rows: list[Row] = [(word("stay", language), word("stay-costs-nothing", language), ())]
        return f'<div class="card">{_table(rows)}</div>'
    says = [word("stay-late", language, yuan=yuan_e3(price.late_e3), days=price.late_days_max)]
    if price.late_free_s:
        says.insert(0, word("stay-free-time", language, hours=price.late_free_s // 3600))
    held = word("stay-held", language, yuan=yuan(late_most_fen(price)))
    return f'<div class="card">{"".join(f"<p>{one}</p>" for one in says)}{_soft(held)}</div>'


# --- rows ------------------------------------------------------------------------------------------------------------


def _offers(terms: SwapTerms, language: str) -> list[tuple[str, Row]]:
    """Swaps, then rents, each by its name."""
    kinds = [offer.kind for offer in terms.swaps]
    swaps = [(offer.name, _swap(offer, kinds.count(offer.kind) > 1, language)) for offer in terms.swaps]
    return swaps + [(rent.name, _rent(rent, terms, language)) for rent in terms.rents]


def _swap(offer: SwapOffer, is_one_of_several: bool, language: str) -> Row:
    if offer.kind == "plan":
        return (
            word("offer-plan", language, name=escape(offer.name)),
            word("plan-units", language, units=offer.units),
            (),
        )
    name = word(f"offer-{offer.kind}", language)
    name += f" · {escape(offer.name)}" if is_one_of_several else ""
    if offer.kind == "single":
        return name, word("yuan", language, yuan=yuan_e3(offer.price_e3)), ()
    bounds = word("least-most", language, least=yuan(offer.floor_fen), most=yuan(offer.cap_fen))
    return name, word("yuan-kwh", language, yuan=yuan_e3(offer.price_e3)), (bounds,)


def _rent(rent: RentOffer, terms: SwapTerms, language: str) -> Row:
    models = [model for model in terms.models if not rent.models or model.name in rent.models]
    same = len({model.deposit_fen for model in models}) == 1
    says = [
        word("deposit" if same else "deposit-of", language, model=escape(model.name), yuan=yuan(model.deposit_fen))
        for model in (models[:1] if same else models)
        if model.deposit_fen
    ]
    if rent.late_e3:
        says.append(word("late-day", language, yuan=yuan_e3(rent.late_e3)))
    name = counted("offer-rent", rent.days, language, days=rent.days)
    return name, word("yuan", language, yuan=yuan_e3(rent.price_e3)), says


def _steps(price: PortPrice, power_w_max: int, language: str) -> list[Row]:
    """The steps that a port of so much power can come to. The last one has no upper end of its own."""
    steps = price.steps
    last = next((at for at, step in enumerate(steps) if step.power_w >= power_w_max), len(steps) - 1)
    rows: list[Row] = []
    for at, step in enumerate(steps[: last + 1]):
        if last == 0:
            what = word("any-power", language)
        elif at == last:
            what = word("power-above", language, power=steps[at - 1].power_w)
        else:
            what = word("power-upto", language, power=step.power_w)
        rows.append((what, word("per-hour", language, yuan=yuan_e3(step.price_e3)), ()))
    return rows


def _table(rows: Sequence[Row]) -> str:
    lines = []
    for what, costs, more in rows:
        lines.append(f"<tr><th>{what}</th><td>{costs}</td></tr>")
        lines += [f'<tr class="more"><td class="soft" colspan="2">{one}</td></tr>' for one in more]
    return f'<table class="costs">{"".join(lines)}</table>'


def _spans(tariff: Tariff) -> list[tuple[str, int]]:
    """`08:00-22:00` and the period's index, from midnight on; the last period runs on past midnight to the first."""
    starts = [(period.from_s, index) for index, period in enumerate(tariff.periods)]
    if starts[0][0] > 0:
        starts.insert(0, (0, len(starts) - 1))
    ends = [start for start, _ in starts[1:]] + [DAY_S]
    return [(f"{_hm(start)}-{_hm(end)}", index) for (start, index), end in zip(starts, ends, strict=True)]


def _row_now(tariff: Tariff, second: int) -> int:
    """Which of the spans this second of the day is in."""
    starts = sorted({0, *(period.from_s for period in tariff.periods)})
    return sum(start <= second for start in starts) - 1


def _hm(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"


def _soft(text: str) -> str:
    return f'<p class="soft">{text}</p>'
