"""docs/receipts.md says what `fieldtill verify` says, and names every claim."""

from __future__ import annotations

import re
from pathlib import Path

from edge.evidence import words
from protocols.proof.statement import state
from tests.protocols.proof.people import HQ_KEY
from tests.protocols.proof.sold import BOX, GOOD

PAGE = (Path(__file__).parents[2] / "docs" / "receipts.md").read_text(encoding="utf-8")


def test_the_example_is_what_is_said() -> None:
    """Line by line, for the receipt that the tests sell."""
    (example,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
    signs = {"proven": "+", "open": "o", "failed": "-"}
    said = [f"{signs[line.mark]} {words.say(line, 'en')}" for line in state(GOOD, [BOX], [HQ_KEY]).lines]
    assert example.splitlines() == said


def test_every_claim_is_explained() -> None:
    """In the table, by its code."""
    table = PAGE[PAGE.index("| claim |") : PAGE.index("## The page")]
    explained = {code for row in table.splitlines() for code in re.findall(r"`([a-z-]+)`", row.split(" | ")[0])}
    assert explained == {key.partition("/")[0] for key in words.LINES}
