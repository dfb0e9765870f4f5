"""Leg 4, first half: did every Wh that a meter counted go to a session? The meters' own registers are the witness.

   end(n)        begin(n+1)         readings of one meter in the order in which they were taken; what lies
---|===============|-----------     between an end and the next begin was delivered to nobody
   `-- unbilled ---'
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts, Reading


class MeterSum(msgspec.Struct, frozen=True):
    """One meter, first reading to last: last_wh - first_wh = sessions_wh - twice_wh + unbilled_wh + running_wh -
    fallen_wh.

    twice_wh: counted into two sessions at once. running_wh: inside a session that has not ended. fallen_wh: by how much
    the register went back in all.
    """

    site: str
    meter: str
    readings: int
    first_wh: int
    last_wh: int
    sessions: int
    sessions_wh: int
    twice_wh: int
    unbilled_wh: int
    running_wh: int
    fallen_wh: int


def reconcile_meters(logs: Iterable[LogFacts]) -> tuple[list[MeterSum], list[Finding]]:
    """A sum for each meter, and a finding for each gap, overlap and step back. Readings of all epochs of a site stand
    in one row, for a meter outlives the box.
    """
    logs = list(logs)
    voided = {it.id for facts in logs for it in facts.sessions.values() if it.voided is not None}
    rows: dict[tuple[str, str], list[Reading]] = {}
    for facts in sorted(logs, key=lambda facts: facts.key):
        for reading in _as_taken(facts):
            rows.setdefault((facts.key.site, reading.register.meter), []).append(reading)
    sums: list[MeterSum] = []
    findings: list[Finding] = []
    for (site, meter), readings in sorted(rows.items()):
        walk = _Walk(site, meter, {it.session for it in readings if it.what == "end"}, voided)
        for before, after in pairwise(readings):
            walk.leave(before)
            walk.step(before, after)
        walk.leave(readings[-1])
        walk.finish_gap()
        sums.append(walk.sum(readings))
        findings += walk.findings
    return sums, findings


def _as_taken(facts: LogFacts) -> list[Reading]:
    """In the order of reading: boots as the log has them, and within a boot by its monotonic clock."""
    boots: dict[bytes, int] = {}
    for reading in facts.readings:
        boots.setdefault(reading.at.boot, len(boots))

    def place(it: Reading) -> tuple[int, int, int]:
        # A register later than its record on the monotonic clock was read in an earlier boot, and is told only now.
        taken_ms = min(it.register.mono_ms, it.at.mono_ms)
        return boots[it.at.boot], taken_ms, it.at.seq

    return sorted(facts.readings, key=place)


class _Walk:
    """Along the readings of one meter. Of every step between two of them, the sessions that run then are the owners."""

    def __init__(self, site: str, meter: str, ended: set[str], voided: set[str]) -> None:
        self.site, self.meter, self.ended, self.voided = site, meter, ended, voided
        self.complete: set[str] = set()  # sessions that run now and have an end later on
        self.unended = ""  # the one that runs and has none
        self.findings: list[Finding] = []
        self.sessions = self.sessions_wh = self.twice_wh = 0
        self.unbilled_wh = self.running_wh = self.fallen_wh = 0
        self.gap: tuple[Reading, Reading] | None = None
        self.gap_wh = 0

    def leave(self, reading: Reading) -> None:
        """From this reading on, its session runs, or no longer does. A voided one has delivered nothing."""
        if reading.what == "begin" and reading.session not in self.voided:
            self.finish_gap()
            # A session without an end on this meter owns what was counted until the next one begins.
            self.unended = "" if reading.session in self.ended else reading.session
            self.complete |= {reading.session} - {self.unended}
        elif reading.what == "end" and reading.session in self.complete:
            self.complete.remove(reading.session)
            self.sessions += 1

    def step(self, before: Reading, after: Reading) -> None:
        step_wh = after.register.energy_wh - before.register.energy_wh
        complete = len(self.complete)
        if step_wh < 0:
            self.fallen_wh -= step_wh
            self._find("register-fell", before, after, step_wh)
        elif complete:
            self.sessions_wh += step_wh * complete
            if complete > 1 and step_wh:
                self.twice_wh += step_wh * (complete - 1)
                self._find("energy-billed-twice", before, after, -step_wh * (complete - 1))
        elif self.unended:
            self.running_wh += step_wh
        elif step_wh:
            self.unbilled_wh += step_wh
            self.gap_wh += step_wh
            self.gap = (self.gap[0] if self.gap else before, after)

    def finish_gap(self) -> None:
        """One finding for all that was counted between two sessions, however often it was read meanwhile."""
        if self.gap is not None:
            self._find("energy-unbilled", *self.gap, self.gap_wh)
        self.gap, self.gap_wh = None, 0

    def sum(self, readings: list[Reading]) -> MeterSum:
        return MeterSum(
            site=self.site,
            meter=self.meter,
            readings=len(readings),
            first_wh=readings[0].register.energy_wh,
            last_wh=readings[-1].register.energy_wh,
            sessions=self.sessions,
            sessions_wh=self.sessions_wh,
            twice_wh=self.twice_wh,
            unbilled_wh=self.unbilled_wh,
            running_wh=self.running_wh,
            fallen_wh=self.fallen_wh,
        )

    def _find(self, code: str, before: Reading, after: Reading, difference_wh: int) -> None:
        self.findings.append(
            Finding(
                code=code,
                leg=Leg.ENERGY,
                site=self.site,
                subject=f"{self.site} {self.meter}",
                source=f"registers of {self.meter} at {self.site} / sessions",
                detail=f"{_name(before)} {before.register.energy_wh} Wh, {_name(after)} {after.register.energy_wh} Wh",
                difference_wh=difference_wh,
                since_ms=after.at.at_ms,
            )
        )


def _name(reading: Reading) -> str:
    return f"{reading.what} of {reading.session}" if reading.session else f"total read in record {reading.at.seq}"
