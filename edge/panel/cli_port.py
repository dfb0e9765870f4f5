"""What can attendant and technician ask of charging ports and lockers, and tell them?"""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from edge.panel import show_port
from edge.panel.cli_live import preset_of
from edge.panel.cli_shared import AsJson, Because, Config, Socket, ask, say
from edge.panel.messages_port import PortSessionView, PortView

app = typer.Typer()
port_app = typer.Typer(no_args_is_help=True, help="The charging ports.")
locker_app = typer.Typer(no_args_is_help=True, help="The lockers.")
app.add_typer(port_app, name="port")
app.add_typer(locker_app, name="locker")

Place = Annotated[str, typer.Argument(help="The board's id and the port's number, as rack.3.")]
Card = Annotated[str, typer.Option(help="The card as the reader would say it; `-` reads it from stdin.")]


@app.command(epilog="Example: fieldtill ports --json")
def ports(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Every charging port and locker: what it does, and for whom."""
    told = ask(config, socket, "ports")
    say(as_json, told, lambda paper: show_port.ports(paper, msgspec.convert(told, list[PortView])))


@port_app.command(
    "start",
    epilog="Examples: fieldtill port start rack.3 --card - --time 2h; fieldtill port start rack.3 --account acc-7 "
    "--money 3",
)
def port_start(
    place: Place,
    card: Card = "",
    account: Annotated[str, typer.Option(help="Or the account that pays.")] = "",
    money_: Annotated[str, typer.Option("--money", help="For so many yuan, at most two decimals.")] = "",
    energy: Annotated[str, typer.Option(help="So many kWh, at most three decimals.")] = "",
    time_: Annotated[str, typer.Option("--time", help="For so long: 90s, 30m or 2h.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a session at a port, as a tap at its board would: it begins once that is durable."""
    if bool(card) == bool(account):
        raise typer.BadParameter("expected --card or --account, one of them")
    preset, amount = preset_of(money_, energy, time_)
    number = sys.stdin.readline().strip() if card == "-" else card
    told = ask(config, socket, "port-start", place=place, card=number, account=account, preset=preset, amount=amount)
    say(as_json, told, lambda paper: show_port.opened(paper, msgspec.convert(told, PortSessionView)))


@port_app.command("stop", epilog="Example: fieldtill port stop rack.3")
def port_stop(place: Place, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """End the session at a port; what it has delivered is billed, the rest goes back."""
    told = ask(config, socket, "stop", connector=place)
    say(as_json, told, lambda paper: paper.write(f"session {told['session']} is being stopped"))


@locker_app.command(
    "store", epilog="Examples: fieldtill locker store --card - --charge; fieldtill locker store rack.4 --pin -"
)
def locker_store(
    place: Annotated[str, typer.Argument(help="As rack.4; left out: any that is free.")] = "",
    card: Card = "",
    account: Annotated[str, typer.Option(help="Or the account that pays.")] = "",
    pin: Annotated[str, typer.Option(help="4 to 10 digits that open it again; `-` reads them from stdin.")] = "",
    charge: Annotated[bool, typer.Option("--charge", help="Charge what is put in until it is full.")] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Give a customer a locker: its door opens, and it is theirs once it is shut."""
    told = ask(
        config, socket, "locker-store", place=place, card=_read(card), account=account, pin=_read(pin), charge=charge
    )
    say(as_json, told, lambda paper: paper.write(f"locker {told['place']} opens: put the pack in and shut the door"))


@locker_app.command("collect", epilog="Example: fieldtill locker collect rack.4 --pin -")
def locker_collect(
    place: Place,
    card: Card = "",
    pin: Annotated[str, typer.Option(help="The PIN it was shut with; `-` reads it from stdin.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a locker to its owner, who takes the pack out."""
    told = ask(config, socket, "locker-collect", place=place, card=_read(card), pin=_read(pin))
    say(as_json, told, lambda paper: paper.write(f"locker {told['place']} opens"))


@locker_app.command("open", epilog='Example: fieldtill locker open rack.4 --because "nobody came for it" --remove')
def locker_open(
    place: Place,
    because: Because,
    remove: Annotated[bool, typer.Option("--remove", help="Take the pack out for good: the locker is free.")] = False,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="With --remove: it is out, and no door will say so.")
    ] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a locker as staff; it goes into the log. Without --remove what is in it stays its owner's."""
    if by_hand and not remove:
        raise typer.BadParameter(
            "--by-hand says that the pack is out, and without --remove it stays its owner's: say both if you have it "
            "in hand, neither to open the door"
        )
    told = ask(config, socket, "locker-open", place=place, because=because, remove=remove, by_hand=by_hand)
    done = "is free: its pack is out" if by_hand and told["stay"] is not None else "opens"
    say(as_json, told, lambda paper: paper.write(f"locker {told['place']} {done}"))


def _read(text: str) -> str:
    return sys.stdin.readline().strip() if text == "-" else text
