"""A daemon that is killed at any moment has kept everything it had promised."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

ROUNDS = 30


def test_thirty_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """After each SIGKILL: all acknowledged records, whole steps, a signed head that fits, a second copy that agrees."""
    seed = random.randrange(2**32)
    script = Path(__file__).with_name("kill_rounds.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(seed), str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    print(done.stdout)
    assert done.returncode == 0, f"seed {seed}\n{done.stderr}"
