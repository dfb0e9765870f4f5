"""What is one row of the benchmarks? A number, what it stands beside in the same run, and what is asked of the two."""

from __future__ import annotations

from typing import Literal

import msgspec


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted. of: the measured value itself, or its ratio to what stands beside it."""

    of: Literal["measured", "ratio"]
    sense: Literal["at least", "at most"]
    value: float

    def __str__(self) -> str:
        sign = "\u2265" if self.sense == "at least" else "\u2264"
        return f"{sign} {self.value:g}"


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row.

    beside: the limit or peer, in the same unit, measured (or reckoned) in the same run; beside_what says which.
    goal: None: the number is shown, nothing is asked of it.
    """

    what: str
    measured: float
    unit: str
    beside: float
    beside_what: str
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """None where there is nothing to divide by."""
        return self.measured / self.beside if self.beside else None

    @property
    def met(self) -> bool | None:
        """None: nothing is asked."""
        if self.goal is None:
            return None
        value = self.measured if self.goal.of == "measured" else self.ratio
        if value is None:
            return False
        return value >= self.goal.value if self.goal.sense == "at least" else value <= self.goal.value


def ratio_at_least(value: float) -> Goal:
    return Goal("ratio", "at least", value)


def ratio_at_most(value: float) -> Goal:
    return Goal("ratio", "at most", value)


def at_most(value: float) -> Goal:
    """Of the measured value, in the row's own unit."""
    return Goal("measured", "at most", value)


HEAD = ("what", "measured", "limit or peer", "ratio", "goal", "")


def cells(figure: Figure) -> tuple[str, ...]:
    """The row as texts, under HEAD."""
    goal = figure.goal
    asked = "" if goal is None else str(goal) + (f" {figure.unit}" if goal.of == "measured" else "")
    return (
        figure.what,
        f"{short(figure.measured)} {figure.unit}".rstrip(),
        f"{short(figure.beside)}: {figure.beside_what}",
        "-" if figure.ratio is None else short(figure.ratio),
        asked,
        {True: "met", False: "MISSED", None: ""}[figure.met],
    )


def short(value: float) -> str:
    """Three digits that count, or all of a whole number's."""
    if value == round(value) or abs(value) >= 1000:
        return f"{round(value):,}"
    digits = 2 if abs(value) >= 1 else 3
    text = f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.3g}"
    return f"{value:.1f}" if abs(value) >= 100 else text


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
