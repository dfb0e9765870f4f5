"""`fieldtill-hq price` and `fieldtill-hq fuel-terms`: what fuel costs at a site, and who may buy which."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import accounts
from cloud.cli.shop import shop_of
from cloud.cli.signed import Last, Site, Sites, in_force, offsets_now, publish, say_history
from protocols.door import toml_table
from protocols.trade import fuel_prices, fuel_prices_file, fuel_terms, fuel_terms_file
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.local_time import local_text
from protocols.trade.quantities import litres, yuan_e3

price_app = typer.Typer(no_args_is_help=True, help="What a litre of each grade costs at a site, and from when on.")
terms_app = typer.Typer(no_args_is_help=True, help="Which fuel cards and accounts may buy, and how much a day.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="See docs/fuel-prices.md.")]


@price_app.command("set", epilog="Example: fieldtill-hq price set prices.toml --site pudong-1")
def price_set(ctx: typer.Context, file: File, site: Sites = None) -> None:
    """Sign a price list for sites. Every fault of the file is named at once."""
    shop, data = shop_of(ctx), toml_table(file.read_bytes(), source=str(file))
    now_s, offsets_of = shop.open().clock.now_ms() // 1000, offsets_now(shop)

    def make(connection: sa.Connection, version: int) -> PriceList:
        return fuel_prices_file.read(data, offsets_of, now_s=now_s, next_version=version, source=str(file))

    prices, new, before = publish(shop, fuel_prices.KIND, site, make, PriceList)
    change_s = fuel_prices.next_change_s(prices, now_s)
    dropped = sorted({it.code for one in before for it in one.grades} - {it.code for it in prices.grades})
    told = f"prices {prices.id} version {prices.version}: {', '.join(new) or 'in force already'}"
    if change_s is not None:
        told += f"; next change {local_text(prices, change_s)} {prices.zone}"
    if dropped:
        told += f"; sold no more: {', '.join(dropped)}"
    said = {"id": prices.id, "version": prices.version, "sites": new, "next_change_s": change_s, "dropped": dropped}
    shop.say(said, told)


@price_app.command("show", epilog="Example: fieldtill-hq price show pudong-1")
def price_show(ctx: typer.Context, site: Site) -> None:
    """The list in force at a site: what holds now, and every change to come."""
    shop = shop_of(ctx)
    now_s = shop.open().clock.now_ms() // 1000
    prices = in_force(shop, site, fuel_prices.KIND, PriceList)
    rows = [] if prices is None else _steps(prices, now_s)
    if not shop.json and prices is not None:
        print(f"{prices.id} version {prices.version}, local times of {prices.zone}")
    shop.list(rows, ["from", "grade", "name", "yuan_per_litre"])


@price_app.command("history", epilog="Example: fieldtill-hq price history pudong-1 --last 20")
def pricehistory(ctx: typer.Context, site: Site, last: Last = 10) -> None:
    """Every version that was signed for a site. sha256: as sessions pin it."""
    columns = {
        "steps": lambda prices: len(prices.steps),
        "grades": lambda prices: " ".join(grade.code for grade in prices.grades),
    }
    say_history(shop_of(ctx), site, fuel_prices.KIND, last, PriceList, columns)


@terms_app.command("set", epilog="Example: fieldtill-hq fuel-terms set terms.toml")
def terms_set(ctx: typer.Context, file: File, site: Sites = None) -> None:
    """Sign terms for sites; a card's number is hidden on the way. Every fault of the file is named at once."""
    shop, data = shop_of(ctx), toml_table(file.read_bytes(), source=str(file))

    def make(connection: sa.Connection, version: int) -> FuelTerms:
        has_account, card_of = partial(accounts.exists, connection), partial(accounts.card_of, connection)
        return fuel_terms_file.read(data, has_account, card_of, next_version=version, source=str(file))

    terms, new, _ = publish(shop, fuel_terms.KIND, site, make, FuelTerms)
    told = f"fuel terms version {terms.version}: {', '.join(new) or 'in force already'}"
    shop.say({"version": terms.version, "sites": new}, told)


@terms_app.command("show", epilog="Example: fieldtill-hq fuel-terms show pudong-1")
def terms_show(ctx: typer.Context, site: Site) -> None:
    """The terms in force at a site. card: as records name it."""
    shop = shop_of(ctx)
    found = in_force(shop, site, fuel_terms.KIND, FuelTerms)
    rows = [
        {
            "account": one.account,
            "card": one.credential.hex() or "all",
            "grades": " ".join(one.grades) or "all",
            "litres_a_day": litres(one.day_ml) if one.day_ml else None,
            "asks": one.ask,
        }
        for one in ([] if found is None else found.terms)
    ]
    shop.list(rows, ["account", "card", "grades", "litres_a_day", "asks"])


@terms_app.command("history", epilog="Example: fieldtill-hq fuel-terms history pudong-1")
def termshistory(ctx: typer.Context, site: Site, last: Last = 10) -> None:
    """Every version that was signed for a site. sha256: as sessions pin it."""
    say_history(shop_of(ctx), site, fuel_terms.KIND, last, FuelTerms, {"terms": lambda listed: len(listed.terms)})


def _steps(prices: PriceList, now_s: int) -> list[dict[str, object]]:
    """One row for each grade of the step that holds and of each later one."""
    names = {grade.code: grade.name for grade in prices.grades}
    begun = [step.from_s for step in prices.steps if step.from_s <= now_s]
    holds_s = max(begun, default=prices.steps[0].from_s)
    return [
        {
            "from": local_text(prices, step.from_s),
            "grade": one.grade,
            "name": names[one.grade],
            "yuan_per_litre": yuan_e3(one.price_e3),
            "price_e3": one.price_e3,
        }
        for step in prices.steps
        if step.from_s >= holds_s
        for one in step.prices
    ]
