"""A forecourt behind a PTS-2 as processes: the daemon, the command line, and a controller on TCP."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from pts_rig import Rig, pts

from drivers.twins.pumps.customer import drives_off, fills
from drivers.twins.pumps.parts import Phase
from protocols.fieldbus.jsonpts_packets import PumpAuthorize
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
[[controller]]
id = "pts"
host = "127.0.0.1"
port = PORT
tls = false
login = "till"
password_file = "password"
poll_s = 0.1
timeout_s = 1
[[pump]]
id = "p1"
number = 3
protocol = "pts"
controller = "pts"
address = 1
nozzles = [{{ number = 1, grade = "92" }}, {{ number = 2, grade = "0" }}]
"""


def box_at(root: Path, rig: Rig) -> Box:
    """A box with a price list and money, and the controller in its config."""
    box = make_box(root, CONFIG.replace("PORT", str(rig.server.port)))
    asyncio.run(publish(box))
    return box


async def test_a_filling_from_the_command_line_to_the_bill(tmp_path: Path) -> None:
    """Prices set, 30 yuan ordered and delivered to the fen, one bill, the sale closed in the controller."""

    def story() -> None:
        box = box_at(tmp_path, rig)
        with daemon(box) as process:
            until(lambda: is_ready(box), process)
            assert rig.dispenser.prices_e3 == {1: 785_000, 2: 750_000}
            done = box.cli("fill", "3", "--account", ACCOUNT, "--money", "30")
            assert done.returncode == 0, done.stderr
            rig.bay.add(drives_off(1, after_ms=20_000))
            until(lambda: closed(box), process)
            (bill,) = closed(box)
            assert (bill["amount_fen"], bill["reason"], bill["sold"]["grade"]) == (3_000, "preset", "92")
            until(lambda: is_ready(box), process)
            assert rig.dispenser.phase is Phase.IDLE
            assert box.ask("status")["value"]["held_fen"] == 0
            assert box.ask("records", first=-50, limit=50, kind="fuel-unattributed") == []

    async with pts(tmp_path, polled=False, pumps=1, speed=20) as rig:
        await asyncio.to_thread(story)


async def test_the_daemon_is_killed_and_the_controller_is_away_at_the_end(tmp_path: Path) -> None:
    """kill -9 in mid-sale, the customer hangs up, the controller is cut off too: then one bill of all of it."""

    def story(loop: asyncio.AbstractEventLoop) -> None:
        box = box_at(tmp_path, rig)
        with ExitStack() as first:
            process = first.enter_context(daemon(box))
            until(lambda: is_ready(box), process)
            assert box.cli("fill", "3", "--account", ACCOUNT, "--volume", "20").returncode == 0
            rig.bay.add(fills(1, ml_s=300))
            until(lambda: (pump(box)["filling"] or {}).get("volume_ml", 0) > 0, process)
            process.kill()
            process.wait()
        asyncio.run_coroutine_threadsafe(rig.server.close(), loop).result(10)
        with daemon(box) as again:
            until(lambda: _gone(rig), again)
            asyncio.run_coroutine_threadsafe(rig.server.open(), loop).result(10)
            until(lambda: closed(box), again)
            (bill,) = closed(box)
            assert (bill["volume_ml"], bill["amount_fen"]) == (20_000, 15_700)
            until(lambda: is_ready(box), again)
            assert box.ask("status")["value"]["held_fen"] == 0
            assert box.ask("records", first=-50, limit=50, kind="fuel-unattributed") == []
        asked = [question for question in rig.twin.asked if isinstance(question, PumpAuthorize)]
        assert len(asked) <= 1

    async with pts(tmp_path, polled=False, pumps=1, speed=20) as rig:
        await asyncio.to_thread(story, asyncio.get_running_loop())


def _gone(rig: Rig) -> bool:
    """The customer has hung up; with the controller cut off nobody else keeps the pump's time."""
    rig.bay.catch_up()
    return not rig.bay.busy
