"""How fast are pumps looked at, and how soon does one that is lifted hear that it may deliver? On paced lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from bench.figure import Figure, ratio_at_least
from bench.processes import Twins
from bench.run import Benchmark, Run, percentile, wait
from drivers.line import Line, LineConfig
from drivers.pump import Order, Pump, PumpState
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.pumps.registry import build_pump

MEANS = """\
Simulated pumps on a pty at the speed of their line, with the real drivers. *Pumps*: all of a line are polled as often
as the wire lets them; the limit is the time of all characters that went over the wire, both ways, and of the silence
before each frame of ours; how late the twin itself answered is taken out. *Start*: from the poll that saw the nozzle
out to the pump's own word that it may deliver (preset, authorisation and its confirmation), seven others being polled
meanwhile; beside it the time of all characters that went over the wire in it.
"""

PRICE_E3 = 785_000
SECONDS = 3.0
STARTS = 8
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A protocol on its wire. guard_s: silence before each of our frames, if more than 3.5 characters."""

    protocol: Literal["dart", "gilbarco"]
    baud: int
    guard_s: float
    first: int
    twin_options: str

    @property
    def silence_s(self) -> float:
        return max(self.guard_s, 3.5 * 11 / self.baud)


KINDS = (
    Kind("dart", 9_600, 0.005, 0x50, "options = { answer-ms = 0 }"),
    Kind("gilbarco", 5_787, 0.005, 1, ""),
)
COUNTS = (4, 8, 16)


def figures(run: Run) -> list[Figure]:
    folder = run.folder("pumps")
    rows: list[Figure] = []
    for kind in KINDS:
        for count in COUNTS:
            site = folder / f"{kind.protocol}-{count}.toml"
            site.write_text(_twins(kind, count))
            with Twins(site) as twins:
                rows.append(wait(_polls(twins, kind, count, run.seconds(SECONDS))))
                if count == 8:
                    starts = wait(_starts(twins, kind, count, run.sized(STARTS)))
        rows.append(starts)
    return rows


async def _polls(twins: Twins, kind: Kind, count: int, seconds: float) -> Figure:
    async with _forecourt(twins, kind, count, poll_s=0.02) as pumps:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(min(1.0, seconds))
        answered, before, began_s = _answered(pumps), _wire(twins), loop.time()
        await asyncio.sleep(seconds)
        made, took_s, after = _answered(pumps) - answered, loop.time() - began_s, _wire(twins)
    took_s -= (after["late_us"] - before["late_us"]) / 1e6
    frames = after["requests"] - before["requests"]
    wire_s = (after["wire_us"] - before["wire_us"]) / 1e6 + frames * kind.silence_s
    what = f"{kind.baud:,} baud {kind.protocol}, {count} pumps"
    return Figure(what, made / took_s, "answers/s", made / wire_s, "the wire's own", ratio_at_least(0.9))


async def _starts(twins: Twins, kind: Kind, count: int, starts: int) -> Figure:
    took_ms: list[float] = []
    wire_ms: list[float] = []
    async with _forecourt(twins, kind, count, poll_s=0.2) as pumps:
        loop, pump = asyncio.get_running_loop(), pumps[0]
        order = Order("amount", 10_000, (1,), {1: PRICE_E3})
        await _until(pump, PumpState.IDLE, PumpState.ENDED)
        await pump.release()
        for _ in range(starts):
            twins.do("lift", pump="p0", nozzle=1)
            await _until(pump, PumpState.CALLING)
            before_us, seen_s = _wire(twins)["wire_us"], loop.time()
            await pump.authorise(order)
            took_ms.append((loop.time() - seen_s) * 1000)
            wire_ms.append((_wire(twins)["wire_us"] - before_us) / 1000)
            await pump.stop()
            twins.do("hang-up", pump="p0", nozzle=1)
            await _until(pump, PumpState.IDLE, PumpState.ENDED)
            await pump.release()
    what = f"{kind.baud:,} baud {kind.protocol}, start after the lift is seen"
    return Figure(what, percentile(took_ms, 50), "ms", percentile(wire_ms, 50), "its characters alone")


@asynccontextmanager
async def _forecourt(twins: Twins, kind: Kind, count: int, *, poll_s: float) -> AsyncIterator[list[Pump]]:
    """The real drivers of all pumps, polling."""
    config = LineConfig(id="bench", path=twins.lines["loop"], baud=kind.baud)
    async with Line(config) as line:
        pumps = [
            build_pump(
                PumpConfig(
                    id=f"p{number}",
                    number=number + 1,
                    protocol=kind.protocol,
                    line="bench",
                    address=kind.first + number,
                    nozzles=(NozzleConfig(number=1, grade="92"),),
                    poll_s=poll_s,
                ),
                line,
            )
            for number in range(count)
        ]
        tasks = [asyncio.create_task(pump.run()) for pump in pumps]
        yield pumps
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(pump: Pump, *states: PumpState) -> None:
    """Looks as often as it can, so that what is measured begins when the driver knows."""
    async with asyncio.timeout(PATIENCE_S):
        while (status := pump.status().value) is None or status.state not in states:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.001)


def _answered(pumps: list[Pump]) -> int:
    return sum(pump.link().counts.get("answered", 0) for pump in pumps)


def _wire(twins: Twins) -> dict[str, Any]:
    found: dict[str, Any] = twins.do("stats")["lines"]["loop"]
    return found


def _twins(kind: Kind, count: int) -> str:
    text = f'[[pump_line]]\nid = "loop"\nprotocol = "{kind.protocol}"\nkind = "pty"\nbaud = {kind.baud}\n'
    for number in range(count):
        text += f'[[pump]]\nid = "p{number}"\nline = "loop"\naddress = {kind.first + number}\n{kind.twin_options}\n'
        text += f'nozzles = [{{ grade = "92", price_e3 = {PRICE_E3} }}]\n'
    return text


BENCHMARK = Benchmark("pumps", MEANS, figures)
