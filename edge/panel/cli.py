"""`fieldtill`: what a person at the box can ask and do.

A module that only some commands need is loaded by those commands, so that `fieldtill status` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from edge.panel import (
    cli_box,
    cli_bundle,
    cli_epoch,
    cli_fuel,
    cli_journal,
    cli_learn,
    cli_live,
    cli_ocmf,
    cli_port,
    cli_proof,
    cli_swap,
    cli_tank,
    cli_value,
    cli_verify,
    show,
)
from edge.panel.cli_shared import Exit
from edge.panel.client import Failed, NoDaemon
from edge.panel.messages import Trouble
from edge.panel.paper import Paper

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
    help="The till of one energy site, for the technician at the box.",
    epilog="Exit codes: 0 done; 1 refused; 2 bad command line or config; 3 damaged journal; 5 no daemon is running. "
    "Each command has an example in its --help.",
)
app.add_typer(cli_live.app)
app.add_typer(cli_live.day_app, name="day")
app.add_typer(cli_value.app)
app.add_typer(cli_fuel.app)
app.add_typer(cli_port.app)
app.add_typer(cli_swap.app)
app.add_typer(cli_tank.app, name="tank")
app.add_typer(cli_box.app)
app.add_typer(cli_journal.app, name="journal")
app.add_typer(cli_epoch.app, name="epoch")
app.add_typer(cli_learn.app, name="learn")
app.add_typer(cli_proof.app)
app.add_typer(cli_ocmf.app)
app.add_typer(cli_verify.app)
app.add_typer(cli_bundle.app)

_BAD_INPUT = {"no-config", "bad-config", "bad-request", "not-hex", "bad-length"}


def main() -> None:
    """The program."""
    try:
        app()
    except NoDaemon as error:
        _fail(error.trouble, Exit.NO_DAEMON)
    except Failed as error:
        damaged = error.trouble.code == "journaldamaged"
        bad_input = error.trouble.code in _BAD_INPUT
        _fail(error.trouble, Exit.DAMAGED if damaged else Exit.BAD_INPUT if bad_input else Exit.REFUSED)
    except PermissionError as error:
        remedy = "Use `sudo -u fieldtill fieldtill ...`: config, keys and journal are for the daemon's user alone."
        _fail(Trouble("not-allowed", f"{error.filename}: {error.strerror}", remedy), Exit.REFUSED)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)


def _fail(trouble: Trouble, code: Exit) -> None:
    sys.stdout.flush()
    show.trouble(Paper(sys.stderr), trouble)
    sys.exit(code)


if __name__ == "__main__":
    main()
