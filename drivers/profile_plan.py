"""Which reads bring all points? Neighbours share a request, and a refused request is split until it fits.

registers   0x34 0x35 . . . . 0x46 0x47 0x48 0x49
points      |power  |         |freq   | |import |      max_gap = 0: two reads, max_gap = 16: one
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drivers.profile import Profile, Space

_FUNCTION: dict[Space, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_BITS = (1, 2)


@dataclass(frozen=True, slots=True)
class Span:
    """Where one point lies: wire address and registers (or coils)."""

    name: str
    address: int
    count: int

    @property
    def end(self) -> int:
        return self.address + self.count


@dataclass(frozen=True, slots=True)
class Read:
    """One request. `spans` are the points it brings, by address; `unit_id` None: the device's own."""

    function: int  # 1..=4
    unit_id: int | None
    spans: tuple[Span, ...]

    @property
    def address(self) -> int:
        return self.spans[0].address

    @property
    def count(self) -> int:
        return max(span.end for span in self.spans) - self.address

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(span.name for span in self.spans)

    def slices(self, registers: list[int]) -> Iterable[tuple[str, list[int]]]:
        """Each point with its own registers out of the answer's."""
        for span in self.spans:
            start = span.address - self.address
            yield span.name, registers[start : start + span.count]


@dataclass(frozen=True, slots=True)
class Plan:
    """Reads in the order of sending. dropped: points that the device refuses even alone."""

    reads: tuple[Read, ...]
    dropped: frozenset[str] = frozenset()

    def refused(self, read: Read) -> Plan:
        """The plan after the device answered `read` with exception 2 or 3: halves instead, or the point is dropped."""
        if read not in self.reads:
            return self
        place = self.reads.index(read)
        before, after = self.reads[:place], self.reads[place + 1 :]
        first = _spans_of_first_half(read)
        if first == len(read.spans):
            return Plan(before + after, self.dropped | set(read.names))
        halves = (replace(read, spans=read.spans[:first]), replace(read, spans=read.spans[first:]))
        return Plan(before + halves + after, self.dropped)


def plan(profile: Profile, names: Iterable[str]) -> Plan:
    """Reads for the points `names`, as few as the profile's limits allow. No value is ever split."""
    limits = profile.limits
    groups: dict[tuple[int | None, int], list[Span]] = {}
    for name in names:
        point = profile.points[name]
        span = Span(name, profile.wire_address(point), point.registers)
        groups.setdefault((point.unit_id, point.read_fc or _FUNCTION[point.space]), []).append(span)
    reads: list[Read] = []
    for (unit_id, function), spans in groups.items():
        count_max = limits.max_coils if function in _BITS else limits.max_read
        runs = _runs(spans, count_max, limits.max_gap, limits.barriers, limits.single_value_reads)
        reads += [Read(function, unit_id, tuple(run)) for run in runs]
    return Plan(tuple(reads))


def _runs(
    spans: list[Span], count_max: int, gap_max: int, barriers: tuple[int, ...], single_value: bool
) -> list[list[Span]]:
    """Neighbours in runs that fit into one request each."""
    runs: list[list[Span]] = []
    start = end = 0
    for span in sorted(spans, key=lambda span: (span.address, span.end, span.name)):
        same_value = bool(runs) and (span.address, span.end) == (start, end)
        fits = (
            bool(runs)
            and not single_value
            and span.address - end <= gap_max
            and max(end, span.end) - start <= count_max
            and not any(start < barrier < max(end, span.end) for barrier in barriers)
        )
        if same_value or fits:
            runs[-1].append(span)
            end = max(end, span.end)
        else:
            runs.append([span])
            start, end = span.address, span.end
    return runs


def _spans_of_first_half(read: Read) -> int:
    """How many spans the first half takes; all of them when the read is a single value."""
    cuts = [
        index
        for index in range(1, len(read.spans))
        if (read.spans[index].address, read.spans[index].end)
        != (read.spans[index - 1].address, read.spans[index - 1].end)
    ]
    middle = len(read.spans) / 2
    return min(cuts, key=lambda index: abs(index - middle), default=len(read.spans))
