"""AZT and Sanki pumps at a daemon that runs as a process: from the command line to the bill, and killed in mid-sale."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from one_nozzle_rig import Stand, stand

from drivers.twins.pumps.customer import drives_off, fills
from drivers.twins.pumps.parts import Phase
from tests.edge.daemon_rig import ACCOUNT, Box, daemon, make_box, until
from tests.system.test_forecourt import closed, is_ready, publish, pump

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[till]
progress_s = 1
[panel]
socket = "panel.sock"
[fuel]
silence_s = 3
stuck_after_s = 5
[[line]]
id = "island"
path = "PATH"
baud = 9600
WIRE
[[pump]]
id = "p1"
number = 3
protocol = "PROTOCOL"
line = "island"
address = 1
nozzles = [{{ number = 1, grade = "92" }}]
"""
WIRE = {"azt": 'data_bits = 7\nparity = "E"\nstop_bits = 2', "sanki": 'parity = "E"'}
Protocol = Literal["azt", "sanki"]
both = pytest.mark.parametrize("protocol", ["azt", "sanki"])


def box_at(root: Path, on: Stand, protocol: Protocol) -> Box:
    """A box with a price list and money, and the pump in its config."""
    text = CONFIG.replace("PATH", on.wire.port).replace("WIRE", WIRE[protocol]).replace("PROTOCOL", protocol)
    box = make_box(root, text)
    asyncio.run(publish(box))
    return box


@both
async def test_a_filling_from_the_command_line_to_the_bill(protocol: Protocol, tmp_path: Path) -> None:
    """Price set, 30 yuan ordered and delivered to the fen, one bill, and the pump is ready for the next."""

    def story() -> None:
        box = box_at(tmp_path, on, protocol)
        with daemon(box) as process:
            until(lambda: is_ready(box), process)
            assert on.pump.prices_e3 == {1: 785_000}
            for litres in (9, 2):
                done = box.cli("fill", "3", "--account", ACCOUNT, "--money", "30")
                assert done.returncode == 0, done.stderr
                on.bay.add(fills(1, litres * 1000))
                until(lambda: pump(box)["filling"] is None, process)
                until(lambda: is_ready(box), process)
            bills = [(bill["volume_ml"], bill["amount_fen"], bill["reason"]) for bill in closed(box)]
            assert bills[1] == (2_000, 1_570, "hung-up")
            assert bills[0][1] == 3_000
            assert on.pump.phase is Phase.IDLE
            assert box.ask("status")["value"]["held_fen"] == 0
            assert box.ask("records", first=-50, limit=50, kind="fuel-unattributed") == []
            assert box.cli("read", "p1").returncode == 0

    async with stand(protocol, baud=9600, speed=20, price_e3=700_000) as on:
        await asyncio.to_thread(story)


@both
async def test_the_daemon_is_killed_while_fuel_flows(protocol: Protocol, tmp_path: Path) -> None:
    """kill -9 in mid-sale, the customer fills up and hangs up, the daemon comes back: one bill of all of it."""

    def story() -> None:
        box = box_at(tmp_path, on, protocol)
        with daemon(box) as process:
            until(lambda: is_ready(box), process)
            assert box.cli("fill", "3", "--account", ACCOUNT).returncode == 0
            on.bay.add(drives_off(1, 12_340, ml_s=500, after_ms=2_000))
            until(lambda: (pump(box)["filling"] or {}).get("volume_ml"), process)
            process.kill()
            process.wait()
        until(lambda: not on.bay.busy)
        with daemon(box) as again:
            until(lambda: closed(box), again)
            (bill,) = closed(box)
            assert (bill["volume_ml"], bill["amount_fen"]) == (12_340, 9_687)
            until(lambda: is_ready(box), again)
            assert box.ask("status")["value"]["held_fen"] == 0
            assert box.ask("records", first=-50, limit=50, kind="fuel-unattributed") == []

    async with stand(protocol, baud=9600, speed=4) as on:
        await asyncio.to_thread(story)
