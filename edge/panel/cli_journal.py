"""What can a technician do with a journal file? Look, check, and save what can be saved; never change it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge.panel.cli_shared import AsJson, Config, Exit, JournalFile, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble
from edge.panel.paper import Paper, counted, instant

app = typer.Typer(no_args_is_help=True, help="The journal file: look, check, salvage.")


@app.command(epilog="Examples: fieldtill journal check; fieldtill journal check --journal /mnt/copy/journal.db")
def check(journal: JournalFile = None, config: Config = None, as_json: AsJson = False) -> None:
    """Is the log what was written? Every page, record and hash, against the signed head. The daemon may run meanwhile.

    A file of another box is checked against the key that stands in it.
    """
    from edge.journal.errors import JournalDamaged, JournalError
    from edge.journal.reading import read_head
    from edge.journal.recovery import check as check_log
    from edge.panel.journal_file import identity_of, opened

    path = _path(journal, config)
    identity = identity_of(path)
    try:
        check_log(path, identity.log_key, full=True)
    except JournalError as error:
        code = "journaldamaged" if isinstance(error, JournalDamaged) else "journalerror"
        raise Failed(Trouble(code, f"{path}: {error}", error.remedy)) from error
    with opened(path) as connection:
        size = read_head(connection).size
    told = {"path": str(path), "site": identity.site, "epoch": identity.epoch, "records": size, "whole": True}
    text = f"{path}: {identity.site}, epoch {identity.epoch}, {counted(size, 'record')}, "
    say(as_json, told, lambda paper: paper.write(text + paper.good("whole")))


@app.command(epilog="Example: fieldtill journal salvage saved.db --second-copy /mnt/usb/fieldtill")
def salvage(
    into: Annotated[Path, typer.Argument(help="A new file.")],
    second_copy: Annotated[Path | None, typer.Option(help="Take what is missing from there.")] = None,
    journal: JournalFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy what can still be read of a damaged journal to a new file. The daemon is stopped; the old file stays."""
    from msgspec import to_builtins

    from edge.journal.errors import JournalError
    from edge.journal.salvage import salvage as copy

    try:
        done = copy(_path(journal, config), into, second_copy_directory=second_copy)
    except JournalError as error:
        raise Failed(Trouble("journalerror", error.what, error.remedy)) from error

    def text(paper: Paper) -> None:
        word = paper.good("complete") if done.complete else paper.warn("not complete")
        paper.write(f"{into}: {word}, {done.read} of {done.size} records, {done.from_second_copy} from the second copy")
        for first, last in done.missing:
            paper.write(f"{paper.bad('!')} records {first} to {last} are missing")
        for left in done.left_out:
            paper.write(f"{paper.warn('-')} {left}; its session is settled from its opening record")
        for problem in done.problems:
            paper.write(f"{paper.bad('!')} {problem}")
        if done.complete:
            paper.write("It may take the old one's place: stop the daemon, keep the old file, move this one there.")
        else:
            paper.write("Send it to headquarters; `fieldtill epoch abandon` lets this box go on with a new epoch.")

    say(as_json, to_builtins(done), text)
    if not done.complete:
        raise typer.Exit(Exit.DAMAGED)


@app.command(epilog="Examples: fieldtill journal inspect; fieldtill journal inspect --table progress; "
             "fieldtill journal inspect --seq 14 --json")  # fmt: skip
def inspect(
    table: Annotated[str, typer.Option(help="The newest rows of this table.")] = "",
    seq: Annotated[int | None, typer.Option(help="One record, all of it.", min=0)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    journal: JournalFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What is in the file: whose log, how many of each kind, its signed head, and the tables."""
    from edge.panel import journal_file

    path = _path(journal, config)
    if seq is not None:
        found = journal_file.records_of(path, seq, 1, "")
        if not found:
            raise Failed(Trouble("bad-request", f"{path} has no record {seq}", "`fieldtill records` shows the last."))
        return say(as_json, found[0], lambda paper: _record(paper, found[0]))
    if table:
        rows = journal_file.rows_of(path, table, limit)
        return say(as_json, rows, lambda paper: _rows(paper, rows))
    told = journal_file.inspect(path)
    return say(as_json, told, lambda paper: _file(paper, told))


@app.command(epilog="Examples: fieldtill journal prune; fieldtill journal prune --retain-days 400")
def prune(
    retain_days: Annotated[int | None, typer.Option(help="Else the config's.", min=1)] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Drop what headquarters has acknowledged and is older, behind a signed snapshot. The daemon is stopped.

    A running daemon does the same by itself, where `[journal] retain_days` asks for it.
    """
    import asyncio

    from edge.panel.cli_box import load_config
    from edge.panel.pruning import prune_now

    loaded = load_config(find_config(config))
    days = loaded.journal.retain_days if retain_days is None else retain_days
    if not days:
        remedy = "Say --retain-days, or set `[journal] retain_days`."
        raise Failed(Trouble("bad-request", "nothing is ever pruned here: no retention time is set", remedy))
    done = asyncio.run(prune_now(loaded, days))
    text = f"{counted(done['dropped'], 'record')} dropped; a signed snapshot stands for the first {done['base']}"
    say(as_json, done, lambda paper: paper.write(text))


def _path(journal: Path | None, config: Path | None) -> Path:
    if journal is not None:
        return journal
    from edge.panel.cli_box import load_config

    return load_config(find_config(config)).journal_path


def _file(paper: Paper, told: dict[str, Any]) -> None:
    paper.pairs(
        [
            ("file", f"{told['path']}, {told['bytes'] / 1000:.0f} kB"),
            ("log", f"{told['site']}, epoch {told['epoch']}"),
            ("records", f"{told['records']}, {told['cosigned']} acknowledged"),
        ]
    )
    paper.write()
    paper.table(("KIND", ">RECORDS"), [(kind, str(count)) for kind, count in told["kinds"].items()])
    paper.write()
    rows = [(one["table"], str(one["rows"]), paper.dim(", ".join(one["columns"]))) for one in told["tables"]]
    paper.table(("TABLE", ">ROWS", "COLUMNS"), rows)
    if told["head"]:
        paper.write()
        paper.write(paper.dim(told["head"].rstrip()))


def _rows(paper: Paper, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return paper.write("no rows")
    return paper.table(tuple(rows[0]), [[_short(part) for part in row.values()] for row in rows])


def _record(paper: Paper, one: dict[str, Any]) -> None:
    paper.pairs(
        [
            ("record", f"{one['seq']}, {one['kind']}"),
            ("time", f"{instant(one['wall_ms'])}, {one['quality']}"),
            ("what", one["gist"]),
            *((f"  {name}", _short(part)) for name, part in (one["body"] or {}).items()),
        ]
    )
    for move in one["moves"]:
        paper.write(
            f"move  {move['account']} {move['effect']} {move['amount']} {move['asset']}, {move['counter']} in all"
        )


def _short(part: Any) -> str:
    text = str(part)
    return text if len(text) <= 90 else f"{text[:87]}..."
