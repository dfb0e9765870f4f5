"""How does the conversation with one pile go?"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from drivers.api import Link, LinkState

LATENCIES_KEPT: Final = 512


class YkcLink:
    """Counts what came and what failed. A pile is online while it is logged in."""

    def __init__(self) -> None:
        self._state = LinkState.NEW
        self._since_ms = now_ms()
        self._last_good_ms: int | None = None
        self._error: str | None = None
        self._counts: dict[str, int] = {}
        self._took_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    @property
    def took_ms(self) -> float | None:
        """Of the newest answer."""
        return self._took_ms[-1] if self._took_ms else None

    def up(self) -> None:
        """It has logged in."""
        self.count("logins")
        self._error = None
        self._last_good_ms = now_ms()
        self._enter(LinkState.ONLINE)

    def down(self, why: str) -> None:
        """Its connection has ended."""
        self._error = why
        self._enter(LinkState.OFFLINE)

    def good(self) -> None:
        """A sound message came."""
        self.count("heard")
        self._last_good_ms = now_ms()

    def took(self, ms: float) -> None:
        """What was asked was answered."""
        self.count("answered")
        self._took_ms.append(ms)

    def wrong(self, kind: str, error: str) -> None:
        """Something is not as it should be, and it goes on. error: in words, with what to do."""
        self.count(kind)
        self._error = error

    def count(self, kind: str, by: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + by

    def seen(self) -> Link:
        """As of now."""
        ordered = sorted(self._took_ms)
        shares = {"p50": 50, "p90": 90, "p99": 99} if ordered else {}
        return Link(
            state=self._state,
            since_ms=self._since_ms,
            last_good_ms=self._last_good_ms,
            error=self._error,
            counts=dict(self._counts),
            latency_ms={name: ordered[(len(ordered) - 1) * share // 100] for name, share in shares.items()},
        )

    def _enter(self, state: LinkState) -> None:
        if state is not self._state:
            self._state, self._since_ms = state, now_ms()


def now_ms() -> int:
    """Monotonic."""
    return int(time.monotonic() * 1000)
