"""`fieldtill verify PATH`: is this file what it claims to be? A journal, a snapshot of one, or a receipt."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.panel.cli_shared import AsJson, Config, Exit, say
from edge.panel.client import Failed, find_config
from edge.panel.messages import Trouble
from edge.panel.paper import Paper, counted

if TYPE_CHECKING:
    from edge.journal.verify_report import Report, Trust

app = typer.Typer()

_SQLITE = b"SQLite format 3\0"
_SNAPSHOT = b"fieldtill snapshot "


@app.command(epilog="Examples: fieldtill verify; fieldtill verify /mnt/copy/journal.db --hq-key @hq.vkeys; "
             "fieldtill verify receipt.json --site-key 2a22-a91f-... --hq-key @hq.vkeys")  # fmt: skip
def verify(
    path: Annotated[Path | None, typer.Argument(help="A journal, a snapshot or a receipt; else this box's.")] = None,
    site_key: Annotated[list[str] | None, typer.Option(help="Of the box: fingerprint, vkey, or @FILE.")] = None,
    hq_key: Annotated[list[str] | None, typer.Option(help="Headquarters' vkeys, or @FILE.")] = None,
    lang: Annotated[str, typer.Option(help="zh or en, for a receipt; else the locale's.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Is it sound? A journal is replayed from its first record, and everything derived from it compared.

    The daemon may run. Without a path, the keys that this box knows are believed too. Ends with 0 sound, 1 findings,
    3 cannot be read.
    """
    if path is None:
        path, trust = _of_this_box(config)
        more = _trust(site_key or [], hq_key or [])  # keys of before a rotation, say
        both = (trust.sites + more.sites, trust.cosigners + more.cosigners, trust.granters + more.granters)
        return _journal(path, type(trust)(*both), as_json)
    begins = b"" if str(path) == "-" else _begins(path)
    if begins.startswith(_SQLITE):
        return _journal(path, _trust(site_key or [], hq_key or []), as_json)
    if begins.startswith(_SNAPSHOT):
        return _snapshot(path, _trust(site_key or [], hq_key or []), as_json)
    from edge.panel.receipt_verify import verify_receipt

    raise typer.Exit(verify_receipt(path, site_key or [], hq_key or [], language=lang, as_json=as_json))


def _journal(path: Path, trust: Trust, as_json: bool) -> None:
    from edge.journal.errors import JournalDamaged, JournalError
    from edge.journal.verify import verify as verify_journal

    try:
        report = verify_journal(path, trust, _ticker())
    except JournalError as error:
        code = "journaldamaged" if isinstance(error, JournalDamaged) else "journalerror"
        raise Failed(Trouble(code, f"{path}: {error}", error.remedy)) from error
    say(as_json, _view(report), lambda paper: _print(paper, report))
    if not report.sound:
        raise typer.Exit(Exit.REFUSED)


