"""What all commands of `fieldtill` have in common: how they are told where, how they answer, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.panel.client import CONFIG_VARIABLE, USUAL_CONFIG, Client, find_config, find_socket
from edge.panel.paper import Paper

Config = Annotated[
    Path | None, typer.Option("--config", help=f"The site's config; else ${CONFIG_VARIABLE}, else {USUAL_CONFIG}.")
]
Socket = Annotated[Path | None, typer.Option("--socket", help="The daemon's socket; else where the config says.")]
JournalFile = Annotated[Path | None, typer.Option("--journal", help="A journal file; else the config's.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value, for a program.")]


def reason(help_: str, longest: int) -> Any:
    """The option `--because`: why somebody does by hand what the daemon does not do by itself. It goes into the log."""

    def checked(text: str) -> str:
        if not 3 <= len(text.strip()) <= longest:
            raise typer.BadParameter(f"expected 3 to {longest} characters, got {text!r}")
        return text.strip()

    return typer.Option("--because", help=help_, show_default=False, callback=checked)


Because = Annotated[str, reason("Why, in a few words, for the log.", 64)]


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    REFUSED = 1  # the daemon, a device or headquarters said no; or there is a bug
    BAD_INPUT = 2  # the command line, or the config
    DAMAGED = 3  # the journal
    NO_DAEMON = 5
    INTERRUPTED = 130


def connect(config: Path | None, socket: Path | None) -> Client:
    """The daemon's panel. Raises NoDaemon, Failed."""
    return Client(socket or find_socket(find_config(config)))


def ask(config: Path | None, socket: Path | None, verb: str, **args: Any) -> Any:
    """One question, one answer. Raises NoDaemon, Failed."""
    with connect(config, socket) as daemon:
        return daemon.ask(verb, **args)


def say(as_json: bool, told: Any, text: Callable[[Paper], None]) -> None:
    """The answer: as it is for a program, or as text for a person."""
    if as_json:
        dump(told)
    else:
        text(Paper())


def dump(told: Any) -> None:
    """One JSON value on one line."""
    print(json.dumps(told, ensure_ascii=False, default=str), flush=True)
