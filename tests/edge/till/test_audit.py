"""What the till itself writes is always sound: the audit finds nothing in any honest story."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from edge.till.fold import apply, owned, released
from edge.till.state import TillState, encode_state
from protocols.trade.audit import Audit
from protocols.trade.audit_trail import decode_trail, encode_trail
from protocols.trade.codec import encode
from protocols.trade.records import ClockQuality, DayClosed, Draft, Preset, Record, Register, TotalizersRead
from tests.edge.till.story import TWO_PRICES, Story


def audit(story: Story, log: list[Record] | None = None) -> Audit:
    made = Audit("hz-1", 1, lambda pin: encode(story.tariff))
    for record in story.log if log is None else log:
        made.take(encode(record))
    return made


def close_day(story: Story) -> None:
    day = story.state.day
    story.write(Draft(TotalizersRead([Register("m1", story.register_wh, story.mono_ms, story.wall_ms)])))
    sums = (day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
    story.write(Draft(DayClosed(day.number, day.first_seq, *sums)))


ACTS = st.sampled_from(
    ["start", "start", "start", "wait", "start 2 yuan", "wait long", "stop", "unplug", "reboot", "restart", "reset",
     "stick", "silence", "grant", "day"]
)  # fmt: skip


def act(story: Story, what: str) -> None:
    """One thing that happens at a site. What is not possible now does not happen."""
    story.plugged, story.meter_answers, story.charger_answers, story.stuck = True, True, True, False
    match what.split():
        case ["start", *preset] if not story.state.sessions and story.lease().rights >= 150:
            story.see()
            story.start(Preset("money", 200) if preset else Preset("full", 0))
        case ["wait", *long]:
            story.pass_time(90 if long else 7)
        case ["stop"]:
            story.stop().pass_time(3)
        case ["unplug"]:
            story.plugged = False
            story.pass_time(3)
        case ["stick"]:
            story.stuck = bool(story.state.sessions)
            story.stop().pass_time(20)
        case ["silence"]:
            story.meter_answers = False
            story.pass_time(30)
        case ["reset"]:
            story.register_wh = 5
            story.pass_time(2)
        case ["reboot"] if story.boot == b"boot-001":
            story.reboot()
        case ["restart"]:
            story.restart()
        case ["grant"]:
            story.grant(story.lease().granted + 500, may_stay=5_000)
        case ["day"]:
            close_day(story)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(ACTS, min_size=8, max_size=40),
    st.sampled_from([ClockQuality.SYNCHRONISED, ClockQuality.UNKNOWN]),
    st.booleans(),
)
def test_no_honest_story_has_a_finding(acts: list[str], quality: ClockQuality, two_prices: bool) -> None:
    """Power cuts, restarts, silence, stuck relays, resets, day closes, in any order, the clock known or not."""
    story = Story(tariff=TWO_PRICES, quality=quality) if two_prices else Story(quality=quality)
    story.grant(1_000, may_stay=5_000)
    for what in acts:
        idle = not story.state.sessions
        if what == "reset" and idle:
            continue  # a meter exchanged while nobody charges is a finding: the log does not say why
        act(story, what)
    event(f"{len(story.bills)} bills")
    assert audit(story).findings == []
    quick = owned(TillState())
    for record in story.log:
        quick = apply(quick, record)
    assert encode_state(released(quick)) == encode_state(story.state)


def test_a_meter_exchanged_unseen_is_told() -> None:
    """A register that fell while nobody charged: the log is honest, and a person should look at it all the same."""
    story = Story().grant(2_000, may_stay=2_000)
    story.start()
    story.pass_time(30).stop().pass_time(3)
    story.register_wh = 40
    story.see()
    story.start()
    (finding,) = audit(story).findings
    assert (finding.code, finding.got) == ("meter", "40")


LONG = Story(tariff=TWO_PRICES).grant(5_000, may_stay=5_000)
for _what in ("start", "wait", "day", "wait", "stop", "start", "wait long", "stick", "start", "wait", "reboot",
              "wait long", "start", "wait", "reset", "grant"):  # fmt: skip
    act(LONG, _what)


@pytest.mark.parametrize("cut", range(len(LONG.log) + 1))
def test_a_trail_carries_on(cut: int) -> None:
    """An audit of the first part, its trail encoded, and an audit of the rest from there are the audit of the whole."""
    first = audit(LONG, LONG.log[:cut])
    rest = Audit("hz-1", 1, lambda pin: encode(LONG.tariff), trail=decode_trail(encode_trail(first.trail)))
    for record in LONG.log[cut:]:
        rest.take(encode(record))
    whole = audit(LONG)
    assert len(LONG.bills) == 4
    assert whole.findings == []
    assert rest.findings == []
    assert rest.trail == whole.trail


def test_a_fold_in_place_is_the_fold() -> None:
    """Tables changed in place give the very state, record by record, and leave the first state as it was."""
    start = plain = TillState()
    quick = owned(start)
    for record in LONG.log:
        plain, quick = apply(plain, record), apply(quick, record)
        assert quick == plain
    assert encode_state(released(quick)) == encode_state(plain) == encode_state(LONG.state)
    assert type(released(quick).leases) is dict
    assert start == TillState()
