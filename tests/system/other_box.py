"""Runs the real daemon on a box with a clock of the test's choosing: `other_box.py LATE BOOT -- ARGUMENTS`.

LATE: a file that says how many ms its wall clock is behind, at any time; nothing has synchronised it. BOOT: 16 hex
digits, the id of this boot.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from edge import clock
from edge.__main__ import main


def run(late: Path, boot: bytes, arguments: list[str]) -> int:
    real = clock.system()
    other = replace(real, boot=boot, wall_ms=lambda: real.wall_ms() - int(late.read_text()), synchronised=lambda: False)
    clock.system = lambda: other
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[4:]))
