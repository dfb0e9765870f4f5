"""Attacks on a filling's money: nobody pays for another's fuel, no litre goes unnamed, no pump and no hold is stuck."""

from __future__ import annotations

from dataclasses import replace as with_

import pytest
from fill_bench import FULL, audited, begin, opened, station
from fill_story import POINT, TRAITS, Dispenser, FillStory
from msgspec.structs import replace

from edge.till.ask import Refusal, Refused, Source
from edge.till.fill import prices, watch
from edge.till.fill.progress import FillEnd, FillPhase
from edge.till.fill.settle import settle
from edge.till.fill.sight import SaleSeen
from protocols.trade.records import Draft, Preset, SessionHeld, SessionVoided
from protocols.trade.records_fuel import PumpTotalsRead


def coarse() -> FillStory:
    """A head whose totalizers count in 100 mL, as old Gilbarco heads do."""
    return station(point=with_(POINT, traits=with_(TRAITS, total_step_ml=100)))


# --- totalizers -------------------------------------------------------------------------------------------------------


def test_a_money_totalizer_that_comes_late_does_not_block_the_pump() -> None:
    """Litres stand where they stood, only the money moved on: the next customer may fill."""
    story = station(Dispenser(total_fen={1: 50, 2: 60}))
    assert story.pump.total_fen is not None
    story.pump.total_fen[1] += 7_850
    opened(story.ask(FULL))
    assert story.unattributed == []
    audited(story)


def test_a_nozzle_taken_off_the_config_does_not_block_the_pump() -> None:
    """The log knows two nozzles, the pump is now read at one: what it says is the new baseline."""
    story = station()
    del story.pump.total_ml[2]
    story.point = with_(POINT, nozzles={1: POINT.nozzles[1]}, traits=with_(TRAITS, nozzles=(1,)))
    opened(story.ask(FULL))
    audited(story)


def test_a_day_close_in_mid_sale_swallows_no_litre() -> None:
    """Totals read while it delivers are not where the next movement is counted from: the pump then falls silent."""
    story = station()
    filling = begin(story)
    story.pump.flow(20_000)
    story.look(1)
    halfway = [
        replace(one, volume_ml=one.volume_ml + 9_000 * (one.nozzle == 1)) for one in filling.opened.begin.nozzles
    ]
    story.write(Draft(PumpTotalsRead([replace(filling.opened.begin, nozzles=halfway)])))
    story.stop(filling.seq)
    story.pump.answers = False
    story.look(8_000)
    assert len(story.bodies(SessionVoided)) == 1
    story.pump.answers = True
    story.pump.hang_up()
    opened(story.ask(FULL))
    assert [gone.volume_ml for gone in story.unattributed] == [20_000]
    audited(story)


