"""`fieldtill-hq site`, `tariff` and `command`: sites, what is in force there, and what they are told to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import caps, commands, documents, schema, sites
from cloud.cli.shop import shop_of
from cloud.cli.signed import offsets_now
from cloud.cli.table import fen_in, fen_of
from protocols.door import toml_table
from protocols.trade import tariff_file
from protocols.trade.codec import decode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.records import Preset
from protocols.trade.tariff import Tariff

site_app = typer.Typer(no_args_is_help=True, help="Sites and their boxes.")
tariff_app = typer.Typer(no_args_is_help=True, help="Prices.")
command_app = typer.Typer(no_args_is_help=True, help="Start or stop a session from here.")

Site = Annotated[str, typer.Argument(help="Its name.")]
COLUMNS = ["site", "status", "epoch", "state", "records", "silent_s", "quarantined", "device"]


@site_app.command(epilog="Example: fieldtill-hq site add pudong-1 --device 3f1c-...  (the box shows it)")
def add(
    ctx: typer.Context,
    site: Site,
    device: Annotated[str, typer.Option(help="Fingerprint of the box to admit; may follow by `admit`.")] = "",
    title: Annotated[str, typer.Option(help="For people.")] = "",
    zone: Annotated[str, typer.Option(help="Its time zone; else headquarters'.")] = "",
    day_starts_h: Annotated[int, typer.Option(help="Local hour at which its business day begins.")] = 0,
) -> None:
    """Add a site."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        zone = zone or home.config.zone
        sites.add(connection, home.clock, site, title=title, device=device, zone=zone, day_starts_h=day_starts_h)
    shop.say({"site": site}, f"{site} added")


@site_app.command(epilog="Example: fieldtill-hq site admit pudong-1 3f1c-...")
def admit(ctx: typer.Context, site: Site, device: Annotated[str, typer.Argument(help="The new fingerprint.")]) -> None:
    """Admit another box for a site: after an exchange, or once it can be read."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, _):
        sites.admit(connection, site, device)
    shop.say({"site": site, "device": device}, f"{site}: {device} admitted")


@site_app.command(epilog="Example: fieldtill-hq site stop pudong-1")
def stop(ctx: typer.Context, site: Site) -> None:
    """Refuse all that a site sends; what it sells meanwhile waits in its log."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, _):
        sites.stop(connection, site)
    shop.say({"site": site, "status": "stopped"}, f"{site} stopped")


@site_app.command(epilog="Example: fieldtill-hq site resume pudong-1")
def resume(ctx: typer.Context, site: Site) -> None:
    """Hear a stopped site again."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, _):
        sites.resume(connection, site)
    shop.say({"site": site, "status": "admitted"}, f"{site} resumed")


@site_app.command(epilog="Example: fieldtill-hq site cap pudong-1 20000")
def cap(ctx: typer.Context, site: Site, yuan: Annotated[str, typer.Argument(help="Yuan; 0: no cap.")]) -> None:
    """The most of all customers' money that may lie at a site. What lies there already stays until it is returned."""
    shop, fen = shop_of(ctx), fen_in(yuan)
    with shop.writing() as (connection, _):
        caps.set_for_site(connection, site, fen)
    shop.say({"site": site, "exposure_max": fen}, f"{site}: {yuan} yuan" if fen else f"{site}: no cap")


