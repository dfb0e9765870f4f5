"""May this phone do that, once, now? A form that acts carries a token of the visit that it was shown in.

A page of another origin cannot know the token, so it cannot act through a customer's browser; a form that is sent twice
acts once; and whoever guesses must look before each guess. Nothing is kept of a token until it is spent.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from collections import deque

VISIT_S = 30 * 60
"""A page that has been open for longer is loaded again before it acts."""
ACTS = 60
"""Acts of one address within a minute, whatever they are: more is no customer."""
ACTS_S = 60
PINS_OF_ONE = 10
"""PINs given by one address within a quarter of an hour."""
PINS_OF_ONE_S = 15 * 60
PINS_WRONG = 20
"""Wrong PINs at all lockers together within six hours, after which the page takes none; cards and codes go on.

Each locker takes five in a row and then one in a quarter of an hour (`[ports] pin_tries`, `pin_pause_s`). A site has
many lockers and a stranger many addresses: eighty guesses a day open one of four digits in 125 days.
"""
PINS_WRONG_S = 6 * 3600
KEYS_MAX = 2_000
"""Addresses that are counted; beyond that the oldest is forgotten. The limit of all together does not depend on it."""


class Visits:
    """Makes tokens of visits, and takes each once. Dies with the daemon, and so do the tokens."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._spent: dict[str, int] = {}

    def token(self, act: str, now_ms: int) -> str:
        """For one act at one place, as `open rack.3`. now_ms: on the box's monotonic clock."""
        stamp = f"{now_ms // 1000:x}.{os.urandom(9).hex()}"
        return f"{stamp}.{self._mac(act, stamp)}"

    def spend(self, act: str, token: str, now_ms: int) -> bool:
        """Whether this visit may act so, now; from here on it has."""
        now_s = now_ms // 1000
        self._spent = {one: until_s for one, until_s in self._spent.items() if until_s >= now_s}
        stamp, _, mac = token.rpartition(".")
        if not hmac.compare_digest(self._mac(act, stamp).encode(), mac.encode()) or token in self._spent:
            return False
        issued_s = int(stamp.partition(".")[0], 16)  # it is ours, so it is a number
        if now_s - issued_s > VISIT_S:
            return False
        self._spent[token] = issued_s + VISIT_S
        return True

    def _mac(self, act: str, stamp: str) -> str:
        mac = hmac.new(self._secret, f"fieldtill/visit/v1\n{act}\n{stamp}".encode(), hashlib.sha256)
        return urlsafe_b64encode(mac.digest()[:16]).rstrip(b"=").decode()


class Limit:
    """So many in so long, for each key."""

    def __init__(self, most: int, within_s: int) -> None:
        self._most = most
        self._within_ms = within_s * 1000
        self._seen: dict[str, deque[int]] = {}

    def reached(self, key: str, now_ms: int) -> bool:
        """Whether there have been so many."""
        seen = self._seen.get(key)
        while seen and now_ms - seen[0] >= self._within_ms:
            seen.popleft()
        return seen is not None and len(seen) >= self._most

    def forgive(self, key: str) -> None:
        """One less: it was none."""
        if self._seen.get(key):
            self._seen[key].pop()

    def count(self, key: str, now_ms: int) -> None:
        """One more."""
        seen = self._seen.pop(key, None)
        if seen is None and len(self._seen) >= KEYS_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = seen if seen is not None else deque(maxlen=self._most)
        self._seen[key].append(now_ms)
