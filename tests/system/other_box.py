"""Runs the real daemon on a box with a clock of the test's choosing: `other_box.py LATE_MS BOOT -- ARGUMENTS`.

LATE_MS: how far behind its wall clock is; nothing has synchronised it. BOOT: 16 hex digits, the id of this boot.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from edge import clock
from edge.__main__ import main


def run(late_ms: int, boot: bytes, arguments: list[str]) -> int:
    real = clock.system()
    other = replace(real, boot=boot, wall_ms=lambda: real.wall_ms() - late_ms, synchronised=lambda: False)
    clock.system = lambda: other
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[4:]))
