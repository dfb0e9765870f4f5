"""How does the conversation with one pump behind a controller go?"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from drivers.api import Link, LinkState
from drivers.errors import DeviceError, Garbled, Silent

FAILS: Final = 3  # polls in a row without a status: the pump is offline
LATENCIES_KEPT: Final = 512


class PtsLink:
    """Counts answers and failures. A pump that the controller does not hear is a failure, too."""

    def __init__(self) -> None:
        self._state = LinkState.NEW
        self._since_ms = now_ms()
        self._last_good_ms: int | None = None
        self._error: DeviceError | None = None
        self._fails = 0
        self._counts: dict[str, int] = {}
        self._took_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def good(self, took_ms: float) -> None:
        """A status came."""
        self.count("answered")
        self._took_ms.append(took_ms)
        self._last_good_ms = now_ms()
        self._fails, self._error = 0, None
        self._enter(LinkState.ONLINE)

    def bad(self, error: DeviceError, *, at_once: bool = False) -> None:
        """None came. at_once: there is no need to wait for more of them."""
        self.count("timeouts" if isinstance(error, Silent) else "garbled" if isinstance(error, Garbled) else "failed")
        self._error = error
        self._fails += 1
        if at_once or self._fails >= FAILS:
            self._enter(LinkState.OFFLINE)

    def count(self, kind: str) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1

    @property
    def took_ms(self) -> float | None:
        """Of the newest answer."""
        return self._took_ms[-1] if self._took_ms else None

    def seen(self) -> Link:
        """As of now."""
        ordered = sorted(self._took_ms)
        shares = {"p50": 50, "p90": 90, "p99": 99} if ordered else {}
        return Link(
            state=self._state,
            since_ms=self._since_ms,
            last_good_ms=self._last_good_ms,
            error=None if self._error is None else f"{self._error}. {self._error.remedy}",
            counts=dict(self._counts),
            latency_ms={name: ordered[(len(ordered) - 1) * share // 100] for name, share in shares.items()},
        )

    def _enter(self, state: LinkState) -> None:
        if state is not self._state:
            self._state, self._since_ms = state, now_ms()


def now_ms() -> int:
    """Monotonic."""
    return int(time.monotonic() * 1000)
