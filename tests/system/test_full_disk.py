"""The real daemon on a file system that is really full: a tmpfs of a few MB in a mount namespace of its own."""

from __future__ import annotations

import asyncio
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from plant import Plant, plant, running

from edge.demo.stage import StageError

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CARD = "CARD-0001"
DISK_MB = 12
MOUNT = """
set -e
mkdir "$1.disk" && mount -t tmpfs -o size={mb}m none "$1.disk" && cp -a "$1/." "$1.disk/" && mount --bind "$1.disk" "$1"
echo mounted; exec sleep 600
"""


def may_mount() -> bool:
    """Some kernels let nobody but root make a namespace."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    return (
        subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
    )


class SmallDisk(Plant):
    """The daemon's data_dir is on a disk of DISK_MB, which the test can fill. Only the daemon sees that disk; the test
    reaches it through the process that holds the namespace.
    """

    holder: asyncio.subprocess.Process | None = None
    near = Path()

    @property
    def data(self) -> Path:
        """The data_dir as the daemon sees it."""
        inside = self.site_home / "data"
        return inside if self.holder is None else Path(f"/proc/{self.holder.pid}/root{inside}")

    @property
    def socket(self) -> Path:
        """By a short way: the path of a Unix socket has at most 107 bytes."""
        return self.near / "panel.sock"

    async def start_twins(self) -> None:
        await super().start_twins()
        command = ["unshare", "-Urm", "sh", "-c", MOUNT.format(mb=DISK_MB), "mount", str(self.site_home / "data")]
        holder = await self._spawn("disk", command, stdout=asyncio.subprocess.PIPE)
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"mounted\n"
        self.holder = holder
        self.near = Path(tempfile.mkdtemp(prefix="fieldtill-")) / "data"
        self.near.symlink_to(self.data)

    async def _spawn(self, name: str, command: Sequence[str], **more: Any) -> asyncio.subprocess.Process:
        if name == "daemon":
            assert self.holder is not None
            command = ["nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials", "--", *command]
        return await super()._spawn(name, command, **more)

    def fill(self) -> None:
        """To the last byte."""
        with (self.data / "somebody's logs").open("ab", buffering=0) as file:
            for size in (64 * 1024, 4096, 1):
                with suppress(OSError) as _:
                    while True:
                        file.write(bytes(size))

    def clean(self) -> None:
        (self.data / "somebody's logs").unlink()

    def _read_log(self) -> list[bytes]:
        """From a copy: here nobody else sees the disk."""
        shutil.copytree(self.data, self.site_home / "data", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        return super()._read_log()

    async def close(self) -> None:
        await super().close()
        if self.holder is not None:
            shutil.rmtree(self.near.parent)
            self.holder.terminate()
            await self.holder.wait()


@pytest.mark.skipif(not may_mount(), reason="this kernel lets nobody mount a tmpfs without root")
async def test_tbgw_2094_a_full_disk_refuses_new_sessions_and_finishes_running_ones(tmp_path: Path) -> None:
    """Somebody's logs fill the disk while a car charges. The session goes on, ends and is billed on the ballast; new
    ones are refused; status and log raise the alarm, also over a restart; with room again everything is as before.
    """
    async with plant(tmp_path, {CARD: 50_000}, make=SmallDisk) as site:
        (account,) = site.cards
        first = await site.start("c1", account)
        await site.until(
            "c1 to charge", lambda s: any(c["session"] and c["session"]["energy_wh"] for c in s["connectors"])
        )
        site.fill()
        with pytest.raises(OSError) as full:  # noqa: PT011  (by its number, below)
            (site.data / "one more byte").write_bytes(b"x" * 8192)
        assert full.value.errno == errno.ENOSPC

        await site.until("the alarm", lambda s: s["journal"]["full"])
        with pytest.raises(StageError, match="disk is full"):
            await site.start("c2", account)
        await site.restart_daemon()
        await site.until("c1 to go on", lambda s: running(s) == {"c1"} and s["connectors"][1]["iec"] == "B")
        with pytest.raises(StageError, match="disk is full"):
            await site.start("c2", account)
        await site.panel("stop", connector="c1")
        await site.until("the bill", lambda s: not running(s))

        site.clean()
        await site.restart_daemon()  # it looks for room as it starts, and every half minute
        await site.until("the end of the alarm", lambda s: not s["journal"]["full"])
        await site.until(
            "a car at c2", lambda s: s["connectors"][1]["iec"] == "B" and s["connectors"][1]["register_wh"]
        )
        second = await site.start("c2", account, "energy", 5)
        await site.sold_out()
        found = await site.audit({first: account, second: account})
        assert any(told.startswith("disk-full at ") for told in found.told)
