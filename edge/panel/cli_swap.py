"""What can attendant and technician ask of cabinets and packs, and tell them?"""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from edge.panel import show_swap
from edge.panel.cli_shared import AsJson, Because, Config, Socket, ask, say
from edge.panel.messages_swap import CabinetView, PackView, SwapView

app = typer.Typer()
slot_app = typer.Typer(no_args_is_help=True, help="The slots of cabinets, by hand.")
pack_app = typer.Typer(no_args_is_help=True, help="The packs of this site.")
app.add_typer(slot_app, name="slot")
app.add_typer(pack_app, name="pack")

Cabinet = Annotated[str, typer.Argument(help="Its id in the config.")]
MaybeCabinet = Annotated[str, typer.Argument(help="Its id in the config; left out: all.")]
Slot = Annotated[int, typer.Argument(help="As it stands on the door.", min=1, max=255)]


@app.command(
    epilog="Examples: fieldtill swap cab-1 --card -; fieldtill swap cab-1 --account acc-7 --rent --offer month; "
    "fieldtill swap cab-1 --account acc-7 --return"
)
def swap(
    cabinet: Cabinet,
    card: Annotated[str, typer.Option(help="The card as the reader would say it; `-` reads it from stdin.")] = "",
    account: Annotated[str, typer.Option(help="Or the rider's account.")] = "",
    rent: Annotated[bool, typer.Option("--rent", help="A pack out, kept for a term.")] = False,
    return_: Annotated[bool, typer.Option("--return", help="A pack in, none out.")] = False,
    offer: Annotated[str, typer.Option(help="The price, plan or rent term, by its name; else the first.")] = "",
    consent: Annotated[bool, typer.Option("--consent", help="The rider takes a pack that is not full, too.")] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a swap session, as a tap at the cabinet would: the first door opens once that is durable."""
    if bool(card) == bool(account) or (rent and return_):
        raise typer.BadParameter("expected --card or --account, one of them; --rent or --return, at most one")
    told = ask(
        config,
        socket,
        "swap",
        cabinet=cabinet,
        kind="rent" if rent else "return" if return_ else "swap",
        card=sys.stdin.readline().strip() if card == "-" else card,
        account=account,
        offer=offer,
        consent=consent,
    )
    say(as_json, told, lambda paper: show_swap.opened(paper, msgspec.convert(told, SwapView)))


@app.command(epilog="Example: fieldtill swaps")
def swaps(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """The swap sessions that are open: where each stands, and why."""
    told = ask(config, socket, "swaps")
    say(as_json, told, lambda paper: show_swap.swaps(paper, msgspec.convert(told, list[SwapView])))


@app.command(epilog="Example: fieldtill slots cab-1")
def slots(cabinet: MaybeCabinet = "", config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Every slot: its door, what it holds, whether it is in use and charges."""
    told = ask(config, socket, "cabinets", cabinet=cabinet)
    say(as_json, told, lambda paper: show_swap.cabinets(paper, msgspec.convert(told, list[CabinetView])))


@app.command(epilog="Example: fieldtill packs --json")
def packs(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Where every pack is that this site has seen: in a slot, with a rider or staff, or unknown."""
    told = ask(config, socket, "packs")
    say(as_json, told, lambda paper: show_swap.packs(paper, msgspec.convert(told, list[PackView])))


@slot_app.command("open", epilog='Example: fieldtill slot open cab-1 4 --because "inspection"')
def slot_open(
    cabinet: Cabinet,
    slot: Slot,
    because: Because,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Open a door by hand, while no session runs there; what comes or goes is noted as yours."""
    _act(cabinet, slot, "open", because, config, socket, as_json)


@slot_app.command("off", epilog='Example: fieldtill slot off cab-1 4 --because "door sensor"')
def slot_off(
    cabinet: Cabinet,
    slot: Slot,
    because: Because,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Take a slot out of use."""
    _act(cabinet, slot, "off", because, config, socket, as_json)


@slot_app.command("on", epilog='Example: fieldtill slot on cab-1 4 --because "looked at"')
def slot_on(
    cabinet: Cabinet,
    slot: Slot,
    because: Because,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Put a slot into use again, whoever or whatever took it out."""
    _act(cabinet, slot, "on", because, config, socket, as_json)


@pack_app.command("scan", epilog="Example: fieldtill pack scan cab-1")
def pack_scan(
    cabinet: MaybeCabinet = "", config: Config = None, socket: Socket = None, as_json: AsJson = False
) -> None:
    """Ask every slot what stands in it, into the log: headquarters compares it with its ledger."""
    told = ask(config, socket, "packs-scan", cabinet=cabinet)
    say(as_json, told, lambda paper: show_swap.cabinets(paper, msgspec.convert(told, list[CabinetView])))


@pack_app.command("inspected", epilog='Example: fieldtill pack inspected cab-1 4 --because "cells and case sound"')
def pack_inspected(
    cabinet: Cabinet,
    slot: Slot,
    because: Because,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Note that the pack in a slot has been inspected; headquarters takes it off the list."""
    told = ask(config, socket, "pack-inspected", cabinet=cabinet, slot=slot, because=because)
    say(as_json, told, lambda paper: paper.write(f"{told['code']} is noted as inspected"))


@pack_app.command("explained", epilog='Example: fieldtill pack explained BT3072020 --because "in the bin behind"')
def pack_explained(
    code: Annotated[str, typer.Argument(help="The pack's code, as `fieldtill packs` has it.")],
    because: Because,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Say where a pack is that went out of sight in a session: its rider is asked for it no more."""
    told = ask(config, socket, "pack-explained", code=code, because=because)
    say(as_json, told, lambda paper: paper.write(f"{told['account']} is asked for {told['code']} no more"))


def _act(cabinet: str, slot: int, act: str, because: str, config: Config, socket: Socket, as_json: AsJson) -> None:
    told = ask(config, socket, "slot-act", cabinet=cabinet, slot=slot, act=act, because=because)
    done = {"open": "opens", "on": "is in use", "off": "is out of use"}[act]
    say(as_json, told, lambda paper: paper.write(f"slot {told['slot']} of {told['cabinet']} {done}"))
