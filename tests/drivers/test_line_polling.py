"""Polls keep their periods; what cannot be made in time is skipped and counted."""

from __future__ import annotations

import asyncio

import pytest

from drivers.polling import Poller, PollState


async def test_every_item_is_due_at_once_and_then_by_its_period() -> None:
    """The quick item comes again and again while the slow one waits for its turn."""
    poller = Poller({"slow": 60.0, "quick": 0.2})
    assert [await poller.next() for _ in range(5)] == ["slow", "quick", "quick", "quick", "quick"]
    assert [state.polls for state in poller.states()] == [1, 4]
    assert poller.overruns == 0


async def test_tbgw_2024_overrun_counted_and_not_made_up_for() -> None:
    """A poll that takes five periods skips the four in between, and afterwards the item is due once, not five times."""
    poller = Poller({"power": 0.2})
    await poller.next()
    await poller.next()
    await asyncio.sleep(1.08)
    assert await poller.next() == "power"
    state = poller.states()[0]
    assert state.overruns >= 4
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(poller.next(), 0.001)
    assert poller.states()[0] == PollState("power", 0.2, state.polls, state.overruns)


async def test_due_now_brings_a_poll_forward() -> None:
    """After a device has returned, everything or one item can be asked for without waiting."""
    poller = Poller({"meter": 60.0, "state": 60.0})
    await poller.next(), await poller.next()
    poller.due_now("state")
    assert await poller.next() == "state"
    poller.due_now()
    assert [await poller.next(), await poller.next()] == ["meter", "state"]
    assert poller.overruns == 0


def test_a_period_is_more_than_nothing() -> None:
    """A period of 0 would poll without end."""
    with pytest.raises(ValueError, match="more than 0"):
        Poller({"meter": 0.0})
