"""What does a receipt prove to whoever holds it? Printed line by line; needs no daemon, no config and no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from edge.evidence import words
from edge.panel.cli_shared import dump
from edge.panel.client import Failed
from edge.panel.messages import Trouble
from edge.panel.paper import Paper
from protocols.door import Refused
from protocols.proof import reader_keys, receipt_file
from protocols.proof.errors import Malformed
from protocols.proof.lines import Line, Mark
from protocols.proof.receipt_file import ReceiptFile
from protocols.proof.receipt_story import FillingStory, LockerStory, PortStory, Story, SwapStory
from protocols.proof.receipt_view import view
from protocols.proof.statement import Statement, state

K = TypeVar("K")


class Verdict(IntEnum):
    """The exit code of a verification."""

    PROVEN = 0
    NOT_PROVEN = 1
    BAD_INPUT = 2


def verify_receipt(
    path: Path, site_keys: Sequence[str], hq_keys: Sequence[str], *, language: str = "", as_json: bool = False
) -> Verdict:
    """Print what the receipt at `path` proves. Keys: as `protocols.proof.reader_keys` reads them, or `@FILE`.

    language: `zh` or `en`; empty: the locale's. Raises Failed for what is no receipt and for a bad key: BAD_INPUT.
    """
    words_in = language_for(language)
    file = read_receipt(path)
    told = state(file, _keys(site_keys, reader_keys.site_keys), _keys(hq_keys, reader_keys.hq_keys))
    if as_json:
        dump(statement_view(told))
    else:
        _print(Paper(), told, words_in)
    return Verdict.PROVEN if told.proven else Verdict.NOT_PROVEN


def language_for(asked: str) -> str:
    """`zh` or `en`: as asked, else the locale's. Raises Failed for another."""
    try:
        return words.language_of(asked, os.environ)
    except ValueError:
        remedy = f"It is one of {', '.join(words.LANGUAGES)}."
        raise Failed(Trouble("bad-request", f"no words in {asked}", remedy)) from None


def read_receipt(path: Path) -> ReceiptFile:
    """The file, its form checked; `-`: what comes on stdin. Raises Failed."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(receipt_file.FILE_BYTES_MAX + 1)
        else:
            with path.open("rb") as file:
                data = file.read(receipt_file.FILE_BYTES_MAX + 1)
        return receipt_file.parse(data, source=str(path))
    except OSError as error:
        raise Failed(Trouble("bad-request", f"{path}: {error.strerror}", "Name the receipt's file.")) from error
    except Refused as error:
        raise Failed(Trouble("bad-request", str(error), "Ask whoever gave you the receipt for it again.")) from error


def statement_view(told: Statement) -> dict[str, Any]:
    """For a program: the verdict, the bill where it is proven, and every line with its words."""
    return {
        "proven": told.proven,
        "bill": view(told.story) if told.story else None,
        "lines": [
            {"code": line.code, "mark": str(line.mark), "facts": dict(line.facts), **_said(line)} for line in told.lines
        ],
    }


def _said(line: Line) -> dict[str, str]:
    return {language: words.say(line, language) for language in words.LANGUAGES}


def _print(paper: Paper, told: Statement, language: str) -> None:
    style = {Mark.PROVEN: paper.good, Mark.FAILED: paper.bad, Mark.OPEN: paper.warn}
    for line in told.lines:
        paper.hang(style[line.mark](words.MARKS[line.mark]), words.say(line, language))
    paper.write()
    verdict = words.verdict(told.proven, language)
    paper.write(paper.good(verdict) if told.proven else paper.bad(verdict))
    if told.story is not None:
        paper.write(_gist(told.story))


def _gist(story: Story) -> str:
    told = view(story)
    match story:
        case FillingStory():
            what = f"{told['pump']}  {told['volume_l']} L"
        case SwapStory():
            what = f"{told['cabinet']}  {told['outcome']}"
        case PortStory():
            what = f"{told['port']}  {told.get('energy_kwh') or '-'} kWh  {told.get('lasted') or '-'}"
        case LockerStory():
            what = f"{told['locker']}  {told['outcome']}  {told['lasted']}"
        case _:
            what = f"{told['connector']}  {told['energy_kwh']} kWh"
    return f"{told['session']}  {what}  ¥{told['amount_yuan']}  {told['ended']}"


def _keys(given: Sequence[str], parse: Callable[[str], tuple[K, ...]]) -> tuple[K, ...]:
    found: list[K] = []
    for one in given:
        try:
            found += parse(Path(one[1:]).read_text(encoding="utf-8") if one.startswith("@") else one)
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(Trouble("bad-request", f"{one}: {error}", "Name a file that holds the key.")) from error
        except Malformed as error:
            remedy = "`fieldtill keys` prints a box's keys, `fieldtill-hq keys` headquarters'."
            raise Failed(Trouble("bad-request", str(error), remedy)) from error
    return tuple(found)
