"""Is the disk as new as the counter says? If not, nothing is sold before headquarters has agreed with this log.

A hold that was made out of headquarters' reach is written with the counter's next value, then the counter is ticked,
and only then the charger may deliver. So a log that knows fewer ticks than the counter has lost holds: its disk is
older.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from edge.counter import Counter, CounterBlank, CounterError
from edge.till.ask import Refusal, Refused
from protocols.trade.records import CounterTicked, Draft, Notice

SUBJECT = "counter"
PATIENCE_S = 5.0
"""A slow stick takes a second for an fsync; a customer waits for it."""

T = TypeVar("T")

log = structlog.get_logger()


class Guard:
    """The counter beside one log.

    waiting: why nothing may start before headquarters has agreed with this log; None: nothing to wait for. silent: why
    nothing may start while headquarters is out of reach; None: the counter does as told.
    """

    def __init__(self, counter: Counter | None = None, *, threaded: bool = True) -> None:
        """counter: None: there is none, and nothing is ever refused for its sake.

        threaded: False: on the caller's thread, for simulations; a medium takes its time for an fsync.
        """
        self._counter = counter
        self._threaded = threaded
        self._ticking = asyncio.Lock()
        self._value = 0
        self._blank = False
        self.waiting: str | None = None
        self.silent: str | None = None

    async def check(self, ticks: int) -> list[Draft]:
        """Compare with a log that has been ticked up to `ticks`, before anything is served. What to write down.

        A counter that lags by one was cut off between commit and tick; it is brought up to the log.
        """
        counter = self._counter
        if counter is None:
            return []
        try:
            self._value = await self._do(counter.read)
            if self._value < ticks:
                await self._do(lambda: counter.begin(ticks))
        except CounterBlank as error:
            if ticks:
                return self._fell_silent(f"{error}, and the log has ticked it {ticks} times", "counter-blank")
            return await self._begin(0)
        except CounterError as error:
            return self._fell_silent(str(error), "counter-silent")
        self.silent, self._blank = None, False
        value, self._value = self._value, max(self._value, ticks)
        if value > ticks + counter.slack:
            return self._wait(value, ticks)
        if value < ticks - 1:
            return [_notice("counter-behind", f"it stood at {value}, the log has ticked it {ticks} times")]
        return []

    def refuses(self, *, alone: bool) -> Refused | None:
        """Why no rights may be set aside now. alone: headquarters is out of reach."""
        if self.waiting is not None:
            return Refused(Refusal.ROLLED_BACK, self.waiting)
        if self.silent is not None and alone:
            return Refused(Refusal.COUNTER_SILENT, self.silent)
        return None

    def next_tick(self, ticks: int) -> list[Draft]:
        """What goes into the log with a hold that headquarters does not see. ticks: as last logged."""
        return [] if self._counter is None else [Draft(CounterTicked(ticks + 1))]

    async def tick(self, drafts: Sequence[Draft]) -> Refused | None:
        """Tick as far as these records say, durably, before anything is energised. A refusal: it cannot be ticked."""
        bodies = [draft.body for draft in drafts]
        values = [body.value for body in bodies if isinstance(body, CounterTicked)]
        counter = self._counter
        if counter is None or not values:
            return None
        async with self._ticking:
            try:
                while self._value < max(values):
                    self._value = await self._do(counter.tick)
            except CounterError as error:
                self._fell_silent(str(error), "counter-silent")
                return Refused(Refusal.COUNTER_SILENT, f"the rollback counter: {error}")
        return None

    async def agreed(self, ticks: int) -> list[Draft]:
        """Headquarters has just acknowledged this very log, and knows no newer one. What to write down.

        What the counter says beyond is written into the log; a counter that fell silent is tried again.
        """
        if self._blank:
            return await self._begin(ticks)
        if self.silent is not None:
            drafts = await self.check(ticks)
            return drafts if self.silent is None else []  # its silence has been told
        if self.waiting is None:
            return []
        log.warning("headquarters agrees with this log: selling again", counter=self._value, log_ticks=ticks)
        self.waiting = None
        return [Draft(CounterTicked(self._value))] if self._value > ticks else []

    async def _begin(self, value: int) -> list[Draft]:
        """Put a counter on a blank medium."""
        counter = self._counter
        assert counter is not None
        try:
            await self._do(lambda: counter.begin(value))
        except CounterError as error:
            return self._fell_silent(str(error), "counter-silent")
        renewed = self._blank
        self._value, self.silent, self._blank = value, None, False
        return [_notice("counter-renewed", f"it was blank, and counts from {value} on")] if renewed else []

    def _wait(self, value: int, ticks: int) -> list[Draft]:
        """A log that was never ticked proves nothing: the epoch is new, or the counter is."""
        lost = f"the counter stands at {value}, this log knows {ticks} of its ticks"
        self.waiting = f"{lost}; headquarters must agree with this log first"
        log.error("the disk may be older than the counter says", counter=value, log_ticks=ticks)
        return [_notice("rolled-back", f"{lost}: holds are missing from it")] if ticks else []

    def _fell_silent(self, why: str, what: str) -> list[Draft]:
        if self.silent is None:
            log.error("nothing is sold without a link", why=why, remedy=CounterError.remedy)
        self.silent, self._blank = why, what == "counter-blank"
        return [_notice(what, why)]

    async def _do(self, work: Callable[[], T]) -> T:
        """A medium that hangs is given up: its thread may end when it likes; it writes nothing that the log lacks."""
        if not self._threaded:
            return work()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.to_thread(work)
        except TimeoutError as error:
            raise CounterError(f"no answer within {PATIENCE_S:.0f} s") from error


def _notice(what: str, detail: str) -> Draft:
    return Draft(Notice(what, SUBJECT, detail))
