"""A session that waits for its meter: for how long, through power cuts and wrong clocks, and what ends the wait."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as changed

from protocols.trade.records import ClockQuality, Notice, body_of
from tests.edge.till.story import POLICY, Story

WEEK = changed(POLICY, settle_after_s=7 * 86_400)
DAY_S = 86_400


def waiting(quality: ClockQuality = ClockQuality.SYNCHRONISED) -> Story:
    """Held for review: its meter has been silent since 10 s after the start."""
    story = Story(policy=WEEK, quality=quality).grant(1_000)
    story.start()
    story.pass_time(10)
    story.meter_answers = False
    story.pass_time(40)
    assert story.kinds[-1] == "session-held"
    return story


def days_pass(story: Story, days: int) -> None:
    """Looked at every hour, and saved at each look."""
    for _ in range(24 * days):
        story.mono_ms += 3_600_000
        story.see()
        story.look()


@pytest.mark.parametrize("quality", [ClockQuality.SYNCHRONISED, ClockQuality.UNKNOWN])
def test_power_cuts_do_not_begin_the_wait_anew(quality: ClockQuality) -> None:
    """Three days, a power cut, two days, another one: two more days, and not seven, close it at its last register.

    A box that does not know the time counts the days that it was awake.
    """
    story = waiting(quality)
    days_pass(story, 3)
    story.reboot(dark_s=60)
    days_pass(story, 2)
    story.reboot(dark_s=60)
    days_pass(story, 1)
    assert story.bills == []
    days_pass(story, 2)
    (closed,) = story.bills
    assert closed.energy_wh == 20
    assert story.lease().held == 0


def test_days_in_the_dark_count_where_the_clock_proves_them() -> None:
    """The box was off for eight days by a clock that is certain at both ends: settled at the first look."""
    story = waiting()
    story.reboot(dark_s=8 * DAY_S).pass_time(2)
    assert len(story.bills) == 1


def test_days_in_the_dark_that_nothing_proves_do_not_count() -> None:
    """A clock that is only said to be eight days later closes nothing: the wait may be too long, never too short."""
    story = waiting(ClockQuality.UNKNOWN)
    story.reboot(dark_s=8 * DAY_S).pass_time(2)
    assert story.bills == []


def test_a_meter_that_answers_in_time_is_billed_to_the_wh() -> None:
    """Six days later it speaks: what it says is billed, not what was last known."""
    story = waiting()
    days_pass(story, 6)
    story.meter_answers = True
    story.register_wh += 3
    story.pass_time(2)
    (closed,) = story.bills
    assert closed.end.energy_wh == story.register_wh


def test_another_meter_by_its_own_number_is_a_finding() -> None:
    """Exchanged while the power was out, with a register that would fit: nothing of it is billed."""
    story = Story(serial="4711").grant(1_000)
    story.start()
    story.pass_time(100)
    story.reboot()
    story.serial, story.register_wh = "4712", story.register_wh + 5
    story.pass_time(3)
    (closed,) = story.bills
    assert (closed.energy_wh, closed.reason) == (200, "PowerLoss")
    (notice,) = [body for body in map(body_of, story.log) if isinstance(body, Notice)]
    assert (notice.what, notice.detail) == ("meter-changed", "meter-changed: m1 was no. 4711, is 4712")


def test_a_finding_after_a_power_cut_says_what_the_meter_did() -> None:
    """The session had ended by then; the notice still has both registers for the person who looks."""
    story = Story().grant(1_000)
    story.start()
    story.pass_time(100)
    story.reboot()
    story.register_wh = 7
    story.pass_time(3)
    (notice,) = [body for body in map(body_of, story.log) if isinstance(body, Notice)]
    assert (notice.what, notice.detail) == ("meter-reset", "meter-reset: m1 went from 1000200 Wh to 7 Wh")
