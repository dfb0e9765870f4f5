"""How does the command line show rows to a person and to a program? Aligned columns, or JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import typer

from cloud.columns import pad, width
from protocols.trade.quantities import yuan

Row = Mapping[str, object]

_AMOUNT = re.compile(r"-?[0-9]+\.[0-9]+")
_YUAN = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")


def as_json(value: object) -> str:
    """Indented, in the order written; for programs."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def as_table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Numbers and amounts to the right, text to the left, `-` for None. A line that says so where there are no rows."""
    if not rows:
        return "(none)"
    cells = [[_show(row[name]) for name in columns] for row in rows]
    numeric = [all(_is_number(row[name]) for row in rows) for name in columns]
    heads = [name.replace("_", " ") for name in columns]
    widths = [max(width(line[at]) for line in [heads, *cells]) for at in range(len(columns))]
    lines = []
    for line in [heads, *cells]:
        padded = [pad(cell, wide, right=right) for cell, wide, right in zip(line, widths, numeric, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def fen_of(yuan: str) -> int | None:
    """`100`, `99.5` and `99.50` yuan in fen; None for anything else."""
    match = _YUAN.fullmatch(yuan)
    if match is None:
        return None
    return int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))


def fen_in(yuan: str) -> int:
    """As `fen_of`, for what a person wrote on the command line."""
    fen = fen_of(yuan)
    if fen is None:
        raise typer.BadParameter(f"expected yuan with at most two decimals, got {yuan!r}")
    return fen


def units_in(text: str) -> int:
    """A whole number of an asset's units, as a person wrote it on the command line."""
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise typer.BadParameter(f"expected a whole number, got {text!r}")
    return int(text)


def in_yuan(row: Row) -> dict[str, object]:
    """The row with every amount `NAME_fen` as `NAME` in yuan; for a person."""
    shown = dict[str, object]()
    for name, value in row.items():
        if name.endswith("_fen") and isinstance(value, int):
            shown[name.removesuffix("_fen")] = yuan(value)
        else:
            shown[name] = value
    return shown


def _is_number(value: object) -> bool:
    """Or an amount as text, or nothing."""
    return value is None or isinstance(value, int) or (isinstance(value, str) and bool(_AMOUNT.fullmatch(value)))


def _show(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