def test_a_totalizer_that_comes_round_in_mid_sale() -> None:
    """The sale is billed as any other, and the next movement counts from the small number."""
    story = station(Dispenser(total_ml={1: TRAITS.total_ml_wraps - 5_000, 2: 2_000_000}))
    begin(story)
    story.pump.flow(12_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.total_ml[1] %= TRAITS.total_ml_wraps
    story.look(4)
    assert [(bill.volume_ml, bill.amount_fen) for bill in story.closed] == [(12_000, 9_420)]
    opened(story.ask(FULL))
    assert story.unattributed == []
    audited(story)


def test_a_totalizer_that_comes_round_in_mid_sale_and_leaks() -> None:
    """What came beyond the sale is counted from where the sale ended, past 0: the log is sound."""
    story = station(Dispenser(total_ml={1: TRAITS.total_ml_wraps - 5_000, 2: 2_000_000}))
    begin(story)
    story.pump.flow(12_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.total_ml[1] = (story.pump.total_ml[1] + 800) % TRAITS.total_ml_wraps
    story.look(4)
    [bill], [gone] = story.closed, story.unattributed
    assert (bill.volume_ml, gone.before.volume_ml, gone.volume_ml) == (12_000, 7_000, 800)
    audited(story)


def test_steps_that_a_config_changed_under_a_filling_do_not_change_its_bill() -> None:
    """Display and totalizer may be apart by the steps of the opening record, which is what the audit holds it to."""
    story = coarse()
    begin(story)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.total_ml[1] += 90
    story.point = POINT
    story.look(4)
    assert [bill.volume_ml for bill in story.closed] == [10_000]
    assert story.unattributed == []
    audited(story)


# --- small sales at coarse totalizers ---------------------------------------------------------------------------------


def test_a_sale_smaller_than_a_totalizers_step_is_billed_once() -> None:
    """60 mL do not move a totalizer of 100 mL: the display was seen, so they are billed, and never a second time."""
    story = coarse()
    begin(story)
    story.pump.flow(60)
    story.look(1)
    story.pump.total_ml[1] -= 60  # it has not turned yet
    story.pump.hang_up()
    story.look(4)
    assert [bill.volume_ml for bill in story.closed] == [60]
    begin(story)
    story.pump.memory = (1, 60, 47)  # a sale of nothing leaves the memory as it was
    story.pump.ordered = None
    story.pump.hang_up()
    story.look(6)
    assert len(story.closed) == 1
    assert len(story.bodies(SessionVoided)) == 1


def test_a_display_that_still_shows_the_sale_before_is_nobodys() -> None:
    """Authorised means that nothing has flowed, whatever the display says: 80 mL of the last customer are not billed
    again at a totalizer too coarse to tell.
    """
    story = coarse()
    filling = opened(story.ask(FULL))
    story.look(2)
    story.mono_ms += 100
    story.see()
    assert story.status is not None
    story.status = with_(story.status, volume_ml=80, amount_fen=63)
    row = watch.advance(filling, story.rows[filling.seq], story.sight(), story.point, story.policy, 50_000)
    assert (row.phase, row.volume_ml, row.amount_fen) == (FillPhase.AUTHORISED, 0, 0)


# --- whose sale is it -------------------------------------------------------------------------------------------------


def test_another_sale_in_the_memory_is_not_this_customers() -> None:
    """The daemon is away; ann takes 8 litres, then somebody 30 by hand at the pump. The memory's 30 are not hers, and
    which part of the 38 is, nobody can say.
    """
    story = station()
    begin(story)
    story.pump.flow(5_000)
    story.look(1)
    story.pump.flow(3_000)
    story.pump.hang_up()
    story.pump.total_ml[1] += 30_000
    story.pump.memory = (1, 30_000, 23_550)
    story.restart()
    story.look(100)
    assert story.closed == []
    assert story.lease("ann").used == story.lease("ann").held == 0
    assert sum(gone.volume_ml for gone in story.unattributed) == 38_000
    assert {gone.why for gone in story.unattributed} == {"sale-disagrees"}
    audited(story)


@pytest.mark.parametrize("memory", [True, False], ids=["in the memory", "by totals alone"])
def test_what_no_order_let_flow_and_nobody_saw_is_not_this_customers(*, memory: bool) -> None:
    """Ann had ordered 20 litres and hung up; the daemon was away, and somebody took 50 by hand."""
    story = station(Dispenser(total_fen={1: 50, 2: 60}))
    opened(story.ask(Preset("volume", 20_000)))
    story.look(2)
    story.pump.hang_up()
    story.pump.sell_by_hand(1, 50_000)
    story.pump.memory = story.pump.memory if memory else None
    story.restart()
    story.look(100)
    assert story.closed == []
    assert story.lease("ann").used == story.lease("ann").held == 0
    assert [(gone.volume_ml, gone.why) for gone in story.unattributed] == [(50_000, "sale-disagrees")]
    audited(story)


def test_a_pump_that_runs_on_beyond_its_order_under_our_eyes_is_billed() -> None:
    """It was told 20 litres and gave 22; the display was seen. What the hold does not cover is the operator's."""
    story = station()
    opened(story.ask(Preset("volume", 20_000)))
    story.look(2)
    story.pump.out = 1
    assert story.pump.ordered is not None
    story.pump.ordered = ("full", 0, (1,))
    for _ in range(22):
        story.pump.flow(1_000)
        story.look(1)
    story.pump.hang_up()
    story.look(4)
    [bill] = story.closed
    assert bill.overrun_fen == bill.amount_fen - story.lease("ann").used > 0
    audited(story)


def test_a_memory_that_is_late_is_read_again() -> None:
    """It still shows a small sale of before, while display and totalizer say 20 litres: the right one comes."""
    story = station()
    begin(story)
    story.pump.flow(20_000)
    story.look(1)
    story.pump.hang_up()
    late, story.pump.memory = story.pump.memory, (1, 4_000, 3_140)
    story.look(4)
    assert story.closed == []
    story.pump.memory = late
    story.look(4)
    assert [bill.volume_ml for bill in story.closed] == [20_000]
    assert story.unattributed == []


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_stop_while_the_order_is_on_its_way_waits_for_what_the_pump_says_after_it() -> None:
    """Stopped, then the order's answer is lost: an idle status of in between does not end the filling, for the pump
    may have the order all the same.
    """
    story = station()
    filling = opened(story.ask(FULL))
    story.stop(filling.seq)
    story.mono_ms += 100
    story.see()  # idle still
    story.mono_ms += 100
    story.authorise(filling)
    story.rows[filling.seq] = watch.perhaps_authorised(story.rows[filling.seq], story.mono_ms)
    row = watch.advance(filling, story.rows[filling.seq], story.sight(), story.point, story.policy, 50_000)
    assert row.phase is FillPhase.STOPPING
    story.look(4)
    assert story.pump.ordered is None
    assert len(story.bodies(SessionVoided)) == 1


def test_totals_of_a_pump_that_delivers_do_not_end_its_filling() -> None:
    """After a death somebody reads totals that move with the flow: it is under way, not over."""
    story = station()
    filling = opened(story.ask(FULL))
    story.authorise(filling)
    story.pump.out = 1
    story.pump.flow(3_000)
    story.restart()
    story.mono_ms += 100
    story.see()
    moved = [replace(one, volume_ml=one.volume_ml + 3_000 * (one.nozzle == 1)) for one in filling.opened.begin.nozzles]
    story.sight_totals = replace(filling.opened.begin, nozzles=moved, mono_ms=story.mono_ms)
    story.look(1)
    assert story.rows[filling.seq].phase is FillPhase.DELIVERING
    story.pump.flow(5_000)
    story.look(1)
    story.pump.hang_up()
    story.look(4)
    assert [bill.volume_ml for bill in story.closed] == [8_000]


def test_a_pump_that_somebody_lets_go_on_after_the_end_is_stopped() -> None:
    """It waits for a payer, and an attendant's key lets it deliver again: no order covers that."""
    story = station()
    story.grant("attendant-li", 60_000)
    filling = begin(story, sources=(Source("attendant-li"),), guaranteed=True)
    story.pump.flow(10_000)
    story.look(1)
    story.pump.hang_up()
    story.look(3)
    assert story.rows[filling.seq].phase is FillPhase.PAYING
    story.pump.ordered, story.pump.out = ("full", 0, (1, 2)), 1
    story.pump.flow(500)
    story.look(2)
    assert story.pump.ordered is None
    story.pump.hang_up()
    story.look(260)
    assert [bill.volume_ml for bill in story.closed] == [10_000]
    opened(story.ask(FULL))
    assert [gone.volume_ml for gone in story.unattributed] == [500]


# --- configs that change under a filling ------------------------------------------------------------------------------


def test_a_nozzle_that_has_gone_from_the_config_still_has_a_name_in_the_records() -> None:
    """Nozzle 2 crept while nozzle 1 sold; then the pump is taken off the config and its filling is settled."""
    story = station()
    filling = opened(story.ask(FULL, nozzle=1))
    story.look(2)
    story.pump.out = 1
    story.pump.flow(5_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.total_ml[2] += 700
    story.mono_ms += 500
    story.see()
    row = watch.advance(filling, story.rows[filling.seq], story.sight(), story.point, story.policy, 50_000)
    story.mono_ms += 100
    story.read()
    row = watch.advance(filling, row, story.sight(), story.point, story.policy, 50_000)
    gone = with_(POINT, nozzles={1: POINT.nozzles[1]}, traits=with_(TRAITS, nozzles=(1,)))
    story.write(*settle(story.state, filling, row, story.now(), gone))
    assert [bill.volume_ml for bill in story.closed] == [5_000]
    assert [(lost.nozzle, lost.volume_ml) for lost in story.unattributed] == [(2, 700)]


def test_a_nozzle_that_is_not_read_any_more_is_not_billed_and_breaks_nothing() -> None:
    """Its filling was open when the config changed: no totalizer tells what it sold, and the memory is lost."""
    story = station()
    filling = begin(story)
    story.pump.hang_up()
    story.pump.out = 2
    story.pump.ordered = ("full", 0, (2,))
    story.pump.flow(5_000)
    story.look(1)
    story.pump.hang_up()
    story.pump.memory = None
    del story.pump.total_ml[2]
    story.point = with_(POINT, nozzles={1: POINT.nozzles[1]}, traits=with_(TRAITS, nozzles=(1,)))
    story.look(60)
    assert filling.seq not in story.state.forecourt.fillings
    assert story.closed == []
    assert story.lease("ann").held == 0


def test_a_grade_that_changed_under_a_filling_keeps_the_name_it_was_offered_by() -> None:
    """The config says now that nozzle 1 gives 95: what this filling sold, and what nobody bought of it, was 92."""
    story = station()
    begin(story)
    story.pump.flow(5_000)
    story.look(1)
    nozzles = {1: with_(POINT.nozzles[1], grade="95", tank="t9"), 2: POINT.nozzles[2]}
    story.point = with_(POINT, nozzles=nozzles)
    story.pump.hang_up()
    story.pump.total_ml[1] += 400
    story.look(4)
    [bill], [gone] = story.closed, story.unattributed
    assert (bill.sold.grade, gone.grade, gone.tank) == ("92", "92", "t1")


def test_what_the_log_does_not_name_is_not_offered() -> None:
    """The tank behind nozzle 1 has another name since the prices were set: the log must say so first."""
    story = station()
    story.point = with_(POINT, nozzles={**POINT.nozzles, 1: with_(POINT.nozzles[1], tank="north")})
    answer = story.ask(FULL)
    assert isinstance(answer, Refused)
    assert answer.refusal is Refusal.PRICE_DIFFERS
    should = prices.due(story.state, story.point, story.prices, story.now())
    assert prices.to_set(story.state, story.point, should, story.pump.price_e3)
    story.write(prices.applied(story.point, should))
    opened(story.ask(FULL))
    audited(story)


# --- nothing hangs ----------------------------------------------------------------------------------------------------


def test_a_suspended_pump_is_not_suspended_for_ever() -> None:
    """Paused by a technician who went home, through a death of the daemon: stopped after `still_s`, and billed."""
    story = station()
    filling = begin(story)
    story.pump.flow(6_000)
    story.look(1)
    story.restart()
    story.look(story.policy.still_s * 2 + 2)
    assert story.pump.ordered is None
    story.look(4)
    [bill] = story.closed
    assert (bill.session, bill.volume_ml, bill.reason) == (filling.seq, 6_000, FillEnd.TIMEOUT.value)


def test_a_pump_that_gives_no_totals_is_held_with_a_reason() -> None:
    """The sale is over, the memory is read, totals never come: the log says so, and the rights come back in the end."""
    story = station()
    filling = begin(story)
    story.pump.flow(6_000)
    story.look(1)
    story.pump.hang_up()
    begun = filling.opened.begin
    for _ in range(60):
        story.mono_ms += 500
        story.see()
        story.sight_sale = SaleSeen(1, 6_000, 4_710, None, None, story.mono_ms)
        story.sight_totals = begun
        story.look(1, act=False)
    assert [body.session for body in story.bodies(SessionHeld)] == [filling.seq]  # type: ignore[attr-defined]  # of that kind
    story.look(8_000, act=False)
    assert story.lease("ann").held == story.lease("ann").used == 0
