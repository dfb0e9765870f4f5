"""The file that says what points, plans and coupons may pay: what a good one becomes, and every fault of a bad one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from protocols.door import Refused
from protocols.trade.tender import Tender, Tenders
from protocols.trade.tender_file import read

GOOD = """
version = 3

[[tenders]]
asset = "swaps"
yuan_each = "30"
lines = ["session"]
divisible = false

[[tenders]]
asset = "points"
yuan_each = "0.015"
"""


def test_a_good_file() -> None:
    """By asset, worth exactly what is written; left out, all lines may be paid, and in parts."""
    assert read(tomllib.loads(GOOD), source="t") == Tenders(
        3, [Tender("points", [], 3, 2, True), Tender("swaps", ["session"], 3_000, 1, False)]
    )


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("version = 3", "version = 0"), "version"),
        (('"30"', '"0"'), "tenders[0].yuan_each"),
        (('"30"', "30"), "tenders[0].yuan_each"),
        (('"0.015"', '"0.0000001"'), "tenders[1].yuan_each"),
        (('["session"]', '["parking"]'), "tenders[0].lines"),
        (('"points"', '"swaps"'), "tenders"),
        (('"points"', '"CNY"'), "tenders[1].asset"),
        (("divisible", "divisble"), "tenders[0].divisble"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], path: str) -> None:
    """With its place in the file."""
    with pytest.raises(Refused) as caught:
        read(tomllib.loads(GOOD.replace(*change)), source="t")
    assert path in [fault.path for fault in caught.value.faults]


def test_all_faults_at_once() -> None:
    """A person mends the file once."""
    text = GOOD.replace('"30"', '"0"').replace('["session"]', '["parking"]').replace('"0.015"', '"0.0"')
    with pytest.raises(Refused) as caught:
        read(tomllib.loads(text), source="t")
    assert len(caught.value.faults) == 3


def test_the_documented_file_is_read() -> None:
    """The one in docs/tariffs.md, as it is printed there."""
    page = (Path(__file__).parents[3] / "docs" / "tariffs.md").read_text(encoding="utf-8")
    text = page.split("## What may pay")[1].split("```toml\n")[1].split("```")[0]
    assert [one.asset for one in read(tomllib.loads(text), source="docs").tenders] == ["coupon-10", "points"]
