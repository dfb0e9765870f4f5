"""`fieldtill-hq`: what does a person at headquarters do, and how do they say it?

Exit codes: 0 done; 1 refused, or the nightly books differ; 2 bad input. Every command takes --json before its name.
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer

from cloud import balances, tls
from cloud import home as homes
from cloud import tend as tending
from cloud.accounts import Denied
from cloud.cli.account import accounts_app
from cloud.cli.epoch import epoch_app, evidence_app
from cloud.cli.fuel import price_app, terms_app
from cloud.cli.guest import guest_app, refund_app
from cloud.cli.hotlist import hotlist_app
from cloud.cli.keys import keys_app
from cloud.cli.packs import pack_app, rental_app
from cloud.cli.port import port_price_app
from cloud.cli.risk import risk_app
from cloud.cli.shop import Shop, shop_of
from cloud.cli.site import command_app, site_app, tariff_app
from cloud.cli.swaps import plan_app, swap_terms_app
from cloud.cli.tender import tender_app
from cloud.cli.verify import verify_app
from cloud.clock import SystemClock
from cloud.documents import VersionTaken
from cloud.home import NoHome
from cloud.keys import BadKeyFile
from protocols.door import Refused
from protocols.proof.errors import Unproven
from protocols.trade.records import CNY
from protocols.trade.value_words import bare_amount

DONE, REFUSED, BAD_INPUT = 0, 1, 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Headquarters of a fleet of Fieldtill sites. Exit codes: 0 done; 1 refused, or books differ; 2 bad input.",
    epilog="Begin with: fieldtill-hq --home hq init; fieldtill-hq --home hq site add pudong-1 --device FINGERPRINT",
)
app.add_typer(site_app, name="site")
app.add_typer(epoch_app, name="epoch")
app.add_typer(evidence_app, name="evidence")
app.add_typer(accounts_app, name="account")
app.add_typer(guest_app, name="guest")
app.add_typer(refund_app, name="refund")
app.add_typer(hotlist_app, name="hotlist")
app.add_typer(risk_app, name="risk")
app.add_typer(keys_app, name="keys")
app.add_typer(tariff_app, name="tariff")
app.add_typer(tender_app, name="tender")
app.add_typer(price_app, name="price")
app.add_typer(terms_app, name="fuel-terms")
app.add_typer(port_price_app, name="port-price")
app.add_typer(swap_terms_app, name="swap-terms")
app.add_typer(plan_app, name="plan")
app.add_typer(pack_app, name="pack")
app.add_typer(rental_app, name="rental")
app.add_typer(command_app, name="command")
app.add_typer(verify_app)
tls_app = typer.Typer(no_args_is_help=True, help="TLS files for a demo.")
app.add_typer(tls_app, name="tls")


@app.callback()
def common(
    ctx: typer.Context,
    home: Annotated[Path, typer.Option(envvar="FIELDTILL_HQ_HOME", help="Keys, configuration and database.")] = Path(
        "hq"
    ),
    json: Annotated[bool, typer.Option("--json", help="Say it for a program.")] = False,
) -> None:
    ctx.obj = shop = Shop(home, json)
    ctx.call_on_close(shop.close)


@app.command(epilog="Example: fieldtill-hq tend")
def tend(ctx: typer.Context) -> None:
    """Do what time brings about, as the server does every few minutes: codes not used, silent sites, loans."""
    shop = shop_of(ctx)
    home = shop.open()
    done = tending.tend(home.engine, home.keys, home.clock, home.config.policy)
    shop.tell(done.sites)
    guests = f"{len(done.codes_expired)} codes undone, {len(done.guests_lent)} guests paid back by the operator"
    shop.say(done, f"{guests}, {len(done.epochs_lent)} lost epochs lent, {len(done.plans_ended)} plans ended")


@app.command(epilog="Example: fieldtill-hq --home /var/lib/fieldtill-hq init")
def init(ctx: typer.Context) -> None:
    """Make a new headquarters: keys, database, and the first credential key."""
    shop = shop_of(ctx)
    made = homes.create(shop.path)
    made.engine.dispose()
    shop.say(
        {"home": str(shop.path), "vkeys": str(shop.path / "hq.vkeys")},
        f"headquarters in {shop.path}; boxes pin {shop.path / 'hq.vkeys'}",
    )


@app.command(epilog="Example: fieldtill-hq serve --port 8443 --certificate tls/server.pem --key tls/server.key")
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else hq.toml's.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one and prints it.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM, with its chain.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of the certificate's key.")] = None,
) -> None:
    """Answer sites, until SIGTERM."""
    from cloud.server import serve as run  # uvicorn and MQTT: not paid for by every other command

    shop = shop_of(ctx)
    opened = shop.open()
    at = opened.config.listen
    try:
        listen = homes.Listen(
            at.host if host is None else host,
            at.port if port is None else port,
            at.certificate if certificate is None else str(certificate),
            at.key if key is None else str(key),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    run(opened, listen, lambda text: print(text, flush=True))


@app.command(epilog="Example: fieldtill-hq nightly --date 2026-11-21 --out reports")
def nightly(
    ctx: typer.Context,
    date: Annotated[str | None, typer.Option(help="Business date; else the last one that is over everywhere.")] = None,
    today: Annotated[bool, typer.Option("--today", help="The date that is running, so far.")] = False,
    out: Annotated[Path, typer.Option(help="Directory of the reports.")] = Path("reports"),
) -> None:
    """Reconcile one business date and write its report. Ends with 1 on any unexplained fen."""
    from cloud.night import nightly as nights  # with the report's templates: not paid for by every other command
    from cloud.night.report import show

    shop = shop_of(ctx)
    try:
        day = None if date is None else datetime.date.fromisoformat(date)
    except ValueError:
        raise typer.BadParameter(f"expected YYYY-MM-DD, got {date}", param_hint="--date") from None
    engine = shop.open().engine
    try:
        result = nights.run(engine, nights.today(engine) if today else day, out)
    except nights.DayPassed as error:
        raise Denied(str(error), error.remedy) from error
    if shop.json:
        print(result.json_path.read_text(encoding="utf-8"))
    else:
        print(f"{show(result.json_path)}\n{result.html_path}")
    raise typer.Exit(result.exit_code)


@app.command(epilog="Example: fieldtill-hq report reports/nightly-2026-11-21.json")
def report(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Written by `nightly`.")]) -> None:
    """Show a nightly report in the terminal."""
    from cloud.night.report import show

    print(show(file))


@app.command(epilog="Examples: fieldtill-hq --json books; fieldtill-hq books --asset swaps-30")
def books(
    ctx: typer.Context,
    asset: Annotated[str, typer.Option(help="Another one: DEPOSIT, or a plan's units.")] = CNY,
) -> None:
    """Where all the money is, over every account and site."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        found = balances.of(connection, asset)
    parts = [(name, getattr(found, name)) for name in (*found.__struct_fields__[1:], "remainder")]
    shown = [(name.replace("_", " "), bare_amount(amount, asset)) for name, amount in parts]
    shop.say(dict(parts), "\n".join(f"{name:<12} {amount:>14}" for name, amount in shown))
    if found.remainder:
        raise typer.Exit(REFUSED)


@tls_app.command("make", epilog="Example: fieldtill-hq tls make tls --name hq.local --name 127.0.0.1")
def tls_make(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Gets ca.pem, server.pem and server.key.")],
    name: Annotated[list[str] | None, typer.Option(help="Host name or address; may be given again.")] = None,
) -> None:
    """A certificate authority of one's own and a server certificate from it, for demos and tests."""
    try:
        tls.make(directory, name or ["localhost", "127.0.0.1"], SystemClock().now_ms())
    except FileExistsError as error:
        raise typer.BadParameter(f"{error.filename} is there already") from error
    shop_of(ctx).say({"directory": str(directory)}, f"{directory}: ca.pem, server.pem, server.key")


def main() -> None:
    """Run one command; errors meant for people go to standard error, with what to do next."""
    try:
        app()
    except Denied as error:
        _fail(str(error), error.remedy, REFUSED)
    except (NoHome, BadKeyFile, VersionTaken, Unproven) as error:
        _fail(str(error), error.remedy, BAD_INPUT)
    except Refused as error:
        _fail(str(error), "", BAD_INPUT)


def _fail(what: str, remedy: str, code: int) -> None:
    print(what, file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)
    raise SystemExit(code)
