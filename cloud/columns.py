"""How wide is a text on a terminal? Chinese characters take two columns."""

from __future__ import annotations

import unicodedata


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, to: int, *, right: bool) -> str:
    """right: the text stands there, and the blanks before it."""
    blanks = " " * (to - width(text))
    return blanks + text if right else text + blanks
