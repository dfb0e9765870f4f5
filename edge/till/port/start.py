"""Whether a port may start, and the record that does it. No port is told anything here."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.port_board import PortOrder, PortState
from edge.till import purse
from edge.till.ask import Opening, Refusal, Refused, Source
from edge.till.hours import open_now
from edge.till.port.ask import PortAsk
from edge.till.port.cost import Terms, is_exact, limits, need_fen
from edge.till.port.place import PortPlace
from edge.till.port.policy import PortPolicy
from edge.till.port.sight import PortSight
from edge.till.set_aside import Need, who_pays
from edge.till.start import may_not_start, opening_bounds
from edge.till.state import OpenPort, OpenStay, TillState
from protocols.trade.hotlist import HotList
from protocols.trade.port_prices import PortPrices, price_of
from protocols.trade.records import Draft, Hold
from protocols.trade.records_port import PortOpened
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders, tender_of, worth_fen

PRESETS = ("full", "money", "energy", "time")
FREE = (PortState.IDLE, PortState.PLUGGED, PortState.FULL)
LINES = {"time": ("time", "session"), "energy": ("energy", "session"), "tariff": ("energy", "service", "session")}
"""The lines that the bill of each kind of price may have."""


def open_port(
    state: TillState,
    ask: PortAsk,
    place: PortPlace | None,
    sight: PortSight,
    prices: PortPrices | None,
    tariff: Tariff | None,
    policy: PortPolicy,
    *,
    hot_list: HotList | None = None,
    tenders: Tenders = MONEY_ALONE,
    risk_per_card_fen: int = 0,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the port. sight: asked for just now."""
    if place is None:
        return Refused(Refusal.UNKNOWN_PORT, f"no port {ask.place} at this site")
    if ask.preset.kind not in PRESETS:
        return Refused(Refusal.UNKNOWN_PRESET, f"a preset is {', '.join(PRESETS)}; not {ask.preset.kind}")
    if not place.locker and not open_now(policy.hours, policy.utc_offset_min, sight.now):
        return after_hours(policy)
    terms = terms_for(state, place, prices, tariff)
    if isinstance(terms, Refused):
        return terms
    if ask.preset.kind == "energy" and not place.traits.counts_energy:
        return Refused(Refusal.UNKNOWN_PRESET, f"port {place.id} counts time alone")
    unfit = _unfit(state, ask, place, sight, policy)
    if unfit is not None:
        return unfit
    refused = may_not_start(state, ask.origin, ask.sources, sight.now, hot_list)
    if refused is not None:
        return refused
    return _open(state, ask, place, sight, terms, policy, tenders, risk_per_card_fen)


def after_hours(policy: PortPolicy) -> Refused:
    """At this hour nothing begins here."""
    return Refused(Refusal.PORTS_CLOSED, f"open {', '.join(policy.hours)}; what has begun goes on")


def terms_for(state: TillState, place: PortPlace, prices: PortPrices | None, tariff: Tariff | None) -> Terms | Refused:
    """The price of this port for whoever starts now."""
    if prices is None or "port-prices" not in state.pins:
        return Refused(Refusal.NO_PRICES, "no port prices from headquarters yet")
    price = price_of(prices, place.price)
    if price is None:
        return Refused(Refusal.NO_PRICES, f"price list {prices.id} {prices.version} has no price {place.price}")
    if price.by != "time" and not place.traits.counts_energy:
        return Refused(Refusal.NO_PRICES, f"price {price.name} is by energy, and port {place.id} counts time alone")
    if price.by == "tariff" and (tariff is None or "tariff" not in state.pins):
        return Refused(Refusal.NO_TARIFF, "no tariff from headquarters yet")
    return Terms(price, tariff if price.by == "tariff" else None)


def order_of(session: OpenPort, epoch: int) -> PortOrder:
    """What the port is told. The number is the opening record's own place in the log, with a mark of when that was."""
    opened = session.opened
    return PortOrder(
        number=session.number(epoch),
        kind=opened.order_kind,
        limit=opened.order_limit,
        time_max_s=opened.time_max_s,
        power_w_max=opened.power_w_max,
        prepaid_fen=opened.prepaid_fen,
    )


def session_at(state: TillState, place: str) -> OpenPort | None:
    """The session that a port has; None: it has none."""
    return next((one for one in state.ports.sessions.values() if one.place == place), None)


def stay_at(state: TillState, place: str) -> OpenStay | None:
    """Whose the locker is; None: it is free."""
    return next((one for one in state.ports.stays.values() if one.place == place), None)