@app.command(epilog="Example: fieldtill snapshot /mnt/usb/hz-1.snapshot")
def snapshot(
    into: Annotated[Path, typer.Argument(help="A new file.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Replay this box's journal, and sign what it comes to: balances, sessions, counters. The daemon may run."""
    from edge.enrolment import SOFTWARE
    from edge.journal import signed_snapshot
    from edge.journal.errors import JournalDamaged, JournalError
    from edge.journal.files import private_opener
    from edge.journal.verify import replay
    from edge.keys import KeyRing, KeyUnusable
    from edge.panel.cli_box import load_config

    path, trust = _of_this_box(config)
    try:
        report, replayed = replay(path, trust, _ticker())
        if replayed is None:
            remedy = "`fieldtill verify` shows them; nothing is signed that does not verify."
            raise Failed(Trouble("journalerror", f"{path}: {len(report.findings)} findings", remedy))
        log_key = KeyRing(load_config(find_config(config)).keys_dir).log(report.epoch)
    except KeyUnusable as error:
        raise Failed(Trouble("bad-config", error.what, error.remedy)) from error
    except JournalError as error:
        code = "journaldamaged" if isinstance(error, JournalDamaged) else "journalerror"
        raise Failed(Trouble(code, f"{path}: {error}", error.remedy)) from error
    data = signed_snapshot.sign(replayed.opened, replayed.fold, log_key, SOFTWARE)
    try:
        with open(into, "xb", opener=private_opener) as file:  # the balances of accounts are in it
            file.write(data)
    except OSError as error:
        raise Failed(Trouble("bad-request", f"{into}: {error.strerror}", "Name a new file.")) from error
    told = {"path": str(into), "site": report.site, "epoch": report.epoch, "records": report.size, "bytes": len(data)}
    text = f"{into}: {report.site}, epoch {report.epoch}, {counted(report.size, 'record')}, {len(data)} bytes"
    say(as_json, told, lambda paper: paper.write(text))


def _snapshot(path: Path, trust: Trust, as_json: bool) -> None:
    """Its signature, its certificate, whose it is, and that its parts agree."""
    from edge.journal import signed_snapshot
    from edge.journal.verify_report import Report
    from protocols.proof import keys
    from protocols.proof.errors import Unproven

    report = Report(str(path), "", 0, 0)
    try:
        found = signed_snapshot.read(path.read_bytes())
    except Unproven as error:
        report.findings.add("signature", None, error.what, error.expected, error.got)
    else:
        report.site, report.epoch, report.size = found.site, found.epoch, found.fold.size
        device = keys.fingerprint(found.device_key)
        report.proven.append(f"the log key has signed what {found.fold.size} records come to ({found.software})")
        log_key = keys.log_verifier(found.site, found.epoch, found.log_key)
        if not trust.sites:
            report.not_checked.append(f"whether {device} is the key of this box (--site-key)")
        elif any(key.vouches_for(found.device_key, log_key) for key in trust.sites):
            report.proven.append(f"the log key is certified by the box's key {device}")
        else:
            report.findings.add("certificate", None, "key of the box", "one that is known here", device)
        root = found.fold.frontier.root().hex()
        report.not_checked.append(f"the records themselves: their tree of that size has root {root}")
    say(as_json, _view(report), lambda paper: _print(paper, report))
    if not report.sound:
        raise typer.Exit(Exit.REFUSED)


def _ticker() -> Callable[[int, int], None] | None:
    """How far it is, over and over on one line; where nobody watches, nothing."""
    if not sys.stderr.isatty():
        return None

    def tick(done: int, total: int) -> None:
        sys.stderr.write(f"\r{done:,} of {total:,} records " + ("\r\x1b[K" if done == total else ""))
        sys.stderr.flush()

    return tick


def _view(report: Report) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        "path": report.path,
        "site": report.site,
        "epoch": report.epoch,
        "sound": report.sound,
        "records": report.size,
        "first": report.first,
        "cosigned": report.cosigned,
        "tally": to_builtins(report.tally),
        "proven": report.proven,
        "not_checked": report.not_checked,
        "findings": [to_builtins(finding) | {"remedy": finding.remedy} for finding in report.findings],
        "more_findings": report.findings.more,
    }


def _print(paper: Paper, report: Report) -> None:
    acknowledged = f", {report.cosigned} acknowledged" if report.tally.records else ""
    told = f"{report.site}, epoch {report.epoch}: {counted(report.size, 'record')}{acknowledged}"
    paper.write(f"{report.path}: {told}")
    for line in report.proven:
        paper.hang(paper.good("+"), line)
    for line in report.not_checked:
        paper.hang(paper.warn("?"), f"not checked: {line}")
    for finding in report.findings:
        where = "the log" if finding.seq is None else f"record {finding.seq}"
        paper.hang(paper.bad("!"), f"{where}: {finding.what} ({finding.code})")
        paper.pairs([("    expected", finding.expected), ("    got", finding.got), ("    next", finding.remedy)])
    if report.findings.more:
        paper.write(f"{paper.bad('!')} and {report.findings.more} findings more")
    paper.write(paper.good("sound") if report.sound else paper.bad("not sound"))


# --- which keys are trusted ------------------------------------------------------------------------------------------


def _of_this_box(config: Path | None) -> tuple[Path, Trust]:
    """The journal of the config, and the keys that the box itself knows."""
    from edge.journal.verify_report import Trust
    from edge.keys import KeyRing, KeyUnusable, fingerprint
    from edge.panel.cli_box import load_config
    from edge.sync import key_chain
    from edge.sync import trust as pinned
    from protocols.door import Refused
    from protocols.proof.reader_keys import SiteKey
    from protocols.trade.codec import NotCanonical

    loaded = load_config(find_config(config))
    try:
        sites: tuple[SiteKey, ...] = (SiteKey(fingerprint=fingerprint(KeyRing(loaded.keys_dir).device())),)
    except KeyUnusable:
        sites = ()
    if loaded.hq is None:
        return loaded.journal_path, Trust(sites)
    try:
        hq = pinned.load(Path(loaded.hq.keys_file))
        first = (hq.cosign, hq.grant)
        key_chain.restore(hq, loaded.keys_dir / key_chain.FILE)
    except (Refused, NotCanonical) as error:
        raise Failed(Trouble("bad-config", str(error), "`fieldtill-hq keys` prints what belongs there.")) from error
    cosigners, granters = dict.fromkeys([first[0], *hq.cosigners]), dict.fromkeys([first[1], *hq.granters])
    return loaded.journal_path, Trust(sites, tuple(cosigners), tuple(granters))


def _trust(site_keys: list[str], hq_keys: list[str]) -> Trust:
    """Keys as given on the command line. Raises Failed."""
    from edge.journal.verify_report import Trust
    from protocols.proof import reader_keys
    from protocols.proof.errors import Malformed
    from protocols.proof.note import SignatureType, VerifierKey

    try:
        sites = [key for text in map(_text, site_keys) for key in reader_keys.site_keys(text)]
        lines = [line.partition("#")[0].strip() for text in map(_text, hq_keys) for line in text.splitlines()]
        hq = [VerifierKey.parse(line) for line in lines if line]
    except Malformed as error:
        remedy = "`fieldtill keys` prints a box's keys, `fieldtill-hq keys` headquarters'."
        raise Failed(Trouble("bad-request", str(error), remedy)) from error
    cosigners = tuple(key for key in hq if key.type is SignatureType.COSIGNATURE_V1)
    granters = tuple(key for key in hq if key.name.endswith("/grant"))
    return Trust(tuple(sites), cosigners, granters)


def _text(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(Trouble("bad-request", f"{given}: {error}", "Name a file that holds the key.")) from error


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise Failed(
            Trouble("bad-request", f"{path}: {error.strerror}", "Name a journal, snapshot or receipt.")
        ) from error
