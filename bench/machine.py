"""Which machine is this? So that nobody takes a number for one of another machine."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """load: the number of running processes over the last minute, before the run. disk: kind of file system."""

    cpu: str
    cores: int
    memory_mb: int
    disk: str
    kernel: str
    python: str
    sqlite: str
    load: float

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_mb} MB, {self.disk}; Linux {self.kernel}, "
            f"Python {self.python}, SQLite {self.sqlite}; load before the run {self.load:.1f}"
        )


def describe(work: Path) -> Machine:
    """work: a folder on the disk that the run uses."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=pages // 2**20,
        disk=_file_system(work),
        kernel=platform.release(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load=os.getloadavg()[0],
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):  # x86; Raspberry Pi
            return value.strip()
    return platform.machine()


def _file_system(path: Path) -> str:
    """The kind of the mount that holds `path`: the longest mount point that it lies below."""
    mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(point, kind) for _, point, kind in mounts if path.resolve().is_relative_to(point)]
    return max(holding, default=("", "unknown disk"))[1]
