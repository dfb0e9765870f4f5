"""`fieldtill-hq verify`: is headquarters' copy of a site's log sound, and do its books follow from it?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from cloud.accounts import Denied
from cloud.cli.shop import shop_of
from cloud.verify import Progress, Report, logs, signers, verify_log
from cloud.verify_books import verify_accounts
from cloud.verify_packs import verify_packs
from cloud.verify_tables import verify_tables
from protocols.trade.finding import Finding, Findings

verify_app = typer.Typer()


@verify_app.command(epilog="Examples: fieldtill-hq verify pudong-1; fieldtill-hq verify pudong-1 --epoch 2; "
                    "fieldtill-hq verify --all")  # fmt: skip
def verify(
    ctx: typer.Context,
    site: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    epoch: Annotated[int | None, typer.Option(help="One epoch; else all that the site has had.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every site, headquarters' own log, all accounts and packs.")
    ] = False,
) -> None:
    """Replay stored logs from their first record and compare every table with them. Ends with 1 on any finding."""
    if (site is None) is not everything:
        raise typer.BadParameter("name a site, or say --all", param_hint="SITE")
    shop = shop_of(ctx)
    with shop.reading() as connection:
        keys = shop.open().keys
        tables = verify_tables(connection, keys)  # whatever is asked: who is believed below stands in them
        trusted = signers(connection, keys)
        rows = logs(connection, site, epoch)
        if not rows:
            what = f"{site} has no log here" if epoch is None else f"{site} has no epoch {epoch} here"
            raise Denied(what, "`fieldtill-hq site list` shows sites and their epochs.")
        tick = _ticker()
        reports = [verify_log(connection, row, trusted, tick) for row in rows]
        accounts = verify_accounts(connection) if everything else Findings()
        packs = verify_packs(connection) if everything else Findings()
    sound = all(report.sound for report in reports) and not accounts and not tables and not packs
    shop.say(
        {
            "sound": sound,
            "logs": [_view(report) for report in reports],
            "accounts": [_finding(finding) for finding in accounts],
            "tables": [_finding(finding) for finding in tables],
            "packs": [_finding(finding) for finding in packs],
        },
        "\n".join(
            [
                *(line for report in reports for line in _lines(report)),
                *_told(accounts, "the books"),
                *_told(tables, "the tables beside the books"),
                *_told(packs, "the tables of packs"),
            ]
        ),
    )
    if not sound:
        raise typer.Exit(1)


def _ticker() -> Progress | None:
    """How far it is, over and over on one line; where nobody watches, nothing."""
    if not sys.stderr.isatty():
        return None

    def tick(log: str, done: int, total: int) -> None:
        sys.stderr.write(f"\r{log}: {done:,} of {total:,} records " + ("\r\x1b[K" if done == total else ""))
        sys.stderr.flush()

    return tick


def _view(report: Report) -> dict[str, object]:
    return {
        "site": report.site,
        "epoch": report.epoch,
        "state": report.state,
        "sound": report.sound,
        "records": report.size,
        "cosigned": report.cosigned,
        "quarantined": report.quarantined,
        "tally": msgspec.to_builtins(report.tally),
        "proven": report.proven,
        "findings": [_finding(finding) for finding in report.findings],
        "more_findings": report.findings.more,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {**msgspec.to_builtins(finding), "remedy": finding.remedy}


def _lines(report: Report) -> Iterator[str]:
    verdict = "sound" if report.sound else "NOT SOUND"
    yield f"{report.name}: {verdict}, {report.size} records, {report.state}"
    yield from (f"  + {line}" for line in report.proven)
    if report.quarantined:
        yield f"  ? {report.quarantined} moves stand in quarantine, with their reasons: `fieldtill-hq nightly`"
    yield from _told(report.findings, "the log")


def _told(findings: Findings, whole: str) -> Iterator[str]:
    for finding in findings:
        where = whole if finding.seq is None else f"record {finding.seq}"
        yield f"  ! {where}: {finding.what} ({finding.code})"
        yield f"      expected  {finding.expected}"
        yield f"      got       {finding.got}"
        yield f"      next      {finding.remedy}"
    if findings.more:
        yield f"  ! and {findings.more} findings more"
