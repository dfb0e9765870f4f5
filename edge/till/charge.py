"""A charging session from one look at the connector to the next: what was delivered, and whether it must end."""

from __future__ import annotations

from math import ceil

from msgspec.structs import replace

from edge.till.cover import covers, pays_all
from edge.till.meter_rules import Finding, energy_between
from edge.till.policy import Connector, Policy
from edge.till.progress import Phase, Progress, StopReason
from edge.till.sight import Sight
from edge.till.start import guard_fen, guard_wh, opening_bounds
from edge.till.state import OpenSession
from edge.till.waiting import waited_ms
from protocols.trade.daytime import DAY_MS
from protocols.trade.price import bill, ceiling, dearest_e3, extend, hold_for_energy
from protocols.trade.records import ClockQuality, Register, Slice, Stamp
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders, all_worth_fen

LONGEST_MS = 300 * DAY_MS
"""A session is priced within a year of its opening; one that lies open for longer takes its last day."""


def advance(
    session: OpenSession,
    progress: Progress,
    sight: Sight,
    tariff: Tariff,
    place: Connector,
    policy: Policy,
    tenders: Tenders = MONEY_ALONE,
) -> Progress:
    """The progress after this look. Repeating it with the same sight changes nothing but clocks.

    tenders: as the session pins them.
    """
    progress = wait(session, _know_the_clock(session, progress, sight), sight.now)
    progress = _count(session, progress, sight, tariff, place)
    progress = _follow(progress, sight, policy)
    if progress.wants_delivery:
        ending = _ending(session, progress, sight, tariff, place, policy, tenders)
        if ending is not None:
            reason, detail = ending
            progress = stop(progress, reason, sight.now.mono_ms, detail)
    return progress


def stop(progress: Progress, reason: StopReason, mono_ms: int, detail: str = "") -> Progress:
    """The session must end. The first reason stands; saying it again is harmless."""
    if progress.phase == Phase.IDLE:
        return replace(progress, phase=Phase.STOPPING, stopping_ms=mono_ms)
    if not progress.wants_delivery:
        return progress
    return replace(progress, phase=Phase.STOPPING, reason=reason, detail=detail, stopping_ms=mono_ms)


def resume(progress: Progress, boot: bytes, mono_ms: int) -> Progress:
    """After a restart of the daemon. The same boot: the session goes on. Another one: the power was cut, it settles.

    What nobody saw is not held against the customer: a car that drew nothing meanwhile may have been let down by a
    fail-safe, one in the way may have left.
    """
    progress = replace(progress, looked_ms=None)
    if progress.boot == boot:
        idle_from_ms = None if progress.idle_from_ms is None else mono_ms - progress.idle_ms
        return replace(progress, resumed_ms=mono_ms, drawn_ms=mono_ms, idle_from_ms=idle_from_ms)
    ended = replace(
        progress, phase=Phase.STOPPING, stopping_ms=mono_ms, reason=progress.reason or StopReason.POWER_LOSS
    )
    return replace(ended, drawn_ms=mono_ms, off_ms=None, idle_from_ms=None, resumed_ms=mono_ms)


def wait(session: OpenSession, progress: Progress, now: Stamp) -> Progress:
    """The progress with how long it has been held for review."""
    if session.held is None:
        return progress
    waited = waited_ms(session.held, progress.waited_ms, progress.looked_ms, now)
    return replace(progress, waited_ms=waited, looked_ms=now.mono_ms)


def running_price_fen(progress: Progress, tariff: Tariff) -> int:
    """What the customer would pay if it ended now."""
    return bill(tariff, progress.delivered(tariff)).amount_fen


