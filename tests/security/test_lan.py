"""Somebody in the site's own network, or at a terminal of the box: the page, the panel's socket, metrics."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from daemon_rig import CONFIG, Box, daemon, make_box, until
from page_rig import Phone, a_phone

from edge.page.server import CLIENTS_MAX, PEER_MAX
from tests.edge.desk_rig import CARD

CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('in')"


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with a_phone(tmp_path) as one:
        yield one


async def _hold(port: int, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection from an address of its own that says nothing."""
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.1.{number % 250 + 1}", 0))


async def test_a_flood_of_connections_stops_no_sale(phone: Phone) -> None:
    """Three hundred from fifty addresses: all but a few are hung up on at once, and a card is served meanwhile."""
    before = len(os.listdir("/proc/self/fd"))
    held = [await _hold(phone.port, number % 50) for number in range(300)]
    tapped = await phone.till.site.tap("c1", CARD)
    assert tapped.session is not None
    gone = 0
    for reader, _ in held[CLIENTS_MAX:]:
        assert await reader.read() == b""
        gone += 1
    assert gone == 300 - CLIENTS_MAX
    ours_and_theirs = len(os.listdir("/proc/self/fd")) - before
    assert ours_and_theirs <= 300 + CLIENTS_MAX + 8, "the page keeps descriptors of clients that it has turned away"
    for _, writer in held:
        writer.close()
    for _, writer in held:
        try:
            await writer.wait_closed()
        except OSError:
            pass  # it was reset
    assert PEER_MAX < CLIENTS_MAX
    assert (await phone.get("/")).status == 200


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/receipt/../../keys/device.pem", "/%2e%2e/data/keys/page.key"])
async def test_no_file_is_behind_the_page(phone: Phone, path: str) -> None:
    """It shows what it makes, and reads nothing that a path names."""
    assert (await phone.get(path)).status in {400, 404}


@pytest.fixture
def open_box() -> Iterator[Box]:
    """A box in a folder that everybody may look into, so that only modes of its own keep them out."""
    root = Path(tempfile.mkdtemp(prefix="ft-", dir="/tmp"))  # pytest's own are 0700
    root.chmod(0o755)
    try:
        yield make_box(root, CONFIG)
    finally:
        shutil.rmtree(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as another user")
def test_another_user_gets_nothing(open_box: Box) -> None:
    """Neither the panel's socket, nor keys, journal or their folder; told apart from a socket that is open to all."""
    nobody = pwd.getpwnam("nobody")
    python = shutil.which("python3", path="/usr/bin") or sys.executable

    def as_nobody(code: str, path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", code, str(path)],
            user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    with daemon(open_box) as process:
        until(lambda: open_box.asks("status"), process)
        assert "PermissionError" in as_nobody(CONNECT, open_box.socket).stderr
        for path in (open_box.keys_dir / "device.pem", open_box.journal, open_box.keys_dir / "credential.key"):
            assert "PermissionError" in as_nobody("import sys; open(sys.argv[1])", path).stderr
        assert "PermissionError" in as_nobody("import os, sys; os.listdir(sys.argv[1])", open_box.root / "data").stderr
        open_box.socket.chmod(0o666)
        assert as_nobody(CONNECT, open_box.socket).stdout == "in\n"


def open_files(pid: int) -> Iterator[str]:
    """What its descriptors lead to; one that it closes meanwhile is left out."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(link)


def test_nothing_listens_but_what_the_config_names(open_box: Box) -> None:
    """Without [page] and [metrics] the daemon has no port at all."""
    with daemon(open_box) as process:
        inodes = {name[8:-1] for name in open_files(process.pid) if name.startswith("socket:")}
        listening = {
            line.split()[9]
            for table in ("tcp", "tcp6", "udp", "udp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] in {"0A", "07"}
        }
        assert inodes, "it has the panel's socket"
        assert not inodes & listening
