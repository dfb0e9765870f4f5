"""`fieldtill-hq hotlist`: cards reported lost or stolen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from cloud import hot_list, sites
from cloud.cli.shop import shop_of
from cloud.hot_list import Changed

hotlist_app = typer.Typer(no_args_is_help=True, help="Cards that no site serves: lost or stolen.")

Numbers = Annotated[list[str] | None, typer.Argument(help="Card numbers; `-` reads them, one a line.")]
Account = Annotated[str | None, typer.Option(help="Every card of this account.")]
Why = Annotated[str, typer.Option(help="For people: lost, stolen, found ...")]


@hotlist_app.command(epilog="Example: echo 04A1B2C3 | fieldtill-hq hotlist add - --why stolen")
def add(ctx: typer.Context, numbers: Numbers = None, account: Account = None, why: Why = "lost") -> None:
    """List cards. Sites hear of it at once, or when they next ask; running sessions go on to their end."""
    cards = _cards(numbers, account)
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        changed = hot_list.add(connection, home.keys, home.clock, cards=cards, account=account, why=why)
    _say(ctx, changed)


@hotlist_app.command(epilog="Example: fieldtill-hq hotlist remove --account 7QX3M9KTP2 --why found")
def remove(ctx: typer.Context, numbers: Numbers = None, account: Account = None, why: Why = "found") -> None:
    """Take cards off the list."""
    cards = _cards(numbers, account)
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        changed = hot_list.remove(connection, home.keys, home.clock, cards=cards, account=account, why=why)
    _say(ctx, changed)


@hotlist_app.command(epilog="Example: fieldtill-hq hotlist show --last 50")
def show(ctx: typer.Context, last: Annotated[int, typer.Option(min=1, max=100_000)] = 20) -> None:
    """The cards listed last. Their numbers are not known here, only the hidden ones."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        rows = [asdict(entry) for entry in hot_list.show(connection, last)]
    shop.list(rows, ["hmac", "account", "why", "listed_in"])


def _cards(numbers: Sequence[str] | None, account: str | None) -> list[str]:
    """The numbers, from standard input for `-`: there no list of processes and no shell history shows them."""
    words = sys.stdin.read().split("\n") if numbers == ["-"] else numbers or []
    cards = [word.strip() for word in words if word.strip()]
    if not cards and account is None:
        raise typer.BadParameter("expected card numbers or --account")
    return cards


def _say(ctx: typer.Context, changed: Changed) -> None:
    shop = shop_of(ctx)
    if not changed.added and not changed.removed:
        shop.say(changed, f"nothing changed; version {changed.version} has {changed.entries} cards")
        return
    with shop.reading() as connection:
        told = sites.names(connection)
    shop.tell(told)
    text = f"version {changed.version}: {changed.added} added, {changed.removed} removed, {changed.entries} cards"
    shop.say(changed, text)