def expected_finish_s(session: OpenSession, progress: Progress, tariff: Tariff, wall_ms: int) -> int | None:
    """Seconds until the preset is reached at the present power and price. None: unknown (fill-up, no power)."""
    preset = session.opened.preset
    if not progress.power_w or not progress.wants_delivery:
        return None
    if preset.kind == "energy":
        return max(0, (preset.amount - progress.energy_wh) * 3600 // progress.power_w)
    if preset.kind == "money":
        price_e3 = dearest_e3(tariff, wall_ms, wall_ms, 0)
        left_fen = max(0, preset.amount - running_price_fen(progress, tariff))
        return left_fen * 1_000_000 * 3600 // (price_e3 * progress.power_w) if price_e3 else None
    return None


def _know_the_clock(session: OpenSession, progress: Progress, sight: Sight) -> Progress:
    """A clock that has become certain tells when the session began."""
    certain = progress.clock_lb_ms == progress.clock_ub_ms
    if certain or progress.boot != sight.now.boot or sight.now.quality != ClockQuality.SYNCHRONISED:
        return progress
    began_ms = opening_bounds(sight.now)[0] - (sight.now.mono_ms - session.stamp.mono_ms)
    return replace(progress, clock_lb_ms=began_ms, clock_ub_ms=began_ms)


def _count(session: OpenSession, progress: Progress, sight: Sight, tariff: Tariff, place: Connector) -> Progress:
    """Bill from a new register, unless the meter rules object."""
    register = sight.register
    last = progress.register
    if progress.finding is not None or register is None or register.meter != last.meter:
        return progress
    same_boot = progress.boot == sight.now.boot
    if same_boot and register.mono_ms <= last.mono_ms:
        return progress
    serial = progress.meter_serial or sight.meter_serial
    if sight.meter_serial not in (None, serial):
        return _finding(progress, Finding.CHANGED, f"{place.meter} was no. {serial}, is {sight.meter_serial}", sight)
    energy_wh = energy_between(last, register, _elapsed_ms(progress, register, sight.now), place)
    if isinstance(energy_wh, Finding):
        detail = f"{place.meter} went from {last.energy_wh} Wh to {register.energy_wh} Wh"
        return _finding(progress, energy_wh, detail, sight)
    slices = progress.slices
    if energy_wh:
        piece = Slice(*_stretch(session, progress, register, sight.now.boot), energy_wh)
        slices = extend(slices, piece, tariff, progress.clock_lb_ms, progress.clock_ub_ms)
    return replace(
        progress,
        boot=sight.now.boot,
        register=register,
        slices=slices,
        power_w=sight.meter_power_w,
        drawn_ms=sight.now.mono_ms if energy_wh or sight.paused else progress.drawn_ms,
        meter_serial=serial,
    )


def _finding(progress: Progress, finding: Finding, detail: str, sight: Sight) -> Progress:
    """The session ends at its last good register, and a person is told why, whatever else has ended it before."""
    told = "; ".join(part for part in (progress.detail, f"{finding.value}: {detail}") if part)
    return replace(stop(progress, StopReason.OTHER, sight.now.mono_ms), finding=finding.value, detail=told)


def _elapsed_ms(progress: Progress, register: Register, now: Stamp) -> int | None:
    """Between the last register and this one; across a power cut by the wall clock. None: nobody knows."""
    last = progress.register
    if progress.boot == now.boot:
        return register.mono_ms - last.mono_ms
    was_known, is_known = progress.clock_lb_ms == progress.clock_ub_ms, now.quality != ClockQuality.UNKNOWN
    return register.wall_ms - last.wall_ms if was_known and is_known and register.wall_ms > last.wall_ms else None


def _stretch(session: OpenSession, progress: Progress, register: Register, boot: bytes) -> tuple[int, int]:
    """From when to when the new energy flowed, in ms since opening. What was read before it counts as read at it.

    Once the power has been cut the monotonic clock no longer counts from the opening: the stretch then covers a whole
    day after what was last known, so that the cheapest period applies.
    """
    opened = session.stamp
    if opened.boot == progress.boot == boot:
        return max(0, progress.register.mono_ms - opened.mono_ms), max(0, register.mono_ms - opened.mono_ms)
    known_ms = max((piece.to_ms for piece in progress.slices), default=0)
    if opened.boot == progress.boot:
        known_ms = max(known_ms, progress.register.mono_ms - opened.mono_ms)
    since_ms = min(known_ms, LONGEST_MS)
    return since_ms, since_ms + DAY_MS


def _follow(progress: Progress, sight: Sight, policy: Policy) -> Progress:
    """Phases that follow from what is seen, and idle time: only while the car is seen to be there."""
    if progress.phase == Phase.STARTING and progress.slices:
        return replace(progress, phase=Phase.CHARGING)
    if progress.phase == Phase.STOPPING and sight.status is not None and progress.stopping_ms is not None:
        if sight.status.delivering:
            return replace(progress, off_ms=None)
        if progress.off_ms is None and sight.status.at_ms >= max(progress.stopping_ms, sight.order_ms):
            return replace(progress, off_ms=sight.status.at_ms)
    if progress.phase == Phase.IDLE and progress.idle_from_ms is not None:
        status = sight.status_within(policy.silence_s * 1000)
        if status is not None and status.plugged:
            return replace(progress, idle_ms=max(progress.idle_ms, sight.now.mono_ms - progress.idle_from_ms))
    return progress


def _ending(
    session: OpenSession,
    progress: Progress,
    sight: Sight,
    tariff: Tariff,
    place: Connector,
    policy: Policy,
    tenders: Tenders,
) -> tuple[StopReason, str] | None:
    """The first reason, in order of urgency, for which delivery must end now."""
    silence_ms = policy.silence_s * 1000
    status, register = sight.status_within(silence_ms), sight.register_within(silence_ms)
    if register is not None and register.meter != progress.register.meter:
        register = None  # the config has put another meter here since: nobody reads the one that this session is on
    asked = progress.had_time_to_ask(sight.now.mono_ms, silence_ms)
    if status is None and asked:
        return StopReason.OTHER, f"the charger has been silent for over {policy.silence_s} s"
    if status is not None and status.faulted:
        return StopReason.OTHER, f"the charger reports {status.reason}"
    if status is not None and not status.plugged:
        return StopReason.EV_DISCONNECTED, ""
    if register is None and asked:
        return StopReason.OTHER, f"the meter {progress.register.meter} has been silent for over {policy.silence_s} s"
    if _out_of_credit(session, progress, tariff, place, policy, tenders):
        return StopReason.LOCAL_OUT_OF_CREDIT, ""
    return _reached(session, progress, sight, status is None or status.delivering, policy)


def _out_of_credit(
    session: OpenSession, progress: Progress, tariff: Tariff, place: Connector, policy: Policy, tenders: Tenders
) -> bool:
    """Cut-off: what is owed at the worst, and what may flow before the relay opens, would pass what the holds pay."""
    elapsed_ms = max(0, progress.register.mono_ms - session.stamp.mono_ms)
    ub_ms = None if progress.clock_ub_ms is None else progress.clock_ub_ms + elapsed_ms
    horizon_ms = 1000 * place.unwatched_s(policy)
    price_e3 = dearest_e3(tariff, progress.clock_lb_ms + elapsed_ms, ub_ms, horizon_ms)
    guard = guard_fen(place, policy, price_e3)
    if pays_all(session.holds, tenders):
        spendable_fen = all_worth_fen(session.holds, tenders) - guard
        if hold_for_energy(tariff, progress.energy_wh, progress.clock_lb_ms, ub_ms, elapsed_ms) < spendable_fen:
            return False  # not even at the dearest price throughout: spares the exact search when the clock is unknown
    delivered = progress.delivered(tariff)
    total_fen = ceil(ceiling(tariff, delivered)) + guard + 1
    return not covers(session.holds, tenders, tariff, delivered, total_fen, guard_wh(place, policy))


def _reached(
    session: OpenSession, progress: Progress, sight: Sight, delivering: bool, policy: Policy
) -> tuple[StopReason, str] | None:
    preset = session.opened.preset
    if preset.kind == "energy" and progress.energy_wh >= preset.amount:
        return StopReason.ENERGY_LIMIT, ""
    same_boot = session.stamp.boot == sight.now.boot
    if preset.kind == "time" and same_boot and sight.now.mono_ms - session.stamp.mono_ms >= preset.amount * 1000:
        return StopReason.TIME_LIMIT, ""
    still_ms = sight.now.mono_ms - progress.drawn_ms
    if progress.phase == Phase.STARTING and still_ms >= policy.start_timeout_s * 1000:
        return StopReason.TIMEOUT, f"the car drew nothing for {policy.start_timeout_s} s"
    if progress.phase == Phase.CHARGING and not delivering and still_ms >= policy.full_after_s * 1000:
        return StopReason.STOPPED_BY_EV, ""
    return None
