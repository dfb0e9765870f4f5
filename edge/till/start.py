"""Whether a session may start, or take a further hold, and the record that does it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from edge.till import purse
from edge.till.ask import Ask, Opening, Refusal, Refused, Source, Want, ask_of
from edge.till.cover import covers, pays_all
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, Progress
from edge.till.set_aside import Need, set_aside, who_pays
from edge.till.sight import Sight
from edge.till.state import OpenSession, TillState
from protocols.trade import hotlist
from protocols.trade.daytime import DAY_MS
from protocols.trade.hotlist import HotList
from protocols.trade.price import Delivered, dearest_e3, hold_for_energy
from protocols.trade.records import ClockQuality, Draft, Hold, Origin, Preset, SessionExtended, SessionOpened, Stamp
from protocols.trade.tariff import Tariff
from protocols.trade.tender import HOLDS_MAX, MONEY_ALONE, Tenders, all_worth_fen

__all__ = ["Ask", "Opening", "Refusal", "Refused", "Source", "Want", "ask_of"]

PRESETS = ("full", "money", "energy", "time")


def open_session(
    state: TillState,
    ask: Ask,
    place: Connector | None,
    sight: Sight,
    tariff: Tariff | None,
    policy: Policy,
    hot_list: HotList | None = None,
    tenders: Tenders = MONEY_ALONE,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the connector. Nothing is energised here.

    hot_list: the one in force, under the same credential key as `ask.credential`; None: none has come yet. tenders:
    what assets besides money may pay.
    """
    if place is None:
        return Refused(Refusal.UNKNOWN_CONNECTOR, f"no connector {ask.connector} at this site")
    if ask.preset.kind not in PRESETS:
        return Refused(Refusal.UNKNOWN_PRESET, f"a preset is {', '.join(PRESETS)}; not {ask.preset.kind}")
    if any(session.opened.connector == place.id for session in state.sessions.values()):
        return Refused(Refusal.CONNECTOR_BUSY, f"{place.id} has a session")
    if tariff is None or "tariff" not in state.pins:
        return Refused(Refusal.NO_TARIFF, "no tariff from headquarters yet")
    unfit = _unfit(place, sight, policy)
    if unfit is not None:
        return unfit
    refused = may_not_start(state, ask.origin, ask.sources, sight.now, hot_list)
    if refused is not None:
        return refused
    return _open(state, ask, place, sight, tariff, policy, tenders)


def may_not_start(
    state: TillState, origin: Origin, sources: Sequence[Source], now: Stamp, hot_list: HotList | None
) -> Refused | None:
    """Whether this start has been used before, or was made with a stolen card, whatever is to be delivered."""
    number, first = origin.number, sources[0]
    if origin.via == "command" and state.command[0] == now.boot and number <= state.command[1]:
        return Refused(Refusal.OLD_NUMBER, f"command {number} is not above {state.command[1]}")
    payer = purse.lease_of(state, account=first.account, credential=first.credential, asset=first.asset)
    if origin.via == "qr" and payer is not None and number <= state.numbers.get(payer.account, 0):
        return Refused(Refusal.OLD_NUMBER, f"start number {number} was used")
    if hot_list is not None and any(hotlist.contains(hot_list, source.credential) for source in sources):
        return Refused(Refusal.HOT_LISTED, f"the card is on hot list {hot_list.version}")
    return None


def extend_session(
    state: TillState,
    session: OpenSession,
    progress: Progress,
    source: Source,
    now: Stamp,
    policy: Policy,
    tenders: Tenders,
    *,
    most_fen: int | None = None,
) -> Opening | Refused:
    """A further hold for a session that delivers: a second payer, or more of the first one's. It is drawn on last.

    most_fen: how much to hold; None: what the account has here, up to the cap of a fill-up. `tenders`: as the session
    pins them.
    """
    if not progress.wants_delivery:
        return Refused(Refusal.NO_SESSION, f"session {session.seq} has ended; what is paid now would pay nothing")
    if len(session.holds) >= HOLDS_MAX:
        return Refused(Refusal.NOT_ENOUGH, f"session {session.seq} has {HOLDS_MAX} holds, and takes no more")
    lease = purse.lease_of(state, account=source.account, credential=source.credential, asset=source.asset)
    own = [hold for hold in session.holds if lease is not None and hold.account == lease.account]
    target_fen = policy.fill_up_cap_fen - all_worth_fen(own, tenders) if most_fen is None else most_fen
    need = Need(target_fen, exact=most_fen is not None, least_fen=1, suffices=bool)
    aside = set_aside(state, (source,), need, tenders, now.lb_ms)
    if isinstance(aside, Refused):
        return aside
    room = HOLDS_MAX - len(session.holds)
    return Opening(Draft(SessionExtended(session.seq, aside.holds[:room])), tuple(aside.wants))


