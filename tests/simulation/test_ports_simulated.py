"""The simulation of ports is not idle: boards tell until they are heard, and its worlds show what they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from sim_ports import Build, PortStand
from sim_variants_ports import KILLS, PORTS
from sim_world import Variant, simulate

from drivers.port_board import PortEnd, PortOrder, PortState
from drivers.twins.ports.battery import Battery

NUMBER = bytes(15) + b"\x07"
OFTEN = Variant("ports", faults={**PORTS, **KILLS, "port_every_s": 25, "port_dark": True})


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def a_board(build: Build) -> tuple[PortStand, Now]:
    now = Now()
    return PortStand("b1", build, Random(1), now), now


def test_a_board_tells_until_it_may_forget() -> None:
    """An order runs to its limit; its settlement stays, over a power cut, until it is acknowledged."""
    board, now = a_board(Build("energy", 2))
    board.plug(1, Battery.usual(500, 6_000))
    assert board.start(1, PortOrder(NUMBER, "energy", 100)) is None
    assert board.start(1, PortOrder(NUMBER, "energy", 100)) is None  # harmless
    now.ms = 120_000
    board.settle()
    (told,) = board.to_tell()
    assert (told.settlement.number, told.settlement.energy_wh, told.settlement.end) == (NUMBER, 100, PortEnd.LIMIT)
    assert sum(mj for _, _, mj in board.flows[NUMBER]) == 100 * 3_600_000
    board.power(False)
    board.power(True)
    assert board.to_tell() == [told]
    board.acknowledge(told.id)
    assert board.to_tell() == []


def test_what_a_board_forgets_in_the_dark_is_lost() -> None:
    """With its memory gone it tells nothing more, and says so to the auditor."""
    board, now = a_board(Build("energy", 1))
    board.plug(1, Battery.usual(500, 6_000))
    board.start(1, PortOrder(NUMBER, "full", 0))
    now.ms = 30_000
    board.power(False, forgets=True)
    now.ms = 40_000
    board.power(True)
    assert board.status(1).state is PortState.PLUGGED
    assert (board.untold(), [one.gone for one in board.told]) == ([], [True])


def test_everything_happens() -> None:
    """A handful of worlds has sessions billed, held and told too late, lockers filled and emptied; all is well."""
    seen: Counter[str] = Counter()
    wh = 0
    for seed in (1, 2, 3, 4, 6):
        report = simulate(seed, OFTEN)
        assert report.wrong is None
        seen.update(report.seen)
        wh += report.port_wh
    for what in (
        "port local",
        "port unplugged",
        "port held",
        "settlement ",
        "locker opens to store",
        "locker collected",
    ):
        assert sum(count for name, count in seen.items() if name.startswith(what)) > 0, what
    assert wh > 500


def test_a_world_with_ports_is_decided_by_its_seed() -> None:
    """Not by the process, nor by the order of hashes: salts of PINs included."""
    script = "from sim_world import *; print(simulate(4, Variant('ports', faults={'ports': 100})).trace)"
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(Path(__file__).parent)}
    other = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == simulate(4, Variant("ports", faults={"ports": 100})).trace