@site_app.command("list", epilog="Example: fieldtill-hq --json site list")
def list_(ctx: typer.Context) -> None:
    """All sites: newest epoch, records here, and how long they have been silent."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        found = sites.show_all(connection, now_ms)
    shop.list([_row(site) for site in found], COLUMNS)


@site_app.command(epilog="Example: fieldtill-hq site show pudong-1")
def show(ctx: typer.Context, site: Site) -> None:
    """One site, its documents in force, and its quarantine."""
    shop, table, epochs = shop_of(ctx), schema.quarantine, schema.epochs
    now_ms = shop.open().clock.now_ms()
    with shop.reading() as connection:
        found = _row(sites.show(connection, site, now_ms))
        in_force = [{"kind": d.kind, "version": d.version} for d in documents.in_force(connection, site)]
        query = sa.select(epochs.c.epoch, table.c.seq, table.c.position, table.c.code, table.c.why)
        rows = connection.execute(query.join_from(table, epochs).where(epochs.c.site == site).order_by(table.c.id))
        kept = [dict(row._mapping) for row in rows]
    if shop.json:
        shop.list([{**found, "documents": in_force, "quarantine": kept}], [])
        return
    print("\n".join(f"{name.replace('_', ' '):12}  {'-' if value is None else value}" for name, value in found.items()))
    print("\ndocuments in force")
    shop.list(in_force, ["kind", "version"])
    print("\nquarantine")
    shop.list(kept, ["epoch", "seq", "position", "code", "why"])


@tariff_app.command("set", epilog="Example: fieldtill-hq tariff set tariff.toml --site pudong-1")
def tariff_set(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="See docs/tariffs.md.")],
    site: Annotated[list[str] | None, typer.Option(help="May be given again; else all sites.")] = None,
) -> None:
    """Sign a tariff for sites. Every fault of the file is named at once."""
    shop = shop_of(ctx)
    data = toml_table(file.read_bytes(), source=str(file))
    tariff = tariff_file.read(data, offsets_now(shop), source=str(file))
    with shop.writing() as (connection, home):
        for name in site or []:
            sites.require(connection, name)
        chosen = site or sites.names(connection)
        new = documents.publish(connection, home.keys, home.clock, TARIFF, tariff.version, tariff, chosen)
    shop.tell(new)
    shop.say(
        {"id": tariff.id, "version": tariff.version, "sites": new},
        f"tariff {tariff.id} version {tariff.version}: {', '.join(new) or 'in force already'}",
    )


@tariff_app.command("show", epilog="Example: fieldtill-hq tariff show pudong-1")
def tariff_show(ctx: typer.Context, site: Site) -> None:
    """The tariff in force at a site. Prices in thousandths of a fen."""
    shop, table = shop_of(ctx), schema.documents
    with shop.reading() as connection:
        sites.require(connection, site)
        newest = (
            sa.select(table.c.document)
            .where(table.c.site == site, table.c.kind == TARIFF)
            .order_by(table.c.version.desc())
            .limit(1)
        )
        document = connection.execute(newest).scalar()
    if document is None:
        shop.say(None, "(none)")
        return
    tariff = decode(decode(document, Document).payload, Tariff)
    periods = [
        {
            "from": f"{period.from_s // 3600:02d}:{period.from_s // 60 % 60:02d}",
            "name": period.name,
            "energy_e3": period.energy_e3,
            "service_e3": period.service_e3,
        }
        for period in tariff.periods
    ]
    rest = {
        "id": tariff.id,
        "version": tariff.version,
        "zone": tariff.zone,
        "session_e3": tariff.session_e3,
        "idle_e3_per_min": tariff.idle_e3_per_min,
        "idle_grace_s": tariff.idle_grace_s,
    }
    if shop.json:
        shop.say({**rest, "periods": periods}, "")
        return
    print("\n".join(f"{name.replace('_', ' '):16}  {value}" for name, value in rest.items()))
    shop.list(periods, ["from", "name", "energy_e3", "service_e3"])


@command_app.command(
    "start",
    epilog="Examples: fieldtill-hq command start pudong-1 connector-1 7QX3M9KTP2 --yuan 30; "
    "fieldtill-hq command start pudong-1 cab-1 7QX3M9KTP2 --kind rent --offer month",
)
def command_start(
    ctx: typer.Context,
    site: Site,
    connector: Annotated[str, typer.Argument(help="A connector, a pump, a cabinet, or a port as rack.3.")],
    account: Annotated[str, typer.Argument(help="Who pays.")],
    yuan: Annotated[str | None, typer.Option(help="Stop there; else full.")] = None,
    kind: Annotated[str, typer.Option(help="At a cabinet: swap, rent or return.")] = "",
    offer: Annotated[str, typer.Option(help="At a cabinet: a price, plan or term by its name; else the first.")] = "",
    consent: Annotated[bool, typer.Option("--consent", help="At a cabinet: a pack that is not full, too.")] = False,
) -> None:
    """Start a session."""
    fen = None if yuan is None else fen_of(yuan)
    if yuan is not None and not fen:
        raise typer.BadParameter(f"expected yuan above 0, got {yuan!r}", param_hint="--yuan")
    if kind not in ("", "swap", "rent", "return"):
        raise typer.BadParameter(f"expected swap, rent or return, got {kind!r}", param_hint="--kind")
    if yuan is not None and (kind or offer or consent):
        raise typer.BadParameter("expected --yuan, or what is said to a cabinet, not both", param_hint="--yuan")
    wished = kind or ("swap" if offer or consent else "full")
    preset = Preset(wished, 0) if fen is None else Preset("money", fen)
    _order(ctx, site, commands.START, connector, account=account, preset=preset, offer=offer, consent=consent)


@command_app.command("stop", epilog="Example: fieldtill-hq command stop pudong-1 connector-1 4711")
def command_stop(
    ctx: typer.Context,
    site: Site,
    connector: Annotated[str, typer.Argument()],
    session: Annotated[int, typer.Argument(min=0, help="seq of the session's opening record.")],
) -> None:
    """Stop a session."""
    _order(ctx, site, commands.STOP, connector, session=session)


def _order(
    ctx: typer.Context,
    site: str,
    verb: str,
    connector: str,
    account: str = "",
    preset: Preset = Preset("full", 0),  # noqa: B008 (frozen)
    session: int = 0,
    offer: str = "",
    consent: bool = False,
) -> None:
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        sites.require(connection, site)
        number, signed = commands.order(
            connection,
            home.keys,
            home.clock,
            site,
            verb,
            connector,
            account=account,
            preset=preset,
            session=session,
            offer=offer,
            consent=consent,
        )
    shop.tell([site], "command", signed)
    shop.say({"site": site, "number": number}, f"command {number} for {site}; it expires in {commands.LIFE_S} s")


def _row(site: sites.SiteNow) -> dict[str, object]:
    return {name: getattr(site, name) for name in site.__dataclass_fields__}
