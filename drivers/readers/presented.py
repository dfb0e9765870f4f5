"""Is what a reader says a new tap, or the same card still lying there? Pure.

Readers repeat a card while it is near, and take turns with two of them. (facts: cabinets 8 and fault F-63.)
"""

from __future__ import annotations

from typing import Final

AGAIN_S: Final = 2.0
"""The same within this time of the last time is one presentation."""
KEPT_MAX: Final = 16  # more cards are not held to a reader at once


class Presentations:
    """What was said lately, and when."""

    def __init__(self) -> None:
        self._last_s: dict[str, float] = {}

    def is_new(self, said: str, now_s: float) -> bool:
        """Whether this is a presentation of its own; notes it. now_s: monotonic."""
        self._last_s = {one: at_s for one, at_s in self._last_s.items() if now_s - at_s < AGAIN_S}
        new = said not in self._last_s
        if len(self._last_s) < KEPT_MAX or not new:
            self._last_s[said] = now_s
        return new
