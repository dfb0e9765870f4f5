"""Who can read what: modes of all that is created, and no secret in anything that is shown, logged or sent for help."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import ssl
import stat
import sys
import tarfile
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from broker_rig import Broker
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from plant import SITE, Plant, plant, running

pytestmark = pytest.mark.system

CARD, UNKNOWN_CARD, PASSWORD = "6222021234567890", "6217009988776655", "mqtt-pass-phrase-91"
CODE = "FT1:SECRETTEXTOFACODE"
PUBLIC = {"hq.vkeys"}
"""Made to be handed out; the rest is for its owner's eyes."""


class Told(Plant):
    """A plant at debug level whose headquarters and daemon share a broker, with a page and metrics."""

    def __init__(self, root: Path, broker: Broker) -> None:
        super().__init__(root)
        self._broker = broker

    def _mqtt(self, port: int, user: str, folder: Path) -> str:
        (folder / "mqtt.password").write_text(self._broker.words[user] + "\n")
        ca_file = self._broker.authority.ca_file
        return (
            f'\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\nca_file = "{ca_file}"\n'
            f'username = "{user}"\npassword_file = "{folder}/mqtt.password"\n'
        )

    async def open_headquarters(self) -> None:
        (self.hq_home / "hq.toml").write_text(self._mqtt(self._broker.hq_port, "hq", self.root))
        await super().open_headquarters()

    async def start_twins(self) -> None:
        await super().start_twins()
        with self.config.open("a") as config:
            config.write(self._mqtt(self._broker.site_port, SITE, self.site_home))
            config.write('[page]\nhost = "127.0.0.1"\nport = 0\n[metrics]\nport = 0\n')

    async def _spawn(self, name: str, command: Sequence[str], **more: Any) -> asyncio.subprocess.Process:
        command = [*command, "--log-level", "debug"] if name == "daemon" else command
        return await super()._spawn(name, command, **more)

    async def cli(self, *arguments: str) -> str:
        """What `fieldtill` says, whatever its exit code."""
        command = [sys.executable, "-m", "edge.panel.cli", *arguments, "--config", str(self.config)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        out, error = await process.communicate()
        assert b"Traceback" not in error, error.decode()
        return (out + error).decode()

    async def hq_cli(self, *arguments: str) -> str:
        return json.dumps(await self.hq(*arguments))

    def log(self, name: str) -> str:
        return (self._log / f"{name}.log").read_text()

    def metrics(self) -> str:
        (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+/metrics", self.log("daemon")))
        with urllib.request.urlopen(url) as answer:
            own: str = answer.read().decode()
        assert self.link is not None
        context = ssl.create_default_context(cafile=self.hq_home / "tls" / "ca.pem")
        with urllib.request.urlopen(f"https://127.0.0.1:{self.link._target}/metrics", context=context) as answer:
            return own + str(answer.read().decode())

    def secrets(self) -> dict[str, list[bytes]]:
        """Every secret of the site and of headquarters by name, in the forms in which it may leak."""
        site, hq = self.site_home / "data" / "keys", self.hq_home
        found = {"card": [CARD.encode()], "unknown card": [UNKNOWN_CARD.encode()], "code": [CODE[4:].encode()]}
        found["password"] = [PASSWORD.encode()]
        for path in [*site.glob("*.pem"), *(hq / "keys").glob("*.pem"), hq / "tls" / "server.key"]:
            found[path.name] = _forms_of_pem(path)
        key = (site / "credential.key").read_bytes()[-32:]
        found["credential.key"], found["page.key"] = _forms(key), _forms((site / "page.key").read_bytes())
        return found


def _forms(secret: bytes) -> list[bytes]:
    encoded = base64.b64encode(secret).rstrip(b"=")
    url = base64.urlsafe_b64encode(secret).rstrip(b"=")
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), encoded, url, repr(secret).encode()]


def _forms_of_pem(path: Path) -> list[bytes]:
    """The lines of the file that differ from key to key, and the private number itself."""
    pem = path.read_bytes()
    lines = [line for line in pem.splitlines()[1:-1] if len(line) >= 40]
    key: Any = load_pem_private_key(pem, None)
    raw = key.private_bytes_raw() if hasattr(key, "private_bytes_raw") else None
    number = raw if raw is not None else key.private_numbers().private_value.to_bytes(32, "big")
    return [line[-24:] for line in lines] + _forms(number)


def leaks(shown: dict[str, bytes], secrets: dict[str, list[bytes]]) -> list[tuple[str, str]]:
    """(where, which secret)."""
    return [
        (where, name)
        for where, data in shown.items()
        for name, forms in secrets.items()
        if any(form in data for form in forms)
    ]


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            yield member.name.rpartition("/")[2], file.read()


