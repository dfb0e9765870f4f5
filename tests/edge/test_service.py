"""What systemd hears, when its watchdog is fed, and what its units promise."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.line import Line
from drivers.line_config import LineConfig
from edge import clock
from edge.clock import Clock
from edge.config import Config
from edge.daemon_state import Daemon
from edge.journal.errors import JournalFailed
from edge.premises import Premises
from edge.service import DISK_MAX_S, LINE_MAX_S, LOOK_MAX_MS, Watchdog, ill, notify

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


@dataclass
class Disk:
    """As much of a journal as the watchdog looks at."""

    wait_s: float = 0.0
    failed: JournalFailed | None = None

    def waiting_s(self) -> float:
        return self.wait_s


class StuckLine(Line):
    """A line whose worker has been at one request for a while."""

    at_s = 0.0

    @property
    def stalled_s(self) -> float:
        return self.at_s


@dataclass
class Sessions:
    """As much of a site as the watchdog looks at."""

    looked_ms: int
    islands: None = None
    shop: None = None
    ports: None = None
    desk: Any = field(default_factory=lambda: cast(Any, Sessions.Desk()))

    class Desk:
        def sessions(self) -> list[object]:
            return []


def daemon() -> Daemon:
    now = Clock(clock.system())
    premises = Premises({"rs485": StuckLine(LineConfig(id="rs485", path="/dev/null"))}, {}, {})
    well = Daemon(Config("hz-1", "/nowhere"), premises, now, now.mono_ms())
    well.journal, well.site = cast(Any, Disk()), cast(Any, Sessions(now.mono_ms()))
    return well


def test_a_daemon_that_is_well_is_fed(supervisor: socket.socket) -> None:
    """And says in a line how it does."""
    dog = Watchdog(daemon(), {"NOTIFY_SOCKET": supervisor.getsockname()})
    assert dog.judge() is None
    assert supervisor.recv(4096) == b"WATCHDOG=1"
    assert supervisor.recv(4096) == b"STATUS=0 sessions, 0 of 0 devices online"


def stuck_line(one: Daemon) -> None:
    cast(StuckLine, one.premises.lines["rs485"]).at_s = LINE_MAX_S + 1


def slow_disk(one: Daemon) -> None:
    cast(Disk, one.journal).wait_s = DISK_MAX_S + 1


def unseen_sessions(one: Daemon) -> None:
    cast(Sessions, one.site).looked_ms -= LOOK_MAX_MS + 1_000


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (stuck_line, "line rs485 has been at one thing for 91 s"),
        (slow_disk, "the disk has not taken a commit for 21 s"),
        (unseen_sessions, "no session has been looked at for 21 s"),
    ],
)
def test_a_daemon_that_turns_in_circles_is_not(supervisor: socket.socket, trouble: Any, told: str) -> None:
    """Whatever hangs, the loop that still turns does not hide it."""
    one = daemon()
    trouble(one)
    dog = Watchdog(one, {"NOTIFY_SOCKET": supervisor.getsockname()})
    assert dog.judge() == told == ill(one)
    assert supervisor.recv(4096) == f"STATUS={told}".encode()
    assert one.fed_ms == 0


async def test_a_failed_disk_ends_the_daemon() -> None:
    """Nothing can be sold any more: waiting for somebody to notice would only lose time."""
    one = daemon()
    cast(Disk, one.journal).failed = JournalFailed("fsync: Input/output error")
    with pytest.raises(JournalFailed):
        await Watchdog(one, {}).run()


def test_a_real_line_is_at_one_thing_only_while_it_works() -> None:
    """A line that has not been started, or that waits for work, is not stuck."""
    assert Line(LineConfig(id="rs485", path="/dev/null")).stalled_s == 0.0


def test_the_abstract_namespace() -> None:
    """systemd may name its socket `@...`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0fieldtill-test-notify")
        listener.settimeout(5)
        notify("READY=1", {"NOTIFY_SOCKET": "@fieldtill-test-notify"})
        assert listener.recv(4096) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    """In a terminal, and under a supervisor that has gone."""
    notify("READY=1", environment)


# --- the units


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened(unit: Path) -> None:
    """Its own user, its own folder, a read-only system, few system calls, restart with a pause."""
    said = settings(unit)
    for key, value in {
        "NoNewPrivileges": "true", "ProtectSystem": "strict", "ProtectHome": "true", "PrivateTmp": "true",
        "Restart": "on-failure", "StateDirectory": unit.stem, "User": unit.stem, "StateDirectoryMode": "0700",
    }.items():  # fmt: skip
        assert said[key] == [value]
    assert said["SystemCallFilter"][0] == "@system-service"
    assert said["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]
    assert float(said["RestartSec"][0]) >= 1


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_each_part_of_a_unit_says_why(unit: Path) -> None:
    """Every block of settings but the protections that say it in their names begins with a comment."""
    for block in unit.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("[")]
        plain = all(re.match(r"Protect|PrivateTmp|RemoveIPC|ProcSubset|Description|WantedBy", line) for line in lines)
        assert plain or any(line.startswith("# ") for line in lines), block


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, and finds little exposed."""
    here = tmp_path / unit.name  # the same, but for a program that is there
    here.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text(), flags=re.M))
    verify = ["systemd-analyze", "verify", "--man=no", str(here)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(here)]
    assert subprocess.run(security, capture_output=True, timeout=30, check=False).returncode == 0


def test_unit_and_example_config_fit_together() -> None:
    """The daemon of the unit may write where the example config says that it does."""
    said = settings(ROOT / "systemd" / "fieldtill.service")
    example = tomllib.loads((ROOT / "config.toml.example").read_text())
    assert example["data_dir"] == f"/var/lib/{said['StateDirectory'][0]}"
    assert Path(example["panel"]["socket"]).parent == Path("/run") / said["RuntimeDirectory"][0]
    assert said["ExecStart"][0].endswith(" -m edge --config /etc/fieldtill/config.toml")
    assert said["RestartPreventExitStatus"] == ["2 3"]
