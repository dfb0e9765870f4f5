"""How does the conversation with one device go that is no line's own? Its state, counts and latencies."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from drivers.api import Link, LinkState

LATENCIES_KEPT: Final = 512


class LinkMeter:
    """Kept by whoever talks to the device. error: what is wrong, in words for a person; None: nothing."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._state = LinkState.NEW
        self._since_ms = now_ms()
        self._last_good_ms: int | None = None
        self._counts: dict[str, int] = {}
        self._took_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    @property
    def took_ms(self) -> float | None:
        """Of the newest answer."""
        return self._took_ms[-1] if self._took_ms else None

    def heard(self) -> None:
        """Something sound came from it."""
        self._last_good_ms = now_ms()

    def took(self, ms: float) -> None:
        """What was asked was answered."""
        self.count("answered")
        self._took_ms.append(ms)

    def count(self, kind: str, by: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + by

    def enter(self, state: LinkState) -> None:
        """It stands so from now on; repeating it changes nothing."""
        if state is not self._state:
            self._state, self._since_ms = state, now_ms()

    def seen(self) -> Link:
        """As of now."""
        ordered = sorted(self._took_ms)
        shares = {"p50": 50, "p90": 90, "p99": 99} if ordered else {}
        return Link(
            state=self._state,
            since_ms=self._since_ms,
            last_good_ms=self._last_good_ms,
            error=self.error,
            counts=dict(self._counts),
            latency_ms={name: ordered[(len(ordered) - 1) * share // 100] for name, share in shares.items()},
        )


def now_ms() -> int:
    """Monotonic."""
    return int(time.monotonic() * 1000)
