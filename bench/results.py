"""What does a run leave behind? One JSON file: the machine, and every row of every benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bench.figure import Figure
from bench.machine import Machine
from protocols import door

PATH = Path(__file__).parent.parent / ".bench" / "results.json"


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One benchmark's rows. took_s: of all of it, set-up included."""

    name: str
    took_s: float
    figures: list[Figure]


class Results(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """format: raised when older files can no longer be read. whole: real sizes; a quick run's numbers say little."""

    format: Literal[1]
    whole: bool
    machine: Machine
    tables: list[Table]

    @property
    def missed(self) -> list[Figure]:
        return [figure for table in self.tables for figure in table.figures if figure.met is False]


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    """Raises FileNotFoundError, and door.Refused when another version wrote it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as error:
        raise door.Refused(
            str(path), [door.Fault("", "results of this version", str(error), "Run `python -m bench` again.")]
        ) from error
