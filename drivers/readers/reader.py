"""One reader: opened, heard, and watched. It says who is there; what that means is the caller's."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from drivers.api import Link, LinkState
from drivers.errors import DeviceError
from drivers.readers.config import TRAITS, ReaderSetup
from drivers.readers.credential import Said

Driver = Callable[[ReaderSetup], AsyncGenerator[Said | None, None]]
"""Opens the reader and gives what it says. None: it has just shown that it lives.

It ends only with a descriptor, raises DeviceError when the reader is gone or dead, and closes what it has opened.
"""


class CardReader:
    """A reader of one site."""

    def __init__(self, setup: ReaderSetup, driver: Driver) -> None:
        self.setup = setup
        self.id = setup.id
        self.profile_id: str = setup.kind
        self._driver = driver
        self._state = LinkState.NEW
        self._since_ms = _now_ms()
        self._last_good_ms: int | None = None
        self._error: str | None = None
        self._counts: dict[str, int] = {}

    async def listen(self) -> AsyncGenerator[Said, None]:
        """Open it and give each thing that it says, repeats and all. Ends when a descriptor does.

        Raises DeviceError when it cannot be opened, is gone, or is dead; then try again a little later.
        """
        try:
            async with aclosing(self._driver(self.setup)) as said:
                async for one in said:
                    self._good()
                    if one is not None:
                        self.count("said")
                        yield one
        except DeviceError as error:
            self._bad(f"{error}. {error.remedy}")
            raise
        self._bad(f"{self.id}: the reader is at its end")

    def count(self, kind: str) -> None:
        """Note something for the technician: `said`, or what came of it."""
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def link(self) -> Link:
        """How the conversation goes. ONLINE: its port is open, and where it has a sign of life, it has given it."""
        return Link(self._state, self._since_ms, self._last_good_ms, self._error, dict(self._counts))

    @property
    def is_watched(self) -> bool:
        """Whether a dead reader shows although its port is there."""
        return TRAITS[self.setup.kind].beats is not None

    def _good(self) -> None:
        self._last_good_ms, self._error = _now_ms(), None
        self._enter(LinkState.ONLINE)

    def _bad(self, error: str) -> None:
        self._error = error
        self._enter(LinkState.OFFLINE)

    def _enter(self, state: LinkState) -> None:
        if state is not self._state:
            self._state, self._since_ms = state, _now_ms()


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
