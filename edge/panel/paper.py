"""Text for people: aligned columns, colours where somebody sees them, amounts and durations in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, TextIO

from protocols.trade.quantities import kwh, yuan

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
UNKNOWN: Final = "-"


class Paper:
    """Where text goes, and whether it may be coloured there."""

    def __init__(self, out: TextIO | None = None, *, colours: bool | None = None) -> None:
        """colours: None: on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb."""
        self._out = out or sys.stdout
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self.is_terminal = self._out.isatty()
        self._colours = self.is_terminal and not plain if colours is None else colours

    def write(self, text: str = "") -> None:
        print(text, file=self._out)

    def hang(self, head: str, text: str) -> None:
        """`head`, and `text` beside it: broken into lines of the terminal's width, as it is for anything else."""
        room = max(40, shutil.get_terminal_size().columns - width(head) - 2) if self.is_terminal else None
        lines = [line for part in text.split("\n") for line in (_wrapped(part, room) if room else [part])]
        self.write(f"{head}  {lines[0]}")
        for line in lines[1:]:
            self.write(" " * (width(head) + 2) + line)

    def style(self, text: str, *names: str) -> str:
        if not self._colours or not names or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def good(self, text: str) -> str:
        return self.style(text, "green")

    def bad(self, text: str) -> str:
        return self.style(text, "red", "bold")

    def warn(self, text: str) -> str:
        return self.style(text, "yellow")

    def link(self, state: str) -> str:
        """How the conversation with something goes."""
        return {"online": self.good, "offline": self.bad}.get(state, self.dim)(state)

    def dim(self, text: str) -> str:
        return self.style(text, "dim")

    def bold(self, text: str) -> str:
        return self.style(text, "bold")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "") -> None:
        """Columns as wide as their widest cell. A head that begins with `>` makes its column right-aligned."""
        right = [head.startswith(">") for head in heads]
        cells = [[self.dim(head.lstrip(">")) for head in heads], *(list(row) for row in rows)]
        widths = [max(width(row[column]) for row in cells) for column in range(len(heads))]
        for row in cells:
            padded = [_pad(cell, widths[column], right=right[column]) for column, cell in enumerate(row)]
            self.write((indent + "  ".join(padded)).rstrip())

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names to the left, what is to say of them to the right."""
        listed = list(pairs)
        widest = max((width(name) for name, _ in listed), default=0)
        for name, text in listed:
            self.hang(self.dim(_pad(name, widest, right=False)), text)


def width(text: str) -> int:
    """How many columns of a terminal a text takes: colours none, Chinese characters two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in _ANSI.sub("", text))


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room` columns, where words allow it."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _pad(text: str, to: int, *, right: bool) -> str:
    fill = " " * (to - width(text))
    return fill + text if right else text + fill


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def money(amount_fen: int | None) -> str:
    return UNKNOWN if amount_fen is None else f"¥{yuan(amount_fen)}"


def energy(energy_wh: int | None) -> str:
    return UNKNOWN if energy_wh is None else f"{kwh(energy_wh)} kWh"


def power(power_w: int | None) -> str:
    if power_w is None:
        return UNKNOWN
    return f"{power_w} W" if abs(power_w) < 1_000 else f"{power_w // 1_000}.{power_w % 1_000 // 100} kW"


def lasting(seconds: float | None) -> str:
    """A duration with its two largest units: `2 h 13 min`; below ten seconds with one decimal."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    for size, name, part_size, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part_size
            return f"{whole // size} {name}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{lasting(seconds)} ago"


def instant(wall_ms: int) -> str:
    """In the zone of whoever reads it."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
