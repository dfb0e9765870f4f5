"""Whatever happens at a port, in whatever order: each order is billed once, within its hold, and nothing stays held."""

from __future__ import annotations

from random import Random

import pytest

from edge.till.ask import Refused
from protocols.trade.records import Preset, SessionHeld, SessionVoided
from protocols.trade.records_port import PortClosed, PortUnattributed
from tests.edge.ports.port_rig import BY_ENERGY, BY_TARIFF, BY_TIME, TRAITS
from tests.edge.till.port_story import PortStory

EVENTS = (
    "ask", "ask", "ask", "ask", "plug", "unplug", "load", "stop", "kill", "power-cut", "silent", "answers", "board-cut",
    "deaf", "loses", "hears", "long", "no-ack", "ack", "lazy",
)  # fmt: skip


def a_story_of(seed: int, *, ends_by_itself: bool = True) -> PortStory:
    """Some fifty events, then peace until all has settled."""
    chance = Random(seed)
    story = PortStory(price=chance.choice([BY_TIME, BY_ENERGY, BY_TARIFF]))
    story.grant("ann", 10**7)
    board, outlet = story.board, story.board.outlets[1]
    board.ends_by_itself = ends_by_itself
    for _ in range(50):
        outlet.plugged = outlet.plugged or chance.random() < 0.5
        match chance.choice(EVENTS):
            case "ask":
                kind = chance.choice(["full", "money", "time", "energy"])
                amount = {"full": 0, "money": 300, "time": 3_600, "energy": 500}[kind]
                story.ask(Preset(kind, amount))
            case "plug":
                outlet.plugged = True
            case "unplug":
                outlet.plugged = False
            case "load":
                outlet.load_w = chance.choice([0, 50, 150, 300, 900, TRAITS.power_w_max])
            case "stop":
                story.stop()
            case "kill" | "power-cut" as death:
                story.restart(power_cut=death == "power-cut")
            case "silent":
                board.answers = False
            case "answers":
                board.answers = True
            case "board-cut":
                board.cut_power()
            case "deaf":
                board.deaf = True
            case "loses":
                board.loses = True
            case "hears":
                board.deaf = board.loses = board.lazy = False
            case "long":
                story.pass_time(chance.randrange(600, 9_000), 60)
            case "lazy":
                board.lazy = True
            case "no-ack":
                board.hears_no_ack = True
            case "ack":
                board.hears_no_ack = False
        story.pass_time(chance.randrange(5, 120))
        story.audit()
    board.answers, board.deaf, board.loses, board.hears_no_ack = True, False, False, False
    story.stop()
    story.pass_time(600)
    story.pass_time(5_000, 60)
    return story


@pytest.mark.parametrize("seed", range(24))
def test_any_order_of_events(seed: int) -> None:
    """No hold is left, no settlement waits, and a board that keeps to its order never costs more than was held."""
    story = a_story_of(seed)
    story.audit()
    assert story.state.ports.sessions == {}, seed
    assert story.lease().held == 0
    assert story.board.kept == []
    assert all(bill.overrun_fen == 0 for bill in story.bodies(PortClosed)), seed
    held = {one.session for one in story.bodies(SessionHeld)}
    assert {(loose.why, loose.session in held) for loose in story.bodies(PortUnattributed)} <= {("late", True)}, seed


@pytest.mark.parametrize("seed", range(60, 72))
def test_boards_that_do_not_end_by_themselves(seed: int) -> None:
    """What they deliver beyond their orders is the operator's; the customer pays no more than was held."""
    story = a_story_of(seed, ends_by_itself=False)
    story.audit()
    assert story.state.ports.sessions == {}, seed
    assert story.lease().held == 0


def test_the_same_story_twice_gives_the_same_log() -> None:
    """Nothing in it depends on anything but its events."""
    assert a_story_of(7).log == a_story_of(7).log


def test_a_quiet_session_is_billed_and_released() -> None:
    """The story's own rules: an hour at 150 W."""
    story = PortStory()
    story.grant("ann", 10_000)
    assert not isinstance(story.ask(Preset("time", 3_600)), Refused)
    story.pass_time(3_620)
    assert [bill.amount_fen for bill in story.bodies(PortClosed)] == [100]
    assert story.bodies(SessionVoided) == []
