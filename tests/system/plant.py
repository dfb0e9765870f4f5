"""A whole site on this machine: headquarters, link, daemon and twins as processes, and the truth to audit them by.

The processes are those of the demo (`edge.demo.stage`); here they can also be killed, cut off and audited. Everything
is waited for by asking again; no test depends on how long it takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from cloud import accounts, balances, documents, home, schema, sites, store, tls
from cloud.balances import Balances
from cloud.night import nightly
from edge.demo.link import Link
from edge.demo.stage import BIN, Stage, StageError
from edge.journal.journal import Journal
from edge.keys import KeyRing
from edge.till.fold import apply
from edge.till.state import TillState
from protocols.trade.codec import decode
from protocols.trade.documents import TARIFF
from protocols.trade.records import CNY, Notice, Record, Register, SessionClosed, SessionOpened, SessionVoided, body_of
from protocols.trade.tariff import Offset, Period, Tariff

SITE = "hz-0001"
CONNECTORS = ("c1", "c2", "c3")
REGISTERS_WH = {"m1": 4_818_377, "m2": 193_004, "m3": 7_720_166}
"""What the meters show when they are first read: never 0, so that a lost baseline is seen at once."""
WAIT_S = 60.0
"""Longest wait for anything: generous, since other tests run beside."""

PRICES = Tariff(
    id="city",
    version=1,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 8 * 3600)],
    periods=[Period(0, "valley", 700_000, 500_000), Period(8 * 3600, "peak", 1_400_000, 600_000)],
    session_e3=50_000,
    idle_e3_per_min=0,
    idle_grace_s=0,
)

TWINS = """
[[line]]
id = "rtu1"
kind = "rtu"
baud = 115_200
link = "{pty}"
[[line]]
id = "tcp1"
kind = "tcp"
""" + "".join(
    f"""
[[outlet]]
id = "c{n}"
[[device]]
id = "charger{n}"
line = "{line}"
profile = "{charger}"
unit = {n}
outlet = "c{n}"
[[device]]
id = "m{n}"
line = "{line}"
profile = "schneider-iem3155"
unit = {10 + n}
outlet = "c{n}"
register_start_wh = {REGISTERS_WH[f"m{n}"]}
"""
    for n, line, charger in (
        (1, "rtu1", "heidelberg-energy-control"),
        (2, "tcp1", "victron-evcs"),
        (3, "tcp1", "victron-evcs"),
    )
)

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1

[hq]
url = "https://127.0.0.1:{hq_port}"
keys_file = "hq.vkeys"
ca_file = "../hq/tls/ca.pem"
poll_s = 1.0
timeout_s = 3.0
ask_timeout_s = 1.5

[[line]]
id = "rtu1"
path = "{pty}"
baud = 115_200
parity = "N"
[[line]]
id = "tcp1"
host = "127.0.0.1"
port = {tcp_port}

[till]
fill_up_cap_fen = 2_000
progress_s = 2
reaction_s = 1
silence_s = 5
restart_s = 10
start_timeout_s = 30
full_after_s = 15
stuck_after_s = 10
""" + "".join(
    f"""
[[device]]
id = "charger{n}"
line = "{line}"
profile = "{charger}"
unit = {n}
poll_s = 0.3
[[device]]
id = "m{n}"
line = "{line}"
profile = "schneider-iem3155"
unit = {10 + n}
poll_s = 0.3
[[connector]]
id = "c{n}"
charger = "charger{n}"
meter = "m{n}"
"""
    for n, line, charger in (
        (1, "rtu1", "heidelberg-energy-control"),
        (2, "tcp1", "victron-evcs"),
        (3, "tcp1", "victron-evcs"),
    )
)

CAR = {"capacity_wh": 900_000, "energy_wh": 1_000, "power_w_max": 22_000, "curve": [[0, 1000], [1000, 1000]]}
"""A car that never gets full in a test."""


