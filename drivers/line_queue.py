"""Whose turn is it on a line?"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from drivers.errors import DeviceError
from drivers.line_late import LateAnswers
from drivers.line_state import LineState
from protocols.fieldbus.expect import Expect


class Priority(IntEnum):
    """Commands overtake polls."""

    COMMAND = 0
    POLL = 1


class Speaker(Protocol):
    """Who has the line for several frames in a row: `drivers.line_turn.Turn`."""

    async def next_step(self, until: float) -> Request | None:
        """The next frame; None when the driver is done, or when it has not been by `until`, loop time."""

    def end(self, error: DeviceError | None = None) -> None:
        """Nothing more is sent in this turn; who tries to gets `error`."""


@dataclass(slots=True, eq=False)
class Request:
    """One frame that wants to be sent, or a whole turn. expect: None for a frame that nobody answers, and for a turn.

    pause_s: silence after a frame that nobody answers. turn: who speaks then; None: it is one frame.
    """

    device: LineState
    frame: bytes
    expect: Expect[Any] | None
    timeout_s: float
    priority: Priority
    attempts_left: int
    future: asyncio.Future[Any]
    probe: bool = False  # the one request by which an offline device is tried
    pause_s: float = 0.0
    turn: Speaker | None = None
    before: dict[str, int] = field(default_factory=dict)  # what `expect` had discarded before this attempt

    def done(self, answer: object) -> None:
        """Give the answer, unless the caller has gone."""
        if not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Give the error, unless the caller has gone."""
        if not self.future.done():
            self.future.set_exception(error)


class Queue:
    """Commands first, then polls, each in order of arrival; what must wait lets others go ahead."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # of each priority
        self._waiting: dict[Priority, deque[Request]] = {priority: deque() for priority in Priority}

    def __len__(self) -> int:
        return sum(len(requests) for requests in self._waiting.values())

    def full(self, priority: Priority) -> bool:
        return len(self._waiting[priority]) >= self.limit

    def add(self, request: Request) -> None:
        self._waiting[request.priority].append(request)

    def put_back(self, request: Request) -> None:
        """For another attempt: first among its equals."""
        self._waiting[request.priority].appendleft(request)

    def pick(self, now: float, late: LateAnswers) -> tuple[Request | None, float | None]:
        """Take the next request whose device may be asked now; or when that will be, None for not before one is added.

        The order among one device's requests of a priority is kept. Requests whose caller has gone come out as well.
        """
        soonest: float | None = None
        for requests in self._waiting.values():
            resting: set[LineState] = set()
            for request in requests:
                if request.future.done():
                    requests.remove(request)
                    return request, None
                if request.device in resting:
                    continue
                ready_at = request.device.rest_until
                if request.expect is not None:
                    ready_at = max(ready_at, late.over_at(request.expect.shape))
                if ready_at <= now:
                    requests.remove(request)
                    return request, None
                resting.add(request.device)
                soonest = ready_at if soonest is None else min(soonest, ready_at)
        return None, soonest

    def empty(self) -> Iterator[Request]:
        """Take everything."""
        for requests in self._waiting.values():
            while requests:
                yield requests.popleft()
