"""`fieldtill-hq epoch` and `evidence`: how each log stands, and what to do when a box is gone or a disk was copied."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import epochs, evidence, forks, schema, sites
from cloud.acts import Denied
from cloud.cli.shop import Shop, shop_of
from cloud.cli.table import in_yuan
from cloud.epochs import EpochNow
from cloud.loans import Held
from cloud.refusal import Refuse
from protocols.proof import checkpoint, receipt_file
from protocols.trade.value_words import amount_text

epoch_app = typer.Typer(no_args_is_help=True, help="The life of each site's log.")
evidence_app = typer.Typer(no_args_is_help=True, help="Receipts that came another way than the log.")

Site = Annotated[str, typer.Argument(help="Its name.")]
Epoch = Annotated[int, typer.Argument(min=1, help="`epoch list` shows it.")]
COLUMNS = ["site", "epoch", "state", "superseded", "records", "accounts", "held", "lent", "silent_s", "why"]


@epoch_app.command("list", epilog="Example: fieldtill-hq epoch list pudong-1")
def list_(ctx: typer.Context, site: Annotated[str | None, typer.Argument(help="Else all sites.")] = None) -> None:
    """Every epoch: its state, what customers have lying there, and what of it was lent to them."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        found = epochs.show_all(connection, now_ms, site)
    shop.list([_row(shop, it) for it in found], COLUMNS)


@epoch_app.command(epilog="Example: fieldtill-hq epoch show pudong-1 2")
def show(ctx: typer.Context, site: Site, epoch: Epoch) -> None:
    """One epoch, the accounts whose value lies there, and heads that contradict each other."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        row = epochs.require(connection, site, epoch)
        found = next(it for it in epochs.show_all(connection, now_ms, site) if it.epoch == epoch)
        leases = _leases(connection, row.id)
        heads = _heads(connection, row.id)
    if shop.json:
        shop.list([asdict(found) | {"leases": leases, "forks": heads}], [])
        return
    print("\n".join(f"{name:12}  {'-' if it is None else it}" for name, it in _row(shop, found).items()))
    print("\nlies there")
    shop.list(leases, ["account", "asset", "left"])
    print("\nheads that differ")
    shop.list(heads, ["received_ms", "seq", "kept_size", "other_size", "batch_bytes"])


@epoch_app.command(epilog='Example: fieldtill-hq epoch lost pudong-1 2 --why "stolen on 2026-11-20"')
def lost(
    ctx: typer.Context,
    site: Site,
    epoch: Epoch,
    why: Annotated[str, typer.Option(help="For the log.")],
    stolen: Annotated[
        bool, typer.Option("--stolen", help="Its keys are in other hands: the box gets no further epoch, either.")
    ] = False,
) -> None:
    """The box is gone: no more grants go there. What it holds stays where it is until its records or a loan tell."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        new = epochs.mark_lost(connection, home.keys, home.clock, site, epoch, why)
        if stolen:
            sites.admit(connection, site, "")
    _say_state(shop, site, epoch, "lost", new)


@epoch_app.command(epilog="Example: fieldtill-hq epoch found pudong-1 2")
def found(ctx: typer.Context, site: Site, epoch: Epoch) -> None:
    """The box is there again. What was lent stays out until it gives the value back, or closes."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        new = epochs.mark_found(connection, home.keys, home.clock, site, epoch)
    _say_state(shop, site, epoch, "open", new)


@epoch_app.command(epilog="Example: fieldtill-hq epoch loan pudong-1 2 --account 7QX3M9KTP2")
def loan(
    ctx: typer.Context,
    site: Site,
    epoch: Epoch,
    account: Annotated[str | None, typer.Option(help="This one alone; else all.")] = None,
) -> None:
    """Pay customers, from the operator's risk, what lies at a lost or frozen epoch. Said again, it pays nothing."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        lent = epochs.lend(connection, home.keys, home.clock, site, epoch, account)
    _say_amounts(shop, lent, "lent", "nothing is left to lend")


