"""How does the conversation with one pile go?"""

from __future__ import annotations

from drivers.api import LinkState
from drivers.link_meter import LinkMeter, now_ms

__all__ = ["YkcLink", "now_ms"]


class YkcLink(LinkMeter):
    """Counts what came and what failed. A pile is online while it is logged in."""

    def up(self) -> None:
        """It has logged in."""
        self.count("logins")
        self.error = None
        self.heard()
        self.enter(LinkState.ONLINE)

    def down(self, why: str) -> None:
        """Its connection has ended."""
        self.error = why
        self.enter(LinkState.OFFLINE)

    def good(self) -> None:
        """A sound message came."""
        self.count("heard")
        self.heard()

    def wrong(self, kind: str, error: str) -> None:
        """Something is not as it should be, and it goes on. error: in words, with what to do."""
        self.count(kind)
        self.error = error
