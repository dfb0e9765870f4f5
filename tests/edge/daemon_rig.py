"""A box as headquarters has left it: keys, a log with grants and a tariff in it, twins on its lines, and its config.

What headquarters would send is signed here by a key of the test's own and written before the daemon starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import clock
from edge.clock import Clock
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.keys import KeyRing
from edge.panel.client import Client, Failed
from edge.sync.enrol import store_credential_key
from edge.till.policy import Policy
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.trade import documents, grants
from protocols.trade.codec import encode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.grants import CredentialKey, Grant, hide_credential
from protocols.trade.records import CNY, Draft, EpochOpened
from protocols.trade.tariff import Offset, Period, Tariff

SITE = "hz-0001"
EPOCH = 1
CARD, ACCOUNT = "6222-0001", "acc-1"
HQ_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CREDENTIAL_KEY = CredentialKey(1, b"k" * 32)
FOR_EVER_S = 4_000_000_000
WAIT_S = 90.0
"""Longest wait for anything: generous, since other tests run beside."""
PRICES = Tariff("city", 3, "UTC", [Offset(0, 0)], [Period(0, "flat", 90_000, 30_000)], 0, 0, 0)

TWINS = """
[[line]]
id = "rs485"
baud = 115_200
link = "{root}/tty-rs485"
[[outlet]]
id = "c1"
car = {{}}
[[device]]
id = "charger-1"
line = "rs485"
profile = "heidelberg-energy-control"
outlet = "c1"
[[device]]
id = "meter-1"
line = "rs485"
profile = "eastron-sdm630"
unit = 11
outlet = "c1"
register_start_wh = 1_234_567
"""

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[till]
progress_s = 1
[panel]
socket = "panel.sock"
[[line]]
id = "rs485"
path = "{root}/tty-rs485"
baud = 115_200
[[device]]
id = "charger-1"
line = "rs485"
profile = "heidelberg-energy-control"
[[device]]
id = "meter-1"
line = "rs485"
profile = "eastron-sdm630"
unit = 11
[[connector]]
id = "c1"
charger = "charger-1"
meter = "meter-1"
"""


@dataclass(frozen=True)
class Box:
    """A folder with everything in it. Nothing runs until `twins` and `daemon`."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def log(self) -> Path:
        """What the daemon has said."""
        return self.root / "daemon.log"

    def events(self, event: str = "") -> list[dict[str, Any]]:
        """The daemon's log so far, or what it said of one event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if event in ("", line["event"])]

    @property
    def socket(self) -> Path:
        return self.root / "panel.sock"

    @property
    def journal(self) -> Path:
        return self.root / "data" / "journal.db"

    @property
    def keys_dir(self) -> Path:
        return self.root / "data" / "keys"

    def cli(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`fieldtill ...` as a program of its own."""
        command = [sys.executable, "-m", "edge.panel.cli", *arguments]
        environment = {**os.environ, "FIELDTILL_CONFIG": str(self.config), "COLUMNS": "120", **(env or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, env=environment, check=False)

    def ask(self, verb: str, **args: Any) -> Any:
        """What the daemon answers on its socket."""
        with Client(self.socket) as daemon:
            return daemon.ask(verb, **args)

    def asks(self, verb: str) -> Any:
        """The same, None while nobody answers."""
        try:
            return self.ask(verb)
        except Failed:
            return None


def make_box(root: Path, config: str = CONFIG, granted_fen: int = 50_000) -> Box:
    """A box with an epoch, one customer's money and a tariff of 1.20 yuan per kWh."""
    box = Box(root)
    box.config.write_text(config.format(root=root))
    asyncio.run(_write_log(box, granted_fen))
    return box


async def _write_log(box: Box, granted_fen: int) -> None:
    ring = KeyRing(box.keys_dir, {})
    device, log_key = ring.make_device(), ring.make_pending_log()
    journal = Journal.create(box.journal, SITE, EPOCH, log_key, ballast_bytes=0)
    ring.name_pending_log(EPOCH)
    store_credential_key(box.keys_dir, CREDENTIAL_KEY)
    now = Clock(clock.system())
    certificate = keys.certify_log_key(device, SITE, EPOCH, public_of(log_key))
    opened = EpochOpened(SITE, EPOCH, public_of(log_key), keys.spki(device.public_key()), certificate.signature, "test")
    await journal.commit(Step(journal.seal([Draft(opened)], now.stamp())))
    desk = Desk(journal, now, Policy(), {})
    await desk.take_documents([_signed_tariff()])
    await desk.take_grants([_signed_grant(granted_fen)])
    await journal.close()


def _signed_grant(granted_fen: int) -> bytes:
    card = hide_credential(CREDENTIAL_KEY, CARD)
    grant = Grant(ACCOUNT, CNY, SITE, EPOCH, 1, granted_fen, 0, FOR_EVER_S, 0, granted_fen, 1, [card])
    return grants.join(grant, keys.sign(HQ_KEY, grants.DOMAIN, encode(grant)))


def _signed_tariff() -> bytes:
    payload = encode(PRICES)
    part = documents.signed_part(TARIFF, SITE, PRICES.version, payload)
    return encode(Document(TARIFF, SITE, PRICES.version, payload, keys.sign(HQ_KEY, documents.DOMAIN, part)))


@contextmanager
def twins(box: Box, text: str = TWINS) -> Iterator[subprocess.Popen[str]]:
    """The twins of the box, serving."""
    path = box.root / "twins.toml"
    path.write_text(text.format(root=box.root))
    with _process([sys.executable, "-m", "drivers.twins", str(path)], subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        yield process


def tell(process: subprocess.Popen[str], **command: Any) -> dict[str, Any]:
    """One command to the twins, and their answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(command) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    assert answer["ok"], answer
    return answer


@contextmanager
def daemon(box: Box, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The real daemon, its till open or waiting. It is ended with SIGTERM, and must end well."""
    with box.log.open("a") as log, _process(_daemon_command(box), log, env) as process:
        until(lambda: box.asks("status"), process)
        yield process
        if process.poll() is None:
            process.terminate()
            assert process.wait(WAIT_S) == 0, box.log.read_text()


def run_daemon(box: Box) -> subprocess.CompletedProcess[str]:
    """The real daemon where it is expected to end by itself."""
    return subprocess.run(_daemon_command(box), capture_output=True, text=True, timeout=WAIT_S, check=False)


def until(holds: Callable[[], object], process: subprocess.Popen[str] | None = None, seconds: float = WAIT_S) -> None:
    """Wait for it; how long is not what is tested."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not come"
        assert process is None or process.poll() is None, "the process has ended"
        time.sleep(0.05)


def _daemon_command(box: Box) -> list[str]:
    return [sys.executable, "-m", "edge", "--config", str(box.config)]


@contextmanager
def _process(command: list[str], out: Any, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, **(env or {})}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True, env=environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
