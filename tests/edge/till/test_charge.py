"""A charging session told from tap to bill."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as changed

from edge.till.progress import Phase, StopReason, decode_progress, encode_progress
from protocols.trade.records import ClockQuality, Notice, Preset, SessionHeld, SessionVoided, body_of
from tests.edge.till.story import FLAT, MIDNIGHT_MS, PLACE, TWO_PRICES, Story

IDLE_FEE = changed(FLAT, idle_e3_per_min=60_000, idle_grace_s=30)
"""0.60 yuan for each minute of a blocked place, after half a minute."""


def test_a_session_from_tap_to_bill() -> None:
    """An hour at 7.2 kW and 1.00 a kWh costs 7.20; what was granted beyond that goes back."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(3600)
    assert story.running[seq].phase == Phase.CHARGING
    story.plugged = False
    story.pass_time(2)
    (bill,) = story.bills
    assert (bill.energy_wh, bill.amount_fen, bill.reason) == (7200, 720, "EVDisconnected")
    assert (story.lease().used, story.lease().returned, story.lease().held) == (720, 9280, 0)
    assert story.kinds == ["grant-accepted", "session-opened", "session-closed", "value-returned"]
    assert story.state.day.amount_fen == 720


def test_a_price_changes_within_a_session() -> None:
    """Ten minutes before eight and ten after: each at its own price."""
    story = Story(TWO_PRICES, mono_ms=8 * 3_600_000 - 600_000).grant(10_000)
    story.start()
    story.pass_time(1200).stop().pass_time(2)
    (bill,) = story.bills
    assert [(line.code, line.quantity, line.amount_fen) for line in bill.lines] == [
        ("energy", 1200, 60),
        ("energy", 1200, 180),
    ]


def test_what_a_grant_lets_stay_stays() -> None:
    """The home site keeps its allowance; only the rest goes back."""
    story = Story().grant(10_000, may_stay=3_000)
    story.start()
    story.pass_time(60).stop().pass_time(2)
    assert story.lease().rights == 3_000


@pytest.mark.parametrize(
    ("preset", "seconds", "reason", "energy_wh"),
    [
        (Preset("energy", 400), 400, "EnergyLimitReached", 400),
        (Preset("time", 300), 400, "TimeLimitReached", 600),
        (Preset("money", 100), 1000, "LocalOutOfCredit", 932),
    ],
)
def test_presets(preset: Preset, seconds: int, reason: str, energy_wh: int) -> None:
    """Delivery ends by itself at the preset; money keeps the guard that unseen energy could cost."""
    story = Story().grant(10_000)
    story.start(preset)
    story.pass_time(seconds)
    (bill,) = story.bills
    assert (bill.reason, bill.energy_wh) == (reason, energy_wh)
    assert bill.overrun_fen == 0


def test_the_hold_is_never_passed() -> None:
    """Whatever little is left on the account, the bill stays within it, and the account never goes negative."""
    story = Story().grant(66)
    story.start()
    story.pass_time(2000)
    (bill,) = story.bills
    assert bill.reason == "LocalOutOfCredit"
    assert bill.amount_fen <= 66
    assert story.lease().rights == 0


def test_nothing_delivered_costs_nothing() -> None:
    """A car that draws nothing is sent away after a while; no session fee, all rights back."""
    story = Story(changed(FLAT, session_e3=50_000)).grant(1_000)
    story.start()
    story.car_draws = False
    story.pass_time(70)
    (voided,) = [body for body in map(body_of, story.log) if isinstance(body, SessionVoided)]
    assert voided.reason == "Timeout"
    assert (story.lease().used, story.lease().held, story.lease().returned) == (0, 0, 1_000)


def test_full_battery_ends_the_session() -> None:
    """A car that stops drawing is full after a while."""
    story = Story().grant(10_000)
    story.start()
    story.pass_time(100)
    story.car_draws = False
    story.pass_time(30)
    assert story.bills[0].reason == "StoppedByEV"


