"""What do commands share that sign a document for sites, and list those that were signed?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import sqlalchemy as sa
import typer

from cloud import documents, sites
from cloud.calendar import offsets_of
from cloud.cli.shop import Shop
from cloud.cli.table import Row
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.local_time import OffsetsOf
from protocols.trade.port_prices import PortPrices
from protocols.trade.swap_terms import SwapTerms

D = TypeVar("D", PriceList, FuelTerms, SwapTerms, PortPrices)

Sites = Annotated[list[str] | None, typer.Option(help="May be given again; else all sites.")]
Site = Annotated[str, typer.Argument(help="Its name.")]
Last = Annotated[int, typer.Option(help="So many versions, newest first.", min=1, max=1000)]


def offsets_now(shop: Shop) -> OffsetsOf:
    """What files with a `zone` get their offsets from."""
    now_ms = shop.open().clock.now_ms()
    return lambda zone: offsets_of(zone, now_ms)


def publish(
    shop: Shop, kind: str, site: list[str] | None, make: Callable[[sa.Connection, int], D], into: type[D]
) -> tuple[D, list[str], list[D]]:
    """Sign what `make` gives; the document, the sites for which it is new, and what was in force before. A file without
    a version gets the one in force where it changes nothing, else the next.
    """
    with shop.writing() as (connection, home):
        for name in site or []:
            sites.require(connection, name)
        chosen = site or sites.names(connection)
        newest = (documents.newest(connection, name, kind, into) for name in chosen)
        in_force = [one for one in newest if one is not None]
        version = max((one.version for one in in_force), default=0)
        document = make(connection, version)
        if len(in_force) < len(chosen) or any(one != document for one in in_force):
            document = make(connection, version + 1)
        new = documents.publish(connection, home.keys, home.clock, kind, document.version, document, chosen)
    shop.tell(new)
    return document, new, in_force


def in_force(shop: Shop, site: str, kind: str, into: type[D]) -> D | None:
    """What holds at a site. None: nothing has been signed for it."""
    with shop.reading() as connection:
        sites.require(connection, site)
        return documents.newest(connection, site, kind, into)


def say_history(
    shop: Shop, site: str, kind: str, last: int, into: type[D], columns: Mapping[str, Callable[[D], object]]
) -> None:
    """The newest versions for a site, newest first. columns: what is said of each, beside when it was made and its
    hash.
    """
    rows = [
        {**row, **{name: of(document) for name, of in columns.items()}}
        for row, document in _history(shop, site, kind, last, into)
    ]
    shop.list(rows, ["version", "made", *columns, "sha256"])


def _history(shop: Shop, site: str, kind: str, last: int, into: type[D]) -> list[tuple[Row, D]]:
    """sha256 in the row: as sessions pin it."""
    with shop.reading() as connection:
        sites.require(connection, site)
        made = documents.history(connection, site, kind, last)
    found: list[tuple[Row, D]] = []
    for one in made:
        payload = decode(one.document, Document).payload
        at = f"{datetime.fromtimestamp(one.made_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        row = {"version": one.version, "made": at, "sha256": hashlib.sha256(payload).hexdigest()[:16]}
        found.append((row, decode(payload, into)))
    return found
