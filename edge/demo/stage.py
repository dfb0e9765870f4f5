"""The processes of the demo: started, told things, killed, and started again. Their output goes to .demo/log/."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from edge.demo.link import Link
from edge.demo.places import SCENERY
from edge.demo.scenery import Scenery
from edge.keys import KeyRing, fingerprint

BIN = Path(sys.executable).parent
READY_S = 120.0


class StageError(Exception):
    """A process of the demo did not do its part."""


class Stage:
    """Headquarters, the link, the twins and the daemon, all below one folder."""

    def __init__(self, root: Path, scenery: Scenery = SCENERY) -> None:
        self.root = root
        self._scenery = scenery
        self.hq_home = root / "hq"
        self.site_home = root / "site"
        self.link: Link | None = None
        self._log = root / "log"
        self._hq: asyncio.subprocess.Process | None = None
        self._twins: asyncio.subprocess.Process | None = None
        self._daemon: asyncio.subprocess.Process | None = None
        self._readers: dict[str, tuple[int, int]] = {}
        self._logs: list[BinaryIO] = []
        self._telling = asyncio.Lock()

    @property
    def config(self) -> Path:
        return self.site_home / "config.toml"

    @property
    def socket(self) -> Path:
        return self.site_home / "data" / "panel.sock"

    def clear(self) -> None:
        """Begin with an empty folder. Only one that an earlier demo made is removed."""
        marker = self.root / ".fieldtill-demo"
        if self.root.exists() and any(self.root.iterdir()) and not marker.exists():
            raise StageError(f"{self.root} holds other files; give another folder with --dir")
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in (self.hq_home, self.site_home, self._log):
            folder.mkdir(parents=True)
        marker.touch()

    # --- headquarters -------------------------------------------------------------------------------------------------

    async def hq(self, *arguments: str) -> Any:
        """A headquarters command; its JSON."""
        return await _json([str(BIN / "fieldtill-hq"), "--home", str(self.hq_home), "--json", *arguments])

    async def start_hq(self) -> None:
        tls = self.hq_home / "tls"
        await self.hq("init")
        await self.hq("tls", "make", str(tls))
        command = [str(BIN / "fieldtill-hq"), "--home", str(self.hq_home), "serve", "--port", "0"]
        command += ["--certificate", str(tls / "server.pem"), "--key", str(tls / "server.key")]
        self._hq = await self._spawn("hq", command, stdout=asyncio.subprocess.PIPE)
        port = int((await _first_line(self._hq, "headquarters")).rsplit(b":", 1)[1])
        self.link = Link(port)
        await self.link.open()

    # --- the site -----------------------------------------------------------------------------------------------------

    async def start_twins(self) -> None:
        (self.site_home / "twins.toml").write_text(self._scenery.twins(self.site_home))
        command = [sys.executable, "-m", "drivers.twins", str(self.site_home / "twins.toml")]
        self._twins = await self._spawn("twins", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        ready = json.loads(await _first_line(self._twins, "twins"))
        assert self.link is not None
        self._readers = {reader: os.pipe() for reader in self._scenery.readers}
        text = self._scenery.site(self.site_home, ready["lines"], self.link.port)
        text += self._scenery.readers_toml({reader: ends[0] for reader, ends in self._readers.items()})
        self.config.write_text(text)

    def setup_box(self) -> str:
        """The box makes its keys; their fingerprint, to be told to headquarters."""
        return fingerprint(KeyRing(self.site_home / "data" / "keys").make_device())

    async def start_daemon(self) -> None:
        """Start the daemon with its readers, and wait until its till is open."""
        fds = tuple(ends[0] for ends in self._readers.values())
        command = [sys.executable, "-m", "edge", "--config", str(self.config)]
        self._daemon = await self._spawn("daemon", command, pass_fds=fds)
        async with asyncio.timeout(READY_S):
            while True:
                with contextlib.suppress(OSError, StageError):
                    if (await self.panel("status"))["waiting_for"] is None:
                        return
                if self._daemon.returncode is not None:
                    raise StageError(f"the daemon ended with {self._daemon.returncode}; see {self._log / 'daemon.log'}")
                await asyncio.sleep(0.05)

    def daemon_said(self, event: str) -> list[dict[str, Any]]:
        """What its log has of one event."""
        lines = (json.loads(line) for line in (self._log / "daemon.log").read_text().splitlines() if line[:1] == "{")
        return [line for line in lines if line.get("event") == event]

    async def kill_daemon(self) -> None:
        """SIGKILL: no last word."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGKILL)
        await self._daemon.wait()

    def tap(self, reader: str, card: str) -> None:
        """Hold a card to the reader."""
        os.write(self._readers[reader][1], f"{card}\n".encode())

    async def twin(self, **command: Any) -> Any:
        """Tell the twins something, one after the other; what they answer."""
        assert self._twins is not None
        assert self._twins.stdin is not None
        assert self._twins.stdout is not None
        async with self._telling:
            self._twins.stdin.write(json.dumps(command).encode() + b"\n")
            await self._twins.stdin.drain()
            return json.loads(await self._twins.stdout.readline())

    async def panel(self, verb: str, **args: Any) -> Any:
        """Ask the daemon, as the command line does. Raises OSError when it is not there, StageError when it
        declines.
        """
        reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=8 * 1024 * 1024)
        try:
            writer.write(json.dumps({"verb": verb, "args": args}).encode() + b"\n")
            await writer.drain()
            answer = json.loads(await reader.readline() or b"{}")
        except ValueError as error:
            raise StageError(f"the panel answered {error}") from error
        finally:
            writer.close()
        if answer.get("trouble") or not answer:
            raise StageError(str(answer.get("trouble", "the daemon hung up")))
        return answer["result"]

    async def close(self) -> None:
        """End everything that still runs."""
        for process in (self._daemon, self._twins, self._hq):
            if process is not None and process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(5):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
        if self.link is not None:
            await self.link.close()
        for ends in self._readers.values():
            for end in ends:
                os.close(end)
        for file in self._logs:
            file.close()

    async def _spawn(self, name: str, command: Sequence[str], **more: Any) -> asyncio.subprocess.Process:
        log = (self._log / f"{name}.log").open("ab")
        self._logs.append(log)
        more.setdefault("stdout", log)
        return await asyncio.create_subprocess_exec(*command, stderr=log, **more)


async def _run(command: Sequence[str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    if process.returncode:
        raise StageError(f"`{' '.join(command)}` ended with {process.returncode}: {error.decode().strip()}")
    return out


async def _json(command: Sequence[str]) -> Any:
    return json.loads(await _run(command))


async def _first_line(process: asyncio.subprocess.Process, name: str) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(READY_S):
        line = await process.stdout.readline()
    if not line:
        raise StageError(f"{name} did not start")
    return line