def test_idle_fee_runs_after_grace_until_the_car_leaves() -> None:
    """Full, then three minutes in the way: half a minute is free, the rest costs 0.60 a minute."""
    story = Story(IDLE_FEE).grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.car_draws = False
    story.pass_time(23)
    assert story.running[seq].phase == Phase.IDLE
    began_ms = story.running[seq].idle_from_ms
    assert began_ms is not None
    story.pass_time((began_ms + 180_000 - story.mono_ms) // 1000)
    story.plugged = False
    story.pass_time(1)
    (bill,) = story.bills
    assert bill.idle_s in (150, 151)
    assert [line.amount_fen for line in bill.lines if line.code == "idle"] == [bill.idle_s]


def test_idle_fee_stays_within_the_hold() -> None:
    """A car left for days costs what was held and no more; the session then ends by itself."""
    story = Story(IDLE_FEE).grant(300)
    story.start(Preset("money", 300))
    story.pass_time(100)
    story.car_draws = False
    story.pass_time(1200)
    (bill,) = story.bills
    assert 200 < bill.amount_fen <= 300
    assert bill.overrun_fen == 0


def blocking(seconds: int) -> Story:
    """A full car that has been in the way for so long."""
    story = Story(IDLE_FEE).grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.car_draws = False
    while story.running[seq].phase != Phase.IDLE:
        story.pass_time(1)
    return story.pass_time(seconds)


def test_no_idle_fee_while_nobody_sees_the_car() -> None:
    """A silent charger shows no car in the way: it may leave unseen, so the fee ends there and not at the hold."""
    story = blocking(60)
    story.charger_answers = False
    story.pass_time(4 * 3_600)
    (bill,) = story.bills
    assert bill.idle_s in (40, 41)  # 60 s seen, 10 s of silence that may be noise, 30 s of grace
    assert story.lease().held == 0


def test_no_idle_fee_for_the_time_the_daemon_was_away() -> None:
    """A daemon that comes back after hours goes on counting where it had left off."""
    story = blocking(60)
    story.mono_ms += 4 * 3_600_000
    story.restart()
    story.pass_time(20)
    story.plugged = False
    story.pass_time(1)
    (bill,) = story.bills
    assert bill.idle_s in (49, 50, 51)


def test_a_car_whose_charger_fell_safe_is_not_called_full() -> None:
    """The daemon was away for longer than the fail-safe: the car goes on charging, and pays for no blocked place."""
    story = Story(IDLE_FEE).grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.mono_ms += 180_000
    story.restart()
    story.car_draws = False
    story.pass_time(5)
    assert story.running[seq].phase == Phase.CHARGING
    story.car_draws = True
    story.pass_time(100).stop().pass_time(2)
    (bill,) = story.bills
    assert (bill.energy_wh, bill.idle_s) == (story.register_wh - 1_000_000, 0)


def test_nothing_flows_past_a_meter_that_the_config_replaced() -> None:
    """A technician gives the connector another meter and restarts the daemon: delivery ends, for nobody counts it."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.place = changed(PLACE, meter="m2")
    story.restart()
    story.pass_time(12)
    assert not story.running[seq].wants_delivery
    assert story.running[seq].energy_wh == 200


def test_a_session_without_energy_costs_nothing_whatever_the_relay_does() -> None:
    """The car never draws and the charger still calls itself delivering after the stop: no fee for the session."""
    story = Story(changed(FLAT, session_e3=100_000)).grant(10_000)
    story.start()
    story.stuck = True
    story.pass_time(100, power_w=0)
    assert story.bills == []
    assert [body.reason for body in map(body_of, story.log) if isinstance(body, SessionVoided)] == ["Timeout"]
    assert "stuck-relay" in [body.what for body in map(body_of, story.log) if isinstance(body, Notice)]
    assert (story.lease().used, story.lease().held) == (0, 0)


def test_meter_silence_stops_delivery_and_the_bill_waits() -> None:
    """A meter that dies ends delivery; the log says so, the rights stay held, and its return settles the session."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.meter_answers = False
    story.pass_time(40)
    (held,) = [body for body in map(body_of, story.log) if isinstance(body, SessionHeld)]
    assert held.finding == "meter-silent"
    assert story.lease().held > 0
    assert not story.running[seq].wants_delivery
    story.meter_answers = True
    story.pass_time(2)
    assert story.bills[0].energy_wh == story.register_wh - 1_000_000
    assert story.lease().held == 0


def test_charger_silence_stops_delivery() -> None:
    """Nobody charges unwatched: a silent charger is told to stop, and billed by its meter up to the end."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.charger_answers = False
    story.pass_time(12)
    assert story.running[seq].reason == StopReason.OTHER
    assert "silent" in story.running[seq].detail


def test_fault_of_the_charger_ends_the_session() -> None:
    """The charger's own word stands in the log."""
    story = Story().grant(10_000)
    story.start()
    story.pass_time(100)
    story.faulted = True
    story.pass_time(3)
    assert story.bills[0].reason == "Other"
    assert any(isinstance(body, Notice) and "code 7" in body.detail for body in map(body_of, story.log))


def test_a_stuck_relay_is_the_operators_loss() -> None:
    """What flows after stop beyond the hold is booked as overrun, never as the customer's debt."""
    story = Story().grant(60)
    story.start()
    story.pass_time(60)
    story.stuck = True
    story.stop().pass_time(400)
    (bill,) = story.bills
    assert bill.amount_fen - bill.overrun_fen <= 60
    assert story.state.overrun_fen == bill.overrun_fen
    assert story.lease().rights >= 0
    assert any(isinstance(body, Notice) and body.what == "stuck-relay" for body in map(body_of, story.log))


def test_evcc_32678_power_cut() -> None:
    """The box loses power in mid-session: the row knows the payer, the meter knows the rest, the cheapest hour
    applies.
    """
    story = Story(TWO_PRICES, mono_ms=12 * 3_600_000).grant(10_000)
    story.start()
    story.pass_time(100)
    story.reboot()
    story.register_wh += 20
    story.pass_time(3)
    (bill,) = story.bills
    assert bill.reason == "PowerLoss"
    assert bill.energy_wh == 220
    assert [(line.quantity, line.price_e3) for line in bill.lines] == [(20, 50_000), (200, 150_000)]


def test_everest_2933_daemon_killed_alone() -> None:
    """The same boot: the session goes on, and the energy of the gap is billed."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.restart()
    assert story.running[seq].phase == Phase.CHARGING
    story.pass_time(100).stop().pass_time(2)
    assert story.bills[0].energy_wh == 400


def test_power_comes_back_with_the_meter_dead_and_settles_later() -> None:
    """Two boots and a dead meter later the customer still pays exactly for what flowed."""
    story = Story().grant(10_000)
    story.start()
    story.pass_time(100)
    story.meter_answers = False
    story.reboot()
    story.pass_time(30)
    assert story.bills == []
    story.meter_answers = True
    story.pass_time(5)
    assert story.bills[0].energy_wh == 200


def test_an_unknown_clock_bills_the_lowest_price() -> None:
    """Booted at 1970 with no network: the customer pays the cheapest of the day, the cut-off reckons with the
    dearest.
    """
    story = Story(TWO_PRICES, start_ms=MIDNIGHT_MS + 12 * 3_600_000, quality=ClockQuality.UNKNOWN).grant(10_000)
    story.start()
    story.pass_time(600).stop().pass_time(2)
    assert [(line.quantity, line.price_e3) for line in story.bills[0].lines] == [(1200, 50_000)]


def test_a_clock_that_becomes_known_prices_the_whole_session() -> None:
    """Time comes while the session runs: its beginning is then known too."""
    story = Story(TWO_PRICES, start_ms=MIDNIGHT_MS + 12 * 3_600_000, quality=ClockQuality.UNKNOWN).grant(10_000)
    story.start()
    story.pass_time(300)
    story.quality = ClockQuality.SYNCHRONISED
    story.pass_time(300).stop().pass_time(2)
    (bill,) = story.bills
    assert bill.clock_lb_ms == bill.clock_ub_ms == MIDNIGHT_MS + 12 * 3_600_000 + 1_000
    assert {line.price_e3 for line in bill.lines} == {150_000}


def test_steve_1297_stopping_twice_keeps_the_first_reason() -> None:
    """A second stop changes nothing."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(10).stop(StopReason.REMOTE).stop(StopReason.LOCAL)
    assert story.running[seq].reason == StopReason.REMOTE


def test_a_restarted_daemon_asks_before_it_calls_anybody_silent() -> None:
    """It starts with no reading at all; the devices have as long to answer as silence is always allowed."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(100)
    story.charger_answers = story.meter_answers = False
    story.restart()
    story.pass_time(10)
    assert story.running[seq].phase == Phase.CHARGING
    story.pass_time(1)
    assert story.running[seq].reason == StopReason.OTHER


def test_a_register_read_before_the_opening_counts_from_the_opening() -> None:
    """The begin register is read first, so it is older than the record; energy seen next begins at 0, not before."""
    story = Story().grant(10_000)
    before = story.sight()
    assert before.register is not None
    story.mono_ms += 40  # the request for a grant, the commit
    seq = story.start(register=before.register)
    story.pass_time(3)
    (piece,) = decode_progress(encode_progress(story.running[seq])).slices
    assert (piece.from_ms, piece.energy_wh) == (0, 6)
    story.stop().pass_time(2)
    assert story.bills[0].energy_wh == 6
