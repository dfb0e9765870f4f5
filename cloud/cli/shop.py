"""What does every command of `fieldtill-hq` share? The home it works on, and how it says what it did."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
import typer

from cloud.cli.table import Row, as_json, as_table
from cloud.home import Home, open_home
from cloud.store import reading, writing
from protocols.trade.wire import topic


class Shop:
    """One run of the command line."""

    def __init__(self, path: Path, json: bool) -> None:
        self.path = path
        self.json = json
        self._home: Home | None = None

    def open(self) -> Home:
        """Raises NoHome, Refused, BadKeyFile."""
        if self._home is None:
            self._home = open_home(self.path)
        return self._home

    def close(self) -> None:
        """Let go of the database, whatever became of the command."""
        if self._home is not None:
            self._home.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[tuple[sa.Connection, Home]]:
        home = self.open()
        with writing(home.engine) as connection:
            yield connection, home

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with reading(self.open().engine) as connection:
            yield connection

    def say(self, value: object, text: str) -> None:
        print(as_json(value) if self.json else text)

    def list(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        print(as_json(rows) if self.json else as_table(rows, columns))

    def tell(self, sites: Iterable[str], leaf: str = "news", payload: bytes = b"") -> None:
        """Tell these sites over MQTT, where there is a broker. Else, or if it fails, they hear when they next ask."""
        told = sorted(sites)
        config = self.open().config.mqtt
        if not told or config is None:
            return
        from aiomqtt import MqttError

        from cloud.mqtt import publish_once

        try:
            asyncio.run(publish_once(config, [(topic(site, leaf), payload) for site in told]))
        except (MqttError, OSError) as error:
            print(f"the broker was not told ({error}); the sites hear when they next ask", file=sys.stderr)


def shop_of(ctx: typer.Context) -> Shop:
    shop = ctx.find_root().obj
    assert isinstance(shop, Shop), "the root callback makes it"
    return shop
