"""`fieldtill-hq account`: customers' accounts, by their opaque ids."""

from __future__ import annotations

import sys
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import accounts, adjust, caps, schema
from cloud.accounts import Done, Limits, Statement
from cloud.cli import qr
from cloud.cli.shop import shop_of
from cloud.cli.table import as_table, fen_of, units_in
from protocols.trade.quantities import yuan
from protocols.trade.records import CNY
from protocols.trade.records_pack import DEPOSIT
from protocols.trade.value_words import bare_amount

accounts_app = typer.Typer(no_args_is_help=True, help="Customers' accounts.")
accounts_app.command("qr", epilog="Example: fieldtill-hq account qr 7QX3M9KTP2 50 --site pudong-1 --reference app-17")(
    qr.qr
)

Account = Annotated[str, typer.Argument(help="Its id.")]
Yuan = Annotated[str, typer.Argument(help="Yuan, at most two decimals: 100 or 99.50.")]
Channel = Annotated[str, typer.Option(help="Where the money moves: wechat, alipay, cash ...")]
Reference = Annotated[str, typer.Option(help="The payment's own number; saying it again changes nothing.")]


@accounts_app.command(epilog="Example: fieldtill-hq account add --home-site pudong-1 --card 04A1B2C3")
def add(
    ctx: typer.Context,
    home_site: Annotated[str | None, typer.Option(help="Where an allowance waits from the start.")] = None,
    card: Annotated[str | None, typer.Option(help="Card number; only its HMAC is kept. `-` reads it.")] = None,
    class_: Annotated[str, typer.Option("--class", help="Class of customer.")] = "person",
    session_limit: Annotated[str, typer.Option(help="Yuan: greatest hold of one session.")] = "200",
    placed: Annotated[str, typer.Option(help="Yuan kept ready at home and at the last two sites.")] = "50",
    site_max: Annotated[str, typer.Option(help="Yuan: most that may be out at one site.")] = "200",
) -> None:
    """Open an account; prints its id."""
    shop = shop_of(ctx)
    limits = Limits(_fen(session_limit), _fen(placed), _fen(site_max))
    if limits.placed > limits.site_max:
        raise typer.BadParameter("expected --placed at most --site-max")
    with shop.writing() as (connection, home):
        account = accounts.open_account(
            connection, home.keys, home.clock, home_site=home_site, class_=class_, limits=limits
        )
        if card is not None:
            accounts.add_card(connection, home.keys, home.clock, account, _card(card))
    shop.say({"account": account}, account)


@accounts_app.command(epilog="Example: echo 04A1B2C3 | fieldtill-hq account card 7QX3M9KTP2 -")
def card(ctx: typer.Context, account: Account, number: Annotated[str, typer.Argument(help="Or `-`.")]) -> None:
    """Let a card draw on the account."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        done = accounts.add_card(connection, home.keys, home.clock, account, _card(number))
    _say(ctx, done, "card added", "the card was there already")


@accounts_app.command("top-up", epilog="Example: fieldtill-hq account top-up 7QX3M9KTP2 100 --reference wx-4200001")
def top_up(
    ctx: typer.Context,
    account: Account,
    yuan: Yuan,
    reference: Reference,
    channel: Channel = "wechat",
    deposit: Annotated[bool, typer.Option("--deposit", help="As a deposit: for rented packs, never spent.")] = False,
) -> None:
    """Money paid in, or a deposit."""
    shop, asset = shop_of(ctx), DEPOSIT if deposit else CNY
    with shop.writing() as (connection, home):
        done = accounts.top_up(
            connection, home.keys, home.clock, account, _fen(yuan), channel=channel, reference=reference, asset=asset
        )
    _say(ctx, done, f"{yuan} yuan paid in", "done before; nothing changed")


@accounts_app.command(
    epilog="Example: fieldtill-hq account give 7QX3M9KTP2 points 500 --reference promo-17 --channel shop"
)
def give(
    ctx: typer.Context,
    account: Account,
    asset: Annotated[str, typer.Argument(help="points, swaps ...: what `tender set` says what it may pay.")],
    units: Annotated[str, typer.Argument(help="How many.")],
    reference: Reference,
    channel: Annotated[str, typer.Option(help="Where they come from: shop, promo ...")] = "shop",
) -> None:
    """Give an account points, a plan's swaps or a coupon."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        done = accounts.top_up(
            connection,
            home.keys,
            home.clock,
            account,
            units_in(units),
            channel=channel,
            reference=reference,
            asset=asset,
        )
    _say(ctx, done, f"{units} {asset} given", "done before; nothing changed")


@accounts_app.command("pay-out", epilog="Example: fieldtill-hq account pay-out 7QX3M9KTP2 20 --reference refund-17")
def pay_out(
    ctx: typer.Context,
    account: Account,
    yuan: Yuan,
    reference: Reference,
    channel: Channel = "wechat",
    deposit: Annotated[bool, typer.Option("--deposit", help="Of the deposits that are back.")] = False,
) -> None:
    """Free money given back, or a deposit."""
    shop, asset = shop_of(ctx), DEPOSIT if deposit else CNY
    with shop.writing() as (connection, home):
        done = accounts.pay_out(
            connection, home.keys, home.clock, account, _fen(yuan), channel=channel, reference=reference, asset=asset
        )
    _say(ctx, done, f"{yuan} yuan paid out", "done before; nothing changed")


