"""What does a dead device cost its neighbours on the line? Eight asked without pause, one of them silent."""

from __future__ import annotations

import asyncio

from bench.bus import ask
from bench.figure import Figure, ratio_at_least
from bench.map import twins_toml, write_profile
from bench.processes import Twins
from bench.run import Benchmark, Run, wait
from drivers.errors import DeviceError
from drivers.line import DevicePolicy, Line, LineConfig
from drivers.line_state import back_off_max_s
from drivers.profile import Limits

MEANS = """\
Eight devices on one line, each asked for 10 registers again and again, once with all alive and once with the eighth
dead and its back-off as long as it gets: what each of the seven gets, and what the line carries in all.
"""

BAUDS = (9_600, 19_200)
UNITS = range(1, 9)
REGISTERS = 10
POLICY = DevicePolicy(timeout_s=Limits().timeout_ms / 1000)  # as a profile has it that says nothing else
SETTLE_S = 3 + 32 + 8 * POLICY.timeout_s  # until it is offline; steps of 0.5 to 16 s; a time-out each, and one to spare
REFUSED_PAUSE_S = 0.1  # how often a driver asks for a device that is in its back-off pause


def figures(run: Run) -> list[Figure]:
    folder = run.folder("dead")
    names = [f"{kind}{baud}" for baud in BAUDS for kind in ("alive", "dead")]
    lines = {name: f'kind = "rtu"\nbaud = {baud_of(name)}' for name in names}
    devices = {
        f"{name}-{unit}": (name, unit, 'faults = [{ kind = "dead" }]' if unit == 8 and name.startswith("dead") else "")
        for name in names
        for unit in UNITS
    }
    site = folder / "twins.toml"
    site.write_text(twins_toml(lines, devices, write_profile(folder)))
    with Twins(site) as twins:
        counts = wait(_all_at_once(twins, names, run))
    rows: list[Figure] = []
    for baud in BAUDS:
        alive, dead = counts[f"alive{baud}"], counts[f"dead{baud}"]
        goal = ratio_at_least(0.95) if run.whole else None
        pairs = {"slowest of the seven": (min(dead[:7]), min(alive[:7])), "the line in all": (sum(dead), sum(alive))}
        for what, (with_it, without) in pairs.items():
            name = f"{baud:,} baud, {what}"
            rows.append(Figure(name, with_it, "reads/s", without, "with all eight alive", goal))
    return rows


def baud_of(name: str) -> int:
    return int("".join(character for character in name if character.isdigit()))


async def _all_at_once(twins: Twins, names: list[str], run: Run) -> dict[str, list[float]]:
    """Reads a second of each device of each line. The lines are watched over the same time, one beside the other."""
    settle_s = run.seconds(SETTLE_S)
    step_s = back_off_max_s(POLICY) + POLICY.timeout_s + LineConfig(id="any", path="any").drain_ms / 1000
    async with asyncio.TaskGroup() as group:
        found = {
            name: group.create_task(_watch(twins.lines[name], baud_of(name), settle_s, run.seconds(step_s, least=1.0)))
            for name in names
        }
    return {name: task.result() for name, task in found.items()}


async def _watch(port: str, baud: int, settle_s: float, seconds: float) -> list[float]:
    made = dict.fromkeys(UNITS, 0)

    async def keep_asking(unit: int) -> None:
        device = line.attach(f"meter{unit}", POLICY)
        while True:
            try:
                await ask(device, unit, REGISTERS)
            except DeviceError:
                await asyncio.sleep(REFUSED_PAUSE_S)
            else:
                made[unit] += 1

    config = LineConfig(id=port, path=port, baud=baud)
    async with Line(config) as line:
        tasks = [asyncio.create_task(keep_asking(unit)) for unit in UNITS]
        await asyncio.sleep(settle_s)
        before, began_s = dict(made), asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        took_s = asyncio.get_running_loop().time() - began_s
        rates = [(made[unit] - before[unit]) / took_s for unit in UNITS]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return rates


BENCHMARK = Benchmark("dead", MEANS, figures)
