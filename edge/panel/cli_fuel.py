"""What can attendant and technician ask of the pumps, and tell them?"""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from edge.panel import show_fuel
from edge.panel.cli_live import scaled
from edge.panel.cli_shared import AsJson, Config, Socket, ask, say
from edge.panel.messages import PointView
from edge.panel.messages_fuel import FillingView, PumpView, TotalView

app = typer.Typer()
pump_app = typer.Typer(no_args_is_help=True, help="The pumps.")
app.add_typer(pump_app, name="pump")

Pump = Annotated[str, typer.Argument(help="Its number, or its id in the config.")]


@app.command(
    epilog="Examples: fieldtill fill 3 --card - --money 200; fieldtill fill 3 --account acc-7 --volume 30 --odometer "
    "81200; fieldtill fill 3 --guarantee shift-1"
)
def fill(
    pump: Pump,
    card: Annotated[str, typer.Option(help="The card as the reader would say it; `-` reads it from stdin.")] = "",
    account: Annotated[str, typer.Option(help="Or the account that pays.")] = "",
    guarantee: Annotated[
        str, typer.Option(help="Or the account that stands in for whoever pays afterwards with `fieldtill pay`.")
    ] = "",
    money_: Annotated[str, typer.Option("--money", help="For so many yuan, at most two decimals.")] = "",
    volume: Annotated[str, typer.Option(help="So many litres, at most three decimals.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Until the tank is full: as without a preset.")] = False,
    nozzle: Annotated[int | None, typer.Option(help="This nozzle alone.", min=1, max=15)] = None,
    odometer: Annotated[str, typer.Option(help="The kilometres, where the account's terms ask for them.")] = "",
    plate: Annotated[str, typer.Option(help="The number plate; all but its ends is masked in the log.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a filling at a pump, as a tap at the island would: the pump is authorised once that is durable."""
    if [bool(card), bool(account), bool(guarantee)].count(True) != 1:
        raise typer.BadParameter("expected --card, --account or --guarantee, one of them")
    preset, amount = _preset(money_, volume, full=full)
    told = ask(
        config,
        socket,
        "fill",
        pump=pump,
        card=sys.stdin.readline().strip() if card == "-" else card,
        account=account,
        guarantee=guarantee,
        preset=preset,
        amount=amount,
        nozzle=nozzle,
        asked=masked(plate) if plate else odometer,
    )
    say(as_json, told, lambda paper: show_fuel.opened(paper, msgspec.convert(told, FillingView)))


@app.command(epilog="Examples: fieldtill pay 14 --card -; fieldtill pay 14 --account acc-7")
def pay(
    session: Annotated[int, typer.Argument(help="The filling's number, as `fieldtill sessions` shows it.")],
    card: Annotated[str, typer.Option(help="The card that pays; `-` reads it from stdin.")] = "",
    account: Annotated[str, typer.Option(help="Or the account: ACCOUNT or ACCOUNT:ASSET.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Pay for a filling that somebody has guaranteed. Whoever guaranteed pays what nobody else does."""
    if bool(card) == bool(account):
        raise typer.BadParameter("expected --card or --account, one of them")
    number = sys.stdin.readline().strip() if card == "-" else card
    name, _, asset = account.partition(":")
    told = ask(config, socket, "pay", session=session, card=number, account=name, asset=asset or "CNY")
    say(as_json, told, lambda paper: paper.write(f"filling {told['session']} is paid for"))


@pump_app.command("list", epilog="Example: fieldtill pump list")
def pump_list(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Every pump: what it does, its nozzles, and its filling."""
    told = ask(config, socket, "pumps")
    say(as_json, told, lambda paper: show_fuel.pumps(paper, msgspec.convert(told, list[PumpView])))


@pump_app.command("show", epilog="Example: fieldtill pump show 3")
def pump_show(pump: Pump, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """One pump, read now where it has no filling: prices, totalizers, and all that its driver knows."""
    told = ask(config, socket, "pump-show", pump=pump)
    view, points = msgspec.convert(told["pump"], PumpView), msgspec.convert(told["points"], list[PointView])
    say(as_json, told, lambda paper: show_fuel.pump(paper, view, points))


@pump_app.command("prices", epilog="Example: fieldtill pump prices")
def pump_prices(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """What each nozzle should show by the price list, what it shows, and its totalizer."""
    told = ask(config, socket, "pumps")
    say(as_json, told, lambda paper: show_fuel.prices(paper, msgspec.convert(told, list[PumpView])))


@pump_app.command("totals", epilog="Example: fieldtill pump totals --json")
def pump_totals(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Read the totalizers of every pump now. What moved without a sale goes into the log."""
    told = ask(config, socket, "pump-totals")
    say(as_json, told, lambda paper: show_fuel.totals(paper, msgspec.convert(told, list[TotalView])))


@pump_app.command("stop", epilog="Example: fieldtill pump stop 3")
def pump_stop(pump: Pump, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Stop it now. Its filling, if it has one, ends; what has flowed is billed."""
    _tell("stop", pump, config, socket, as_json=as_json)


@pump_app.command("suspend", epilog="Example: fieldtill pump suspend 3")
def pump_suspend(pump: Pump, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Pause the flow; the filling stays open. Not every pump can."""
    _tell("suspend", pump, config, socket, as_json=as_json)


@pump_app.command("resume", epilog="Example: fieldtill pump resume 3")
def pump_resume(pump: Pump, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Go on after `suspend`."""
    _tell("resume", pump, config, socket, as_json=as_json)


def masked(plate: str) -> str:
    """A number plate by its first two and last two characters: enough to ask about, too little to follow anybody."""
    return plate if len(plate) <= 4 else f"{plate[:2]}{'*' * (len(plate) - 4)}{plate[-2:]}"


def _tell(act: str, pump: str, config: Config, socket: Socket, *, as_json: bool) -> None:
    told = ask(config, socket, "pump-tell", pump=pump, act=act)
    say(as_json, told, lambda paper: paper.write(f"{told['pump']} has been told: {told['told']}"))


def _preset(money: str, volume: str, *, full: bool) -> tuple[str, int]:
    given = [(kind, text, places) for kind, text, places in (("money", money, 2), ("volume", volume, 3)) if text]
    if len(given) + full > 1:
        raise typer.BadParameter("expected one of --money, --volume and --full")
    if not given:
        return "full", 0
    ((kind, text, places),) = given
    amount = scaled(text, places)
    if not amount:
        raise typer.BadParameter(f"--{kind}: got {text!r}, which is no such amount")
    return kind, amount