@accounts_app.command(
    "adjust", epilog="Example: fieldtill-hq account adjust 7QX3M9KTP2 15 --because pudong-1/2/57 --reference adj-8"
)
def adjust_(
    ctx: typer.Context,
    account: Account,
    yuan: Yuan,
    because: Annotated[str, typer.Option(help="The record that it corrects: SITE/EPOCH/SEQ.")],
    reference: Reference,
    why: Annotated[str, typer.Option(help="For the log, without names.")] = "",
) -> None:
    """Charge free money for what a record shows (lent and used, drawn from the pool, forked); the operator gets it."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        done = adjust.charge(
            connection,
            home.keys,
            home.clock,
            account,
            _fen(yuan),
            because=because,
            why=why,
            reference=reference,
        )
    _say(ctx, done, f"{yuan} yuan charged", "done before; nothing changed")


@accounts_app.command(epilog="Example: fieldtill-hq account cap 7QX3M9KTP2 500")
def cap(ctx: typer.Context, account: Account, yuan: Yuan) -> None:
    """The most that may be out at all sites; 0: no cap. What is out already stays until the sites return it."""
    shop, fen = shop_of(ctx), _fen(yuan)
    with shop.writing() as (connection, _):
        caps.set_for_account(connection, account, fen)
    shop.say({"account": account, "exposure_max": fen}, f"{account}: {yuan} yuan" if fen else f"{account}: no cap")


@accounts_app.command(epilog="Example: fieldtill-hq account freeze 7QX3M9KTP2")
def freeze(ctx: typer.Context, account: Account) -> None:
    """No more grants, and every site that holds value is told to admit nobody."""
    _set_status(ctx, account, "frozen")


@accounts_app.command(epilog="Example: fieldtill-hq account thaw 7QX3M9KTP2")
def thaw(ctx: typer.Context, account: Account) -> None:
    """Undo a freeze."""
    _set_status(ctx, account, "open")


@accounts_app.command("list", epilog="Example: fieldtill-hq --json account list")
def list_(ctx: typer.Context) -> None:
    """All accounts."""
    shop, table = shop_of(ctx), schema.accounts
    with shop.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(table).order_by(table.c.id))]
    if not shop.json:
        rows = [row | {name: yuan(row[name]) for name in ("placed", "session_limit", "site_max")} for row in rows]
    shop.list(rows, ["id", "class", "status", "home_site", "placed", "session_limit", "site_max"])


@accounts_app.command(epilog="Example: fieldtill-hq account show 7QX3M9KTP2 --last 20")
def show(ctx: typer.Context, account: Account, last: Annotated[int, typer.Option(min=1, max=1000)] = 10) -> None:
    """Balances, what is out at sites, and the last movements."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        statement = accounts.show(connection, account, last)
    shop.say(statement, _text(statement))


def _set_status(ctx: typer.Context, account: str, status: str) -> None:
    with shop_of(ctx).writing() as (connection, home):
        done = accounts.set_status(connection, home.keys, home.clock, account, status)
    _say(ctx, done, f"the account is {status}", f"the account was {status} already")


def _say(ctx: typer.Context, done: Done, text: str, repeated: str) -> None:
    shop = shop_of(ctx)
    shop.tell(done.sites)
    serial = f", serial {done.serial}" if done.serial is not None else ""
    shop.say(done, repeated + serial if done.repeated else text + serial)


def _text(statement: Statement) -> str:
    lines = [
        f"account  {statement.account}  {statement.account_class}  {statement.status}",
        f"home     {statement.home_site or '-'}",
        f"cards    {statement.cards}",
        *(f"free     {bare_amount(free, asset)} {asset}" for asset, free in statement.free.items()),
        "",
        "out at sites",
        as_table(
            [
                {
                    "site": lease.site,
                    "epoch": lease.epoch,
                    "asset": lease.asset,
                    "granted": bare_amount(lease.granted, lease.asset),
                    "used": bare_amount(lease.used, lease.asset),
                    "returned": bare_amount(lease.returned, lease.asset),
                    "left": bare_amount(lease.left, lease.asset),
                }
                for lease in statement.leases
            ],
            ["site", "epoch", "asset", "granted", "used", "returned", "left"],
        ),
        "",
        "last movements",
        as_table(
            [
                {
                    "serial": m.serial,
                    "effect": m.effect,
                    "asset": m.asset,
                    "amount": bare_amount(m.amount, m.asset),
                    "place": m.place,
                }
                for m in statement.movements
            ],
            ["serial", "effect", "asset", "amount", "place"],
        ),
    ]
    return "\n".join(lines)


def _fen(yuan: str) -> int:
    fen = fen_of(yuan)
    if fen is None:
        raise typer.BadParameter(f"expected yuan with at most two decimals, got {yuan!r}")
    return fen


def _card(number: str) -> str:
    """The card number, from standard input for `-`: there no list of processes and no shell history shows it."""
    number = (sys.stdin.readline() if number == "-" else number).strip()
    if not number:
        raise typer.BadParameter("expected a card number, got nothing")
    return number
