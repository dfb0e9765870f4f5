"""A charging session told from tap to bill."""

from __future__ import annotations

from edge.till.progress import Phase
from tests.edge.till.story import TWO_PRICES, Story


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
