"""`fieldtill-hq guest` and `refund`: payments by phone for one session, and what goes back of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cloud import guests, refunds
from cloud.cli.qr import Png, Terminal, draw
from cloud.cli.shop import shop_of
from cloud.cli.table import fen_in, in_yuan

guest_app = typer.Typer(no_args_is_help=True, help="Guests: a payment by phone for one session, without an account.")
refund_app = typer.Typer(no_args_is_help=True, help="What is owed back to guests.")


@guest_app.command(
    epilog="Example: fieldtill-hq guest pay 40 --site pudong-1 --connector bay-1 --reference wx-4200001 --terminal"
)
def pay(
    ctx: typer.Context,
    yuan: Annotated[str, typer.Argument(help="Yuan paid: 40 or 39.50.")],
    site: Annotated[str, typer.Option(help="Where the guest stands.")],
    connector: Annotated[str, typer.Option(help="The one to start.")],
    reference: Annotated[str, typer.Option(help="The channel's number of the payment; again changes nothing.")],
    channel: Annotated[str, typer.Option(help="wechat, alipay ...")] = "wechat",
    png: Png = None,
    terminal: Terminal = False,
) -> None:
    """A payment has come: grant it to the site for one session, and give the code that starts it."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        paid = guests.pay(
            connection,
            home.keys,
            home.clock,
            channel=channel,
            reference=reference,
            amount=fen_in(yuan),
            site=site,
            connector=connector,
        )
    if paid.code is None:
        shop.say(paid, f"{site} cannot serve: refund {paid.refund} is due")
        return
    shop.tell([site])
    shop.say(paid, draw(paid.code.text, png, terminal))


@guest_app.command("list", epilog="Example: fieldtill-hq guest list")
def list_(ctx: typer.Context) -> None:
    """Payments whose session has not ended, as far as is known here."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        found = guests.show_waiting(connection)
    rows = [_aged(asdict(one), "paid_ms", now_ms) for one in found]
    columns = ["reference", "channel", "amount", "site", "connector", "account", "age_h"]
    shop.list(rows if shop.json else [in_yuan(row) for row in rows], columns)


@refund_app.command("list", epilog="Example: fieldtill-hq --json refund list --all")
def list_refunds(
    ctx: typer.Context, all_: Annotated[bool, typer.Option("--all", help="Those paid back as well.")] = False
) -> None:
    """What is to be ordered from the channels: our number of each refund, the payment it is of, and its age."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        found = refunds.show_all(connection, with_done=all_)
    rows = [_aged(asdict(one), "due_ms", now_ms) for one in found]
    columns = ["reference", "channel", "payment", "amount", "why", "age_h", *(["done"] if all_ else [])]
    shop.list(rows if shop.json else [in_yuan(row) for row in rows], columns)


@refund_app.command(epilog="Example: fieldtill-hq refund done wx-4200001-r1 50000123")
def done(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(help="Ours, as `refund list` shows it.")],
    number: Annotated[str, typer.Argument(help="The channel's own number of the refund.")],
) -> None:
    """The channel has paid it back."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        new = refunds.done(connection, home.keys, home.clock, reference, number)
    text = f"{reference} paid back as {number}"
    shop.say({"reference": reference, "number": number, "repeated": not new}, text if new else f"{text} before")


def _aged(row: dict[str, object], since: str, now_ms: int) -> dict[str, object]:
    """The row with its age in whole hours, and its amount named by its unit."""
    began_ms = row[since]
    assert isinstance(began_ms, int)
    row["amount_fen"] = row.pop("amount")
    return row | {"age_h": (now_ms - began_ms) // 3_600_000}
