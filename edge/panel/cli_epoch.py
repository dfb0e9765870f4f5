"""What can a technician do about the epoch, the life of one log? Show it, close it, give it up."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from edge.panel.cli_shared import AsJson, Config, Socket, ask, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble
from edge.panel.paper import Paper, counted, money

app = typer.Typer(no_args_is_help=True, help="The epoch: the life of one log.")

Why = Annotated[str, typer.Option("--why", help="For whoever reads the log later.", show_default=False)]


@app.command(epilog="Example: fieldtill epoch show")
def show(config: Config = None, socket: Socket = None, as_json: AsJson = False) -> None:
    """Which epoch this is, how much of it headquarters has, what lies here, and the logs of earlier ones."""
    told = ask(config, socket, "epoch")
    say(as_json, told, lambda paper: _epoch(paper, told))


@app.command(
    epilog="Examples: fieldtill epoch close --why 'new disk'; fieldtill epoch close --why 'new box' --when-idle"
)
def close(
    why: Why = "",
    when_idle: Annotated[bool, typer.Option("--when-idle", help="Once running sessions have ended.")] = False,
    offline_ok: Annotated[
        bool, typer.Option("--offline-ok", help="Without headquarters, too: nothing is sold until it is heard.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take it back, while sessions are running.")] = False,
    config: Config = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """End the log in order: no new sessions, everything goes back, one last record. A new epoch follows by itself."""
    if not why:
        raise typer.BadParameter("expected --why")
    told = ask(config, socket, "epoch-close", why=why, when_idle=when_idle, offline_ok=offline_ok, cancel=cancel)
    say(as_json, told, lambda paper: _epoch(paper, told))


@app.command(epilog="Example: fieldtill epoch abandon --why 'restored from an old backup'")
def abandon(why: Why = "", config: Config = None, as_json: AsJson = False) -> None:
    """Give up a log that cannot go on (restored, copied, damaged): move it aside whole. The daemon is stopped.

    The next start enrols for a new epoch. What lay in the old one stays in headquarters' books until a person there
    decides (`fieldtill-hq epoch lost`).
    """
    from edge import epochs
    from edge.journal.errors import JournalError
    from edge.panel.cli_box import load_config

    if not why:
        raise typer.BadParameter("expected --why")
    site = load_config(find_config(config))
    try:
        place = epochs.put_aside(site.journal_path, why=f"{getpass.getuser()}: {why}")
    except JournalError as error:
        raise Failed(Trouble(type(error).__name__.lower(), error.what, error.remedy)) from error
    kept = next((one for one in epochs.kept(site.journal_path) if one.path == place), None)
    unsent = 0 if kept is None else kept.records - kept.cosigned
    told = {"path": str(place), "epoch": kept and kept.epoch, "unsent": unsent}

    def text(paper: Paper) -> None:
        paper.write(f"{place} is kept as it was")
        if unsent:
            paper.write(paper.warn(f"headquarters has never had {counted(unsent, 'record')} of it"))
            paper.write("Send the file there: what was sold is in it (`fieldtill records --journal FILE`).")
        paper.write("Next: `systemctl start fieldtill`; the box enrols for a new epoch.")

    say(as_json, told, text)


def _epoch(paper: Paper, told: dict[str, Any]) -> None:
    if told["closed"]:
        state = (
            paper.good("closed") if told["cosigned"] == told["records"] else paper.warn("closed, not acknowledged yet")
        )
    elif told["closing"] is not None:
        state = paper.warn(f"closing ({told['closing']}), {counted(told['sessions'], 'session')} still open")
    else:
        state = paper.good("open")
    paper.pairs(
        [
            ("epoch", f"{paper.bold(str(told['epoch']))} of {told['site']}, {state}"),
            ("records", f"{told['records']}, {told['cosigned']} acknowledged"),
            ("value", f"{money(told['rights_fen'])} may be spent here"),
            ("counter", paper.bad(told["counter"]) if told["counter"] else "nothing wrong"),
        ]
    )
    if told["kept"]:
        paper.write()
        paper.table(
            ("EPOCH", ">RECORDS", ">ACKNOWLEDGED", "WHERE", "WHY"),
            [
                (str(one["epoch"]), str(one["records"]), str(one["cosigned"]), one["path"], one["why"])
                for one in told["kept"]
            ],
        )
