"""What goes between the site and a customer's phone by hand? Codes come in, and links to receipts go out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from edge.panel import show
from edge.panel.cli_shared import AsJson, Config, Exit, Socket, ask, say
from edge.panel.messages import TakenView

app = typer.Typer()


@app.command(epilog="Examples: fieldtill take 'FT1:...'; fieldtill take @code.txt; wl-paste | fieldtill take -")
def take(
    code: Annotated[str, typer.Argument(help="The text of the QR code; `-` reads it from stdin, @FILE from a file.")],
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Take in a customer's code: a grant for this site, and the start that it may carry. No link is needed.

    Taking it again changes nothing. Exit code 1 where the code is of no use here, or its start is refused; the value
    that it carried counts all the same then.
    """
    told = ask(config, socket, "take", code=_text(code))
    view = msgspec.convert(told, TakenView)
    say(as_json, told, lambda paper: show.taken(paper, view))
    if view.refused is not None:
        raise typer.Exit(Exit.REFUSED)


@app.command(epilog="Example: fieldtill link 14")
def link(
    session: Annotated[int, typer.Argument(help="The session's number.", min=0)],
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Where a customer's phone finds a session and its receipt on the local page. Whoever has the link can read it."""
    told = ask(config, socket, "link", session=session)
    say(as_json, told, lambda paper: paper.write(told["url"]))


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.readline().strip()
    if given.startswith("@"):
        try:
            return Path(given[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"expected a file with a code: {error}") from error
    return given
