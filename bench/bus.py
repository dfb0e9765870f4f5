"""How much of a serial line's own speed is used? Transactions a second on a paced pty, beside the wire's arithmetic."""

from __future__ import annotations

import asyncio

from bench.figure import Figure, ratio_at_least
from bench.map import twins_toml, write_profile
from bench.processes import Twins
from bench.run import Benchmark, Run, wait
from drivers.line import Line, LineConfig, LineDevice
from protocols.fieldbus.modbus import Answer, Expectation, Framing, ReadRegisters, Space, request_frame

MEANS = """\
Reads of *n* registers, one after the other, over a pty whose twin sends no bit sooner than a wire would. The limit is
(13 + 2*n*) characters of 11 bits and two silences; how late the twin itself answered is measured and taken out.
"""

READS = ((9_600, 2), (9_600, 10), (9_600, 40), (19_200, 2), (19_200, 10), (19_200, 40), (115_200, 60), (115_200, 120))
SECONDS = 3.0
UNIT = 1


def figures(run: Run) -> list[Figure]:
    folder = run.folder("bus")
    bauds = sorted({baud for baud, _ in READS})
    lines = {f"b{baud}": f'kind = "rtu"\nbaud = {baud}' for baud in bauds}
    devices = {f"d{baud}": (f"b{baud}", UNIT, "") for baud in bauds}
    site = folder / "twins.toml"
    site.write_text(twins_toml(lines, devices, write_profile(folder)))
    with Twins(site) as twins:
        return [wait(_measure(twins, baud, count, run.seconds(SECONDS))) for baud, count in READS]


async def _measure(twins: Twins, baud: int, count: int, seconds: float) -> Figure:
    config = LineConfig(id="bench", path=twins.lines[f"b{baud}"], baud=baud)
    async with Line(config) as line:
        device = line.attach("meter")
        for _ in range(3):  # the first finds out about echoes, and the alarm learns how late timers are
            await ask(device, UNIT, count)
        late_us = _late_us(twins, baud)
        made, took_s = await _repeat(device, count, seconds)
        took_s -= (_late_us(twins, baud) - late_us) / 1e6
    wire_s = (13 + 2 * count) * config.character_s + 2 * config.guard_s
    return Figure(
        what=f"{baud:,} baud, {count} registers",
        measured=made / took_s,
        unit="reads/s",
        beside=1 / wire_s,
        beside_what="the wire's own",
        goal=ratio_at_least(0.95),
    )


async def _repeat(device: LineDevice, count: int, seconds: float) -> tuple[int, float]:
    """How many reads were made, and how long that took: some `seconds`."""
    loop, made = asyncio.get_running_loop(), 0
    began = now = loop.time()
    while now - began < seconds:
        await ask(device, UNIT, count)
        made, now = made + 1, loop.time()
    return made, now - began


async def ask(device: LineDevice, unit: int, count: int) -> None:
    """One read of `count` registers from 0 on, as a driver makes it. Raises DeviceError."""
    pdu = ReadRegisters(Space.HOLDING, 0, count)
    reply = await device.exchange(request_frame(Framing.RTU, unit, pdu), Expectation(Framing.RTU, unit, pdu))
    assert isinstance(reply, Answer), reply


def _late_us(twins: Twins, baud: int) -> int:
    return int(twins.do("stats")["lines"][f"b{baud}"]["late_us"])


BENCHMARK = Benchmark("bus", MEANS, figures)
