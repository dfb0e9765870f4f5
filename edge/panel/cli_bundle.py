"""`fieldtill bundle`: what to send to whoever helps from afar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.panel.cli_shared import AsJson, Config, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble

app = typer.Typer()


@app.command(epilog="Example: fieldtill bundle box-17.tar.gz")
def bundle(
    out: Annotated[Path, typer.Argument(help="A new file, .tar.gz.")],
    with_records: Annotated[
        bool, typer.Option("--with-records", help="The newest records as well, and with them accounts.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option(help="The daemon's log; else journald's.", exists=True, dir_okay=False)
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Pack what helps somebody far away: config, versions, status, devices, the log's end. No secret is in it."""
    from edge.panel.bundle import make

    try:
        names = make(find_config(config), out, log=log, with_records=with_records)
    except FileExistsError as error:
        raise Failed(Trouble("bad-request", f"{out} is there already", "Name a new file.")) from error
    told = {"path": str(out), "bytes": out.stat().st_size, "parts": names, "with_records": with_records}
    text = f"{out}: {told['bytes']} bytes, {', '.join(names)}"
    say(as_json, told, lambda paper: paper.write(text))
