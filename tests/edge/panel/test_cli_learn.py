"""A technician learns how locks and doors are wired: by the command line, at a real daemon, on real ptys."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from board_rig import Bus, Unit, XorBoard
from daemon_rig import Box, daemon, make_box, until

from protocols.fieldbus.lock_xor import Open

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[panel]
socket = "panel.sock"
[[line]]
id = "locks"
path = "LOCKS"
baud = 115200
[[line]]
id = "io"
path = "IO"
baud = 115200
[[board]]
id = "locks-1"
protocol = "xor"
line = "locks"
[[board]]
id = "io-1"
protocol = "relay"
line = "io"
options = {{ inputs = 8 }}
[[cabinet]]
id = "cab-1"
[[cabinet.slot]]
number = 1
count = 2
lock = "locks-1/1"
door_open = "io-1/1"
"""


@dataclass
class Doors(XorBoard):
    """Lock 1 and 2 have doors that spring open; their inputs are on while they are shut. stuck: one that does not."""

    io: Unit | None = None
    stuck: int = 0

    def _answer(self, question: Any) -> bytes:
        if isinstance(question, Open) and question.lock != self.stuck:
            assert self.io is not None
            self.io.inputs[question.lock - 1] = False
        return super()._answer(question)

    def shut(self, lock: int) -> None:
        assert self.io is not None
        self.io.inputs[lock - 1] = True
        self.set_ = self.set_ | {lock}


async def test_what_to_write_into_the_config(tmp_path: Path) -> None:
    """Its contacts are set while locked, its doors' inputs are on while shut; a door that is stuck is undecided."""
    io = Unit(inputs={0: True, 1: True})
    doors = Doors(set_={1, 2}, io=io, stuck=2)
    async with Bus([doors]) as locks, Bus([io]) as inputs:
        text = CONFIG.replace("LOCKS", locks.path).replace("IO", inputs.path)
        await asyncio.to_thread(_learn, tmp_path, text, doors)
    assert doors.opened == [1, 2, 1]


def _learn(root: Path, config: str, doors: Doors) -> None:
    box = make_box(root, config)
    with daemon(box) as process:
        until(lambda: box.ask("read", device="cab-1")["device"]["state"] == "online", process)
        assert "locks-1" in box.cli("scan", "locks", "--last", "3").stdout
        assert "has lock-xor on it" in box.cli("scan", "locks", "--protocol", "dart").stderr
        done = box.cli("learn", "lock-polarity", "cab-1", "1", "--yes")
        assert (done.returncode, done.stdout.splitlines()) == (
            0,
            [
                "slot 1, lock locks-1/1",
                "  the lock's contact was set while shut, not set while open",
                "  the door's input was on while shut, off while open",
                "  taken on your word that the door was shut before and springs open",
                '[[board]] locks-1: feedback = "nc"',
                '[[cabinet.slot]] 1: door_open = "not io-1/1"',
            ],
        ), done.stderr
        stuck = box.cli("learn", "lock-polarity", "cab-1", "2", "--yes")
        assert stuck.returncode == 1
        assert "feedback: undecided" in stuck.stdout
        assert "moved and the door's input did not" in stuck.stdout
        doors.shut(1)
        assert _by_hand(box, doors) == [
            "slot 1, lock locks-1/1",
            "  the lock's contact was set while shut, not set while open",
            "  the door's input was on while shut, off while open",
            '[[board]] locks-1: feedback = "nc"',
            '[[cabinet.slot]] 1: door_open = "not io-1/1"',
        ]
        for wrong in (["cab-2"], ["cab-1", "9"]):
            refused = box.cli("learn", "lock-polarity", *wrong, "--yes", *(["1"] if len(wrong) == 1 else []))
            assert refused.returncode == 1
            assert "no cabinet cab-2" in refused.stderr or "no slot 9" in refused.stderr


def _by_hand(box: Box, doors: Doors) -> list[str]:
    """Somebody answers, and shuts the door when told to."""
    command = [sys.executable, "-m", "edge.panel.cli", "learn", "lock-polarity", "cab-1", "1"]
    environment = {**os.environ, "FIELDTILL_CONFIG": str(box.config)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        assert asked.stderr is not None
        for question in ("shut now", "Is a door open now", "Is it the door of slot 1"):
            _read_to(asked, question)
            asked.stdin.write("y\n")
            asked.stdin.flush()
        _read_to(asked, "press Enter")
        doors.shut(1)
        asked.stdin.write("\n")
        asked.stdin.flush()
        return asked.stdout.read().lstrip().splitlines()  # click writes the last blank of a question there


def _read_to(asked: subprocess.Popen[str], words: str) -> None:
    assert asked.stderr is not None
    said = ""
    while words not in said:
        letter = asked.stderr.read(1)
        assert letter, said
        said += letter
