"""Whether a session may start, and the record that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from edge.till import purse
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, Progress
from edge.till.sight import Sight
from edge.till.state import Lease, TillState
from protocols.trade import hotlist
from protocols.trade.daytime import DAY_MS
from protocols.trade.hotlist import HotList
from protocols.trade.price import dearest_e3, hold_for_energy
from protocols.trade.records import CNY, ClockQuality, Draft, Hold, Origin, Preset, SessionOpened, Stamp
from protocols.trade.tariff import Tariff


class Refusal(StrEnum):
    """Why a session does not start, in order of precedence. The text is what the customer is told by."""

    START_EXPIRED = "start-expired"
    LOG_DISPUTED = "log-disputed"
    DISK_FULL = "disk-full"
    UNKNOWN_CONNECTOR = "unknown-connector"
    UNKNOWN_PRESET = "unknown-preset"
    CONNECTOR_BUSY = "connector-busy"
    NO_TARIFF = "no-tariff"
    CHARGER_SILENT = "charger-silent"
    CHARGER_FAULTED = "charger-faulted"
    METER_SILENT = "meter-silent"
    NO_CAR = "no-car"
    OLD_NUMBER = "old-number"
    HOT_LISTED = "hot-listed"
    UNKNOWN_ACCOUNT = "unknown-account"
    ACCOUNT_FROZEN = "account-frozen"
    GRANT_EXPIRED = "grant-expired"
    NOT_ENOUGH = "not-enough"


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants to charge. credential: its HMAC, or empty when `account` is named."""

    connector: str
    credential: bytes
    account: str
    preset: Preset
    origin: Origin


@dataclass(frozen=True, slots=True)
class Refused:
    """No session. want: what headquarters would have to grant in total so that it could start; None: value is not the
    reason. detail: numbers for a person."""

    refusal: Refusal
    detail: str
    want: int | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """The record that opens a session. want: the total grant with which it could hold more; None: it holds all."""

    draft: Draft
    want: int | None = None


PRESETS = ("full", "money", "energy", "time")


def open_session(
    state: TillState,
    ask: Ask,
    place: Connector | None,
    sight: Sight,
    tariff: Tariff | None,
    policy: Policy,
    hot_list: HotList | None = None,
) -> Opening | Refused:
    """Decide on `ask` from what is in the log and what is seen at the connector. Nothing is energised here.

    hot_list: the one in force, under the same credential key as `ask.credential`; None: none has come yet.
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
    number = ask.origin.number
    if ask.origin.via == "command" and state.command[0] == sight.now.boot and number <= state.command[1]:
        return Refused(Refusal.OLD_NUMBER, f"command {number} is not above {state.command[1]}")
    lease = purse.lease_of(state, account=ask.account, credential=ask.credential)
    if ask.origin.via == "qr" and lease is not None and number <= state.numbers.get(lease.account, 0):
        return Refused(Refusal.OLD_NUMBER, f"start number {number} was used")
    if hot_list is not None and hotlist.contains(hot_list, ask.credential):
        return Refused(Refusal.HOT_LISTED, f"the card is on hot list {hot_list.version}")
    return _hold(state, ask, place, sight, tariff, policy, lease)


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


def guard_fen(place: Connector, policy: Policy, price_e3: int) -> int:
    """What may still flow unseen after a decision to stop, at the dearest price, and one fen for rounding."""
    energy_wh = Fraction(place.power_w_max * place.unwatched_s(policy), 3600)
    return ceil(energy_wh * price_e3 / 1_000_000) + 1


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


def _hold(
    state: TillState,
    ask: Ask,
    place: Connector,
    sight: Sight,
    tariff: Tariff,
    policy: Policy,
    lease: Lease | None,
) -> Opening | Refused:
    bounds = opening_bounds(sight.now)
    price_e3 = dearest_e3(tariff, *bounds, DAY_MS)
    least = ceil(Fraction(tariff.session_e3, 1000)) + guard_fen(place, policy, price_e3) + 1
    target = _target(ask.preset, least, tariff, place, policy, bounds)
    if lease is None:
        return Refused(Refusal.UNKNOWN_ACCOUNT, "the card is not known at this site", want=target)
    if lease.session_limit:
        target = min(target, lease.session_limit)
    want = purse.want(lease, target)
    if lease.frozen:
        return Refused(Refusal.ACCOUNT_FROZEN, "headquarters has frozen the account", want=want)
    if purse.expired(lease, sight.now.lb_ms):
        return Refused(Refusal.GRANT_EXPIRED, "what the site knows of this account is too old", want=want)
    exact = ask.preset.kind in ("money", "energy")
    hold = target if exact else min(target, lease.rights)
    if exact and hold < least:
        return Refused(Refusal.NOT_ENOUGH, f"the preset holds {hold} fen, the least that can start is {least} fen")
    if hold > lease.rights or hold < least:
        needed = target if exact else least
        return Refused(Refusal.NOT_ENOUGH, f"{lease.rights} fen may be spent here, {needed} fen are needed", want)
    register = sight.register
    assert register is not None  # _unfit has seen it
    opened = SessionOpened(
        connector=place.id,
        holds=[Hold(lease.account, CNY, hold)],
        preset=ask.preset,
        origin=ask.origin,
        begin=register,
        pins=[state.pins[kind] for kind in sorted(state.pins)],
        clock_lb_ms=bounds[0],
        clock_ub_ms=bounds[1],
    )
    complete = hold == target or ask.origin.via == "qr"  # a code brings all that its customer wanted to spend
    return Opening(Draft(opened), None if complete else want)


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
