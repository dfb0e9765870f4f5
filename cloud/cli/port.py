"""`fieldtill-hq port-price`: what an hour or a kWh at a charging port costs, and a day too long in a locker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud.cli.shop import shop_of
from cloud.cli.signed import Last, Site, Sites, in_force, offsets_now, publish, say_history
from protocols.door import toml_table
from protocols.trade import port_prices, port_prices_file
from protocols.trade.port_prices import PortPrice, PortPrices
from protocols.trade.quantities import yuan, yuan_e3

port_price_app = typer.Typer(no_args_is_help=True, help="What charging ports and lockers cost at a site.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="See docs/port-prices.md.")]


@port_price_app.command("set", epilog="Example: fieldtill-hq port-price set ports.toml --site pudong-1")
def port_price_set(ctx: typer.Context, file: File, site: Sites = None) -> None:
    """Sign port prices for sites. Every fault of the file is named at once."""
    shop, data = shop_of(ctx), toml_table(file.read_bytes(), source=str(file))
    offsets_of = offsets_now(shop)

    def make(connection: sa.Connection, version: int) -> PortPrices:
        return port_prices_file.read(data, offsets_of, next_version=version, source=str(file))

    prices, new, before = publish(shop, port_prices.KIND, site, make, PortPrices)
    dropped = sorted({it.name for one in before for it in one.prices} - {it.name for it in prices.prices})
    told = f"port prices {prices.id} version {prices.version}: {', '.join(new) or 'in force already'}"
    if dropped:
        told += f"; no more: {', '.join(dropped)}"
    shop.say({"id": prices.id, "version": prices.version, "sites": new, "dropped": dropped}, told)


@port_price_app.command("show", epilog="Example: fieldtill-hq port-price show pudong-1")
def port_price_show(ctx: typer.Context, site: Site) -> None:
    """The prices in force at a site."""
    shop = shop_of(ctx)
    prices = in_force(shop, site, port_prices.KIND, PortPrices)
    rows = [] if prices is None else [row for price in prices.prices for row in _rows(price)]
    if not shop.json and prices is not None:
        print(f"{prices.id} version {prices.version}, bills in local time of {prices.zone}")
    shop.list(rows, ["name", "by", "to_w", "yuan", "per", "session_yuan", "at_most_yuan", "late"])


@port_price_app.command("history", epilog="Example: fieldtill-hq port-price history pudong-1 --last 20")
def port_price_history(ctx: typer.Context, site: Site, last: Last = 10) -> None:
    """Every version that was signed for a site. sha256: as sessions pin it."""
    columns = {"prices": lambda listed: " ".join(price.name for price in listed.prices)}
    say_history(shop_of(ctx), site, port_prices.KIND, last, PortPrices, columns)


def _rows(price: PortPrice) -> list[dict[str, object]]:
    """One row for each step; a price without steps has one."""
    late = f"{yuan_e3(price.late_e3)} a day after {price.late_free_s // 3600} h" if price.late_e3 else None
    common: dict[str, object] = {
        "session_yuan": yuan_e3(price.session_e3) if price.session_e3 else None,
        "at_most_yuan": yuan(price.cap_fen) if price.cap_fen else None,
        "late": late,
    }
    if price.by == "time":
        return [
            {
                "name": price.name,
                "by": "time",
                "to_w": step.power_w,
                "yuan": yuan_e3(step.price_e3),
                "per": "h",
                **common,
            }
            for step in price.steps
        ]
    shown = yuan_e3(price.energy_e3) if price.by == "energy" else "the tariff's"
    return [{"name": price.name, "by": price.by, "to_w": None, "yuan": shown, "per": "kWh", **common}]
