"""How many requests bring a device's values? Neighbouring registers share one; beside it, one for each value."""

from __future__ import annotations

import asyncio

from bench.figure import Figure, Goal, ratio_at_most
from bench.map import twins_toml, write_profile
from bench.processes import Twins
from bench.run import Benchmark, Run, wait
from drivers.line import Line, LineConfig, Priority
from drivers.modbus_client import ModbusClient
from drivers.profile import Profile
from drivers.profile_load import load
from drivers.profile_plan import Plan, plan
from drivers.registry import DeviceConfig, profile_ids, profile_of

MEANS = """\
Requests that bring every value of a device once, beside one request for each value, for a map without holes and for
each shipped profile (the holes and the limits are the products' own). One row makes both on a bus with 20 ms an answer.
"""

POINTS = 100
ANSWER_MS = 20


def figures(run: Run) -> list[Figure]:
    folder = run.folder("coalescing")
    profile = load(write_profile(folder, "bench-map", POINTS))
    meter = {"meter": ("tcp", 1, f"turnaround_ms = {ANSWER_MS}")}
    site = twins_toml({"tcp": 'kind = "tcp"'}, meter, folder / "bench-map.toml")
    (folder / "twins.toml").write_text(site)
    with Twins(folder / "twins.toml") as twins:
        together_s, singly_s = wait(_read_both_ways(twins, profile))
    rows = [
        _row(f"{POINTS} points side by side", profile, ratio_at_most(0.05)),
        Figure(
            what=f"{POINTS} points, {ANSWER_MS} ms an answer: a whole set",
            measured=together_s * 1000,
            unit="ms",
            beside=singly_s * 1000,
            beside_what="one request for each value",
            goal=ratio_at_most(0.05),
        ),
    ]
    shipped = [profile_of(DeviceConfig(id=name, line="-", profile=name)) for name in profile_ids()]
    return rows + [_row(profile.id, profile) for profile in shipped]


def _row(what: str, profile: Profile, goal: Goal | None = None) -> Figure:
    names = polled(profile)
    return Figure(
        what=what,
        measured=len(plan(profile, names).reads),
        unit="requests",
        beside=len(names),
        beside_what="one for each value",
        goal=goal,
    )


def polled(profile: Profile) -> list[str]:
    """What is read again and again, be it fast or slow."""
    return [name for name, point in profile.points.items() if point.polled and point.poll in ("fast", "slow")]


async def _read_both_ways(twins: Twins, profile: Profile) -> tuple[float, float]:
    """Seconds for a set of all values, by the profile's plan and value by value."""
    names = polled(profile)
    async with Line(LineConfig(id="bench", host="127.0.0.1", port=twins.port("tcp"))) as line:
        client = ModbusClient(profile, line, "meter", 1)
        await _read(client, plan(profile, names))
        together = await _read(client, plan(profile, names))
        singly = await _read(client, Plan(tuple(read for name in names for read in plan(profile, [name]).reads)))
    return together, singly


async def _read(client: ModbusClient, todo: Plan) -> float:
    began_s = asyncio.get_running_loop().time()
    for read in todo.reads:
        await client.read(read, Priority.POLL)
    return asyncio.get_running_loop().time() - began_s


BENCHMARK = Benchmark("coalescing", MEANS, figures)