@asynccontextmanager
async def sold(tmp_path: Path) -> AsyncIterator[Told]:
    """A session has been sold by card, another card refused, a wrong code shown; one session still runs."""
    (tmp_path / "broker").mkdir()
    broker = Broker(tmp_path / "broker", [SITE], {SITE: PASSWORD, "hq": PASSWORD})
    try:
        async with plant(tmp_path, {CARD: 50_000}, make=partial(Told, broker=broker)) as site:
            await site.until("the broker", lambda status: status["mqtt"]["connected"])
            shown = await site.cli("start", "c1", "--card", CARD, "--money", "5")
            assert "is open" in shown, shown
            await site.until("energy", lambda status: bool(running(status)))
            await site.cli("start", "c2", "--card", UNKNOWN_CARD)
            await site.cli("take", CODE)
            for account in site.cards:
                await site.cli("start", "c2", "--account", f"{account}:POINTS")
                await site.cli("start", "c2", "--account", account, "--money", "9000")
            await site.cli("stop", "c1", "--wait")
            await site.sold_out()
            await site.cli("start", "c3", "--card", CARD, "--money", "5")
            yield site
    finally:
        broker.process.kill()
        broker.process.wait()


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """What is private is so by the software's own doing, not by the service unit's UMask=."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.timeout(180)
async def test_no_secret_is_shown_and_no_file_is_open_to_others(tmp_path: Path) -> None:
    """Daemon and headquarters at debug level: logs, journal as text, every JSON answer, metrics, and the bundle."""
    async with sold(tmp_path) as site:
        (account,) = site.cards
        log = site._log / "daemon.log"
        plain, full = tmp_path / "plain.tar.gz", tmp_path / "full.tar.gz"
        said = {
            "bundle": await site.cli("bundle", str(plain), "--log", str(log)),
            "full bundle": await site.cli("bundle", str(full), "--log", str(log), "--with-records"),
        }
        for words in ("status", "devices", "sessions", "records", "keys", "setup", "check", "epoch show",
                      "journal inspect", "verify"):  # fmt: skip
            said[words] = await site.cli(*words.split(), "--json")
        for table in ("log", "facts", "snapshots"):
            said[f"table {table}"] = await site.cli("journal", "inspect", "--table", table)
        said["records as text"] = await site.cli("records", "--first", "0", "--limit", "1000")
        for words in (f"site show {SITE}", f"account show {account}", "keys --all", "verify --all"):
            said[f"hq {words}"] = await site.hq_cli(*words.split())
        snapshot, copy = tmp_path / "snapshot", tmp_path / "copy.db"
        said["snapshot"] = await site.cli("snapshot", str(snapshot))
        shown = {name: text.encode() for name, text in said.items()}
        shown |= {name: site.log(name).encode() for name in ("daemon", "hq")}
        shown["metrics"] = site.metrics().encode()
        for path in (plain, full):
            shown |= {f"{path.name} {name}": data for name, data in members(path)}
        secrets = site.secrets()
        await site.end_daemon()
        shown["salvage"] = (await site.cli("journal", "salvage", str(copy))).encode()

        assert {"device.pem", "log-1.pem", "grant.pem", "cosign.pem", "log.pem", "server.key"} <= secrets.keys()
        assert leaks({"control": b"x" + secrets["grant.pem"][-1]}, secrets) == [("control", "grant.pem")]
        assert leaks(shown, secrets) == []
        assert account in said["status"], "so that there is something to hide"
        assert account in site.log("daemon"), "in refusals"
        assert [name for name, data in members(plain) if account.encode() in data] == []
        assert "records.json" in {name for name, data in members(full) if account.encode() in data}
        assert '"level": "debug"' in site.log("daemon")

        created = [
            plain,
            full,
            snapshot,
            copy,
            site.site_home / "data",
            *_tree(site.site_home / "data"),
            *_tree(site.hq_home),
        ]
        assert [f"{path}: {mode:o}" for path, mode in map(_mode, created) if mode & 0o077] == []


def _tree(root: Path) -> list[Path]:
    """What the software has made there: not what the test wrote, nor certificates."""
    return [
        path
        for path in root.rglob("*")
        if (path.name not in {*PUBLIC, "hq.toml"} and path.suffix != ".pem") or path.parent.name == "keys"
    ]


def _mode(path: Path) -> tuple[Path, int]:
    return path, stat.S_IMODE(path.stat().st_mode)


async def test_a_broken_config_gives_a_bundle_without_it(tmp_path: Path) -> None:
    """Whoever cannot start the daemon needs help most: faults are told, values that look like secrets are not."""
    site = Plant(tmp_path)
    site.site_home.mkdir(parents=True)
    text = '[hq]\nurl = "https://box:hunter2@hq.example.com"\npassword = "hunter2"\n[mqtt]\nhost = 7\n'
    site.config.write_text(text)
    command = [sys.executable, "-m", "edge.panel.cli", "bundle", str(tmp_path / "b.tar.gz"), "--config"]
    for content in (text, "hunter2 = = hunter2"):
        site.config.write_text(content)
        (tmp_path / "b.tar.gz").unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(*command, str(site.config), stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0
        told = dict(members(tmp_path / "b.tar.gz"))
        assert b"hunter2" not in out + b"".join(told.values())
        assert json.loads(told["check.json"])[0]["faults"]
        assert "trouble" in json.loads(told["status.json"])
