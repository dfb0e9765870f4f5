"""DART pumps beside each other on one line, found by a scan, behind an adapter that echoes."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
from dart_rig import ADDRESS, GRADES, dart, exact_sale, fill, order, ready

from drivers.line import Line, LineConfig
from drivers.pumps.config import NozzleConfig, PumpConfig
from drivers.pumps.dart import DartPump
from drivers.pumps.dart_options import DartOptions
from drivers.pumps.dart_probe import probe
from drivers.pumps.probe import Sign
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.dart import DartTwin
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Head, Nozzle
from drivers.twins.pumps.wire import PumpWire
from protocols.door import Refused


async def test_an_adapter_that_echoes() -> None:
    """The line finds out by the first answer behind an echo; a block that comes back is no answer."""
    async with dart(wire="pty", speed=50, echo=True) as rig:
        filling = await fill(rig.pump, rig.bay, order("volume", 2_000), fills(1))
        exact_sale(filling, 2_000)


async def test_four_pumps_on_one_line_sell_at_once() -> None:
    """At 9600 baud, each with its own numbers and its own customer."""
    bays, pumps = [], []
    for number in range(4):
        dispenser = Dispenser([Nozzle(n, grade, price) for n, (grade, price) in GRADES.items()], Head(needs_reset=True))
        bay = Bay(dispenser, speed=60)
        bay.twin = DartTwin(dispenser, 0x50 + number, bay.faults, {})
        bays.append(bay)
    async with PumpWire(bays) as wire, Line(LineConfig(id="l", path=wire.port, parity="O")) as line:
        for number in range(4):
            nozzles = tuple(NozzleConfig(number=n, grade=grade) for n, (grade, _) in GRADES.items())
            config = PumpConfig(
                id=f"P{number}", number=number + 1, protocol="dart", address=0x50 + number, line="l", nozzles=nozzles
            )
            pumps.append(DartPump(line, config))
        tasks = [asyncio.create_task(pump.run()) for pump in pumps]
        sold = await asyncio.gather(
            *(
                fill(pump, bay, order("volume", 1_000 * number), fills(1 + number % 2))
                for number, (pump, bay) in enumerate(zip(pumps, bays, strict=True), start=1)
            )
        )
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for number, filling in enumerate(sold, start=1):
            exact_sale(filling, 1_000 * number)


async def test_a_scan_finds_a_pump() -> None:
    """By harmless questions; nothing of the pump is changed, and its driver goes on beside."""
    async with dart(polled=False) as rig:
        sign = await probe(rig.line, ADDRESS, timeout_s=5.0)
        assert isinstance(sign, Sign)
        assert (sign.address, sign.state) == (ADDRESS, "COMPLETED")
        assert "price digits 000785, nozzle - in" in sign.notes
        assert await probe(rig.line, ADDRESS + 1, timeout_s=0.05) is None
        assert rig.line.devices[1:] == []
        await rig.pump.read_status()
        await ready(rig.pump)


def test_wrong_options_are_named_all_at_once() -> None:
    """Where they stand and what they may be."""
    config = PumpConfig(
        id="P1",
        number=1,
        protocol="dart",
        address=ADDRESS,
        line="l",
        nozzles=(NozzleConfig(number=1, grade="92"),),
        options={"lift_frist": True, "timeout_ms": 5, "numbering": "15-1"},
    )
    with pytest.raises(Refused) as refused:
        DartPump(Line(LineConfig(id="l", path="/dev/null")), config)
    assert {fault.path for fault in refused.value.faults} == {
        "options.lift_frist", "options.timeout_ms", "options.numbering",
    }  # fmt: skip


def test_the_page_says_every_option_and_its_default() -> None:
    """docs/dart.md, line by line."""
    page = (Path(__file__).parents[3] / "docs" / "dart.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", page, re.M))
    there = {field.name: json.dumps(field.default) for field in msgspec.structs.fields(DartOptions)}
    assert said == there
