"""Who calls a listener and is nobody's: remembered for a person who looks, and told of in the log now and then."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import structlog

KEPT: Final = 20
SAID: Final = 3  # in words; whoever makes up numbers fills no screen
LOG_EVERY_S: Final = 10.0  # nor a log

log = structlog.get_logger()


class Strangers:
    """Of one listener. `remedy`: what a person does about one that ought to be let in."""

    def __init__(self, what: str, remedy: str) -> None:
        """what: they are, in a word."""
        self._what = what
        self._remedy = remedy
        self._peers: OrderedDict[str, str] = OrderedDict()
        self._logged_at: float | None = None

    def __iter__(self) -> Iterator[str]:
        """Their numbers, newest last."""
        return iter(tuple(self._peers))

    def __len__(self) -> int:
        return len(self._peers)

    def met(self, number: str, peer: str) -> None:
        """It has called from there."""
        known = number in self._peers
        self._peers[number] = peer
        self._peers.move_to_end(number)
        while len(self._peers) > KEPT:
            self._peers.popitem(last=False)
        now = time.monotonic()
        if not known and (self._logged_at is None or now - self._logged_at >= LOG_EVERY_S):
            self._logged_at = now
            log.warning(f"unknown {self._what}", number=number, peer=peer, remedy=self._remedy)

    def words(self) -> str | None:
        """For a person. None: there were none."""
        if not self._peers:
            return None
        newest = [f"{number} at {peer}" for number, peer in reversed(self._peers.items())]
        more = f" and {len(newest) - SAID} more" if len(newest) > SAID else ""
        return f"unknown {self._what} {', '.join(newest[:SAID])}{more}. {self._remedy}"
