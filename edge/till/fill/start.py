"""Whether a filling may start, and the record that does it. Nothing is authorised here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from drivers.pump import PumpState
from edge.till import purse
from edge.till.ask import Opening, Refusal, Refused
from edge.till.fill.ask import FillAsk
from edge.till.fill.limits import DayLimit, day_limit
from edge.till.fill.point import FuelPoint
from edge.till.fill.policy import FillPolicy
from edge.till.fill.prices import due, offers, shown
from edge.till.fill.settle import fuel_worth_fen
from edge.till.fill.sight import FillSight
from edge.till.fill.totals import agree
from edge.till.set_aside import Need, who_pays
from edge.till.start import may_not_start, opening_bounds
from edge.till.state import TillState
from protocols.trade.fuel_prices import PriceList, local_day
from protocols.trade.fuel_terms import NO_TERMS, FuelTerms, Terms, terms_of
from protocols.trade.hotlist import HotList
from protocols.trade.records import Draft, Hold, Preset
from protocols.trade.records_fuel import FillingOpened, Offered, OrderKind
from protocols.trade.tender import MONEY_ALONE, Tenders

PRESETS = ("full", "money", "volume")
MAY_BEGIN = (PumpState.IDLE, PumpState.CALLING, PumpState.ENDED)
LEAST_ML = 1_000
"""A fill-up starts only where its hold would pay a litre."""


def open_filling(
    state: TillState,
    ask: FillAsk,
    point: FuelPoint | None,
    sight: FillSight,
    prices: PriceList | None,
    policy: FillPolicy,
    *,
    terms: FuelTerms = NO_TERMS,
    hot_list: HotList | None = None,
    tenders: Tenders = MONEY_ALONE,
    risk_per_card_fen: int = 0,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the pump.

    sight: with totals and prices read just now, all sales of before closed and all movements explained in the log.
    """
    if point is None:
        return Refused(Refusal.UNKNOWN_PUMP, f"no pump {ask.pump} at this site")
    if ask.preset.kind not in PRESETS:
        return Refused(Refusal.UNKNOWN_PRESET, f"a preset is {', '.join(PRESETS)}; not {ask.preset.kind}")
    if prices is None or "fuel-prices" not in state.pins:
        return Refused(Refusal.NO_PRICES, "no price list from headquarters yet")
    unfit = _unfit(state, point, sight, policy)
    if unfit is not None:
        return unfit
    refused = may_not_start(state, ask.origin, ask.sources, sight.now, hot_list)
    if refused is not None:
        return refused
    held_to = _terms(state, ask, terms)
    offered = _offered(state, ask, point, sight, prices, held_to)
    if isinstance(offered, Refused):
        return offered
    if any(one.ask for one in held_to) and not ask.asked and not ask.guaranteed:
        return Refused(Refusal.ANSWER_MISSING, f"the {next(one.ask for one in held_to if one.ask)} must be told first")
    limit = day_limit(state.forecourt, held_to, local_day(prices, sight.now.wall_ms), offered)
    if limit.left_ml is not None and limit.left_ml <= 0:
        return Refused(Refusal.DAY_LIMIT, f"{limit.day_ml} mL a day have been used")
    return _open(state, ask, point, sight, policy, offered, limit, tenders, risk_per_card_fen, prices)


def _unfit(state: TillState, point: FuelPoint, sight: FillSight, policy: FillPolicy) -> Refused | None:
    silence_ms = policy.silence_s * 1000
    status, totals = sight.status_within(silence_ms), sight.totals
    if status is None or totals is None or sight.now.mono_ms - totals.mono_ms > silence_ms:
        return Refused(Refusal.PUMP_SILENT, f"pump {point.id} does not answer")
    if status.alarm is not None or status.state in (PumpState.OUT, PumpState.UNPRICED):
        return Refused(Refusal.PUMP_OUT, f"pump {point.id} reports {status.alarm or status.reason}")
    if status.state not in MAY_BEGIN or any(one.opened.pump == point.id for one in state.forecourt.fillings.values()):
        return Refused(Refusal.PUMP_BUSY, f"pump {point.id} has a filling")
    if not agree(state, totals):
        return Refused(Refusal.PUMP_BUSY, f"the totalizers of pump {point.id} have just moved")
    return None


def _terms(state: TillState, ask: FillAsk, document: FuelTerms) -> list[Terms]:
    """All that the payers' accounts and cards are held to. A guarantor's too: it pays what nobody else does."""
    found: list[Terms] = []
    for source in ask.sources:
        lease = purse.lease_of(state, account=source.account, credential=source.credential, asset=source.asset)
        account = lease.account if lease is not None else source.account
        found += terms_of(document, account, source.credential or ask.credential)
    return found


