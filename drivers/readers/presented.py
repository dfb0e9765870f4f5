"""Is what a reader says a new tap, or the same card still lying there? Pure.

Readers repeat a card while it is near, and take turns with two of them. (facts: cabinets 8 and fault F-63.)
"""

from __future__ import annotations

from typing import Final

AGAIN_S: Final = 2.0
"""The same within this time of the last time is one presentation."""
KEPT_MAX: Final = 16  # more cards are not held to a reader at once


class Presentations:
    """What was said lately, and when. now_s: monotonic."""

    def __init__(self) -> None:
        self._last_s: dict[str, float] = {}

    def is_new(self, said: str, now_s: float) -> bool:
        """Whether this is a presentation of its own. Notes it either way."""
        last_s = self._last_s.get(said)
        self.note(said, now_s)
        return last_s is None or now_s - last_s >= AGAIN_S

    def note(self, said: str, now_s: float) -> None:
        """It is there now: what was said meanwhile, and waits to be looked at, is the same presentation."""
        self._last_s.pop(said, None)
        self._last_s[said] = now_s
        if len(self._last_s) > KEPT_MAX:
            del self._last_s[next(iter(self._last_s))]
