"""How are the processes of a benchmark started, told things, weighed, and ended?"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).parent.parent
READY_S = 30.0
ENDS_S = 3.0
_TICKS = os.sysconf("SC_CLK_TCK")


class ProcessFailed(Exception):
    """A process of the benchmark did not do its part."""


class Child:
    """A process of ours. `with` ends it."""

    def __init__(self, command: Sequence[str], log: Path, **more: Any) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log: IO[bytes] = log.open("ab")
        self.name = log.stem
        self.began_s = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, **more
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """The next line that it says. Raises ProcessFailed when it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ProcessFailed(f"{self.name} ended with {self.process.wait()}; see {self._log.name}")
        text: str = line.decode()
        return text.rstrip("\n")

    def tell(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End it: by the end of its input, then by SIGTERM, then by SIGKILL."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        for end in (self.process.terminate, self.process.kill, None):
            try:
                self.process.wait(ENDS_S)
                break
            except subprocess.TimeoutExpired:
                assert end is not None, f"{self.name} outlives SIGKILL"
                end()
        self.process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def python(*arguments: str) -> list[str]:
    """This interpreter, with these arguments."""
    return [sys.executable, *arguments]


class Twins(Child):
    """A site of twins in a process of its own. `lines`: where each line is."""

    def __init__(self, site_toml: Path) -> None:
        super().__init__(python("-m", "drivers.twins", str(site_toml)), site_toml.with_suffix(".log"))
        self.lines: dict[str, str] = json.loads(self.line())["lines"]

    def port(self, line: str) -> int:
        """Of a line on TCP."""
        return int(self.lines[line].rpartition(":")[2])

    def do(self, what: str, **more: object) -> dict[str, Any]:
        """Give a command of docs/twins.md; the answer."""
        self.tell(json.dumps({"do": what, **more}))
        answer: dict[str, Any] = json.loads(self.line())
        if not answer["ok"]:
            raise ProcessFailed(f"the twins answered {answer['error']}")
        return answer


class Daemon(Child):
    """The real daemon, from its start to the moment at which it tells systemd that its till is open."""

    def __init__(self, config: Path) -> None:
        address = config.with_name(f"notify-{os.getpid()}-{time.monotonic_ns()}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.settimeout(READY_S)
            environment = {**os.environ, "NOTIFY_SOCKET": str(address)}
            command = python("-m", "edge", "--config", str(config))
            super().__init__(command, config.with_name("daemon.log"), env=environment)
            try:
                while not _is_open(notify.recv(4096)):
                    pass
            except TimeoutError:
                self.close()
                raise ProcessFailed(f"the daemon did not serve; see {self._log.name}") from None
            finally:
                address.unlink()
        self.serving_after_s = time.monotonic() - self.began_s

    def close(self) -> None:
        self.process.terminate()
        super().close()


def _is_open(told: bytes) -> bool:
    return told.startswith(b"READY=1") and b"STATUS=waiting" not in told


# --- what the kernel says of a process -------------------------------------------------------------------------------


def cpu_s(pid: int | str = "self") -> float:
    """Seconds of CPU so far, user's and system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int | str = "self") -> float:
    """Memory that it has in RAM, MB of 1,000,000 bytes."""
    return int(_field(f"/proc/{pid}/status", "VmRSS").split()[0]) * 1024 / 1e6


def written_bytes(pid: int | str = "self") -> int:
    """Bytes that it has sent towards a disk; whole pages, as the kernel counts them."""
    return int(_field(f"/proc/{pid}/io", "write_bytes"))


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    raise ProcessFailed(f"{path} has no {name}")