def _offered(
    state: TillState, ask: FillAsk, point: FuelPoint, sight: FillSight, prices: PriceList, held_to: Sequence[Terms]
) -> list[Offered] | Refused:
    """The nozzles that may be used: on the list, wanted, allowed, and showing their price."""
    should = due(state, point, prices, sight.now)
    wanted = [nozzle for nozzle in sorted(should) if ask.nozzle in (None, nozzle)]
    allowed = [n for n in wanted if all(not t.grades or point.nozzles[n].grade in t.grades for t in held_to)]
    lifted = sight.status.nozzle if sight.status is not None and sight.status.state == PumpState.CALLING else None
    if not allowed or (lifted is not None and lifted not in allowed):
        grades = ", ".join(dict.fromkeys(point.nozzles[nozzle].grade for nozzle in allowed)) or "none"
        return Refused(Refusal.WRONG_GRADE, f"grades that may be had here: {grades}")
    shows = shown(state, point, sight.prices)
    for nozzle in allowed:
        if shows.get(nozzle) != should[nozzle]:
            detail = f"nozzle {nozzle} shows {shows.get(nozzle)}, the list says {should[nozzle]}"
            return Refused(Refusal.PRICE_DIFFERS, detail)
    offered = offers(point, {nozzle: should[nozzle] for nozzle in allowed})
    if any(one not in state.forecourt.prices.get(point.id, ()) for one in offered):
        return Refused(Refusal.PRICE_DIFFERS, f"the log does not say yet what pump {point.id} sells")
    return offered


def _open(
    state: TillState,
    ask: FillAsk,
    point: FuelPoint,
    sight: FillSight,
    policy: FillPolicy,
    offered: list[Offered],
    limit: DayLimit,
    tenders: Tenders,
    risk_per_card_fen: int,
    prices: PriceList,
) -> Opening | Refused:
    dearest_e3 = max(one.price_e3 for one in offered)
    target_fen, least_fen = _need(ask.preset, limit, dearest_e3, policy)

    def suffices(holds: Sequence[Hold]) -> bool:
        return fuel_worth_fen(holds, tenders) >= least_fen

    need = Need(target_fen, ask.preset.kind != "full", least_fen, suffices)
    risk_fen = risk_per_card_fen if ask.alone and not ask.guaranteed else 0
    paid = who_pays(state, ask.sources, ask.credential, need, tenders, sight.now.lb_ms, risk_fen=risk_fen)
    if isinstance(paid, Refused):
        return paid
    kind, order_limit = _order(ask.preset, fuel_worth_fen(paid.holds, tenders), limit, point, policy)
    if order_limit <= 0:
        return Refused(Refusal.NOT_ENOUGH, "what is left would not let the pump give a drop")
    assert sight.totals is not None  # _unfit has seen them
    bounds = opening_bounds(sight.now)
    opened = FillingOpened(
        pump=point.id,
        holds=paid.holds,
        guaranteed=ask.guaranteed,
        preset=ask.preset,
        order_kind=kind,
        order_limit=order_limit,
        offered=offered,
        origin=ask.origin,
        asked=ask.asked,
        begin=sight.totals,
        volume_step_ml=point.traits.volume_step_ml,
        amount_step_fen=point.traits.amount_step_fen,
        total_step_ml=point.traits.total_step_ml,
        local_day=local_day(prices, sight.now.wall_ms),
        pins=[state.pins[pinned] for pinned in sorted(state.pins)],
        clock_lb_ms=bounds[0],
        clock_ub_ms=bounds[1],
    )
    # a code brings all that its customer wanted to spend
    return Opening(Draft(opened), () if ask.origin.via == "qr" else tuple(paid.wants))


def _need(preset: Preset, limit: DayLimit, dearest_e3: int, policy: FillPolicy) -> tuple[int, int]:
    """(what the filling should hold, with less than what it cannot start), in fen."""
    if preset.kind == "money":
        return preset.amount, preset.amount
    if preset.kind == "volume":
        fen = _price_fen(limit.within(preset.amount), dearest_e3) + policy.margin_fen
        return fen, fen
    least_fen = _price_fen(LEAST_ML, dearest_e3) + policy.margin_fen
    return max(policy.fill_up_cap_fen, least_fen), least_fen


def _order(
    preset: Preset, worth_fen: int, limit: DayLimit, point: FuelPoint, policy: FillPolicy
) -> tuple[OrderKind, int]:
    """What the pump is told at most: never more than what the holds pay, whichever nozzle it is, and the day allows."""
    traits = point.traits
    if preset.kind == "volume":
        volume_ml = min(limit.within(preset.amount), traits.volume_max_ml)
        return "volume", volume_ml - volume_ml % traits.volume_step_ml
    wanted_fen = preset.amount if preset.kind == "money" else worth_fen - policy.margin_fen
    amount_fen = min(wanted_fen, limit.fen(wanted_fen), traits.amount_max_fen)
    return "amount", amount_fen - amount_fen % traits.amount_step_fen


def _price_fen(volume_ml: int, price_e3: int) -> int:
    """What so much costs at the most, rounded up."""
    return ceil(Fraction(volume_ml * price_e3, 1_000_000))
