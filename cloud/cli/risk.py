"""`fieldtill-hq risk`: the operator's own money, for customers whom a site cannot ask about."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cloud import risk
from cloud.cli.shop import shop_of
from cloud.cli.table import fen_in, in_yuan

risk_app = typer.Typer(no_args_is_help=True, help="The operator's risk pool at a site; there is none until funded.")


@risk_app.command(epilog="Example: fieldtill-hq risk fund pudong-1 500 --session-limit 30 --reference pool-2026-11")
def fund(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(help="Its name.")],
    yuan: Annotated[str, typer.Argument(help="Yuan: so much more may be lost there.")],
    session_limit: Annotated[str, typer.Option(help="Yuan: greatest hold of one session, at all sites.")],
    reference: Annotated[str, typer.Option(help="Its own number; saying it again changes nothing.")],
) -> None:
    """Lend the operator's money to the pool and grant it to the site's newest epoch."""
    shop = shop_of(ctx)
    amount, limit = fen_in(yuan), fen_in(session_limit)
    with shop.writing() as (connection, home):
        done = risk.fund(connection, home.keys, home.clock, site, amount, session_limit=limit, reference=reference)
    shop.tell(done.sites)
    shop.say(done, "done before; nothing changed" if done.repeated else f"{yuan} yuan of the pool granted to {site}")


@risk_app.command(epilog="Example: fieldtill-hq --json risk show")
def show(ctx: typer.Context) -> None:
    """What each site was funded with, has drawn, and has left."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        pools = risk.pools(connection)
    rows = [asdict(pool) for pool in pools]
    shop.list(rows if shop.json else [in_yuan(row) for row in rows], ["site", "epoch", "funded", "drawn", "left"])