@epoch_app.command("book-branch", epilog="Example: fieldtill-hq epoch book-branch pudong-1 2")
def book_branch(ctx: typer.Context, site: Site, epoch: Epoch) -> None:
    """Book what a forked log's other branch captured, as the operator's loss; `account adjust` charges a customer."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        booked = forks.book_branch(connection, home.keys, home.clock, site, epoch)
    _say_amounts(shop, booked, "booked to the operator", "nothing is left to book")


# --- evidence --------------------------------------------------------------------------------------------------------


@evidence_app.command("list", epilog="Example: fieldtill-hq --json evidence list")
def evidence_list(ctx: typer.Context) -> None:
    """What was shown here and still waits for its log, or contradicts it."""
    shop, table, heads = shop_of(ctx), schema.evidence, schema.epochs
    columns = (heads.c.site, heads.c.epoch, table.c.seq, table.c.size, table.c.state, table.c.received_ms)
    query = sa.select(*columns).join_from(table, heads, table.c.log == heads.c.id)
    with shop.reading() as connection:
        rows = connection.execute(query.where(table.c.state != evidence.AGREES).order_by(table.c.id))
        shop.list([dict(row._mapping) for row in rows], [column.name for column in columns])


@evidence_app.command("add", epilog="Example: fieldtill-hq evidence add receipt.json")
def evidence_add(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt file.")]
) -> None:
    """Compare a customer's receipt with the log: it agrees, waits for its log, or freezes a forked epoch."""
    shop = shop_of(ctx)
    shown = receipt_file.parse(file.read_bytes(), source=str(file))
    try:
        with shop.writing() as (connection, home):
            state = evidence.add(connection, home.keys, home.clock, shown)
    except Refuse as error:
        told = error.refusal
        raise Denied(f"{told.what}: expected {told.expected}, got {told.got}", told.remedy) from error
    shop.say({"state": state}, _EVIDENCE[state])


_EVIDENCE = {
    evidence.AGREES: "it agrees with the log",
    evidence.WAITING: "kept; it is compared when its log arrives",
    evidence.CONTRADICTS: "it CONTRADICTS the log: the epoch is frozen, both signed heads are kept",
}


def _leases(connection: sa.Connection, log: int) -> list[dict[str, object]]:
    table = schema.leases
    left = (table.c.granted - table.c.used - table.c.returned - table.c.freed).label("left")
    query = sa.select(table.c.account, table.c.asset, left).where(table.c.log == log, left > 0)
    return [dict(row._mapping) for row in connection.execute(query.order_by(left.desc(), table.c.account))]


def _heads(connection: sa.Connection, log: int) -> list[dict[str, object]]:
    table = schema.forks
    rows = connection.execute(sa.select(table).where(table.c.log == log).order_by(table.c.id))
    return [
        {
            "received_ms": row.received_ms,
            "seq": row.seq,
            "kept_size": checkpoint.parse(row.kept).size if row.kept else 0,
            "other_size": checkpoint.parse(row.other).size,
            "batch_bytes": len(row.batch),
            "kept": row.kept.decode(),
            "other": row.other.decode(),
        }
        for row in rows
    ]


def _row(shop: Shop, it: EpochNow) -> dict[str, object]:
    row = asdict(it)
    return row if shop.json else in_yuan(row | {"superseded": "yes" if it.superseded else ""})


def _say_state(shop: Shop, site: str, epoch: int, state: str, new: bool) -> None:
    shop.tell([site])
    text = f"{site}/{epoch} is {state}" if new else f"{site}/{epoch} was {state} already"
    shop.say({"site": site, "epoch": epoch, "state": state, "new": new}, text)


def _say_amounts(shop: Shop, amounts: dict[Held, int], verb: str, nothing: str) -> None:
    if shop.json:
        rows = [{"account": it.account, "asset": it.asset, "amount": amount} for it, amount in amounts.items()]
        shop.list(rows, [])
        return
    for held, amount in amounts.items():
        print(f"{held.account}  {amount_text(amount, held.asset)} {verb}")
    if not amounts:
        print(nothing)
