"""`fieldtill-hq swap-terms` and `fieldtill-hq plan`: what swaps and rented packs cost, and who has paid before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer

from cloud import pack_list, plans
from cloud.cli.shop import shop_of
from cloud.cli.signed import Last, Site, Sites, in_force, offsets_now, publish, say_history
from cloud.cli.table import Row, fen_in
from protocols.door import toml_table
from protocols.trade import swap_terms, swap_terms_file
from protocols.trade.quantities import yuan, yuan_e3
from protocols.trade.swap_terms import SwapTerms

swap_terms_app = typer.Typer(no_args_is_help=True, help="What swaps and rented packs cost, and which packs are ours.")
plan_app = typer.Typer(no_args_is_help=True, help="Swaps paid before: so many, or until a day.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="See docs/shop.md.")]


@swap_terms_app.command("set", epilog="Example: fieldtill-hq swap-terms set swaps.toml --site pudong-1")
def terms_set(ctx: typer.Context, file: File, site: Sites = None) -> None:
    """Sign terms for sites. Every fault of the file is named at once."""
    shop, data = shop_of(ctx), toml_table(file.read_bytes(), source=str(file))
    offsets_of = offsets_now(shop)

    def make(connection: sa.Connection, version: int) -> SwapTerms:
        return swap_terms_file.read(data, offsets_of, next_version=version, source=str(file))

    terms, new, _ = publish(shop, swap_terms.KIND, site, make, SwapTerms)
    with shop.writing() as (connection, home):
        pack_list.publish(connection, home.clock)
    told = f"swap terms version {terms.version}: {', '.join(new) or 'in force already'}"
    shop.say({"version": terms.version, "sites": new}, told)


@swap_terms_app.command("show", epilog="Example: fieldtill-hq swap-terms show pudong-1")
def terms_show(ctx: typer.Context, site: Site) -> None:
    """The terms in force at a site: ways to pay for a swap, terms of rent, models of packs."""
    shop = shop_of(ctx)
    terms = in_force(shop, site, swap_terms.KIND, SwapTerms)
    if not shop.json and terms is not None:
        print(f"version {terms.version}, bills in local time of {terms.zone}")
    shop.list([] if terms is None else _rows(terms), ["what", "name", "price", "terms"])


@swap_terms_app.command("history", epilog="Example: fieldtill-hq swap-terms history pudong-1")
def terms_history(ctx: typer.Context, site: Site, last: Last = 10) -> None:
    """Every version that was signed for a site. sha256: as sessions pin it."""
    columns = {
        "swaps": lambda terms: len(terms.swaps),
        "rents": lambda terms: len(terms.rents),
        "models": lambda terms: len(terms.models),
    }
    say_history(shop_of(ctx), site, swap_terms.KIND, last, SwapTerms, columns)


@plan_app.command(
    "sell",
    epilog="Example: fieldtill-hq plan sell 7QX3M9KTP2 month-pass --until 2026-12-22 --daily 12 --price 299 "
    "--channel wechat --reference wx-991 --site pudong-1 --site pudong-2",
)
def sell(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="Its id.")],
    asset: Annotated[str, typer.Argument(help="The plan's asset, as swap terms name it.")],
    reference: Annotated[str, typer.Option(help="The payer's own number; a repeat does nothing.")],
    price: Annotated[str, typer.Option(help="Yuan.")],
    swaps: Annotated[int, typer.Option(help="So many; 0: as many as one likes until --until.", min=0)] = 0,
    until: Annotated[str, typer.Option(help="YYYY-MM-DD, the first day without it, in headquarters' zone.")] = "",
    daily: Annotated[int, typer.Option(help="Swaps that wait at its sites together.", min=0)] = 0,
    site: Annotated[list[str] | None, typer.Option(help="Where they wait, in equal parts; again for more.")] = None,
    channel: Annotated[str | None, typer.Option(help="Paid just now, through this; else from free money.")] = None,
) -> None:
    """Sell a plan: N swaps, or as many as the rider likes until a day."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        until_s = _day_s(until, home.config.zone) if until else 0
        plan = plans.Plan(reference, account, asset, swaps, daily, tuple(site or ()), until_s)
        sold = plans.sell(connection, home.keys, home.clock, plan, price_fen=fen_in(price), channel=channel)
    shop.tell(sold.sites)
    done = "sold before; nothing changed" if sold.repeated else f"{asset} sold to {account} for {price} yuan"
    shop.say(sold, f"{done}, serial {sold.serial}")


@plan_app.command("list", epilog="Example: fieldtill-hq plan list --account 7QX3M9KTP2")
def list_(
    ctx: typer.Context, account: Annotated[str | None, typer.Option(help="Of this account alone.")] = None
) -> None:
    """The plans that run. share: what waits at each site."""
    shop = shop_of(ctx)
    home = shop.open()
    with shop.reading() as connection:
        found = plans.running(connection, home.clock.now_ms() // 1000, account)
    rows: list[Row] = [
        {
            "account": plan.account,
            "plan": plan.asset,
            "swaps": plan.swaps or None,
            "until": _day(plan.until_s, home.config.zone),
            "daily": plan.daily,
            "share": " ".join(f"{site}:{share}" for site, share in plan.shares.items()),
            "reference": plan.reference,
        }
        for plan in found
    ]
    shop.list(rows, ["account", "plan", "swaps", "until", "daily", "share", "reference"])


def _day_s(text: str, zone: str) -> int:
    """The Unix second at which this local day begins."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected YYYY-MM-DD, got {text!r}") from None
    begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return (begins - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def _day(unix_s: int, zone: str) -> str | None:
    return f"{datetime.fromtimestamp(unix_s, ZoneInfo(zone)):%Y-%m-%d}" if unix_s else None


def _rows(terms: SwapTerms) -> list[Row]:
    rows: list[Row] = []
    for one in terms.swaps:
        price = f"{one.units} of {one.asset}" if one.kind == "plan" else yuan_e3(one.price_e3)
        if one.kind == "energy":
            price += f" per kWh, {yuan(one.floor_fen)} to {yuan(one.cap_fen)}"
        said = f"full from {one.full_permille // 10} %"
        said += f", {one.interval_s // 60} min apart" if one.interval_s else ""
        rows.append({"what": "swap", "name": one.name, "price": price, "terms": said})
    for rent in terms.rents:
        said = f"{rent.days} days, late {yuan_e3(rent.late_e3)} a day after {rent.grace_s // 3600} h"
        rows.append({"what": "rent", "name": rent.name, "price": yuan_e3(rent.price_e3), "terms": said})
    for model in terms.models:
        said = " ".join(model.rules) + (f", fits {' '.join(model.fits)}" if model.fits else "")
        rows.append({"what": "model", "name": model.name, "price": yuan(model.deposit_fen), "terms": said})
    return rows
