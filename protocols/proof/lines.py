"""One line of a statement: which claim, what has become of it, and the values to say it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Fact: TypeAlias = str | int


class Mark(StrEnum):
    """What has become of a claim."""

    PROVEN = "proven"
    FAILED = "failed"  # it does not hold: do not rely on the receipt
    OPEN = "open"  # nothing is wrong with it, and it is not proven here


@dataclass(frozen=True, slots=True)
class Line:
    """code: which claim. facts: by name, the unit last (`_fen`, `_wh`, `_ms`, `_s`), as a text's blanks take them."""

    code: str
    mark: Mark
    facts: Mapping[str, Fact] = field(default_factory=dict)


def proven(code: str, **facts: Fact) -> Line:
    return Line(code, Mark.PROVEN, facts)


def failed(code: str, **facts: Fact) -> Line:
    return Line(code, Mark.FAILED, facts)


def open_(code: str, **facts: Fact) -> Line:
    return Line(code, Mark.OPEN, facts)


def either(holds: bool, code: str, **facts: Fact) -> Line:
    """Proven when it holds, else failed."""
    return Line(code, Mark.PROVEN if holds else Mark.FAILED, facts)
