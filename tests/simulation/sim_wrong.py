"""How does a run end that found something? With the rule that was broken, in a word, and with the numbers."""

from __future__ import annotations


class Wrong(Exception):
    """Something that must never be. rule: which one, in a word; the text has the numbers."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


def expect(rule: str, what: str, expected: object, got: object) -> None:
    """Raise Wrong unless both are the same."""
    if expected != got:
        raise Wrong(rule, f"{what}: expected {expected}, got {got}")
