"""How does the conversation with one pump behind a controller go?"""

from __future__ import annotations

from typing import Final

from drivers.api import LinkState
from drivers.errors import DeviceError, Garbled, Silent
from drivers.link_meter import LinkMeter, now_ms

__all__ = ["FAILS", "PtsLink", "now_ms"]

FAILS: Final = 3  # polls in a row without a status: the pump is offline


class PtsLink(LinkMeter):
    """Counts answers and failures. A pump that the controller does not hear is a failure, too."""

    def __init__(self) -> None:
        super().__init__()
        self._fails = 0

    def good(self, took_ms: float) -> None:
        """A status came."""
        self.took(took_ms)
        self.heard()
        self._fails, self.error = 0, None
        self.enter(LinkState.ONLINE)

    def bad(self, error: DeviceError, *, at_once: bool = False) -> None:
        """None came. at_once: there is no need to wait for more of them."""
        self.count("timeouts" if isinstance(error, Silent) else "garbled" if isinstance(error, Garbled) else "failed")
        self.error = f"{error}. {error.remedy}"
        self._fails += 1
        if at_once or self._fails >= FAILS:
            self.enter(LinkState.OFFLINE)
