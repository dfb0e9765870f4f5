"""Remote commands: refused in order of precedence, and run at most once whatever the network does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from edge.till.command import CommandRefusal, vet
from edge.till.start import Opening
from protocols.trade.records import Origin, Preset
from protocols.trade.wire import Command
from tests.edge.till.story import Story

NOW_S = Story().wall_ms // 1000
GOOD = Command("hz-1", b"boot-001", 5, "start", "c1", "ann", Preset("full", 0), 0, "", False, NOW_S + 60)

LADDER = [
    (CommandRefusal.OTHER_SITE, {"site": "hz-2"}),
    (CommandRefusal.OTHER_BOOT, {"boot": b"boot-000"}),
    (CommandRefusal.OLD_NUMBER, {"number": 4}),
    (CommandRefusal.EXPIRED, {"expires_s": NOW_S}),
    (CommandRefusal.UNKNOWN_VERB, {"verb": "unlock"}),
]
"""What is wrong with a command, in order of precedence. Four has been run."""


def test_a_good_command_may_run() -> None:
    """This site, this boot, a new number, in time."""
    assert vet(GOOD, Story().state, 4, Story().stamp()) is None


def test_the_ladder_is_complete() -> None:
    """Every refusal has its row, in the order that the enum promises."""
    assert [refusal for refusal, _ in LADDER] == list(CommandRefusal)


@pytest.mark.parametrize("first", range(len(LADDER)), ids=[str(refusal) for refusal, _ in LADDER])
def test_the_first_of_several_reasons_is_told(first: int) -> None:
    """Alone, and with everything below it wrong as well."""
    refusal, alone = LADDER[first]
    together: dict[str, object] = {}
    for _, wrong in LADDER[first:]:
        together |= wrong
    for wrong in (alone, together):
        assert vet(changed(GOOD, **wrong), Story().state, 4, Story().stamp()) == refusal


@pytest.mark.parametrize(
    ("logged", "ran", "number", "runs"),
    [
        ((b"boot-001", 5), 0, 5, False),  # the opening record has stored it
        ((b"boot-001", 5), 0, 6, True),
        ((b"boot-001", 5), 7, 6, False),  # a stop with a higher number has run; it left no record
        ((b"boot-000", 9), 0, 5, True),  # another boot's numbers do not count in this one
        ((b"", 0), 5, 5, False),
    ],
)
def test_numbers_only_rise(logged: tuple[bytes, int], ran: int, number: int, runs: bool) -> None:
    """The log and the daemon's memory are both asked."""
    state = changed(Story().state, command=logged)
    assert (vet(changed(GOOD, number=number), state, ran, Story().stamp()) is None) == runs


@given(st.lists(st.integers(1, 6), max_size=40))
def test_repeated_and_reordered_commands_run_at_most_once(arrivals: list[int]) -> None:
    """Any order, any repetition: no number runs twice, and none runs after a higher one."""
    story = Story()
    ran: list[int] = []
    for number in arrivals:
        if vet(changed(GOOD, number=number), story.state, max(ran, default=0), story.stamp()) is None:
            ran.append(number)
    assert ran == sorted(set(ran))


def test_a_start_does_not_run_again_after_a_restart() -> None:
    """The daemon is killed and forgets what it ran; the opening record has not."""
    story = Story().grant(10_000)
    decision = story.ask(origin=Origin("command", b"", 5, ""))
    assert isinstance(decision, Opening)
    story.write(decision.draft)
    story.restart()
    assert vet(GOOD, story.state, 0, story.stamp()) == CommandRefusal.OLD_NUMBER


def test_a_start_does_not_run_after_a_power_cut() -> None:
    """Another boot: whoever sent it did not mean this one."""
    story = Story().reboot()
    assert vet(GOOD, story.state, 0, story.stamp()) == CommandRefusal.OTHER_BOOT
