"""Has the answer come, or is its time up?"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from protocols.fieldbus.expect import NEED_MORE, Expect

LONGEST_FRAME: Final = 300  # characters; an answer that has begun is waited for no longer than this takes
CHUNK_GAP_S: Final = 0.05  # an answer that has begun may pause this long (USB latency timers, TCP segments)


class Ear:
    """Listens for one answer at a time. Bytes go straight from the port to the Expect, without a change of task."""

    def __init__(self, character_s: float) -> None:
        self._grace_s = LONGEST_FRAME * character_s + CHUNK_GAP_S
        self._expect: Expect[Any] | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._deadline_max = 0.0

    @property
    def listening(self) -> bool:
        return self._answer is not None and not self._answer.done()

    async def answer(self, expect: Expect[Any], until: float) -> Any:
        """What `expect` finds, or NEED_MORE. An answer that has begun by `until`, loop time, may end later.

        Raises what `fail` was called with, and whatever a faulty `expect` raises.
        """
        loop = asyncio.get_running_loop()
        self._expect, self._answer = expect, loop.create_future()
        self._deadline, self._deadline_max = until, until + self._grace_s
        self._timer = loop.call_at(until, self._expire)
        try:
            return await self._answer
        finally:
            self._timer.cancel()
            self._expect = self._answer = self._timer = None

    def hear(self, data: bytes, now: float) -> None:
        """Bytes came while listening."""
        assert self._expect is not None
        assert self._answer is not None
        try:
            answer = self._expect.feed(data)
        except Exception as error:  # a fault in the Expect must not leave its request waiting
            self._answer.set_exception(error)
            return
        if answer is not NEED_MORE:
            self._answer.set_result(answer)
        else:
            self._deadline = min(self._deadline_max, max(self._deadline, now + CHUNK_GAP_S))

    def fail(self, error: BaseException) -> None:
        """Nothing will come."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _expire(self) -> None:
        if self._expect is None or self._answer is None or self._answer.done():
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:  # more bytes have come since the timer was set
            self._timer = loop.call_at(self._deadline, self._expire)
            return
        try:
            self._answer.set_result(self._expect.give_up())
        except Exception as error:
            self._answer.set_exception(error)
