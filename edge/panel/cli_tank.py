"""What can a technician ask of the tanks, and book?"""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from edge.panel import show_tank
from edge.panel.cli_live import scaled
from edge.panel.cli_shared import AsJson, Config, Socket, ask, say
from edge.panel.messages_tank import BookedView, TankView

app = typer.Typer(no_args_is_help=True, help="The tanks: dips, deliveries, book.")

Tank = Annotated[str, typer.Argument(help="Its id in the config.")]


@app.command("list", epilog="Example: fieldtill tank list")
def list_(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Every tank: what its gauge shows, what its book says, and for how many days it lasts."""
    told = ask(config, socket, "tanks")
    say(as_json, told, lambda paper: show_tank.tanks(paper, msgspec.convert(told, list[TankView])))


@app.command(epilog="Example: fieldtill tank show t1")
def show(tank: Tank, config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """One tank with its book since the last close."""
    told = ask(config, socket, "tank-show", tank=tank)
    say(as_json, told, lambda paper: show_tank.tank(paper, msgspec.convert(told, TankView)))


@app.command(epilog="Examples: fieldtill tank dip t1 --litres 12345.6 --level-mm 1640; fieldtill tank dip t1 --gauge")
def dip(
    tank: Tank,
    litres: Annotated[str, typer.Option(help="What stands in it, at most three decimals.")] = "",
    gauge: Annotated[bool, typer.Option("--gauge", help="As its gauge shows now.")] = False,
    level_mm: Annotated[int | None, typer.Option(help="The dipstick, in mm.", min=0, max=30_000)] = None,
    water_mm: Annotated[int | None, typer.Option(help="Water at the bottom, in mm.", min=0, max=30_000)] = None,
    temp: Annotated[str, typer.Option(help="Temperature in degrees Celsius, at most one decimal.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Book what stands in a tank. The next day close reckons with the newest dip."""
    if bool(litres) == gauge:
        raise typer.BadParameter("expected --litres or --gauge, one of them")
    told = ask(
        config,
        socket,
        "tank-dip",
        tank=tank,
        volume_ml=None if gauge else _volume_ml(litres),
        level_mm=level_mm,
        water_mm=water_mm,
        temp_dc=_tenths(temp),
    )
    say(as_json, told, lambda paper: show_tank.dipped(paper, msgspec.convert(told, BookedView)))


@app.command(epilog="Example: fieldtill tank receive t1 --litres 9950 --note DN-2026-0042 --grade 92")
def receive(
    tank: Tank,
    litres: Annotated[str, typer.Option(help="As on the delivery note, at most three decimals.")],
    note: Annotated[str, typer.Option(help="Number of the delivery note; it can be booked once.")],
    grade: Annotated[str, typer.Option(help="Grade on the note; refused where the tank holds another.")] = "",
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Book a delivery into a tank."""
    told = ask(config, socket, "tank-receive", tank=tank, volume_ml=_volume_ml(litres), note=note, grade=grade)
    say(as_json, told, lambda paper: show_tank.received(paper, msgspec.convert(told, BookedView), note))


def _volume_ml(text: str) -> int:
    volume_ml = scaled(text, 3)
    if volume_ml is None:
        raise typer.BadParameter(f"--litres: got {text!r}, expected litres with at most three decimals")
    return volume_ml


def _tenths(text: str) -> int | None:
    if not text:
        return None
    tenths = scaled(text.removeprefix("-"), 1)
    if tenths is None:
        raise typer.BadParameter(f"--temp: got {text!r}, expected degrees with at most one decimal")
    return -tenths if text.startswith("-") else tenths
