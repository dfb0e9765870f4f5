"""`fieldtill-hq tender`: what points, plans and coupons may pay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import documents, schema, sites
from cloud.cli.shop import shop_of
from protocols.door import toml_table
from protocols.trade import tender, tender_file
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.tender import Tenders

tender_app = typer.Typer(no_args_is_help=True, help="What assets other than money may pay.")


@tender_app.command("set", epilog="Example: fieldtill-hq tender set tenders.toml --site pudong-1")
def set_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="See docs/tariffs.md.")],
    site: Annotated[list[str] | None, typer.Option(help="May be given again; else all sites.")] = None,
) -> None:
    """Sign it for sites. Every fault of the file is named at once."""
    shop = shop_of(ctx)
    data = toml_table(file.read_bytes(), source=str(file))
    tenders = tender_file.read(data, source=str(file))
    with shop.writing() as (connection, home):
        for name in site or []:
            sites.require(connection, name)
        chosen = site or sites.names(connection)
        new = documents.publish(connection, home.keys, home.clock, tender.KIND, tenders.version, tenders, chosen)
    shop.tell(new)
    shop.say(
        {"version": tenders.version, "sites": new},
        f"tenders version {tenders.version}: {', '.join(new) or 'in force already'}",
    )


@tender_app.command(epilog="Example: fieldtill-hq tender show pudong-1")
def show(ctx: typer.Context, site: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """What is in force at a site. fen: what one unit pays, as a fraction."""
    shop, table = shop_of(ctx), schema.documents
    with shop.reading() as connection:
        sites.require(connection, site)
        at = (table.c.site == site) & (table.c.kind == tender.KIND)
        newest = sa.select(table.c.document).where(at).order_by(table.c.version.desc()).limit(1)
        document = connection.execute(newest).scalar()
    found = [] if document is None else decode(decode(document, Document).payload, Tenders).tenders
    rows = [
        {
            "asset": one.asset,
            "fen": f"{one.fen_num}/{one.fen_den}",
            "lines": " ".join(one.lines) or "all",
            "divisible": one.divisible,
        }
        for one in found
    ]
    shop.list(rows, ["asset", "fen", "lines", "divisible"])