class Plant(Stage):
    """The processes, and what a person at headquarters does to its database without waiting for a command line."""

    twins_toml, config_toml = TWINS, CONFIG

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.paid_in_fen = 0
        self.cards: dict[str, str] = {}
        self.boot = b""  # of the box as the daemon sees it; empty for this machine's own
        self._late = root / "late_ms"

    # --- headquarters -------------------------------------------------------------------------------------------------

    async def open_headquarters(self) -> None:
        """A new headquarters with one tariff, serving behind the link."""
        self.head = home.create(self.hq_home)
        (self.site_home / "hq.vkeys").write_text(self.head.keys.vkeys())
        tls.make(self.hq_home / "tls", ["127.0.0.1"], self.head.clock.now_ms())
        with store.writing(self.head.engine) as connection:
            sites.add(
                connection, self.head.clock, SITE, title="", device=self.setup_box(), zone=PRICES.zone, day_starts_h=0
            )
        self.publish(PRICES)
        self.link = Link(0)
        await self.link.open()
        await self.start_hq()

    async def start_hq(self) -> None:
        """Start the server, on any port; the link leads to it from now on."""
        folder = self.hq_home / "tls"
        command = [str(BIN / "fieldtill-hq"), "--home", str(self.hq_home), "serve", "--port", "0"]
        command += ["--certificate", str(folder / "server.pem"), "--key", str(folder / "server.key")]
        self._hq = await self._spawn("hq", command, stdout=asyncio.subprocess.PIPE)
        assert self._hq.stdout is not None
        async with asyncio.timeout(WAIT_S):
            line = await self._hq.stdout.readline()
        assert self.link is not None
        self.link._target = int(line.rsplit(b":", 1)[1])

    async def kill_hq(self) -> None:
        """SIGKILL."""
        assert self._hq is not None
        self._hq.send_signal(signal.SIGKILL)
        await self._hq.wait()

    def publish(self, tariff: Tariff) -> None:
        with store.writing(self.head.engine) as connection:
            documents.publish(connection, self.head.keys, self.head.clock, TARIFF, tariff.version, tariff, [SITE])

    def customer(self, card: str, amount_fen: int, *, placed_fen: int = 5_000, at_home: bool = True) -> str:
        """A new account with a card and money; its id. at_home: an allowance waits at the site."""
        head, limits = self.head, accounts.Limits(placed=placed_fen)
        with store.writing(head.engine) as connection:
            account = accounts.open_account(
                connection, head.keys, head.clock, home_site=SITE if at_home else None, limits=limits
            )
            accounts.add_card(connection, head.keys, head.clock, account, card)
        self.cards[account] = card
        self.top_up(account, amount_fen)
        return account

    def top_up(self, account: str, amount_fen: int) -> None:
        head = self.head
        with store.writing(head.engine) as connection:
            reference = f"{account}-{self.paid_in_fen}"
            accounts.top_up(connection, head.keys, head.clock, account, amount_fen, channel="cash", reference=reference)
        self.paid_in_fen += amount_fen

    def books(self) -> Balances:
        with store.reading(self.head.engine) as connection:
            return balances.of(connection, CNY)

    def records_at_hq(self) -> list[bytes]:
        """Every record that it holds of the site's log, in order."""
        table, epochs = schema.records, schema.epochs
        with store.reading(self.head.engine) as connection:
            query = sa.select(table.c.bytes).join(epochs, epochs.c.id == table.c.log).where(epochs.c.site == SITE)
            return [bytes(row.bytes) for row in connection.execute(query.order_by(table.c.seq))]

    def night(self) -> dict[str, Any]:
        """The nightly run of today, which must find every fen and Wh explained."""
        result = nightly.run(self.head.engine, nightly.today(self.head.engine), self.root / "reports")
        report: dict[str, Any] = json.loads(result.json_path.read_text(encoding="utf-8"))
        assert result.exit_code == 0, json.dumps(report, indent=1, ensure_ascii=False)[:4000]
        return report

    # --- the site -----------------------------------------------------------------------------------------------------

    async def start_twins(self) -> None:
        pty = self.site_home / "rtu1"
        (self.site_home / "twins.toml").write_text(self.twins_toml.format(pty=pty))
        command = [sys.executable, "-m", "drivers.twins", str(self.site_home / "twins.toml")]
        self._twins = await self._spawn("twins", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        assert self._twins.stdout is not None
        async with asyncio.timeout(WAIT_S):
            ready = json.loads(await self._twins.stdout.readline())
        assert self.link is not None
        tcp_port = int(ready["lines"]["tcp1"].rsplit(":", 1)[1])
        self.config.write_text(self.config_toml.format(hq_port=self.link.port, pty=pty, tcp_port=tcp_port))

    async def cut_power(self, late_ms: int) -> None:
        """The box is dark for a moment: another boot, and a wall clock that nobody has set."""
        await self.kill_daemon()
        self.boot = os.urandom(8)
        self.set_clock(late_ms)
        await self.start_daemon()

    def set_clock(self, late_ms: int) -> None:
        """How far behind the box's wall clock is from now on; below 0: ahead. Needs a box with a boot of its own."""
        partial = self._late.with_suffix(".new")
        partial.write_text(str(late_ms))
        partial.rename(self._late)

    async def restart_daemon(self) -> None:
        """SIGKILL, then start again."""
        await self.kill_daemon()
        await self.start_daemon()

    async def end_daemon(self) -> None:
        """SIGTERM; it must end well."""
        assert self._daemon is not None
        self._daemon.terminate()
        async with asyncio.timeout(WAIT_S):
            assert await self._daemon.wait() == 0

    async def plug(self, *connectors: str) -> None:
        for connector in connectors:
            assert (await self.twin(do="plug", outlet=connector, car=CAR))["ok"]

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.panel("status")
        return answer

    async def until(self, what: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask the daemon for its status until it says so."""
        status: dict[str, Any] = {}
        end_s = asyncio.get_running_loop().time() + WAIT_S
        while asyncio.get_running_loop().time() < end_s:
            with suppress(OSError, StageError):
                status = await self.status()
                if true(status):
                    return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"waited in vain for {what}; last: {json.dumps(status, indent=1)}")

    async def sold_out(self) -> None:
        """No session runs any more, the day is closed, and headquarters has acknowledged all records."""
        await self.until("all sessions to be settled", lambda s: not running(s))
        await self.panel("day-close")  # durable when it answers, and so is everything before it
        await self.until("everything to be acknowledged", lambda s: s["journal"]["cosigned"] == s["journal"]["records"])

    async def start(self, connector: str, account: str, kind: str = "full", amount: int = 0) -> int:
        """A session, acknowledged; its seq. Raises OSError, StageError."""
        answer = await self.panel("start", connector=connector, account=account, preset=kind, amount=amount)
        return int(answer["seq"])

    async def _spawn(self, name: str, command: Sequence[str], **more: Any) -> asyncio.subprocess.Process:
        if name == "daemon" and self.boot:
            launcher = [sys.executable, str(Path(__file__).with_name("other_box.py"))]
            command = [*launcher, str(self._late), self.boot.hex(), "--", *command[3:]]
        return await super()._spawn(name, command, **more)

    # --- the audit ----------------------------------------------------------------------------------------------------

    async def audit(self, acknowledged: Mapping[int, str]) -> Audit:
        """Stop the daemon, and compare everything that everybody remembers. acknowledged: the payer of each session
        that somebody was told of.

        1. Both sides hold the same records, byte for byte, and the log's own fold finds no contradiction in them.
        2. Every session acknowledged is there, settled, once, and paid by the right account.
        3. Each meter's register has moved by what was billed from it; nothing unexplained flowed.
        4. The site's fold and headquarters' books agree to the fen, and all money paid in is somewhere.
        5. The nightly run, which compares its own four ways, finds nothing unexplained.
        """
        outlets = (await self.twin(do="state"))["outlets"]
        await self.end_daemon()
        found = Audit(self._read_log())
        at_hq = self.records_at_hq()
        assert found.leaves[: len(at_hq)] == at_hq
        later = [decode(leaf, Record).kind for leaf in found.leaves[len(at_hq) :]]
        assert set(later) <= {"grant-accepted"}, later  # one that came as the daemon was ended
        assert found.state.sessions == {}

        assert acknowledged.keys() <= found.opened.keys()
        assert {found.opened[seq].holds[0].account for seq in acknowledged} <= set(self.cards)
        for seq, account in acknowledged.items():
            assert found.opened[seq].holds[0].account == account
        ends = [*found.closed, *found.voided]
        assert sorted(ends) == sorted(found.opened), "each session opened ends exactly once"

        for connector in CONNECTORS:
            meter = f"m{connector[1]}"
            flowed_wh = outlets[connector]["delivered_wh"]
            billed_wh = sum(body.energy_wh for seq, body in found.closed.items() if body.end.meter == meter)
            assert billed_wh == flowed_wh, f"{meter}: {flowed_wh} Wh flowed, {billed_wh} Wh were billed; {found.told}"
            found.check_registers(meter)

        state, books = found.state, self.books()
        leases = state.leases.values()
        assert books.remainder == 0
        assert books.quarantined == 0
        assert (books.paid_in, books.paid_out) == (self.paid_in_fen, 0)
        assert books.spent == sum(lease.used for lease in leases)
        assert books.spent + books.overrun == sum(body.amount_fen for body in found.closed.values())
        assert books.returned == sum(lease.returned for lease in leases)
        assert books.overrun == state.overrun_fen
        assert all(lease.held == 0 and lease.rights >= 0 for lease in leases)
        self.night()
        return found

    def _read_log(self) -> list[bytes]:
        ring = KeyRing(self.site_home / "data" / "keys")
        path = self.site_home / "data" / "journal.db"
        journal = Journal.open(path, ring.log(1), ballast_bytes=0)
        try:
            return journal.read(0, 1_000_000, 1 << 30)
        finally:
            journal._reader.close()
            assert journal._writer is not None
            journal._writer.close()
            assert journal._lock is not None
            journal._lock.release()


P = TypeVar("P", bound=Plant)


class Audit:
    """What the log says, read by somebody who trusts nothing but its bytes."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self.state = TillState()
        self.opened: dict[int, SessionOpened] = {}
        self.closed: dict[int, SessionClosed] = {}
        self.voided: dict[int, SessionVoided] = {}
        self.told: list[str] = []
        for seq, leaf in enumerate(leaves):
            record = decode(leaf, Record)
            self.state = apply(self.state, record)
            match body_of(record):
                case SessionOpened() as body:
                    self.opened[seq] = body
                case SessionClosed() as body:
                    assert body.session not in self.closed
                    self.closed[body.session] = body
                case SessionVoided() as body:
                    assert body.session not in self.voided
                    self.voided[body.session] = body
                case Notice() as body:
                    self.told.append(f"{body.what} at {body.subject}: {body.detail}")

    def check_registers(self, meter: str) -> None:
        """Session after session the register goes on where the last one left it: no energy lies between them."""
        at_wh = REGISTERS_WH[meter]
        for seq in sorted(self.opened):
            begin = self.opened[seq].begin
            if begin.meter != meter:
                continue
            assert begin.energy_wh == at_wh, f"session {seq} begins at {begin.energy_wh} Wh, the last ended at {at_wh}"
            end: Register = self.closed[seq].end if seq in self.closed else begin
            if seq in self.closed:
                assert end.energy_wh - begin.energy_wh == self.closed[seq].energy_wh
            at_wh = end.energy_wh


def running(status: Mapping[str, Any]) -> set[str]:
    """The connectors that have a session."""
    return {connector["id"] for connector in status["connectors"] if connector["session"] is not None}


def session_of(status: Mapping[str, Any], connector: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = next(one["session"] for one in status["connectors"] if one["id"] == connector)
    return found


@asynccontextmanager
async def plant(
    root: Path, customers: Mapping[str, int], *, make: Callable[[Path], P] = Plant, **limits: int
) -> AsyncIterator[P]:
    """Everything running, a car at every connector, and the daemon ready to sell. customers: money in fen, by card."""
    stage = make(root / "plant")
    stage.clear()
    try:
        await stage.open_headquarters()
        await stage.start_twins()
        for card, amount_fen in customers.items():
            stage.customer(card, amount_fen, **limits)
        await stage.plug(*CONNECTORS)
        await stage.start_daemon()
        await stage.until("a tariff, grants and cars", lambda status: _can_sell(status, len(customers)))
        yield stage
    finally:
        await stage.close()
        stage.head.engine.dispose()


def _can_sell(status: Mapping[str, Any], accounts_wanted: int) -> bool:
    known = all(connector["iec"] == "B" and connector["register_wh"] for connector in status["connectors"])
    return known and status["tariff"] is not None and (status["value"] or {}).get("accounts") == accounts_wanted
