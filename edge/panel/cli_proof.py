"""What can be handed to somebody who does not trust us? Receipts and evidence, out of the journal's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.panel.cli_shared import AsJson, Config, JournalFile, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble
from edge.panel.paper import Paper

if TYPE_CHECKING:
    from edge.evidence.gather import Gathered
    from protocols.proof.note import VerifierKey

app = typer.Typer()

Session = Annotated[str, typer.Argument(help="The session's number, or site/epoch/number.")]
Language = Annotated[str, typer.Option("--lang", help="zh or en; else the locale's.", metavar="zh|en")]


@app.command(epilog="Examples: fieldtill receipt 14; fieldtill receipt 14 --out receipt.json")
def receipt(
    session: Session,
    out: Annotated[Path | None, typer.Option(help="Write the receipt that anyone can check to this file.")] = None,
    lang: Language = "",
    journal: JournalFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """A session's bill with its proof. The daemon may run. Final once headquarters has acknowledged it."""
    from edge.panel.receipt_verify import language_for

    language = language_for(lang)
    gathered = gather(session, journal, config)
    if out is not None:
        _write(out, gathered.file.to_bytes())
    if as_json:
        print(gathered.file.to_bytes().decode(), end="")
        return
    _slip(Paper(), gathered, language)
    if out is not None:
        print(out)


@app.command(epilog="Example: fieldtill evidence 14 /mnt/usb/session-14")
def evidence(
    session: Session,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    journal: JournalFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Everything that proves one session, in a folder for somebody who does not trust us: its index.html tells more."""
    from edge.evidence.pack import pack

    files = pack(gather(session, journal, config), _hq_keys(journal, config))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failed(Trouble("bad-request", f"{folder} is no empty folder", "Name a new one: evidence is not mixed."))
    for path, data in files.items():
        _write(folder / path, data)
    told = {"folder": str(folder), "files": sorted(files)}
    say(as_json, told, lambda paper: paper.write(f"{folder / 'index.html'}  {len(files)} files"))


@app.command(epilog="Example: fieldtill verifier verify.html")
def verifier(out: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """The page that checks receipts in a browser, as one file: for a web site, or to be sent to customers."""
    from edge.evidence.verifier_page import verifier_page

    _write(out, verifier_page().encode())
    print(out)


def gather(session: str, journal: Path | None, config: Path | None) -> Gathered:
    """The session's receipt from the journal's file. Raises Failed."""
    from edge.evidence.gather import receipt_of, session_seq
    from edge.panel.cli_box import load_config
    from edge.panel.journal_file import opened

    path = journal or load_config(find_config(config)).journal_path
    with opened(path) as connection, _refusals():
        return receipt_of(connection, session_seq(connection, session))


@contextmanager
def _refusals() -> Iterator[None]:
    from edge.evidence.gather import NoReceipt

    try:
        yield
    except NoReceipt as error:
        raise Failed(Trouble(error.code, error.what, error.remedy)) from error


def _slip(paper: Paper, gathered: Gathered, language: str) -> None:
    """The bill as a customer reads it."""
    from edge.evidence import slip

    story = gathered.story
    paper.write(paper.bold(slip.title(story, language)))
    paper.pairs(slip.facts(story, language, gathered.pricing))
    rows = list(slip.rows(story, gathered.pricing, language))
    if rows:
        right = (f">{slip.label(code, language)}" for code in ("quantity", "price", "amount"))
        paper.write()
        paper.table([slip.label("line", language), *right], rows)
    totals = [(name, paper.bold(text)) for name, text in slip.totals(story, language)]
    if totals:
        paper.write()
        paper.pairs(totals)
    state = slip.label("final" if gathered.final else "provisional", language)
    paper.write()
    paper.pairs([(slip.label("state", language), paper.good(state) if gathered.final else paper.warn(state))])


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise Failed(Trouble("bad-request", f"{path}: {error.strerror}", "Name a file that can be written.")) from error


def _hq_keys(journal: Path | None, config: Path | None) -> tuple[VerifierKey, ...]:
    """Headquarters' keys as this box believes them, older ones too; none for a journal from elsewhere."""
    from edge.panel.cli_box import load_config
    from edge.sync import key_chain, trust
    from protocols.door import Refused

    if journal is not None and config is None:
        return ()
    site = load_config(find_config(config))
    if site.hq is None:
        return ()
    try:
        believed = trust.load(Path(site.hq.keys_file))
    except Refused as error:
        raise Failed(Trouble("bad-config", str(error))) from error
    key_chain.restore(believed, site.keys_dir / key_chain.FILE)
    return *believed.granters, *believed.cosigners
