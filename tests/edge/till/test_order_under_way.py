"""A session that is stopped while the order to start is still on its way to the charger."""

from __future__ import annotations

from dataclasses import replace

from story import FLAT, PLACE, POLICY, Story

from edge.till.charge import advance, stop
from edge.till.progress import Phase, StopReason


def test_off_is_what_the_charger_says_after_the_last_order_has_ended() -> None:
    """Before that it may still begin to deliver: to settle then would leave energy without a bill."""
    story = Story()
    story.grant(10_000)
    seq = story.start()
    session = story.state.sessions[seq]
    progress = stop(story.running[seq], StopReason.LOCAL, story.mono_ms)
    story.car_draws = False  # the relay is open still, and the charger says so
    story.mono_ms += 500
    story.see()

    under_way = replace(story.sight(), order_ms=story.mono_ms + 1)
    assert advance(session, progress, under_way, FLAT, PLACE, POLICY).off_ms is None

    ended = replace(story.sight(), order_ms=story.mono_ms + 200)  # what was heard is older than the order's end
    assert advance(session, progress, ended, FLAT, PLACE, POLICY).off_ms is None

    story.mono_ms += 400
    story.see()
    after = advance(session, progress, replace(story.sight(), order_ms=story.mono_ms - 200), FLAT, PLACE, POLICY)
    assert (after.phase, after.off_ms) == (Phase.STOPPING, story.mono_ms)
