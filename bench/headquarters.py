"""The real headquarters of a run: made as a person makes one, served over HTTPS by a process of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Child
from cloud import accounts, documents, home, sites, store, tls
from cloud.accounts import Limits
from cloud.home import Home
from edge.config import Headquarters as HqConfig
from protocols.trade.documents import TARIFF
from protocols.trade.tariff import Offset, Period, Tariff

ZONE = "Asia/Shanghai"
PRICES = Tariff(
    id="standard",
    version=1,
    zone=ZONE,
    offsets=[Offset(0, 8 * 3600)],
    periods=[
        Period(0, "valley", 30_000, 40_000),
        Period(7 * 3600, "flat", 65_000, 40_000),
        Period(10 * 3600, "peak", 98_000, 40_000),
        Period(15 * 3600, "flat", 65_000, 40_000),
        Period(18 * 3600, "sharp", 121_000, 40_000),
        Period(21 * 3600, "flat", 65_000, 40_000),
        Period(23 * 3600, "valley", 30_000, 40_000),
    ],
    session_e3=50_000,
    idle_e3_per_min=10_000,
    idle_grace_s=900,
)
"""A public charging station's: seven periods a day of four prices, a service fee, and a fee for staying."""

PAID_IN_FEN = 100_000_000
"""What each customer has, all of it placed at the site: far more than a run can spend."""


class Headquarters:
    """`with Headquarters(folder) as hq:` serves until the block ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        home.create(path).engine.dispose()
        with self.opened() as opened:
            tls.make(path / "tls", ["127.0.0.1"], opened.clock.now_ms())
        self._server: Child | None = None
        self.port = 0

    def __enter__(self) -> Headquarters:
        command = [str(Path(sys.executable).parent / "fieldtill-hq"), "--home", str(self.path), "serve", "--port", "0"]
        command += ["--certificate", str(self.path / "tls/server.pem"), "--key", str(self.path / "tls/server.key")]
        self._server = Child(command, self.path / "server.log")
        self.port = int(self._server.line().rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.process.terminate()
        self._server.close()

    @contextmanager
    def opened(self) -> Iterator[Home]:
        """Its database and keys, beside the server, as the command line opens them."""
        opened = home.open_home(self.path)
        try:
            yield opened
        finally:
            opened.engine.dispose()

    def config(self, port: int | None = None) -> HqConfig:
        """How a box is told of it; port: of a relay before it."""
        url = f"https://127.0.0.1:{port or self.port}"
        return HqConfig(url, str(self.path / "hq.vkeys"), str(self.path / "tls/ca.pem"), poll_s=0.2)

    def admit(self, site: str, fingerprint: str) -> None:
        """Admit a box, and give its site a tariff."""
        with self.opened() as opened, store.writing(opened.engine) as connection:
            sites.add(connection, opened.clock, site, title=site, device=fingerprint, zone=ZONE, day_starts_h=0)
            documents.publish(connection, opened.keys, opened.clock, TARIFF, PRICES.version, PRICES, [site])

    def welcome(self, site: str, customers: int) -> list[str]:
        """So many customers with a card and money, who live at that site; the numbers on their cards."""
        limits = Limits(session_limit=100_000, placed=PAID_IN_FEN, site_max=PAID_IN_FEN)
        cards = [f"{site}-{number:05}" for number in range(customers)]
        with self.opened() as opened, store.writing(opened.engine) as connection:
            for card in cards:
                account = accounts.open_account(connection, opened.keys, opened.clock, home_site=site, limits=limits)
                accounts.add_card(connection, opened.keys, opened.clock, account, card)
                accounts.top_up(
                    connection, opened.keys, opened.clock, account, PAID_IN_FEN, channel="cash", reference=card
                )
        return cards

    def copy_to(self, path: Path) -> Path:
        """Its whole home as it is now, in another folder: nobody writes while it is copied."""
        with self.opened() as opened, store.writing(opened.engine):
            shutil.copytree(self.path, path)
        return path
