"""`fieldtill twin` with a pump's protocol instead of a profile."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

HEARING = "import signal, edge.panel.cli as it; signal.signal(signal.SIGINT, signal.default_int_handler); it.main()"


def test_a_pump_serves_until_ctrl_c() -> None:
    """Says where it is and how it stands, and ends well."""
    words = ["twin", "dart", "--tcp", "0", "--nozzles", "92=7.85,0", "--customer", "fills:2", "--speed", "10"]
    with subprocess.Popen([sys.executable, "-c", HEARING, *words], stdout=subprocess.PIPE, text=True) as twin:
        assert twin.stdout is not None
        assert re.match(r"dart at address 80 on 127\.0\.0\.1:\d+$", twin.stdout.readline().strip())
        assert "nozzle 2 out" in twin.stdout.readline()
        twin.send_signal(signal.SIGINT)
        twin.stdout.read()
        assert twin.wait(20) == 0


def test_what_cannot_be_served() -> None:
    """A nozzle, a customer or a fault that cannot be is refused in words."""
    for wrong in (["--nozzles", "92=free"], ["--customer", "ghosts"], ["--fault", "rain"]):
        words = [sys.executable, "-m", "edge.panel.cli", "twin", "dart", "--tcp", "0", *wrong]
        said = subprocess.run(words, capture_output=True, text=True, timeout=30)
        assert said.returncode not in (0, 1), said.stderr
        assert wrong[1] in said.stderr
        assert "Traceback" not in said.stderr
