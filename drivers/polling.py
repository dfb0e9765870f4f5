"""What is due to be read next, and did we keep up?

Each item has a period. A poll that comes too late is made once and the missed ones are counted, never made up for: a
bus that is too slow gives older values and says so, instead of falling ever further behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollState:
    """How one item does. overruns: polls skipped because the time for them had passed."""

    name: str
    period_s: float
    polls: int
    overruns: int


class _Item:
    __slots__ = ("due", "name", "overruns", "period_s", "polls")

    def __init__(self, name: str, period_s: float, due: float) -> None:
        self.name = name
        self.period_s = period_s
        self.due = due
        self.polls = 0
        self.overruns = 0


class Poller:
    """The schedule of one device. One task calls `next` and then makes that poll; so there is never more than one."""

    def __init__(self, periods_s: Mapping[str, float]) -> None:
        """periods_s: seconds between two polls, by item; each more than 0. All are due at once, in this order."""
        if any(period_s <= 0 for period_s in periods_s.values()):
            raise ValueError(f"a period is more than 0 s: {dict(periods_s)}")
        self._items = [_Item(name, period_s, float("-inf")) for name, period_s in periods_s.items()]

    async def next(self) -> str:
        """Wait for the item that is due first, and give its name. With no items it waits for ever."""
        loop = asyncio.get_running_loop()
        if not self._items:
            await loop.create_future()
        item = min(self._items, key=lambda item: item.due)
        now = loop.time()
        if item.due > now:
            await asyncio.sleep(item.due - now)
            now = loop.time()
        self._advance(item, now)
        return item.name

    def due_now(self, *names: str) -> None:
        """Bring polls forward, for instance after the device has returned. None named: all."""
        for item in self._items:
            if not names or item.name in names:
                item.due = float("-inf")

    def states(self) -> list[PollState]:
        """How each item does, in the order given."""
        return [PollState(item.name, item.period_s, item.polls, item.overruns) for item in self._items]

    @property
    def overruns(self) -> int:
        """Polls skipped, over all items."""
        return sum(item.overruns for item in self._items)

    @staticmethod
    def _advance(item: _Item, now: float) -> None:
        """The next time stays on the item's own grid, so that a late poll does not shift all later ones."""
        item.polls += 1
        if item.due == float("-inf"):
            item.due = now + item.period_s
            return
        missed = int(max(0.0, now - item.due) // item.period_s)
        item.overruns += missed
        item.due += (missed + 1) * item.period_s
