"""What does the real daemon weigh, and how soon does it serve? Sixteen devices of thirty points, once a second."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bench.box import Box
from bench.figure import Figure, at_most
from bench.headquarters import Headquarters
from bench.map import twins_toml, write_profile
from bench.processes import Child, Daemon, Twins, cpu_s, python, rss_mb
from bench.run import Benchmark, Run

MEANS = """\
The daemon as shipped, with headquarters, in RAM and CPU while it polls 16 devices with 30 points each; beside it, an
interpreter with the same libraries and pymodbus's own client. Then from its start until its till is open.
"""

DEVICES = 16
POINTS = 30
REGISTERS = POINTS + 1  # the first point takes two
LINES = 2
PERIOD_S = 1.0
SETTLE_S = 5.0
WATCH_S = 20.0
SHORT, LONG = 200, 100_000

LIBRARIES = (
    "asyncio, sqlite3, ssl, tomllib, msgspec, structlog, requests, serial_asyncio_fast, pymodbus.pdu, pymodbus.framer, "
    "cryptography.x509, cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.asymmetric.ec"
)
"""What the daemon imports of others."""


def figures(run: Run) -> list[Figure]:
    folder, hq = run.folder("daemon"), run.headquarters()
    short, long = run.box("short", SHORT), run.box("sold-out", run.sized(LONG, least=SHORT))
    profile = write_profile(folder, "bench-meter", POINTS)
    lines = {f"tcp{number}": 'kind = "tcp"' for number in range(LINES)}
    devices = {f"m{number}": (f"tcp{number % LINES}", number // LINES + 1, "") for number in range(DEVICES)}
    (folder / "twins.toml").write_text(twins_toml(lines, devices, profile))
    with Twins(folder / "twins.toml") as twins:
        rows = _while_polling(run, twins, hq, short, folder)
        rows += _starts(run, twins, hq, {SHORT: short, run.sized(LONG, least=SHORT): long}, folder)
    return rows


def _while_polling(run: Run, twins: Twins, hq: Headquarters, box: Box, folder: Path) -> list[Figure]:
    settle_s, watch_s = run.seconds(SETTLE_S), run.seconds(WATCH_S)
    with Daemon(_config(box, hq, twins, folder)) as daemon:
        used_s = _cpu_used_s(daemon, settle_s, watch_s)
        memory_mb = rss_mb(daemon.pid)
    with Child(python("-c", f"import {LIBRARIES}; print(flush=True); input()"), folder / "libraries.log") as libraries:
        libraries.line()
        bare_mb = rss_mb(libraries.pid)
    rows = [Figure("resident memory", memory_mb, "MB", bare_mb, "an interpreter with its libraries", at_most(60))]
    sets = DEVICES * POINTS * watch_s / PERIOD_S / 1000
    for each, what in ((REGISTERS, "pymodbus, a block for each device"), (1, "pymodbus, a request for each register")):
        # a twin's port serves half of the devices, so the peer asks each of those twice as often
        arguments = [twins.port("tcp0"), DEVICES // LINES, REGISTERS, PERIOD_S / LINES, each]
        with Child(python("-m", "bench.poller", *map(str, arguments)), folder / f"peer-{each}.log") as peer:
            peer.line()
            peer_s = _cpu_used_s(peer, settle_s, watch_s)
        rows.append(Figure("CPU for 1,000 points", used_s / sets * 1000, "ms", peer_s / sets * 1000, what))
    return rows


def _cpu_used_s(child: Child, settle_s: float, watch_s: float) -> float:
    time.sleep(settle_s)
    before_s = cpu_s(child.pid)
    time.sleep(watch_s)
    return cpu_s(child.pid) - before_s


def _starts(run: Run, twins: Twins, hq: Headquarters, boxes: dict[int, Box], folder: Path) -> list[Figure]:
    """Until the till is open, the best of three; beside it, what Python needs to import the daemon's modules."""
    times = run.sized(3)
    imports_s = min(_takes_s("import edge.__main__, edge.daemon") for _ in range(times))
    rows: list[Figure] = []
    for records, box in boxes.items():
        config = _config(box, hq, twins, folder)
        serving_s: list[float] = []
        for _ in range(times):
            with Daemon(config) as daemon:
                serving_s.append(daemon.serving_after_s)
        what = f"start to serving, {records:,} records"
        rows.append(Figure(what, min(serving_s), "s", imports_s, "importing its modules", at_most(1)))
    return rows


def _takes_s(code: str) -> float:
    with Child(python("-c", f"{code}; print(flush=True)"), Path("/dev/null")) as child:
        child.line()
        return time.monotonic() - child.began_s


def _config(box: Box, hq: Headquarters, twins: Twins, folder: Path) -> Path:
    """The config of a site with all the devices. Nothing is for sale there: a meter alone makes no connector."""
    profiles = folder / "profiles"
    profiles.mkdir(exist_ok=True)
    shutil.copy(folder / "bench-meter.toml", profiles)
    tables = "".join(
        f'[[line]]\nid = "tcp{number}"\nhost = "127.0.0.1"\nport = {twins.port(f"tcp{number}")}\n'
        for number in range(LINES)
    )
    tables += "".join(
        f'[[device]]\nid = "m{number}"\nline = "tcp{number % LINES}"\nprofile = "bench-meter"\n'
        f"unit = {number // LINES + 1}\npoll_s = {PERIOD_S}\n"
        for number in range(DEVICES)
    )
    path = box.home / "config.toml"
    path.write_text(
        f'site = "{box.site}"\ndata_dir = "data"\nprofiles_dir = "{profiles}"\nballast_mb = 1\n'
        f'[hq]\nurl = "https://127.0.0.1:{hq.port}"\nkeys_file = "{hq.path}/hq.vkeys"\n'
        f'ca_file = "{hq.path}/tls/ca.pem"\n{tables}'
    )
    return path


BENCHMARK = Benchmark("daemon", MEANS, figures)
