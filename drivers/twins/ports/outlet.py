"""One simulated outlet: its relay and its meter, the order on it, and how that ends by itself. No I/O, no clock.

It is full when it has drawn less than a share of its peak for a while, and then floated for a while; unplugged when
nearly nothing flowed for some seconds; and it guards against overload. (facts: cabinets 7.4)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from drivers.twins.ports.battery import MJ_PER_WH, Battery


class Ended(Enum):
    """Why an order ended."""

    FULL = "full"
    TIME = "time"
    ENERGY = "energy"
    TIME_MAX = "time-max"
    UNPLUGGED = "unplugged"
    TOLD = "told"
    OVERLOAD = "overload"
    FIRE_HERE = "fire-here"
    FIRE_ELSEWHERE = "fire-elsewhere"
    POWER = "power"


@dataclass(slots=True)
class Job:
    """An order, under way or over. limit_ms, limit_mj: None: none. energy_mj, elapsed_ms: the truth."""

    number: bytes
    port: int
    limit_ms: int | None = None
    limit_mj: int | None = None
    time_max_ms: int = 36_000_000
    overload_mw: int = 2_000_000
    energy_mj: int = 0
    elapsed_ms: int = 0
    peak_w: int = 0
    low_ms: int = 0  # it has drawn little for so long
    nothing_ms: int = 0  # and next to nothing for so long
    ended: Ended | None = None

    @property
    def energy_wh(self) -> int:
        """As a counter of 10 Wh shows it."""
        return self.energy_mj // (10 * MJ_PER_WH) * 10

    @property
    def elapsed_s(self) -> int:
        return self.elapsed_ms // 1000


@dataclass(slots=True)
class Rules:
    """When an outlet is full, and when it is unplugged."""

    float_percent: int = 20
    float_below_w: int = 30
    detect_ms: int = 1_800_000
    float_ms: int = 3_600_000
    unplug_ms: int = 10_000


@dataclass(slots=True)
class Outlet:
    """port: from 1. delivered_mj: all that ever flowed. leaked_mj: of that, while no order ran: by a welded relay."""

    port: int
    rules: Rules = field(default_factory=Rules)
    battery: Battery | None = None
    job: Job | None = None
    welded: bool = False
    delivered_mj: int = 0
    leaked_mj: int = 0
    door_open: bool = False
    fed: bool = True  # mains and board are there

    @property
    def closed(self) -> bool:
        """Whether the relay is."""
        return self.fed and (self.welded or self.job is not None)

    @property
    def power_w(self) -> int:
        return self.battery.power_w if self.closed and self.battery is not None else 0

    @property
    def floats(self) -> bool:
        """It has drawn little for as long as it takes to be sure, and goes on for a while."""
        return self.job is not None and self.job.low_ms >= self.rules.detect_ms

    def next_ms(self) -> int | None:
        """Until something happens by itself, at least 1. None: nothing does."""
        found: list[int] = []
        battery, job = self.battery, self.job
        if battery is not None and self.closed and (change_ms := battery.changes_in_ms()) is not None:
            found.append(change_ms)
        if job is not None and self.fed:
            power_w = self.power_w
            found.append(job.time_max_ms - job.elapsed_ms)
            if job.limit_ms is not None:
                found.append(job.limit_ms - job.elapsed_ms)
            if job.limit_mj is not None and power_w:
                found.append(-(-(job.limit_mj - job.energy_mj) // power_w))
            if battery is None:
                found.append(self.rules.unplug_ms - job.nothing_ms)
            elif self._low(power_w):
                found += [t - job.low_ms for t in (self.rules.detect_ms, self._full_ms) if t > job.low_ms]
        return max(1, min(found)) if found else None

    def pass_ms(self, ms: int) -> Ended | None:
        """So much time passes, no more than `next_ms`. Why the order ended, if it did."""
        job, power_w = self.job, self.power_w
        if self.battery is not None and self.closed:
            mj = self.battery.take(ms)
            self.delivered_mj += mj
            if job is None:
                self.leaked_mj += mj
            else:
                job.energy_mj += mj
        if job is None or not self.fed:
            return None
        job.peak_w = max(job.peak_w, power_w)
        job.elapsed_ms += ms
        job.low_ms = job.low_ms + ms if self._low(power_w) else 0
        job.nothing_ms = job.nothing_ms + ms if self.battery is None else 0
        return self.verdict()

    def verdict(self) -> Ended | None:
        """Why the order must end now, if so."""
        job, power_w = self.job, self.power_w
        if job is None or not self.fed:
            return None
        if power_w * 1000 > job.overload_mw:
            job.peak_w = max(job.peak_w, power_w)
            return Ended.OVERLOAD
        if job.nothing_ms >= self.rules.unplug_ms:
            return Ended.UNPLUGGED
        if job.limit_ms is not None and job.elapsed_ms >= job.limit_ms:
            return Ended.TIME
        if job.limit_mj is not None and job.energy_mj >= job.limit_mj:
            return Ended.ENERGY
        if job.elapsed_ms >= job.time_max_ms:
            return Ended.TIME_MAX
        if job.low_ms >= self._full_ms:
            return Ended.FULL
        return None

    @property
    def _full_ms(self) -> int:
        return self.rules.detect_ms + self.rules.float_ms

    def _low(self, power_w: int) -> bool:
        job = self.job
        if job is None or self.battery is None:
            return False
        return power_w < self.rules.float_below_w or power_w * 100 < self.rules.float_percent * job.peak_w