def first_progress(seq: int, opened: SessionOpened, stamp: Stamp) -> Progress:
    """The row of a session that has just been opened."""
    return Progress(
        session=seq,
        account=opened.holds[0].account,
        boot=stamp.boot,
        phase=Phase.STARTING,
        register=opened.begin,
        slices=(),
        clock_lb_ms=opened.clock_lb_ms,
        clock_ub_ms=opened.clock_ub_ms,
        drawn_ms=stamp.mono_ms,
    )


def guard_wh(place: Connector, policy: Policy) -> Fraction:
    """The most that may still flow unseen after a decision to stop."""
    return Fraction(place.power_w_max * place.unwatched_s(policy), 3600)


def guard_fen(place: Connector, policy: Policy, price_e3: int) -> int:
    """What that costs at the dearest price, and one fen for rounding."""
    return ceil(guard_wh(place, policy) * price_e3 / 1_000_000) + 1


def opening_bounds(stamp: Stamp) -> tuple[int, int | None]:
    """Between which Unix instants the session begins: one instant when the clock is synchronised."""
    if stamp.quality == ClockQuality.SYNCHRONISED:
        return stamp.wall_ms, stamp.wall_ms
    return stamp.lb_ms, stamp.ub_ms


def _unfit(place: Connector, sight: Sight, policy: Policy) -> Refused | None:
    silence_ms = policy.silence_s * 1000
    status = sight.status_within(silence_ms)
    if status is None:
        return Refused(Refusal.CHARGER_SILENT, f"the charger of {place.id} does not answer")
    if status.faulted:
        return Refused(Refusal.CHARGER_FAULTED, f"the charger of {place.id} reports {status.reason}")
    if sight.register_within(silence_ms) is None:
        return Refused(Refusal.METER_SILENT, f"the meter {place.meter} of {place.id} does not answer")
    if not status.plugged:
        return Refused(Refusal.NO_CAR, f"no car at {place.id}")
    return None


def _open(
    state: TillState,
    ask: Ask,
    place: Connector,
    sight: Sight,
    tariff: Tariff,
    policy: Policy,
    tenders: Tenders,
) -> Opening | Refused:
    bounds = opening_bounds(sight.now)
    price_e3 = dearest_e3(tariff, *bounds, DAY_MS)
    least_fen = ceil(Fraction(tariff.session_e3, 1000)) + guard_fen(place, policy, price_e3) + 1
    target_fen = _target(ask.preset, least_fen, tariff, place, policy, bounds)
    nothing = Delivered((), 0, *bounds)

    def suffices(holds: Sequence[Hold]) -> bool:
        if pays_all(holds, tenders):
            return True  # what they are worth has been counted
        return covers(holds, tenders, tariff, nothing, least_fen, guard_wh(place, policy))

    need = Need(target_fen, ask.preset.kind in ("money", "energy"), least_fen, suffices)
    risk_fen = policy.risk_per_card_fen if ask.alone and not ask.tenders else 0
    paid = who_pays(state, ask.sources, ask.credential, need, tenders, sight.now.lb_ms, risk_fen=risk_fen)
    if isinstance(paid, Refused):
        return paid
    register = sight.register
    assert register is not None  # _unfit has seen it
    opened = SessionOpened(
        connector=place.id,
        holds=paid.holds,
        preset=ask.preset,
        origin=ask.origin,
        begin=register,
        pins=[state.pins[kind] for kind in sorted(state.pins)],
        clock_lb_ms=bounds[0],
        clock_ub_ms=bounds[1],
    )
    # a code brings all that its customer wanted to spend
    return Opening(Draft(opened), () if ask.origin.via == "qr" else tuple(paid.wants))


def _target(
    preset: Preset, least: int, tariff: Tariff, place: Connector, policy: Policy, bounds: tuple[int, int | None]
) -> int:
    """What the session should hold: the preset in money, or the cap for a fill-up."""
    if preset.kind == "money":
        return preset.amount
    if preset.kind == "energy":
        overshoot_wh = ceil(Fraction(place.power_w_max * policy.reaction_s, 3600))
        guard = guard_fen(place, policy, dearest_e3(tariff, *bounds, DAY_MS))
        return hold_for_energy(tariff, preset.amount + overshoot_wh, *bounds, DAY_MS) + guard + 1
    return max(policy.fill_up_cap_fen, least)
