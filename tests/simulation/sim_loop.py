"""How does asyncio run on a clock that only the simulation moves? A selector that waits by setting the clock forward.

Production coroutines run on it unchanged: `asyncio.sleep(3600)` takes no time, and everything happens in one order.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

NS = 1_000_000_000


class Stalled(Exception):
    """Nobody waits for anything that could still happen: a task would have waited for ever."""


class _VirtualSelector(selectors.BaseSelector):
    """Knows no sockets. Waiting is jumping to the next timer."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, int(fileobj), events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stalled("no timer is set and nothing is ready")
        if timeout > 0:
            self.now_ns += max(1, round(timeout * NS))
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands while anything runs, and jumps to the next timer when nothing does."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_ns / NS

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """At once: real threads have no virtual time, and end whenever they like."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def now_ms(self) -> int:
        """Virtual milliseconds since the loop began."""
        return self._virtual.now_ns // 1_000_000


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """What `main` returns; whatever is still running then is dropped."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
        asyncio.set_event_loop(None)