def owns(state: TillState, stay: OpenStay, credential: bytes, account: str = "") -> bool:
    """Whether this card, or this account by its own word, is the owner of what lies in the locker."""
    if credential and stay.opened.origin.credential == credential:
        return True
    if not stay.opened.account:
        return False
    return account == stay.opened.account or (bool(credential) and purse.opens(state, credential, stay.opened.account))


def port_worth_fen(holds: Sequence[Hold], by: str, tenders: Tenders) -> int:
    """What these holds can pay of every line that a bill of this kind may have."""
    found = ((hold, tender_of(hold.asset, tenders)) for hold in holds)
    return sum(
        worth_fen(hold.amount, one)
        for hold, one in found
        if one is not None and (not one.lines or set(LINES[by]) <= set(one.lines))
    )


def _unfit(state: TillState, ask: PortAsk, place: PortPlace, sight: PortSight, policy: PortPolicy) -> Refused | None:
    status = sight.status_within(policy.silence_s * 1000)
    if status is None or status.state is PortState.OUT:
        return Refused(Refusal.PORT_SILENT, f"port {place.id} does not answer")
    if status.state is PortState.FAULT:
        return Refused(Refusal.PORT_FAULTED, f"port {place.id} reports {status.reason}")
    if session_at(state, place.id) is not None or status.state not in FREE:
        return Refused(Refusal.PORT_BUSY, f"port {place.id} is in use")
    if place.traits.feels_plug and status.state is PortState.IDLE and not status.plugged:
        return Refused(Refusal.NOT_PLUGGED, f"nothing is plugged in at port {place.id}")
    stay = stay_at(state, place.id)
    if place.locker and (stay is None or stay.stored is None):
        return Refused(Refusal.LOCKER_EMPTY, f"nothing is stored in locker {place.id}")
    if stay is not None and stay.act in ("collect", "remove"):
        return Refused(Refusal.PORT_BUSY, f"locker {place.id} is being emptied")
    if stay is not None and not any(_may_charge(state, stay, ask, source) for source in ask.sources):
        return Refused(Refusal.NOT_OWNER, f"locker {place.id} is somebody else's")
    return None


def _may_charge(state: TillState, stay: OpenStay, ask: PortAsk, source: Source) -> bool:
    return owns(state, stay, source.credential or ask.credential, source.account)


def _open(
    state: TillState,
    ask: PortAsk,
    place: PortPlace,
    sight: PortSight,
    terms: Terms,
    policy: PortPolicy,
    tenders: Tenders,
    risk_per_card_fen: int,
) -> Opening | Refused:
    bounds = opening_bounds(sight.now)
    target_fen = max(1, need_fen(terms, ask.preset, place, policy.fill_up_cap_fen, bounds))
    exact = is_exact(terms, ask.preset)

    def worth(holds: Sequence[Hold]) -> int:
        return port_worth_fen(holds, terms.price.by, tenders)

    def suffices(holds: Sequence[Hold]) -> bool:
        return limits(terms, ask.preset, place, worth(holds), bounds) is not None

    least_fen = target_fen if exact else 1
    need = Need(target_fen, exact, least_fen, suffices)
    risk_fen = risk_per_card_fen if ask.alone else 0
    paid = who_pays(state, ask.sources, ask.credential, need, tenders, sight.now.lb_ms, risk_fen=risk_fen)
    if isinstance(paid, Refused):
        return paid
    held_fen = worth(paid.holds)
    told = limits(terms, ask.preset, place, held_fen, bounds)
    if told is None or not paid.holds:
        return Refused(Refusal.NOT_ENOUGH, f"{held_fen} fen would not let port {place.id} begin", tuple(paid.wants))
    opened = PortOpened(
        board=place.board,
        port=place.port,
        holds=paid.holds,
        price=terms.price.name,
        preset=ask.preset,
        order_kind=told.kind,
        order_limit=told.limit,
        time_max_s=told.time_max_s,
        power_w_max=place.traits.power_w_max,
        prepaid_fen=held_fen,
        counts_energy=place.traits.counts_energy,
        origin=ask.origin,
        pins=[state.pins[pinned] for pinned in sorted(state.pins)],
        clock_lb_ms=bounds[0],
        clock_ub_ms=bounds[1],
    )
    # a code brings all that its customer wanted to spend
    as_brought = ask.as_brought or ask.origin.via == "qr"
    return Opening(Draft(opened), () if as_brought else tuple(paid.wants))
