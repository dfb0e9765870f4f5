"""A technician at a station with a PTS-2: the controller beside the lines, its pumps, and a scan of it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from daemon_rig import Box, daemon, make_box, until
from pts_rig import PASSWORD, pts

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[panel]
socket = "panel.sock"
[[controller]]
id = "pts"
host = "127.0.0.1"
port = PORT
tls = false
login = "till"
password_file = "password"
poll_s = 0.1
[[pump]]
id = "p1"
number = 1
protocol = "pts"
controller = "pts"
address = 1
nozzles = [{{ number = 1, grade = "92" }}, {{ number = 2, grade = "95" }}]
"""


async def test_a_controller_by_the_command_line(tmp_path: Path) -> None:
    """`devices`, `read` and `scan` know it as they know a line; a pump that nobody configured is found."""
    async with pts(tmp_path, polled=False) as rig:
        await asyncio.to_thread(_look, tmp_path, rig.server.port)


def _look(root: Path, port: int) -> None:
    box = make_box(root, CONFIG.replace("PORT", str(port)))
    with daemon(box) as process:
        until(lambda: box.ask("read", device="p1")["device"]["state"] == "online", process)
        devices = _rows(box, "devices")
        assert ["pts", f"127.0.0.1:{port}", "open"] in [row[:3] for row in devices]
        assert ["p1", "pts", "pts", "online"] in [row[:4] for row in devices]
        assert any(row[:2] == ["state", "idle"] for row in _rows(box, "read", "p1"))
        found = [row[:3] for row in _rows(box, "scan", "pts")]
        assert found[1:] == [["pts", "1", "p1, idle (PumpIdleStatus)"], ["pts", "2", "PumpIdleStatus"]]
        assert PASSWORD not in box.log.read_text()


def _rows(box: Box, *arguments: str) -> list[list[str]]:
    done = box.cli(*arguments)
    assert done.returncode == 0, done.stderr
    return [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]
