"""docs/receipts.md says what `fieldtill verify` says, and names every claim."""

from __future__ import annotations

import re
from pathlib import Path

from edge.evidence import words
from protocols.proof.measurement import verified
from protocols.proof.statement import state
from tests.protocols.proof.filled import CLOSED, FILLED
from tests.protocols.proof.fronted import PORTED, SWAPPED
from tests.protocols.proof.people import DEVICE, HQ_KEY
from tests.protocols.proof.sold import BOX, GOOD

PAGE = (Path(__file__).parents[2] / "docs" / "receipts.md").read_text(encoding="utf-8")


def test_the_examples_are_what_is_said() -> None:
    """Line by line, for the receipts of a charge, a filling, a swap and a port that the tests sell."""
    signs = {"proven": "+", "open": "o", "failed": "-"}
    examples = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
    for example, file in zip(examples, (GOOD, FILLED, SWAPPED, PORTED), strict=True):
        said = [f"{signs[line.mark]} {words.say(line, 'en')}" for line in state(file, [BOX], [HQ_KEY]).lines]
        assert example.splitlines() == said


def test_the_signed_measurement_is_a_real_one() -> None:
    """To the byte: tag, payload and signature, broken into lines for the page; and every key of it is explained."""
    (shown,) = re.findall(r"^```\n(FTM\|.*?)^```", PAGE, re.M | re.S)
    assert shown.replace("\n", "") == CLOSED.meter_record
    record = verified(shown.replace("\n", ""), DEVICE.public_key())
    assert [key for key in record.fields if key[1] == "_" and f"`{key}`" not in PAGE] == []


def test_every_claim_is_explained() -> None:
    """In the table, by its code."""
    table = PAGE[PAGE.index("| claim |") : PAGE.index("## The page")]
    explained = {code for row in table.splitlines() for code in re.findall(r"`([a-z-]+)`", row.split(" | ")[0])}
    assert explained == {key.partition("/")[0] for key in words.LINES}
