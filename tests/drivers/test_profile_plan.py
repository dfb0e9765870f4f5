"""Which reads bring all points: laws of coalescing, and what refusals do to a plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile import Limits, Point, Profile
from drivers.profile_load import load
from drivers.profile_plan import Plan, Read, plan
from tests.drivers.profile_text import meter

TYPES = ("u16", "u32", "f32", "u64")
BASE = meter()


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Any map of up to 40 points, some of them overlapping, under any limits."""
    barriers = tuple(draw(st.lists(st.integers(0, 120), max_size=3)))
    limits = Limits(
        max_read=draw(st.integers(4, 125)),
        max_gap=draw(st.integers(0, 20)),
        barriers=barriers,
        single_value_reads=draw(st.booleans()),
    )
    points = {}
    for index in range(draw(st.integers(1, 40))):
        point = Point(
            space=draw(st.sampled_from(["input", "holding"])),
            addr=draw(st.integers(0, 120)),
            type=draw(st.sampled_from(TYPES)),
            unit_id=draw(st.sampled_from([None, 200])),
        )
        if not any(point.addr < barrier < point.addr + point.registers for barrier in barriers):
            points[f"p{index}"] = point
    return msgspec.structs.replace(BASE, limits=limits, points=points)


@given(profiles())
def test_every_point_is_read_exactly_once_and_within_the_limits(profile: Profile) -> None:
    """No point is forgotten or read twice, no value split, no limit, gap or barrier overrun."""
    made = plan(profile, profile.points)
    assert sorted(name for read in made.reads for name in read.names) == sorted(profile.points)
    for read in made.reads:
        assert read.count <= profile.limits.max_read
        assert not any(read.address < barrier < read.address + read.count for barrier in profile.limits.barriers)
        if profile.limits.single_value_reads:
            assert len({(span.address, span.end) for span in read.spans}) == 1
        covered = read.address
        for span in read.spans:
            assert span.address - covered <= profile.limits.max_gap
            covered = max(covered, span.end)
        for name, part in read.slices(list(range(read.address, read.address + read.count))):
            point = profile.points[name]
            assert part == list(range(point.addr, point.addr + point.registers))
            assert (point.unit_id, {"input": 4, "holding": 3}[point.space]) == (read.unit_id, read.function)


@given(profiles(), st.data())
def test_refusals_lose_only_what_is_refused_alone(profile: Profile, data: st.DataObject) -> None:
    """Whatever a device refuses, every point that it does not refuse by itself is still read, once."""
    bad = data.draw(st.sets(st.sampled_from(sorted(profile.points)))) if profile.points else set()
    spans = {(p.unit_id, p.space, p.addr, p.registers) for n, p in profile.points.items() if n in bad}

    def refuses(read: Read) -> bool:
        space = {4: "input", 3: "holding"}[read.function]
        return any((read.unit_id, space, span.address, span.count) in spans for span in read.spans)

    made = plan(profile, profile.points)
    requests = 0
    while refused := [read for read in made.reads if refuses(read)]:
        made = made.refused(refused[0])
        requests += 1
    read_now = [name for read in made.reads for name in read.names]
    good = {n for n, p in profile.points.items() if (p.unit_id, p.space, p.addr, p.registers) not in spans}
    assert sorted(read_now) == sorted(good)
    assert made.dropped == frozenset(profile.points) - good
    assert requests <= 2 * len(profile.points), "a refusal costs at most one more request"


@pytest.mark.parametrize(("kind", "count"), [("u16", 200), ("f32", 100)])
def test_a_contiguous_map_costs_a_twentieth_of_a_request_per_point(kind: str, count: int) -> None:
    """200 registers in a row are 5 requests, be they 200 points or 100."""
    size = 200 // count
    points = {f"p{i:03}": Point(space="input", addr=i * size, type=kind) for i in range(count)}  # type: ignore[arg-type]  # one of the types
    made = plan(msgspec.structs.replace(BASE, points=points), points)
    assert len(made.reads) == 5
    assert len(made.reads) / count <= 0.05


def test_only_a_profile_that_says_so_reads_over_holes() -> None:
    """By default a hole of one register parts two reads."""
    points = 'a = { space = "input", addr = 0 }\nb = { space = "input", addr = 2 }'
    assert [read.names for read in plan(meter(points), ["a", "b"]).reads] == [("a",), ("b",)]
    assert [read.names for read in plan(meter(points, "max_gap = 1"), ["a", "b"]).reads] == [("a", "b")]


def test_alfen_meter_block_is_split_below_125_registers() -> None:
    """Its block of 126 registers is one over the limit (evcc reads 122 + 4)."""
    profile = load(Path(__file__).parents[2] / "drivers/profiles/alfen-eve.toml")
    reads = plan(profile, ["voltage_l1", "current_l1", "power", "energy_total"]).reads
    assert [(read.address, read.count) for read in reads] == [(306, 72)]


def test_a_read_of_another_plan_changes_nothing() -> None:
    """A late refusal of a read that was split already is ignored."""
    made = plan(meter(), ["energy"])
    other = Read(3, None, made.reads[0].spans)
    assert made.refused(other) == made
    assert made.refused(made.reads[0]) == Plan((), frozenset({"energy"}))
