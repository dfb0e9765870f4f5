"""The real headquarters over real TLS, and a TCP proxy in front of it that fails in the ways links fail."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud import accounts, bulk, documents, hqlog, keys, schema, store
from cloud.app import build
from cloud.clock import SystemClock
from cloud.keys import HqKeys
from cloud.service import Headquarters as Service
from protocols.trade.records import CNY
from protocols.trade.tariff import Offset, Period, Tariff

FLAT = Tariff("flat", 1, "UTC", [Offset(0, 0)], [Period(0, "flat", 100_000, 0)], 0, 0, 0)
"""1.00 yuan per kWh: a fen for every 10 Wh, all day."""

VALID_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of the operator's own; `ca_file` is what boxes trust."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "operator")])
        builder = self._builder(self._name, self._key, VALID_FROM, VALID_FROM + 36_500 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def certify(
        self,
        name: str,
        *,
        since: datetime.datetime = VALID_FROM,
        until: datetime.datetime = VALID_FROM + 36_000 * DAY,
    ) -> tuple[Path, Path]:
        """Certificate and key files of a server at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, since, until)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(here, critical=False).add_extension(issuer, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        files = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime.datetime, until: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


class Headquarters:
    """`cloud.app` under uvicorn on a free port, with its database in `directory`."""

    def __init__(self, directory: Path, hq_keys: HqKeys | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.keys = hq_keys or keys.generate()
        self.clock = SystemClock()
        self.authority = Authority(directory / "tls")
        self.keys_file = directory / "hq.vkeys"
        self.keys_file.write_text(self.keys.vkeys())
        fresh = not (directory / "hq.db").exists()
        self.engine = store.open_store(f"sqlite:///{directory}/hq.db")
        store.migrate(self.engine)
        if fresh:
            with store.writing(self.engine) as connection:
                hqlog.create(connection, self.keys, self.clock, "UTC")
                accounts.ensure_key(connection, self.clock)
        certificate, key = self.authority.certify("hq")
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        app = build(Service(self.engine, self.keys, self.clock))
        config = uvicorn.Config(app, log_level="error", ssl_certfile=certificate, ssl_keyfile=key)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.engine.dispose()

    def backup(self, directory: Path) -> None:
        """A copy of the database as it is now, to be opened by another `Headquarters`."""
        directory.mkdir(parents=True)
        with store.writing(self.engine):  # nobody writes meanwhile
            for path in self.directory.glob("hq.db*"):
                shutil.copy(path, directory / path.name)

    # --- what people do there ---

    def admit(self, site: str, fingerprint: str) -> None:
        columns = ("id", "title", "device", "status", "zone", "day_starts_h", "added_ms")
        row = (site, site, fingerprint, "admitted", "UTC", 0, self.clock.now_ms())
        with store.writing(self.engine) as connection:
            bulk.upsert(connection, schema.sites, columns, [row], update=["device"])

    def publish(self, site: str, tariff: Tariff = FLAT) -> None:
        with store.writing(self.engine) as connection:
            documents.publish(connection, self.keys, self.clock, "tariff", tariff.version, tariff, [site])

    def customer(self, card: str, amount_fen: int, **limits: int) -> str:
        """A new account with a card and money; its id. Nothing is placed at any site unless limits say so."""
        limits = {"session_limit": 20_000, "placed": 0, "site_max": 1_000_000} | limits
        with store.writing(self.engine) as connection:
            account = accounts.open_account(
                connection, self.keys, self.clock, home_site=None, limits=accounts.Limits(**limits)
            )
            accounts.add_card(connection, self.keys, self.clock, account, card)
            accounts.top_up(
                connection, self.keys, self.clock, account, amount_fen, channel="cash", reference=f"{account}-1"
            )
        return account

    # --- what its books say ---

    def balance(self, code: str) -> int:
        """Credits minus debits of one ledger account, in fen; 0 where there is none."""
        table = schema.ledger
        with store.reading(self.engine) as connection:
            query = sa.select(table.c.credits - table.c.debits).where(table.c.code == code, table.c.asset == CNY)
            return int(connection.execute(query).scalar() or 0)

    def epochs(self, site: str) -> int:
        """How many epochs it has given this site."""
        table = schema.epochs
        with store.reading(self.engine) as connection:
            query = sa.select(sa.func.count()).select_from(table).where(table.c.site == site)
            return int(connection.execute(query).scalar_one())

    def records(self, site: str) -> list[tuple[int, bytes]]:
        """(seq, bytes) of everything it holds of this site's logs."""
        table, epochs = schema.records, schema.epochs
        with store.reading(self.engine) as connection:
            query = sa.select(table.c.seq, table.c.bytes).join(epochs, epochs.c.id == table.c.log)
            query = query.where(epochs.c.site == site).order_by(epochs.c.epoch, table.c.seq)
            return [(row.seq, bytes(row.bytes)) for row in connection.execute(query)]


class Link:
    """A TCP proxy.

    cut_when: asked before each piece of an answer is carried back; True: both sides are reset instead.
    dead: takes everything, carries nothing, closes nothing: half open.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.cut_when: Callable[[], bool] = lambda: False
        self.dead = False
        self.cuts = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Link]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.drop()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=2)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(there_writer)
            there = asyncio.create_task(self._carry(there_reader, writer, back=True))
            here = asyncio.create_task(self._carry(reader, there_writer, back=False))
            try:
                await asyncio.wait([there, here], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (there, here):
                    one.cancel()
                for one in (writer, there_writer):
                    one.transport.abort()
                    self._writers.discard(one)
                await asyncio.gather(there, here, return_exceptions=True)
        except (OSError, asyncio.CancelledError):  # nobody listens behind the proxy, or the test is over
            writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, back: bool) -> None:
        while data := await source.read(64 * 1024):
            if self.dead:
                continue
            if back and self.cut_when():
                self.cuts += 1
                return
            sink.write(data)
            await sink.drain()
