"""How does the conversation with one device on a line go: is it there, when may it be asked again, what went wrong?"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from drivers.api import Link, LinkState
from drivers.errors import DeviceError, Garbled, Silent
from drivers.line_config import DevicePolicy
from protocols.fieldbus.expect import ECHO

BACK_OFF_MIN_S: Final = 0.5
BACK_OFF_MAX_S: Final = 10.0
BACK_OFF_TIMEOUTS: Final = 24  # or so many time-outs, if longer: a dead device takes less than 5 % of a busy line
LATENCIES_KEPT: Final = 512  # the newest; enough for a p99


class LineState:
    """What is known of one device on a line. Its driver sees it as a `LineDevice`.

    on_return: set when the device answers after a break of the device or of the line, and from the start: what was set
    up in it may be gone. The driver clears it, writes its setup, and only then polls; when the setup fails it sets it
    again.
    on_silence: counts an attempt at which nothing at all came; as a time-out, unless who owns the device knows better:
    where silence may be an answer, it is counted as `quiet`.
    """

    def __init__(self, where: str, name: str, policy: DevicePolicy) -> None:
        self.name = name
        self.policy = policy
        self.on_return = asyncio.Event()
        self.on_return.set()
        self.on_silence: Callable[[], None] = partial(self.count, "timeouts")
        self.where = where
        self.probing = False
        self.last_took_ms: float | None = None  # of the newest answered request, from sending it; None: none yet
        self._state = LinkState.NEW
        self._since_ms = _now_ms()
        self._last_good_ms: int | None = None
        self._error: DeviceError | None = None
        self._fails = 0
        self._first_fail_at = 0.0
        self._rest_until = 0.0
        self._probe_at = 0.0
        self._back_off_s = 0.0
        self._counts: dict[str, int] = {}
        self._latencies_s: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def link(self) -> Link:
        """How the conversation goes, as of now."""
        return Link(
            state=self._state,
            since_ms=self._since_ms,
            last_good_ms=self._last_good_ms,
            error=None if self._error is None else f"{self._error}. {self._error.remedy}",
            counts=dict(self._counts),
            latency_ms=_percentiles_ms(self._latencies_s),
        )

    # What the line asks and tells. Times are loop times.

    def refusal(self, now: float) -> Silent | None:
        """Why nothing may be asked now, if so."""
        if self._state is not LinkState.OFFLINE or not self.policy.back_off:
            return None
        if self.probing:
            return Silent("offline, being probed just now", where=self.where)
        if now < self._probe_at:
            return Silent(f"offline, next probe in {self._probe_at - now:.1f} s", where=self.where)
        return None

    @property
    def offline(self) -> bool:
        return self._state is LinkState.OFFLINE

    @property
    def rest_until(self) -> float:
        """The device needs rest until then."""
        return self._rest_until

    def count(self, kind: str, count: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + count

    def answered(self, now: float, took_s: float) -> None:
        self._latencies_s.append(took_s)
        self.last_took_ms = round(took_s * 1000, 3)
        self.count("answered")
        self._last_good_ms = _now_ms()
        self._fails = 0
        self._error = None
        self._rest_until = now + self.policy.request_gap_s
        if self._state is LinkState.OFFLINE:
            self.on_return.set()
        if self._state is not LinkState.ONLINE:
            self._enter(LinkState.ONLINE)
            self._back_off_s = 0.0

    def failed(self, now: float, timeout_s: float, seen: Mapping[str, int]) -> DeviceError:
        """No valid answer came; `seen` are the kinds of bytes that came instead. Gives the error to raise."""
        self._rest_until = now + self.policy.request_gap_s
        heard = ", ".join(f"{count} bytes of {kind}" for kind, count in seen.items() if kind != ECHO)
        if heard:
            self.count("timeouts")
            self._error = Garbled(f"no valid answer within {timeout_s:g} s, only {heard}", where=self.where)
        else:
            self.on_silence()
            self._error = Silent(f"no answer within {timeout_s:g} s", where=self.where)
        self._count_fail(now)
        return self._error

    def line_down(self, error: DeviceError) -> None:
        """The line is down, and the device may have been reset along with it. It may be asked as soon as it is up."""
        self._error = error
        if self._state is LinkState.ONLINE:
            self._enter(LinkState.OFFLINE)
            self._back_off_s = BACK_OFF_MIN_S
        self._probe_at = 0.0

    def _count_fail(self, now: float) -> None:
        if self._fails == 0:
            self._first_fail_at = now - self.policy.timeout_s
        self._fails += 1
        if self._state is LinkState.OFFLINE:
            self._back_off_s = min(back_off_max_s(self.policy), self._back_off_s * 2)
        elif (
            self._fails >= self.policy.offline_after_fails and now - self._first_fail_at >= self.policy.offline_after_s
        ):
            self._enter(LinkState.OFFLINE)
            self._back_off_s = BACK_OFF_MIN_S
        self._probe_at = now + self._back_off_s

    def _enter(self, state: LinkState) -> None:
        self._state = state
        self._since_ms = _now_ms()


def back_off_max_s(policy: DevicePolicy) -> float:
    """The longest pause between two probes of a device that is offline."""
    return max(BACK_OFF_MAX_S, BACK_OFF_TIMEOUTS * policy.timeout_s)


def _now_ms() -> int:
    return int(time.monotonic() * 1000)


def _percentiles_ms(latencies_s: deque[float]) -> dict[str, float]:
    if not latencies_s:
        return {}
    ordered = sorted(latencies_s)
    return {
        f"p{percent}": round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 3)
        for percent in (50, 90, 99)
    }
