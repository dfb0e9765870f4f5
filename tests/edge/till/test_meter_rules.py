"""A meter's accident never becomes a customer's bill."""

from __future__ import annotations

import pytest

from edge.till.meter_rules import Finding, energy_between, exchanged
from edge.till.policy import Connector
from protocols.trade.records import Notice, Register, body_of
from tests.edge.till.story import PLACE, Story

WRAPS = Connector("c1", "m1", 7_200, 32_000, 10, 1_000_000_000, 1)


@pytest.mark.parametrize(
    ("before", "after", "elapsed_ms", "place", "expected"),
    [
        (1_000, 1_000, 1_000, PLACE, 0),
        (1_000, 1_002, 1_000, PLACE, 2),
        (1_000, 1_100, 1_000, PLACE, Finding.JUMP),
        (1_000, 1_100, None, PLACE, 100),
        (1_000, 181_000, None, PLACE, 180_000),
        (1_000, 1_701_000, None, PLACE, Finding.JUMP),
        (5_000_000, 0, 1_000, PLACE, Finding.RESET),
        (5_000_000, 4_000_000, 1_000, PLACE, Finding.BACKWARDS),
        (999_999_999, 1, 1_000, WRAPS, Finding.WRAP),
        (999_000_000, 1, 1_000, WRAPS, Finding.RESET),
    ],
)
def test_registers(before: int, after: int, elapsed_ms: int | None, place: Connector, expected: int | Finding) -> None:
    """Growth within power and time, a day where it is not known, is energy; anything else is a finding."""
    first, second = Register("m1", before, 0, 0), Register("m1", after, elapsed_ms or 0, 0)
    assert energy_between(first, second, elapsed_ms, place) == expected


def test_citrineos_1060_zero_baseline() -> None:
    """The register of a session's opening is read, never assumed to be 0: 0.083 kWh are not billed as 910."""
    story = Story(register_wh=910_000).grant(10_000)
    story.start()
    story.pass_time(41).stop().pass_time(2)
    assert story.bills[0].energy_wh == 82


@pytest.mark.parametrize(
    ("accident", "finding"),
    [(0, "meter-reset"), (600_000, "meter-backwards"), (1_500_000, "meter-jump")],
    ids=["wbec_132_reset", "openwb_1670_backwards", "jump"],
)
def test_a_finding_ends_the_session_at_the_last_good_register(accident: int, finding: str) -> None:
    """The customer pays up to the last register that made sense; the rest is for a person to look at."""
    story = Story().grant(10_000)
    story.start()
    story.pass_time(100)
    story.register_wh = accident
    story.pass_time(3)
    (bill,) = story.bills
    assert (bill.energy_wh, bill.reason) == (200, "Other")
    assert any(isinstance(body, Notice) and body.what == finding for body in map(body_of, story.log))
    assert story.lease().held == 0


def test_a_meter_exchanged_in_the_dark_is_a_jump() -> None:
    """The power was cut for a minute, and the meter shows 500 kWh more: that did not flow, and is not billed."""
    story = Story().grant(100_000)
    story.start()
    story.pass_time(100)
    story.reboot(dark_s=60)
    story.register_wh += 500_000
    story.pass_time(5)
    (bill,) = story.bills
    assert (bill.energy_wh, bill.reason) == (200, "PowerLoss")
    assert any(isinstance(body, Notice) and body.what == "meter-jump" for body in map(body_of, story.log))


def test_wbec_85_a_stale_value_is_no_reading() -> None:
    """A register that nobody has read again counts as silence, however often it is looked at."""
    story = Story().grant(10_000)
    seq = story.start()
    story.pass_time(20)
    story.meter_answers = False
    story.pass_time(5)
    read_ms = story.running[seq].register.mono_ms
    story.pass_time(4)
    assert story.running[seq].register.mono_ms == read_ms
    story.pass_time(4)
    assert not story.running[seq].wants_delivery


def test_a_meter_exchanged_while_nobody_charged_is_told() -> None:
    """A register below the log's last one is told before it is logged; not while a session runs on that meter."""
    story = Story().grant(1_000)
    story.start()
    lower = Register("m1", 5, story.mono_ms, story.wall_ms)
    assert exchanged(story.state, [lower]) == []
    story.pass_time(30).stop().pass_time(3)
    (draft,) = exchanged(story.state, [lower])
    assert isinstance(draft.body, Notice)
    assert (draft.body.what, draft.body.subject) == ("meter-backwards", "m1")
    assert exchanged(story.state, [Register("m1", story.register_wh, 0, 0), Register("m9", 0, 0, 0)]) == []
